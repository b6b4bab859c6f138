//! Matchers of trajectories through the boundary: gradients against finite differences, conditioning, labels, blow-ups.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod support;

use pddflow_host::{Decoded, InputShape, Labels, LearnableRole, Mode, Need, Registry, Role, Segment};
use pddflow_tensor::{Device, RandomKey, Tensor};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use support::{Bench, noise};

const SHAPE: InputShape = InputShape { channels: 3, height: 8, width: 8 };
const CLASSES: usize = 3;
const IPC: usize = 2;
const ROWS: usize = CLASSES * IPC;

fn registry() -> Registry {
    support::registry()
}

/// A student on noise, with an expert that moved a little; `norm` is the net's.
fn bench(registry: &Registry, norm: &str) -> Bench {
    let model = registry.model("convnet", &json!({"width": 4, "depth": 2, "norm": norm})).unwrap();
    let mut bench = Bench::new(support::problem(CLASSES, SHAPE, IPC)).with_model(model).with_random_images();
    bench.learnables.push(("learning_rate".to_owned(), Tensor::from_f64(vec![0.05], &[], &Device::Cpu).unwrap()));
    let key = RandomKey::new(11);
    let target: Vec<Tensor> = bench
        .start
        .iter()
        .zip(&bench.specs)
        .map(|(weight, spec)| weight.add(&noise(&spec.shape, key.fold(&spec.name), 0.05)).unwrap())
        .collect();
    let start = bench.start.clone();
    bench.segment =
        Some(Box::new(move |starts, _| Segment { start: start.clone(), target: target.clone(), epoch: starts.start }));
    bench
}

fn with_soft_labels(mut bench: Bench) -> Bench {
    bench.learnables.push(("labels".to_owned(), noise(&[ROWS, CLASSES], RandomKey::new(5), 1.0)));
    bench
}

/// An earlier set of the same size.
fn with_previous(mut bench: Bench) -> Bench {
    let labels: Vec<i64> = (0..CLASSES as i64).flat_map(|class| vec![class; IPC]).collect();
    bench.previous = Some(Decoded {
        images: noise(&[ROWS, 3, 8, 8], RandomKey::new(6), 1.0),
        labels: Labels::Hard(Tensor::from_i64(labels, &[ROWS], &Device::Cpu).unwrap()),
    });
    bench
}

fn config(mut more: Value) -> Value {
    let own = more.as_object_mut().unwrap();
    for (name, value) in [("syn_steps", 3), ("max_start", 1), ("expert_epochs", 1), ("batch_syn", 4)] {
        own.entry(name).or_insert_with(|| json!(value));
    }
    more
}

fn gradient(bench: &Bench, name: &str) -> Tensor {
    bench.steps.iter().find(|step| step.0 == name).unwrap_or_else(|| panic!("no step of {name}")).1.clone()
}

/// Gradients by every learnable against central differences of the loss in a random direction.
fn check_gradients(make: &dyn Fn() -> Bench, config: &Value, registry: &Registry) {
    const WIDTH: f64 = 1e-6;
    let matcher = registry.matcher("mtt", config).unwrap();
    let mut found = make();
    // Not the first iteration, which gives labels their first value.
    matcher.iterate(&mut found, 1).unwrap();
    for (place, (name, value)) in make().learnables.iter().enumerate() {
        let direction = noise(value.shape(), RandomKey::new(9).fold(name), 1.0);
        let loss = |side: f64| {
            let mut bench = make();
            bench.learnables[place].1 = value.add(&direction.mul_scalar(side * WIDTH).unwrap()).unwrap();
            matcher.iterate(&mut bench, 1).unwrap();
            bench.metrics["loss"]
        };
        let slope = (loss(1.0) - loss(-1.0)) / (2.0 * WIDTH);
        let own = gradient(&found, name).dot(&direction).unwrap().item().unwrap();
        println!("{config} {name}: {own:.12e}, by differences {slope:.12e}");
        // Rounding of the loss, about 1e-16, over the width, and the third derivative.
        assert!((own - slope).abs() <= 1e-6 * slope.abs().max(1e-3), "{name}: {own}, by differences {slope}");
    }
}

