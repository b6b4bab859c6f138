//! Kinds `idc_decode` and `idc_match`: multi-formation and matching of convolutions.

use crate::case::{Case, bench, real_of, scalar};
use crate::support;
use crate::support::device;
use pddflow_host::{Forward, InputShape, Mode, Problem, Registry};
use pddflow_tensor::{Keep, RandomKey, Tensor, grad};
use serde_json::json;

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
        Tensor::from_f64(values, &shape, &device()).unwrap()
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
