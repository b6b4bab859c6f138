//! Kinds `idc_decode` and `idc_match`: multi-formation and matching of convolutions.

use crate::case::{Case, bench, real_of, scalar};
use crate::support;
use crate::support::{device, dtype};
use pddflow_host::{Decoded, Forward, InputShape, Labels, Mode, Problem, Registry};
use pddflow_tensor::{Keep, RandomKey, Tensor, grad};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// A task whose decoded images stay in `[0, 1]`.
pub(crate) fn plain_problem(classes: usize, shape: InputShape, ipc: usize) -> Problem {
    let mut problem = support::problem(classes, shape, ipc);
    problem.value_range.mean.fill(0.0);
    problem.value_range.std.fill(1.0);
    problem
}

/// Each image is a class of its own, so that the labels found are the numbers of the stored images.
pub(crate) fn idc_decode(case: &Case, registry: &Registry) -> f64 {
    let x = case.tensor("in.x").variable().unwrap();
    let [count, channels, height, width] = *x.shape() else { panic!("{}: four axes", case.name) };
    let problem = plain_problem(count, InputShape { channels, height, width }, 1);
    let matcher = registry.matcher("idc", &json!({"factor": case.number("factor")})).unwrap();
    let decoded = matcher.decode(&[("images".to_owned(), x.clone())], &problem).unwrap();
    let labels = case.tensor("in.y").gather(0, decoded.labels.tensor()).unwrap();
    assert_eq!(labels.to_i64_vec().unwrap(), case.tensor("out.labels").to_i64_vec().unwrap(), "{}", case.name);
    let seeds = [case.tensor("in.u")];
    let dx = grad(std::slice::from_ref(&decoded.images), &[x], Some(&seeds), Keep::No).unwrap();
    case.error(&[("z".to_owned(), decoded.images), ("dx".to_owned(), dx[0].clone())])
}

