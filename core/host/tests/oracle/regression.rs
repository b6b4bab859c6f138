//! Kinds `frepo` and `rfad`: kernel ridge regression on features.

use crate::case::{Case, scalar};
use crate::support::{self, Bench};
use pddflow_host::{Batch, Forward, Init, InputShape, Registry, WeightRole};
use pddflow_tensor::Tensor;
use serde_json::{Value, json};

/// The parameters of a matcher that the case gives.
fn config(case: &Case, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), case.params[*name].clone())).collect()
}

fn bench(case: &Case) -> Bench {
    let mut bench = Bench::new(support::problem(case.number("classes"), case.shape(), case.number("ipc")));
    let real = Batch { images: case.tensor("in.x_real"), labels: case.tensor("in.y_real") };
    bench.real = Box::new(move |class, _, _| {
        assert_eq!(class, None, "a batch of all classes");
        Batch { images: real.images.clone(), labels: real.labels.clone() }
    });
    bench
}

/// After one step the first average is a tenth of the gradient.
fn gradient(bench: &Bench, name: &str) -> Tensor {
    bench.state[&format!("adam.{name}.first")].mul_scalar(10.0).unwrap()
}

pub(crate) fn frepo(case: &Case, registry: &Registry) -> f64 {
    let model =
        registry.model("pyramid", &json!({"width": case.params["width"], "depth": 2, "norm": "batch"})).unwrap();
    let (specs, weights) = {
        let specs = model.weights(case.shape(), case.number("classes")).unwrap();
        let weights = specs.iter().map(|spec| match (spec.role, &spec.init) {
            (WeightRole::Learnable, _) => case.tensor(&format!("in.w.{}", spec.name)),
            (WeightRole::Statistic, Init::Constant(value)) => {
                Tensor::full(*value, &spec.shape, support::dtype(), &support::device()).unwrap()
            }
            _ => panic!("a statistic starts at a constant"),
        });
        let weights = weights.collect();
        (specs, weights)
    };
    let mut names = config(case, &["lr", "lr_net", "ridge", "max_age", "mirror"]);
    names["pool"] = json!(1);
    let matcher = registry.matcher("frepo", &names).unwrap();
    let mut bench = bench(case);
    bench.problem.horizon = Some(case.number("horizon") as u64);
    (bench.specs, bench.start, bench.model) = (specs, weights, Some(model));
    bench = bench.learning(&matcher);
    bench.learnables[0].1 = case.tensor("in.x_syn");
    let mut found = Vec::new();
    for iteration in 0..case.number("iterations") {
        bench.iterate(&matcher, iteration as u64).unwrap();
        if iteration == 0 {
            found.push(("loss".to_owned(), scalar(bench.metrics["loss"])));
            found.extend(
                [("dx", "images"), ("dlabels", "labels")].map(|(to, of)| (to.to_owned(), gradient(&bench, of))),
            );
        }
    }
    found.extend(bench.learnables.iter().cloned());
    case.error(&found)
}

pub(crate) fn rfad(case: &Case, registry: &Registry) -> f64 {
    let switches = ["learn_labels", "transform", "platt", "lr", "lr_transform", "lr_platt", "ridge"];
    let mut names = config(case, &switches);
    names["batches"] = json!(1);
    names["nets"] = json!(1);
    names["validate_every"] = json!(0);
    let matcher = registry.matcher("rfad", &names).unwrap();
    let mut bench = bench(case).learning(&matcher);
    bench.learnables[0].1 = case.tensor("in.x_syn");
    let layer = case.tensor("in.layer");
    bench.forward = Some(Box::new(move |_, x| {
        let flat = x.reshape(&[x.shape()[0], layer.shape()[0]]).unwrap();
        let features = flat.matmul(&layer).unwrap().relu().unwrap();
        Forward { logits: features.clone(), features, maps: Vec::new(), statistics: Vec::new(), moments: Vec::new() }
    }));
    let mut found = Vec::new();
    for iteration in 0..case.number("iterations") {
        bench.iterate(&matcher, iteration as u64).unwrap();
        if iteration == 0 {
            found.push(("loss".to_owned(), scalar(bench.metrics["loss"])));
            let learned: Vec<String> = bench.learnables.iter().map(|(name, _)| name.clone()).collect();
            found.extend(learned.iter().map(|name| (format!("d.{name}"), gradient(&bench, name))));
        }
    }
    found.extend(bench.learnables.iter().cloned());
    case.error(&found)
}

const SHAPE: InputShape = InputShape { channels: 1, height: 8, width: 8 };

