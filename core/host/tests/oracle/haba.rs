//! Kind `haba`: trajectories matched through hallucinators, and their adversary.

use crate::case::{Case, real_of, scalar};
use crate::support::{self, Bench, device};
use crate::trajectory::{flat, split};
use pddflow_host::{Decoded, InputShape, Labels, Matcher, Mode, Registry, Segment};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Hallucinators of the steps of an iteration, as `pddflow-trajectory` documents it.
fn drawn(seed: RandomKey, iteration: u64, steps: usize) -> Vec<u64> {
    let key = seed.fold("iterate").fold_u64(iteration).fold("attempt").fold_u64(0).fold("variant");
    (0..steps as u64).map(|step| key.fold_u64(step).below(2)).collect()
}

pub(crate) fn haba(case: &Case, registry: &Registry) -> f64 {
    let wanted: Vec<Vec<u64>> = serde_json::from_value(case.params["drawn"].clone()).unwrap();
    let names = ["lr", "momentum", "lr_lr", "momentum_lr", "likeness", "contrast", "hallucinators", "lr_hallucinators"];
    let more = ["momentum_hallucinators", "lr_adversary", "momentum_adversary", "single_channel"];
    let mut config: Value =
        names.iter().chain(&more).map(|name| ((*name).to_owned(), case.params[*name].clone())).collect();
    if config["single_channel"].is_null() {
        config["single_channel"] = json!(false);
    }
    config["init"] = json!("noise");
    (config["syn_steps"], config["augment"]) = (json!(wanted[0].len()), json!("none"));
    (config["lr_teacher"], config["loss_limit"]) = (json!(case.tensor("in.alpha").item().unwrap()), json!(1e9));
    let matcher = registry.matcher("haba", &config).unwrap();
    let problem = support::problem(case.number("classes"), case.shape(), case.number("ipc"));
    let mut bench = Bench::new(problem).with_model(case.model(registry)).learning(&matcher);
    let fits = |seed: &RandomKey| wanted.iter().zip(0..).all(|(steps, at)| drawn(*seed, at, steps.len()) == *steps);
    bench.problem.seed_key = (0..100_000).map(RandomKey::new).find(fits).expect("no seed draws these hallucinators");
    for (name, value) in &mut bench.learnables {
        *value = case.tensor(&format!("in.{}", in_the_case(name)));
    }
    bench.start = split(&case.tensor("in.adversary"), &bench.specs);
    let ends = ["theta0", "target"].map(|name| split(&case.tensor(&format!("in.{name}")), &bench.specs));
    bench.segment = Some(Box::new(move |_, _| Segment { start: ends[0].clone(), target: ends[1].clone(), epoch: 0 }));
    let mut found = Vec::new();
    for iteration in 0..wanted.len() {
        bench.iterate(&matcher, iteration as u64).unwrap();
        if iteration == 0 {
            let metrics = ["loss", "likeness", "adversary_loss"];
            found.extend(metrics.map(|name| (name.to_owned(), scalar(bench.metrics[name]))));
            found.extend(bench.steps.iter().map(|(name, by, _)| (format!("d.{}", in_the_case(name)), by.clone())));
        }
    }
    found.extend(bench.learnables.iter().map(|(name, value)| (format!("after.{}", in_the_case(name)), value.clone())));
    let adversary: Vec<Tensor> =
        (0..bench.specs.len()).map(|at| bench.state[&format!("adversary.{at}")].clone()).collect();
    found.push(("adversary".to_owned(), flat(&adversary)));
    // Each by itself: errors are not to hide behind larger numbers of another one.
    found.iter().map(|one| case.error(std::slice::from_ref(one))).fold(0.0, f64::max)
}

fn in_the_case(name: &str) -> &str {
    if name == "learning_rate" { "alpha" } else { name }
}

const SHAPE: InputShape = InputShape { channels: 1, height: 6, width: 5 };