#[test]
fn gradients_through_three_steps_agree_with_differences() {
    let registry = registry();
    let plain = || bench(&registry, "instance");
    check_gradients(&plain, &config(json!({"augment": "none"})), &registry);
    check_gradients(&plain, &config(json!({})), &registry);
    let soft = || with_previous(with_soft_labels(bench(&registry, "instance")));
    check_gradients(&soft, &config(json!({"labels": "one_hot"})), &registry);
    // Statistics are carried and not compared; the batch's own act.
    check_gradients(&|| bench(&registry, "batch"), &config(json!({"augment": "none"})), &registry);
}

#[test]
fn one_step_of_tesla_is_the_exact_gradient() {
    let registry = registry();
    let run = |matcher: &str, more: Value| {
        let mut bench = bench(&registry, "instance");
        let mut config = config(more);
        config["syn_steps"] = json!(1);
        registry.matcher(matcher, &config).unwrap().iterate(&mut bench, 1).unwrap();
        (gradient(&bench, "images").to_f64_vec().unwrap(), gradient(&bench, "learning_rate").item().unwrap())
    };
    let (exact, exact_alpha) = run("mtt", json!({}));
    for (image_gradient, factor) in [("corrected", 1.0), ("released", 2.0)] {
        let (images, alpha) = run("tesla", json!({ "image_gradient": image_gradient }));
        let largest = exact.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let error = exact.iter().zip(&images).map(|(a, b)| (a - factor * b).abs()).fold(0.0, f64::max);
        assert!(error <= 1e-12 * largest, "{image_gradient}: {error}");
        assert!((alpha - exact_alpha).abs() <= 1e-12 * exact_alpha.abs());
    }
}

#[test]
fn batches_are_of_the_union_and_only_new_rows_move() {
    let registry = registry();
    for matcher in ["mtt", "tesla"] {
        let mut bench = with_previous(bench(&registry, "instance"));
        let (model, sizes) = (bench.model.clone().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&sizes);
        bench.forward = Some(Box::new(move |weights, x| {
            seen.lock().unwrap().push(x.shape()[0]);
            model.forward(weights, x, Mode::Train, RandomKey::new(0)).unwrap()
        }));
        let mut config = config(json!({"syn_steps": 4}));
        // As many as one set has, which is half of the union.
        config.as_object_mut().unwrap().remove("batch_syn");
        registry.matcher(matcher, &config).unwrap().iterate(&mut bench, 1).unwrap();
        assert!(sizes.lock().unwrap().iter().all(|size| *size == ROWS), "{sizes:?}");
        assert_eq!(gradient(&bench, "images").shape(), [ROWS, 3, 8, 8]);
    }
}

#[test]
fn the_window_of_start_epochs_reaches_the_environment() {
    let registry = registry();
    let ends = |config: Value| {
        let mut bench = bench(&registry, "instance");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut inner) = (Arc::clone(&asked), bench.segment.take().unwrap());
        bench.segment = Some(Box::new(move |starts, length| {
            seen.lock().unwrap().push((starts.clone(), length));
            inner(starts, length)
        }));
        let matcher = registry.matcher("mtt", &config).unwrap();
        (0..10).for_each(|iteration| matcher.iterate(&mut bench, iteration).unwrap());
        let asked = asked.lock().unwrap();
        asked.clone()
    };
    let fixed = json!({"syn_steps": 1, "min_start": 2, "max_start": 7, "expert_epochs": 3, "lr": 0.0});
    assert_eq!(ends(fixed.clone()), vec![(2..7, 3); 10]);
    let mut growing = fixed;
    growing["expand_from"] = json!(4);
    growing["expand_iterations"] = json!(6);
    let found = ends(growing);
    // Whether the last segment exists is asked at once.
    assert_eq!(found[0], (6..7, 3));
    let grown: Vec<u64> = found[1..].iter().map(|(starts, _)| starts.end).collect();
    assert_eq!(grown, [4, 4, 5, 5, 6, 6, 7, 7, 7, 7]);
}