/// The spread of the kernel of a set over iterations falls with the number of nets: seen by the losses.
#[test]
fn more_random_nets_are_nearer_to_each_other() {
    let registry = support::registry();
    let model = registry.model("convnet", &json!({"width": 4, "depth": 1, "norm": "none"})).unwrap();
    let spread = |nets: usize| {
        let config =
            json!({"nets": nets, "batches": 1, "platt": false, "transform": false, "lr": 0.0, "validate_every": 0});
        let matcher = registry.matcher("rfad", &config).unwrap();
        let mut bench = Bench::new(support::problem(3, SHAPE, 1)).with_model(model.clone()).with_random_images();
        let images = bench.learnables[0].1.clone();
        let real = (bench.real)(None, 4, 0);
        bench = bench.learning(&matcher);
        bench.learnables[0].1 = images;
        bench.real = Box::new(move |_, _, _| Batch { images: real.images.clone(), labels: real.labels.clone() });
        let losses: Vec<f64> = (0..24).map(|number| bench.iterate(&matcher, number).unwrap()["loss"]).collect();
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        (losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / losses.len() as f64).sqrt()
    };
    let (few, many) = (spread(1), spread(16));
    assert!(many < 0.5 * few, "{few} {many}");
}

/// Steps that are too long: the loss on real images soon rises.
#[test]
fn the_best_state_on_real_images_is_the_result_and_patience_ends() {
    let registry = support::registry();
    let model = registry.model("convnet", &json!({"width": 2, "depth": 1, "norm": "none"})).unwrap();
    let learn = |more: Value, horizon: u64| {
        let mut config = json!({"nets": 1, "batches": 1, "batch": 6, "lr": 0.1, "transform": false, "validation_nets": 2, "validation_images": 3});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let matcher = registry.matcher("rfad", &config).unwrap();
        let mut bench = Bench::new(support::problem(3, SHAPE, 1)).with_model(model.clone()).with_random_images();
        let images = bench.learnables[0].1.clone();
        let (batch, of_classes) = ((bench.real)(None, 6, 0), [0, 1, 2].map(|class| (bench.real)(Some(class), 3, 0)));
        bench.real = Box::new(move |class, _, _| {
            let Batch { images, labels } = class.map_or(&batch, |class| &of_classes[class]);
            Batch { images: images.clone(), labels: labels.clone() }
        });
        bench = bench.learning(&matcher);
        bench.problem.horizon = Some(horizon);
        bench.learnables[0].1 = images;
        let step = |number: u64| {
            let metrics = bench.iterate(&matcher, number).unwrap();
            let values: Vec<f64> = bench.learnables.iter().flat_map(|one| one.1.to_f64_vec().unwrap()).collect();
            (metrics, values)
        };
        (0..horizon).map(step).collect::<Vec<_>>()
    };
    let all = learn(json!({"validate_every": 1, "patience": 1000}), 12);
    let losses: Vec<f64> = all.iter().map(|(metrics, _)| metrics["validation_loss"]).collect();
    let best = (0..12).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert!(best < 9, "{losses:?}");
    let plain = learn(json!({"validate_every": 0}), 12);
    assert_eq!(all[10].1, plain[10].1, "validations change nothing before the end");
    assert_eq!(all[11].1, plain[best].1, "{losses:?}");
    // The first run of two validations without a lower loss ends it.
    let patient = learn(json!({"validate_every": 1, "patience": 2}), 12);
    let (mut lowest, mut at) = (f64::INFINITY, 0);
    let end = (0..12).find(|number| {
        if losses[*number] < lowest {
            (lowest, at) = (losses[*number], *number);
        }
        *number == at + 2
    });
    let end = end.expect("a rise");
    assert_eq!(patient[end].0["stopped"], 1.0);
    assert!(patient[end..].iter().all(|(_, values)| *values == plain[at].1), "{losses:?}");
}

#[test]
fn one_hot_labels_are_at_the_limit_of_the_margin() {
    let registry = support::registry();
    let model = registry.model("pyramid", &json!({"width": 2, "depth": 1})).unwrap();
    let matcher = registry.matcher("frepo", &json!({"lr": 0.0, "ridge": 1e9})).unwrap();
    let mut bench = Bench::new(support::problem(3, SHAPE, 1)).with_model(model).with_random_images();
    let images = bench.learnables[0].1.clone();
    bench = bench.learning(&matcher);
    bench.learnables[0].1 = images;
    bench.iterate(&matcher, 0).unwrap();
    // With such a ridge all scores are 0: what is left are half of |y|^2, (4/9 + 2/9) / 2, less the limit of the margin, and no slope by the labels.
    assert!((bench.metrics["loss"] - 0.0).abs() < 1e-6, "{}", bench.metrics["loss"]);
    assert!(bench.metrics["gradient_norm_labels"] < 1e-6);
    let labels = bench.value("labels").to_f64_vec().unwrap();
    let scale = 1.0 / 0.3_f64.sqrt();
    assert!((labels[0] - 2.0 / 3.0 * scale).abs() < 1e-12 && (labels[1] + scale / 3.0).abs() < 1e-12, "{labels:?}");
    let decoded = matcher.decode(&bench.learnables, &bench.problem).unwrap().labels.tensor().to_f64_vec().unwrap();
    assert!((decoded[0] - labels[0] - 1.0 / 3.0).abs() < 1e-12);
}
