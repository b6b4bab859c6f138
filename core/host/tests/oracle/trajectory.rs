//! Kinds `mtt` and `tesla`: matching of trajectories.

use crate::case::{Case, scalar};
use crate::support::{self, Bench};
use pddflow_host::{Mode, Registry, Segment, WeightSpec};
use pddflow_tensor::{DType, RandomKey, Tensor};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A flat vector as weights.
pub(crate) fn split(flat: &Tensor, specs: &[WeightSpec]) -> Vec<Tensor> {
    let mut at = 0;
    let part = |spec: &WeightSpec| {
        let count: usize = spec.shape.iter().product();
        at += count;
        flat.slice(0, at - count, at, 1).unwrap().reshape(&spec.shape).unwrap()
    };
    specs.iter().map(part).collect()
}

pub(crate) fn flat(weights: &[Tensor]) -> Tensor {
    let parts: Vec<Tensor> = weights.iter().map(|weight| weight.reshape(&[weight.elements()]).unwrap()).collect();
    Tensor::concat(&parts, 0).unwrap()
}

/// The case's mini-batches, each in ascending order.
fn batches(case: &Case) -> Vec<Vec<i64>> {
    let rows = case.tensor("in.batch_rows").to_i64_vec().unwrap();
    let mut rest = rows.as_slice();
    let sizes = case.tensor("in.batch_sizes").to_i64_vec().unwrap();
    let batches = sizes.iter().map(|size| {
        let (batch, after) = rest.split_at(*size as usize);
        rest = after;
        sorted(batch)
    });
    batches.collect()
}

fn sorted(rows: &[i64]) -> Vec<i64> {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    rows
}

/// The mini-batches that the matchers draw with a seed (see the documentation of `pddflow-trajectory`), likewise.
fn drawn(seed: RandomKey, rows: usize, size: usize, steps: usize) -> Vec<Vec<i64>> {
    let key = seed.fold("iterate").fold_u64(0).fold("attempt").fold_u64(0).fold("order");
    let pass = |pass: u64| {
        let order: Vec<i64> = key.fold_u64(pass).permutation(rows).into_iter().map(|row| row as i64).collect();
        order.chunks(size).rev().map(sorted).collect::<Vec<_>>()
    };
    (0..).flat_map(pass).take(steps).collect()
}

/// The mean over a mini-batch does not depend on its order, so a seed that draws the same sets of rows does.
fn seed_of(case: &Case) -> RandomKey {
    let (steps, rows) = (case.number("steps"), case.tensor("in.y").elements());
    let (wanted, size) = (batches(case), case.number("batch"));
    let seeds = (0..1_000_000).map(RandomKey::new);
    seeds.into_iter().find(|seed| drawn(*seed, rows, size, steps) == wanted).expect("no seed draws these batches")
}

fn student(case: &Case, registry: &Registry) -> Bench {
    let classes = case.number("classes");
    let labels: Vec<i64> = (0..classes as i64).flat_map(|class| vec![class; case.number("ipc")]).collect();
    assert_eq!(case.tensor("in.y").to_i64_vec().unwrap(), labels, "{}: rows are class by class", case.name);
    let mut bench =
        Bench::new(support::problem(classes, case.shape(), case.number("ipc"))).with_model(case.model(registry));
    let order: Vec<&str> = bench.specs.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(json!(order), case.params["parameters"], "{}: order of the weights", case.name);
    bench.problem.seed_key = seed_of(case);
    bench.learnables =
        vec![("images".to_owned(), case.tensor("in.x")), ("learning_rate".to_owned(), case.tensor("in.alpha"))];
    let (start, target) =
        (split(&case.tensor("in.theta0"), &bench.specs), split(&case.tensor("in.target"), &bench.specs));
    bench.segment = Some(Box::new(move |_, _| Segment { start: start.clone(), target: target.clone(), epoch: 0 }));
    bench
}

fn config(case: &Case, steps: usize) -> Value {
    json!({
        "syn_steps": steps,
        "batch_syn": case.number("batch"),
        "lr_teacher": case.tensor("in.alpha").item().unwrap(),
        "augment": "none",
        "loss_limit": 1e9,
    })
}