#[test]
fn the_number_of_iterations_is_told_where_it_is_needed() {
    let registry = registry();
    let widening = json!({"syn_steps": 1, "max_start": 7, "expand_from": 2, "lr": 0.0});
    let mut paced = widening.clone();
    paced["expand_iterations"] = json!(6);
    for (matcher, config, needed) in [
        ("mtt", &widening, true),
        ("mtt", &paced, false),
        ("tesla", &widening, true),
        ("tesla", &json!({"max_start": 7}), false),
        ("cafe", &json!({}), true),
        ("cafe", &json!({"drops": []}), false),
        ("dm", &json!({}), false),
        ("dc", &json!({}), false),
        ("idc", &json!({}), false),
    ] {
        let description = registry.matcher(matcher, config).unwrap().describe(&support::problem(CLASSES, SHAPE, IPC));
        assert_eq!(description.unwrap().needs.contains(&Need::Horizon), needed, "{matcher} {config}");
    }
    let mut bench = bench(&registry, "instance");
    let matcher = registry.matcher("mtt", &widening).unwrap();
    matcher.iterate(&mut bench, 0).unwrap();
    bench.problem.horizon = None;
    let error = matcher.iterate(&mut bench, 0).unwrap_err();
    assert!(error.to_string().contains("declares `Need::Horizon`"), "{error}");
}