/// With kernels that only have their middle, nothing is left but the border.
#[test]
fn a_hallucinator_that_does_nothing_gives_the_basis_but_for_its_border() {
    let registry = support::registry();
    let matcher = registry.matcher("haba", &json!({"hallucinators": 2})).unwrap();
    let mut bench = Bench::new(support::problem(3, SHAPE, 1)).learning(&matcher);
    let middle: Vec<f64> = (0..18).map(|at| f64::from(u8::from(at % 9 == 4))).collect();
    for (name, value) in &mut bench.learnables {
        if name.ends_with("coder") {
            *value = Tensor::from_f64(middle.clone(), value.shape(), &Device::Cpu).unwrap();
        } else if name.ends_with("bias") {
            *value = Tensor::zeros(value.shape(), DType::F64, &Device::Cpu).unwrap();
        } else if name == "scale" {
            // The second hallucinator doubles.
            let factors = (0..24).map(|at| if at < 12 { 1.0 } else { 2.0 }).collect();
            *value = Tensor::from_f64(factors, value.shape(), &Device::Cpu).unwrap();
        }
    }
    let bases = bench.value("images").to_f64_vec().unwrap();
    let decoded = matcher.decode(&bench.learnables, &bench.problem).unwrap();
    assert_eq!(decoded.images.shape(), [6, 1, 6, 5]);
    assert_eq!(decoded.labels.tensor().to_i64_vec().unwrap(), [0, 0, 1, 1, 2, 2]);
    for (at, value) in decoded.images.to_f64_vec().unwrap().into_iter().enumerate() {
        let (row, y, x) = (at / 30, at / 5 % 6, at % 5);
        let inside = (1..5).contains(&y) && (1..4).contains(&x);
        let wanted = if inside { bases[row / 2 * 30 + at % 30] * [1.0, 2.0][row % 2] } else { 0.0 };
        assert!((value - wanted).abs() < 1e-12, "row {row}, {y}, {x}: {value} for {wanted}");
    }
}

#[test]
fn bases_of_one_channel_start_as_means_over_channels_of_real_images() {
    let registry = support::registry();
    let model = registry.model("convnet", &json!({"width": 2, "depth": 1})).unwrap();
    let mut config =
        json!({"hallucinators": 2, "syn_steps": 1, "max_start": 1, "single_channel": true, "augment": "none"});
    (config["lr"], config["lr_hallucinators"], config["likeness"]) = (json!(0.0), json!(0.0), json!(0.0));
    let matcher = registry.matcher("haba", &config).unwrap();
    let shape = InputShape { channels: 3, ..SHAPE };
    let mut bench = Bench::new(support::problem(3, shape, 2)).with_model(model).learning(&matcher);
    let weights = bench.start.clone();
    let moved: Vec<Tensor> = weights.iter().map(|weight| weight.mul_scalar(1.1).unwrap()).collect();
    bench.segment = Some(Box::new(move |_, _| Segment { start: weights.clone(), target: moved.clone(), epoch: 0 }));
    let real = support::noise(&[3, 2, 3, 6, 5], RandomKey::new(4), 1.0);
    let all = real.clone();
    bench.real = Box::new(move |class, _, _| real_of(&all, class.unwrap()));
    assert_eq!(bench.value("images").shape(), [6, 1, 6, 5]);
    bench.iterate(&matcher, 0).unwrap();
    let mean = real.reshape(&[6, 3, 6, 5]).unwrap().mean(&[1], true).unwrap();
    let values = |tensor: &Tensor| tensor.to_f64_vec().unwrap();
    let off = values(&bench.value("images")).into_iter().zip(values(&mean)).map(|(a, b)| (a - b).abs());
    assert!(off.fold(0.0, f64::max) < 1e-12);
    let decoded = matcher.decode(&bench.learnables, &bench.problem).unwrap();
    assert_eq!(decoded.images.shape(), [12, 3, 6, 5]);
    config["init"] = json!("recognised");
    assert!(registry.matcher("haba", &config).unwrap_err().to_string().contains("init: real"));
}