/// Gradients that the optimisers were given, and the loss.
fn outputs(bench: &Bench, images: &str) -> Vec<(String, Tensor)> {
    let step = |name: &str| bench.steps.iter().find(|step| step.0 == name).unwrap().1.clone();
    let named = [(images, step("images")), ("dalpha", step("learning_rate")), ("loss", scalar(bench.metrics["loss"]))];
    named.map(|(name, tensor)| (name.to_owned(), tensor)).to_vec()
}

/// Where the student of a matcher ends: where it is when it begins one step more.
fn end(case: &Case, registry: &Registry, matcher: &str) -> Tensor {
    let mut bench = student(case, registry);
    let (model, steps) = (bench.model.clone().unwrap(), case.number("steps"));
    let path = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&path);
    bench.forward = Some(Box::new(move |weights, x| {
        seen.lock().unwrap().push(flat(weights).detach());
        model.forward(weights, x, Mode::Train, RandomKey::new(0)).unwrap()
    }));
    support::iterate(&registry.matcher(matcher, &config(case, steps + 1)).unwrap(), &mut bench).unwrap();
    let path = path.lock().unwrap();
    // Without a budget for tapes every step is computed twice, but for the last.
    assert_eq!(path.len(), 2 * steps + 1, "{}: passes of the model", case.name);
    path[steps].clone()
}

pub(crate) fn mtt(case: &Case, registry: &Registry) -> f64 {
    if case.tensors.contains_key("in.labels") {
        return mtt_with_labels(case, registry);
    }
    let mut bench = student(case, registry);
    let steps = case.number("steps");
    support::iterate(&registry.matcher("mtt", &config(case, steps)).unwrap(), &mut bench).unwrap();
    if steps == 0 {
        assert_eq!(bench.metrics["loss"].to_bits(), 1f64.to_bits(), "a student that does not move has the loss 1");
    }
    let mut found = outputs(&bench, "dx");
    found.push(("theta".to_owned(), end(case, registry, "mtt")));
    case.error(&found)
}

/// All rows are in every mini-batch, so that the iteration does not matter: it is the second, before which labels do not start anew.
fn mtt_with_labels(case: &Case, registry: &Registry) -> f64 {
    let with = |skip_above: f64| {
        let mut bench = student(case, registry);
        bench.learnables.push(("labels".to_owned(), case.tensor("in.labels")));
        let mut config = config(case, case.number("steps"));
        (config["labels"], config["skip_above"]) = (json!("one_hot"), json!(skip_above));
        registry.matcher("mtt", &config).unwrap().iterate(&mut bench, 1).unwrap();
        bench
    };
    let loss = case.tensor("out.loss").item().unwrap();
    // Limits just beside it.
    let (near, exact) = if support::dtype() == DType::F64 { (1e-6, 1e-9) } else { (1e-3, 1e-5) };
    let (bench, skipped) = (with(loss + near), with(loss - near));
    assert_eq!((bench.metrics["skipped"], skipped.metrics["skipped"]), (0.0, 1.0));
    assert!(skipped.steps.is_empty() && (skipped.metrics["loss"] - loss).abs() < exact, "{}", case.name);
    let mut found = outputs(&bench, "dx");
    found.push(("dlabels".to_owned(), bench.steps.iter().find(|step| step.0 == "labels").unwrap().1.clone()));
    case.error(&found)
}

pub(crate) fn tesla(case: &Case, registry: &Registry) -> f64 {
    let (steps, alpha) = (case.number("steps"), case.tensor("in.alpha").item().unwrap());
    let mut found = Vec::new();
    for (gradient, name) in [("corrected", "dx"), ("released", "dx_released")] {
        let mut bench = student(case, registry);
        let mut config = config(case, steps);
        config["image_gradient"] = json!(gradient);
        support::iterate(&registry.matcher("tesla", &config).unwrap(), &mut bench).unwrap();
        found.extend(outputs(&bench, name));
    }
    let end = end(case, registry, "tesla");
    let sum = case.tensor("in.theta0").sub(&end).unwrap().mul_scalar(1.0 / alpha).unwrap();
    found.push(("gradient_sum".to_owned(), sum));
    case.error(&found)
}