/// One round on one class, which becomes the first: cross-entropy does not mind if the columns of the logits change places.
pub(crate) fn idc_match(case: &Case, registry: &Registry) -> f64 {
    let mut bench = bench(case, registry, 1);
    let numbers = |name: &str| -> Vec<f64> {
        case.params[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    (bench.problem.value_range.mean, bench.problem.value_range.std) = (numbers("mean"), numbers("std"));
    let channel = |name: &str| {
        let values = numbers(name);
        let shape = [1, values.len(), 1, 1];
        Tensor::from_values(values, &shape, dtype(), &device()).unwrap()
    };
    let real = case.tensor("in.x_real").sub(&channel("mean")).unwrap().div(&channel("std")).unwrap();
    let real = Tensor::stack(&[real], 0).unwrap();
    bench.real = Box::new(move |_, _, _| real_of(&real, 0));
    let (label, classes) = (case.number("label") as i64, case.number("classes") as i64);
    let order: Vec<i64> = std::iter::once(label).chain((0..classes).filter(|class| *class != label)).collect();
    let order = Tensor::from_i64(order, &[classes as usize], &device()).unwrap();
    let model = bench.model.clone().unwrap();
    bench.forward = Some(Box::new(move |weights, x| {
        let forward = model.forward(weights, x, Mode::Train, RandomKey::new(0)).unwrap();
        Forward { logits: forward.logits.gather(1, &order).unwrap(), ..forward }
    }));
    let config =
        json!({"factor": case.number("factor"), "metric": case.params["metric"], "augment": "none", "inner": 1});
    support::iterate(&registry.matcher("idc", &config).unwrap(), &mut bench).unwrap();
    let loss = scalar(bench.metrics["loss"]);
    case.error(&[("loss".to_owned(), loss), ("dx_syn".to_owned(), bench.steps[0].1.clone())])
}

/// An iteration that measures prefixes, with one that was chosen and a smaller one that was chosen before. No image moves.
pub(crate) fn idc_prefix(case: &Case, registry: &Registry) -> f64 {
    let classes = case.number("classes");
    let mut bench = bench(case, registry, classes);
    let numbers = |name: &str| serde_json::from_value::<Vec<f64>>(case.params[name].clone()).unwrap();
    (bench.problem.value_range.mean, bench.problem.value_range.std) = (numbers("mean"), numbers("std"));
    let real = case.tensor("in.x_real");
    bench.real = Box::new(move |class, _, _| real_of(&real, class.unwrap()));
    bench.lr = 0.0;
    let seen = Tensor::from_values(vec![1.0, 0.0], &[2], dtype(), &device()).unwrap();
    bench.state.insert("prefix.chosen".to_owned(), scalar(case.number("chosen") as f64));
    bench.state.insert("prefix.seen".to_owned(), seen);
    bench.state.insert("prefix.distances".to_owned(), case.tensor("in.before"));
    let config = json!({"factor": case.params["factor"], "augment": "none", "inner": 1, "prefix_period": 2});
    bench.iterate(&registry.matcher("idc", &config).unwrap(), 1).unwrap();
    assert_eq!(bench.state["prefix.seen"].to_f64_vec().unwrap(), [1.0, 1.0]);
    let gradient = bench.steps.iter().skip(1).fold(bench.steps[0].1.clone(), |sum, step| sum.add(&step.1).unwrap());
    let still = gradient
        .to_f64_vec()
        .unwrap()
        .chunks(3 * 3 * 64)
        .flat_map(|class| class[..3 * 64].to_vec())
        .collect::<Vec<_>>();
    assert!(still.iter().all(|value| *value == 0.0), "the first image of each class does not move");
    let found = [
        ("loss".to_owned(), scalar(bench.metrics["loss"])),
        ("dx".to_owned(), gradient),
        ("distances".to_owned(), bench.state["prefix.distances"].clone()),
        ("next".to_owned(), bench.state["prefix.chosen"].clone()),
    ];
    found.iter().map(|one| case.error(std::slice::from_ref(one))).fold(0.0, f64::max)
}

/// Images that the net sees in an iteration: real and synthetic ones of each class, both again where prefixes are measured, and the chosen prefix.
#[test]
fn prefixes_are_chosen_from_the_smallest_on_and_have_earlier_sets_in_them() {
    let registry = support::registry();
    let shape = InputShape { channels: 3, height: 8, width: 8 };
    let model = registry.model("convnet", &json!({"width": 4, "depth": 1})).unwrap();
    let mut bench = support::Bench::new(support::problem(1, shape, 3)).with_model(model.clone()).with_random_images();
    bench.previous = Some(Decoded {
        images: support::noise(&[2, 3, 8, 8], RandomKey::new(6), 1.0),
        labels: Labels::Hard(Tensor::from_i64(vec![0, 0], &[2], &device()).unwrap()),
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sizes = Arc::clone(&seen);
    bench.forward = Some(Box::new(move |weights, x| {
        sizes.lock().unwrap().push(x.shape()[0]);
        model.forward(weights, x, Mode::Train, RandomKey::new(0)).unwrap()
    }));
    let config =
        json!({"factor": 2, "augment": "none", "inner": 1, "batch": 4, "batch_syn_max": 5, "prefix_period": 3});
    let matcher = registry.matcher("idc", &config).unwrap();
    let mut prefixes = Vec::new();
    for iteration in 0..4 {
        bench.iterate(&matcher, iteration).unwrap();
        prefixes.push(bench.metrics["prefix"]);
        let chosen = prefixes[iteration as usize] as usize;
        let mut expected = vec![4, 14];
        if [0, 2].contains(&iteration) {
            expected.extend([4, 14]);
        }
        if chosen > 0 {
            expected.push(2 + 4 * chosen);
        }
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected, "iteration {iteration}");
    }
    assert_eq!(prefixes[..3], [0.0, 1.0, 1.0]);
    assert!(prefixes[3] >= 1.0);
    let error = matcher.describe(&support::problem(1, shape, 1)).unwrap_err().to_string();
    assert!(error.contains("no first part"), "{error}");
}