/// A task with an earlier set of so many rows for each class.
fn bench(registry: &Registry, config: &Value, earlier: usize) -> (Arc<Matcher>, Bench) {
    let model = registry.model("convnet", &json!({"width": 4, "depth": 1})).unwrap();
    let matcher = registry.matcher("haba", config).unwrap();
    let mut bench = Bench::new(support::problem(3, SHAPE, 1)).with_model(model).learning(&matcher);
    let start = bench.start.clone();
    let target: Vec<Tensor> = start.iter().map(|weight| weight.mul_scalar(1.1).unwrap()).collect();
    bench.segment = Some(Box::new(move |_, _| Segment { start: start.clone(), target: target.clone(), epoch: 0 }));
    if earlier > 0 {
        let labels: Vec<i64> = (0..3).flat_map(|class| vec![class; earlier]).collect();
        bench.previous = Some(Decoded {
            images: support::noise(&[3 * earlier, 1, 6, 5], RandomKey::new(6), 1.0),
            labels: Labels::Hard(Tensor::from_i64(labels, &[3 * earlier], &device()).unwrap()),
        });
    }
    (matcher, bench)
}

#[test]
fn the_gradient_agrees_with_differences_beside_an_earlier_set() {
    const WIDTH: f64 = 1e-6;
    let registry = support::registry();
    let mut config = json!({"hallucinators": 2, "syn_steps": 2, "max_start": 1, "lr_teacher": 0.05, "lr": 0.0});
    (config["lr_hallucinators"], config["likeness"]) = (json!(0.0), json!(0.7));
    let run = |change: Option<(&str, &Tensor)>| {
        let (matcher, mut bench) = bench(&registry, &config, 4);
        if let Some((name, by)) = change {
            let place = bench.learnables.iter_mut().find(|(known, _)| known == name).unwrap();
            place.1 = place.1.add(by).unwrap();
        }
        bench.iterate(&matcher, 1).unwrap();
        bench
    };
    let found = run(None);
    for (name, value) in found.learnables.iter().filter(|(name, _)| name != "learning_rate") {
        let direction = support::noise(value.shape(), RandomKey::new(9).fold(name), 1.0);
        let loss = |side: f64| run(Some((name, &direction.mul_scalar(side * WIDTH).unwrap()))).metrics["loss"];
        let slope = (loss(1.0) - loss(-1.0)) / (2.0 * WIDTH);
        let own = found.steps.iter().find(|step| step.0 == *name).unwrap().1.dot(&direction).unwrap().item().unwrap();
        assert!((own - slope).abs() <= 1e-5 * slope.abs().max(1e-3), "{name}: {own}, by differences {slope}");
    }
}

/// Steps see one image of each basis, and of earlier sets as well; where those are not made of bases, all of their images.
#[test]
fn a_step_sees_one_image_of_each_basis() {
    let registry = support::registry();
    for (earlier, of_earlier) in [(0, 0), (4, 2), (3, 3)] {
        let config = json!({"hallucinators": 2, "syn_steps": 3, "max_start": 1, "batch_syn": 100, "augment": "none"});
        let (matcher, mut bench) = bench(&registry, &config, earlier);
        let (model, seen) = (bench.model.clone().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let sizes = Arc::clone(&seen);
        bench.forward = Some(Box::new(move |weights, x| {
            sizes.lock().unwrap().push(x.shape()[0]);
            model.forward(weights, x, Mode::Train, RandomKey::new(0)).unwrap()
        }));
        bench.iterate(&matcher, 0).unwrap();
        let seen = seen.lock().unwrap();
        let (student, adversary) = seen.split_at(seen.len() - 2);
        assert!(student.len() >= 3 && student.iter().all(|rows| *rows == 3 * (1 + of_earlier)), "{seen:?}");
        assert_eq!(adversary, [6, 6], "two images of each new basis");
    }
}

#[test]
fn images_without_an_inside_are_refused() {
    let registry = support::registry();
    let matcher = registry.matcher("haba", &json!({})).unwrap();
    let small = InputShape { channels: 1, height: 2, width: 5 };
    let error = matcher.describe(&support::problem(3, small, 1)).unwrap_err().to_string();
    assert!(error.contains("2 x 5 are too small"), "{error}");
}

#[test]
fn one_hallucinator_has_no_adversary() {
    let registry = support::registry();
    for config in [json!({"hallucinators": 1}), json!({"likeness": 0.0})] {
        let mut config = config;
        (config["syn_steps"], config["max_start"]) = (json!(1), json!(1));
        let (matcher, mut bench) = bench(&registry, &config, 0);
        bench.iterate(&matcher, 0).unwrap();
        assert!(!bench.metrics.contains_key("likeness") && !bench.state.contains_key("adversary.0"));
    }
}