#[test]
fn labels_start_as_the_method_says_and_stay_probabilities() {
    let registry = registry();
    for (matcher, kind) in [("mtt", "one_hot"), ("mtt", "teacher"), ("tesla", "teacher")] {
        let matcher = registry.matcher(matcher, &config(json!({"labels": kind, "lr": 0.0}))).unwrap();
        let mut bench = bench(&registry, "instance");
        let description = matcher.describe(&bench.problem).unwrap();
        let spec = description.learnables.iter().find(|spec| spec.role == LearnableRole::Labels).unwrap();
        assert_eq!(spec.shape, [ROWS, CLASSES]);
        let labels: Vec<i64> = (0..CLASSES as i64).flat_map(|class| vec![class; IPC]).collect();
        let one_hot = Tensor::from_i64(labels, &[ROWS], &Device::Cpu).unwrap();
        let one_hot = one_hot.one_hot(CLASSES, bench.problem.dtype).unwrap();
        bench.learnables.push(("labels".to_owned(), one_hot));
        bench.lr = 0.0;
        matcher.iterate(&mut bench, 0).unwrap();
        let decoded = matcher.decode(&bench.learnables, &bench.problem).unwrap();
        let Labels::Soft(soft) = decoded.labels else { panic!("hard labels") };
        let values = soft.to_f64_vec().unwrap();
        for (row, own) in values.chunks(CLASSES).enumerate() {
            assert!((own.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{own:?}");
            if kind == "one_hot" {
                assert!((own[row / IPC] - 0.9).abs() < 1e-12, "{own:?}");
            }
        }
    }
}

/// Of two experts whose logits are those of their only weight: labels start from those that are right, and from all where none is.
#[test]
fn labels_start_from_the_experts_that_are_right() {
    let registry = registry();
    let matcher =
        registry.matcher("mtt", &config(json!({"labels": "teacher", "label_experts": 2, "lr": 0.0}))).unwrap();
    let mut bench = bench(&registry, "instance");
    let zeros = Tensor::zeros(&[ROWS, CLASSES], bench.problem.dtype, &Device::Cpu).unwrap();
    bench.learnables.push(("labels".to_owned(), zeros));
    bench.lr = 0.0;
    let (model, mut passes) = (bench.model.clone().unwrap(), 0);
    // The first passes are those of the experts: the first favours class 0, the second class 1; no one class 2.
    bench.forward = Some(Box::new(move |weights, x| {
        let mut forward = model.forward(weights, x, Mode::Eval, RandomKey::new(0)).unwrap();
        passes += 1;
        if passes <= 2 {
            let row: Vec<f64> = (0..CLASSES).map(|class| if class + 1 == passes { 4.0 } else { 1.0 }).collect();
            forward.logits =
                Tensor::from_f64(row.repeat(x.shape()[0]), &[x.shape()[0], CLASSES], &Device::Cpu).unwrap();
        }
        forward
    }));
    matcher.iterate(&mut bench, 0).unwrap();
    let labels = bench.value("labels").to_f64_vec().unwrap();
    for (row, logits) in labels.chunks(CLASSES).enumerate() {
        let wanted = match row / IPC {
            0 => [4.0, 1.0, 1.0],
            1 => [1.0, 4.0, 1.0],
            _ => [2.5, 2.5, 1.0],
        };
        assert_eq!(logits, wanted, "row {row}");
    }
}

/// Of four real images of each class, those that the expert takes for their class come first.
#[test]
fn images_start_as_ones_that_an_expert_recognises() {
    let registry = registry();
    let mut right = 0;
    for matcher in ["mtt", "tesla", "haba"] {
        let matcher = registry.matcher(matcher, &config(json!({"init": "recognised", "augment": "none"}))).unwrap();
        let mut bench = bench(&registry, "instance");
        let (model, drawn) = (bench.model.clone().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (kept, mut real) = (Arc::clone(&drawn), bench.real);
        let segment = bench.segment.as_mut().unwrap();
        let expert = segment(0..1, 1).target;
        bench.real = Box::new(move |class, count, call| {
            let batch = real(class, count, call);
            kept.lock().unwrap().push(batch.images.clone());
            batch
        });
        bench = bench.learning(&matcher);
        for spec in &mut bench.declared {
            spec.optimizer.lr = 0.0;
        }
        bench.iterate(&matcher, 0).unwrap();
        let images = bench.value("images");
        for (class, real) in drawn.lock().unwrap().iter().enumerate() {
            let logits = model.forward(&expert, real, Mode::Eval, RandomKey::new(0)).unwrap().logits;
            let own = |row: &[f64]| row.iter().all(|other| *other <= row[class]);
            let said: Vec<bool> = logits.to_f64_vec().unwrap().chunks(CLASSES).map(own).collect();
            right += said.iter().filter(|own| **own).count();
            let mut order: Vec<usize> = (0..said.len()).collect();
            order.sort_by_key(|row| !said[*row]);
            for (place, row) in order.into_iter().take(IPC).enumerate() {
                let row_of = |of: &Tensor, row: usize| of.slice(0, row, row + 1, 1).unwrap().to_f64_vec().unwrap();
                assert_eq!(row_of(&images, class * IPC + place), row_of(real, row), "class {class}, image {place}");
            }
        }
    }
    assert!(right > 0, "some are recognised");
}

#[test]
fn a_blow_up_is_undone_and_the_next_steps_are_halved() {
    let registry = registry();
    for name in ["mtt", "tesla"] {
        let matcher = registry.matcher(name, &config(json!({}))).unwrap();
        let mut bench = bench(&registry, "instance");
        bench.lr = 1e-3;
        matcher.iterate(&mut bench, 0).unwrap();
        assert_eq!(bench.metrics["blow_ups"], 0.0);
        let good = bench.steps.len();
        let images = bench.value("images").mul_scalar(f64::NAN).unwrap();
        bench.learnables[0].1 = images;
        bench.learnables[1].1 = Tensor::from_f64(vec![3.0], &[], &Device::Cpu).unwrap();
        matcher.iterate(&mut bench, 1).unwrap();
        assert_eq!(bench.metrics["blow_ups"], 1.0, "{name}");
        assert!(bench.steps[good..].iter().all(|step| step.2 == 0.5), "{name}: the steps are not halved");
        assert!(bench.value("images").to_f64_vec().unwrap().iter().all(|value| value.is_finite()));
        assert!(bench.log.iter().any(|line| line.contains("back to the last good state")), "{:?}", bench.log);
    }
}

#[test]
fn blow_ups_in_a_row_end_with_what_to_do() {
    let registry = registry();
    for (limits, what) in [
        (json!({"retries": 2}), "the loss became NaN at learning rate 0.05"),
        (json!({"retries": 2, "lr_limit": 0.04}), "the learning rate became 0.05, above `lr_limit` 0.04"),
    ] {
        let matcher = registry.matcher("mtt", &config(limits)).unwrap();
        let mut bench = bench(&registry, "instance");
        bench.learnables[0].1 = bench.value("images").mul_scalar(f64::NAN).unwrap();
        let error = matcher.iterate(&mut bench, 0).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("3 times in a row") && error.contains("lower `lr`"), "{error}");
        assert!(bench.steps.is_empty());
    }
}

#[test]
fn parameters_that_contradict_each_other_are_refused() {
    let registry = registry();
    for (config, what) in [
        (json!({"min_start": 5, "max_start": 5}), "`min_start` 5 must lie below `max_start` 5"),
        (json!({"expand_from": 30, "max_start": 20}), "`expand_from` 30"),
        (json!({"expand_iterations": 30}), "without `expand_from`"),
        (json!({"lr_teacher": 1e-5}), "`lr_teacher` 0.00001 must lie between"),
    ] {
        for matcher in ["mtt", "tesla"] {
            let error = registry.matcher(matcher, &config).unwrap_err().to_string();
            assert!(error.contains(what), "{matcher}: {error}");
        }
    }
    assert!(registry.matcher("mtt", &json!({"lr_floor": null, "lr_teacher": 1e-5})).is_ok());
}

#[test]
fn an_expert_that_did_not_move_is_told() {
    let registry = registry();
    let mut bench = bench(&registry, "instance");
    let start = bench.start.clone();
    bench.segment = Some(Box::new(move |_, _| Segment { start: start.clone(), target: start.clone(), epoch: 4 }));
    let error = registry.matcher("mtt", &config(json!({}))).unwrap().iterate(&mut bench, 0).unwrap_err().to_string();
    assert!(error.contains("epoch 4") && error.contains("must have moved"), "{error}");
}

#[test]
fn no_bit_depends_on_the_steps_that_stay_on_the_tape() {
    const STEPS: usize = 6;
    let registry = registry();
    for name in ["mtt", "tesla"] {
        let matcher = registry.matcher(name, &config(json!({"syn_steps": STEPS}))).unwrap();
        let run = |tape_budget: u64| {
            let mut bench = bench(&registry, "instance");
            bench.tape_budget = tape_budget;
            matcher.iterate(&mut bench, 1).unwrap();
            let bits = |name: &str| gradient(&bench, name).to_f64_vec().unwrap().into_iter().map(f64::to_bits);
            (bits("images").chain(bits("learning_rate")).collect::<Vec<_>>(), bench.forwards)
        };
        let (none, forwards) = run(0);
        // Only the last step is still there.
        assert_eq!(forwards, 2 * STEPS - 1, "{name}");
        let (all, forwards) = run(u64::MAX / 2);
        assert_eq!((&all, forwards), (&none, STEPS), "{name}");
        let mut counts = Vec::new();
        for budget in (1..12).map(|size| size << 16) {
            let (some, forwards) = run(budget);
            assert_eq!(some, none, "{name}, {budget} bytes");
            counts.push(forwards);
        }
        assert!(
            counts.is_sorted_by(|a, b| a >= b) && counts.iter().any(|count| (STEPS + 1..2 * STEPS - 1).contains(count)),
            "{counts:?}"
        );
    }
}

/// 10,000 inner steps, which `syn_steps` allows, of a net with eight weights.
#[test]
fn ten_thousand_inner_steps_stay_within_the_limit_of_handles() {
    const SMALL: InputShape = InputShape { channels: 1, height: 1, width: 2 };
    let registry = registry();
    let model = registry.model("mlp", &json!({"width": 2, "depth": 4})).unwrap();
    let mut bench = Bench::new(support::problem(2, SMALL, 1)).with_model(model).with_random_images();
    assert!(bench.specs.len() >= 8, "{}", bench.specs.len());
    bench.learnables.push(("learning_rate".to_owned(), Tensor::from_f64(vec![1e-4], &[], &Device::Cpu).unwrap()));
    let start = bench.start.clone();
    let target: Vec<Tensor> = start.iter().map(|weight| weight.mul_scalar(1.1).unwrap()).collect();
    bench.segment = Some(Box::new(move |_, _| Segment { start: start.clone(), target: target.clone(), epoch: 0 }));
    let config = config(json!({"syn_steps": 10_000, "batch_syn": 1, "augment": "none"}));
    registry.matcher("mtt", &config).unwrap().iterate(&mut bench, 0).unwrap();
    assert_eq!(bench.steps.len(), 2);
}

#[test]
fn published_parameters_are_presets() {
    let registry = registry();
    let filled = |config: Value| registry.check_config(Role::Matcher, "mtt", &config);
    let pdd = filled(json!({"preset": "pdd-cifar100-ipc50", "lr": 3.0})).unwrap();
    let read = ["syn_steps", "expert_epochs", "max_start", "lr", "lr_lr", "lr_teacher", "batch_syn"];
    assert_eq!(json!(read.map(|name| pdd[name].clone())), json!([20, 2, 20, 3.0, 1e-5, 0.01, 512]));
    let datm = filled(json!({"preset": "datm-cifar10-ipc10"})).unwrap();
    assert_eq!((&datm["init"], &datm["labels"]), (&json!("recognised"), &json!("teacher")));
    // The key sees the values; a preset that is written out is the same node.
    let mut written = json!({"syn_steps": 30, "expert_epochs": 2, "max_start": 20, "lr": 100.0, "lr_teacher": 0.001});
    assert_eq!(filled(json!({"preset": "cifar10-ipc10"})), filled(written.clone()));
    written["preset"] = json!("tini-ipc1");
    let problem = filled(written).unwrap_err().remove(0);
    assert_eq!((problem.pointer.as_str(), problem.help.as_deref()), ("/preset", Some("did you mean `tiny-ipc1`?")));
    for matcher in ["mtt", "haba", "tesla", "dc", "cafe", "idc"] {
        let presets = registry.find(Role::Matcher, matcher).unwrap().schema["presets"].as_object().unwrap().clone();
        for name in presets.keys() {
            registry.matcher(matcher, &json!({ "preset": name })).unwrap_or_else(|error| panic!("{matcher}: {error}"));
        }
    }
}

#[test]
fn every_matcher_has_a_gradient_norm() {
    let registry = registry();
    let norm = |gradient: &Tensor| gradient.dot(gradient).unwrap().item().unwrap();
    for (name, config) in [("mtt", config(json!({}))), ("dc", json!({"outer": 3, "inner": 0})), ("dm", json!({}))] {
        let mut bench = bench(&registry, "instance");
        registry.matcher(name, &config).unwrap().iterate(&mut bench, 1).unwrap();
        let squares: Vec<f64> =
            bench.steps.iter().filter(|step| step.0 == "images").map(|step| norm(&step.1)).collect();
        let expected = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
        assert_eq!(bench.metrics["gradient_norm"].to_bits(), expected.to_bits(), "{name}");
        assert_eq!(bench.metrics.contains_key("gradient_norm_learning_rate"), name == "mtt");
    }
}

/// Weights before every step would be 100,000 tensors, and tapes of every step twice as many; a call may have 65,536.
#[test]
fn ten_thousand_steps_stay_within_the_limit_of_handles() {
    let registry = registry();
    let mut bench = bench(&registry, "instance");
    bench.tape_budget = u64::MAX / 2;
    bench.learnables[1].1 = Tensor::from_f64(vec![1e-4], &[], &Device::Cpu).unwrap();
    let steps = config(json!({"syn_steps": 10_000, "augment": "none", "batch_syn": 1}));
    registry.matcher("mtt", &steps).unwrap().iterate(&mut bench, 1).unwrap();
    assert_eq!(bench.steps.len(), 2);
}
