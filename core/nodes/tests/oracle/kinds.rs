//! Which routine answers which kind of case.

use pddflow_data::class_order;
use pddflow_distillation::tile;
use pddflow_host::{InputShape, Registry, SearchPaths, Sgd};
use pddflow_tensor::{Device, Keep, RandomKey, Tensor, grad};
use pddflow_training::selection::{Crops, Features, easiest_first, forgetting_scores, herding, highest, k_center};
use pddflow_training::splits::Split;
use pddflow_training::trainer::{Flat, Schedule, sgd_step};

use crate::case::{Array, Case, Outputs};
use crate::convnet;

/// The outputs of a case, or `None` for a kind of another crate.
pub(crate) fn compute(case: &Case) -> Option<Outputs> {
    match case.kind.as_str() {
        "select" => Some(select(case)),
        "forgetting" => Some(forgetting(case)),
        "class_order" => Some(order(case)),
        "lr_schedule" => Some(schedule(case)),
        "image_sgd" => Some(image_sgd(case)),
        "sgd" => Some(sgd(case)),
        "flat" => Some(flat(case)),
        "crops" => Some(crops(case)),
        "idc_mix" => Some(idc_mix(case)),
        _ => None,
    }
}

fn one(name: &str, array: Array) -> Outputs {
    Outputs::from([(name.to_owned(), array)])
}

fn select(case: &Case) -> Outputs {
    let (classes, ipc) = (case.number("classes"), case.number("ipc"));
    let labels = case.input("y").as_usize();
    let mut rows = Vec::new();
    for class in 0..classes {
        let own: Vec<usize> = (0..labels.len()).filter(|row| labels[*row] == class).collect();
        let chosen: Vec<usize> = match case.params["rule"].as_str().unwrap() {
            "random" => {
                let order = case.input("order").as_usize();
                rows.extend(order.into_iter().filter(|row| labels[*row] == class).take(ipc));
                continue;
            }
            "forgetting" => {
                let counts = &case.input("counts").values;
                highest(&own.iter().map(|row| counts[*row]).collect::<Vec<_>>(), ipc)
            }
            rule => {
                let features = case.input("features");
                let width = features.shape[1];
                let values: Vec<f64> =
                    own.iter().flat_map(|row| features.values[row * width..(row + 1) * width].to_vec()).collect();
                let features = Features::new(&values, width);
                match rule {
                    "herding" => herding(features, ipc),
                    "k_center" => k_center(features, ipc),
                    other => panic!("rule {other}"),
                }
            }
        };
        rows.extend(chosen.into_iter().map(|place| own[place]));
    }
    one("rows", Array::integers(&[classes, ipc], rows))
}

fn forgetting(case: &Case) -> Outputs {
    let correct = case.input("correct");
    let [runs, epochs, examples] = correct.shape[..] else { panic!("three axes") };
    let runs_correct: Vec<Vec<Vec<bool>>> = correct
        .values
        .chunks(epochs * examples)
        .map(|run| run.chunks(examples).map(|epoch| epoch.iter().map(|value| *value == 1.0).collect()).collect())
        .collect();
    let scores = forgetting_scores(&runs_correct);
    let per_run: Vec<usize> = runs_correct
        .iter()
        .flat_map(|run| forgetting_scores(std::slice::from_ref(run)))
        .map(|score| score as usize)
        .collect();
    let never = runs_correct
        .iter()
        .flat_map(|run| (0..examples).map(|example| usize::from(!run.iter().any(|epoch| epoch[example]))));
    Outputs::from([
        ("per_run".into(), Array::integers(&[runs, examples], per_run)),
        ("score".into(), Array::integers(&[examples], scores.iter().map(|score| *score as usize))),
        ("never".into(), Array::integers(&[runs, examples], never)),
        ("order".into(), Array::integers(&[examples], easiest_first(&scores))),
    ])
}

fn order(case: &Case) -> Outputs {
    let seeds = case.input("seed").as_usize();
    let classes = case.number("classes");
    let orders = seeds.iter().flat_map(|seed| class_order(u32::try_from(*seed).unwrap(), classes));
    one("order", Array::integers(&[seeds.len(), classes], orders))
}

fn schedule(case: &Case) -> Outputs {
    let schedule: Schedule = serde_json::from_value(case.params["protocol"].clone()).unwrap();
    let epochs = case.number("epochs") as u64;
    let run = case.input("epoch").as_usize();
    assert_eq!(run.len() as u64, schedule.epochs_run(epochs), "epochs run");
    let lr = run.iter().map(|epoch| case.real("lr") * schedule.factor(epochs, *epoch as u64)).collect();
    let cleared = run.iter().map(|epoch| usize::from(schedule.empties_momentum(epochs, *epoch as u64)));
    Outputs::from([
        ("lr".into(), Array::real(&[run.len()], lr)),
        ("momentum_cleared".into(), Array::integers(&[run.len()], cleared)),
    ])
}

fn tensor(array: &Array) -> Tensor {
    Tensor::from_f64(array.values.clone(), &array.shape, &Device::Cpu).unwrap()
}

/// The new rows are a tensor of their own here, so the earlier ones cannot move: only the rest takes steps.
fn image_sgd(case: &Case) -> Outputs {
    let x = tensor(case.input("x"));
    let (frozen, rows) = (case.number("frozen_rows"), x.shape()[0]);
    let rule = Sgd { lr: case.real("lr"), momentum: case.real("momentum"), weight_decay: 0.0 };
    let fixed = x.slice(0, 0, frozen, 1).unwrap().to_f64_vec().unwrap();
    let mut new = x.slice(0, frozen, rows, 1).unwrap();
    let mut buffer = None;
    let mut path = Vec::new();
    let gradients = case.input("grads");
    for values in gradients.values.chunks(x.elements()) {
        let gradient = Tensor::from_f64(values.to_vec(), x.shape(), &Device::Cpu).unwrap();
        let gradient = gradient.slice(0, frozen, rows, 1).unwrap();
        (new, buffer) = sgd_step(&new, &gradient, buffer.as_ref(), &rule).unwrap();
        path.extend_from_slice(&fixed);
        path.extend(new.to_f64_vec().unwrap());
    }
    one("path", Array::real(&gradients.shape, path))
}

fn sgd(case: &Case) -> Outputs {
    let names: Vec<&str> = case.params["parameters"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    let mut weights: Vec<Tensor> = names.iter().map(|name| tensor(case.input(&format!("w.{name}")))).collect();
    let mut buffers: Vec<Option<Tensor>> = vec![None; weights.len()];
    let batches = case.input("batches");
    let steps = case.number("steps");
    let mut path = Vec::new();
    for (number, rows) in batches.values.chunks(batches.shape[1]).enumerate() {
        let (stage, step) = (number / steps, number % steps);
        if starts_anew(case, stage, step) {
            buffers.fill(None);
        }
        let lr = case.input("lr0").values[stage] * lr_factor(case, step);
        assert!(!case.has_input("lr") || (lr - case.input("lr").values[number]).abs() < 1e-15, "learning rate");
        let rule = Sgd { lr, momentum: case.real("momentum"), weight_decay: case.real("weight_decay") };
        let gradients = gradients(case, &weights, rows);
        for ((weight, buffer), gradient) in weights.iter_mut().zip(&mut buffers).zip(&gradients) {
            (*weight, *buffer) = sgd_step(weight, gradient, buffer.as_ref(), &rule).unwrap();
        }
        weights.iter().for_each(|weight| path.extend(weight.to_f64_vec().unwrap()));
    }
    let length = path.len() / batches.shape[0];
    one("path", Array::real(&[batches.shape[0], length], path))
}

/// Steps along gradients that seek flat minima, on all rows.
fn flat(case: &Case) -> Outputs {
    let names: Vec<&str> = case.params["parameters"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    let mut weights: Vec<Tensor> = names.iter().map(|name| tensor(case.input(&format!("w.{name}")))).collect();
    let mut buffers: Vec<Option<Tensor>> = vec![None; weights.len()];
    let flat = Flat { rho: case.real("rho"), alpha: case.real("alpha") };
    let rule = Sgd { lr: case.real("lr"), momentum: case.real("momentum"), weight_decay: case.real("weight_decay") };
    let rows: Vec<f64> = (0..case.input("y").shape[0]).map(|row| row as f64).collect();
    let mut path = Vec::new();
    for _ in 0..case.number("steps") {
        let first = gradients(case, &weights, &rows);
        let up = flat.climb(&first).unwrap();
        let moved: Vec<Tensor> = weights.iter().zip(&up).map(|(weight, up)| weight.add(up).unwrap()).collect();
        let direction = flat.direction(&first, &gradients(case, &moved, &rows)).unwrap();
        for ((weight, buffer), along) in weights.iter_mut().zip(&mut buffers).zip(&direction) {
            (*weight, *buffer) = sgd_step(weight, along, buffer.as_ref(), &rule).unwrap();
        }
        weights.iter().for_each(|weight| path.extend(weight.to_f64_vec().unwrap()));
    }
    let length = path.len() / case.number("steps");
    one("path", Array::real(&[case.number("steps"), length], path))
}

/// One crop of each image, which is all of it, of all images of a class: nothing is drawn that a result depends on.
fn crops(case: &Case) -> Outputs {
    let here = std::env::current_exe().unwrap();
    let file = format!("{}pddflow_model_convnet{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let search = SearchPaths { files: vec![here.parent().unwrap().join(file)], folders: Vec::new() };
    let config = serde_json::json!({ "depth": case.number("depth"), "width": case.number("width") });
    let model = Registry::open(&search).unwrap().model("convnet", &config).unwrap();
    let names: Vec<&str> = case.params["parameters"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    let shape = InputShape { channels: 3, height: 8, width: 8 };
    let specs = model.weights(shape, case.number("classes")).unwrap();
    assert!(specs.iter().map(|spec| spec.name.as_str()).eq(names.iter().copied()), "order of the weights");
    let weights: Vec<Tensor> = names.iter().map(|name| tensor(case.input(&format!("w.{name}")))).collect();
    let labels = case.input("y").values.iter().map(|value| *value as i64).collect();
    let train = Split::new(tensor(case.input("x")), labels, case.number("classes")).unwrap();
    let rule = Crops { candidates: train.rows(), crops: 1, least_area: 1.0, tile: case.number("tile") };
    let chosen = rule.choose((&model, &weights), &train, case.number("ipc"), RandomKey::new(3)).unwrap();
    let real = |tensor: &Tensor| Array::real(tensor.shape(), tensor.to_f64_vec().unwrap());
    let rows = Array::integers(&[chosen.rows.len()], chosen.rows.iter().copied());
    Outputs::from([
        ("rows".to_owned(), rows),
        ("images".to_owned(), real(&chosen.images)),
        ("labels".to_owned(), real(&chosen.labels)),
    ])
}

fn drop_after(case: &Case) -> Option<usize> {
    case.params["lr_drop_after_step"].as_u64().map(|step| step as usize)
}

fn lr_factor(case: &Case, step: usize) -> f64 {
    if drop_after(case).is_some_and(|drop| step > drop) { case.real("lr_factor") } else { 1.0 }
}

fn starts_anew(case: &Case, stage: usize, step: usize) -> bool {
    let new_stage = step == 0 && stage > 0 && case.params["momentum_kept_across_stages"] == false;
    let dropped = drop_after(case).is_some_and(|drop| step == drop + 1) && case.params["rebuild_at_drop"] == true;
    new_stage || dropped
}

fn gradients(case: &Case, weights: &[Tensor], rows: &[f64]) -> Vec<Tensor> {
    let rows = Tensor::from_i64(rows.iter().map(|row| *row as i64).collect(), &[rows.len()], &Device::Cpu).unwrap();
    let x = tensor(case.input("x")).gather(0, &rows).unwrap();
    let leaves: Vec<Tensor> = weights.iter().map(|weight| weight.variable().unwrap()).collect();
    let logits = convnet::logits(&leaves, &x, case.number("depth"));
    let labels = case.input("y");
    let loss = if labels.shape.len() == 2 {
        logits.cross_entropy_soft(&tensor(labels).gather(0, &rows).unwrap())
    } else {
        let numbers = labels.values.iter().map(|value| *value as i64).collect();
        let numbers = Tensor::from_i64(numbers, &labels.shape, &Device::Cpu).unwrap();
        logits.cross_entropy(&numbers.gather(0, &rows).unwrap())
    };
    grad(&[loss.unwrap()], &leaves, None, Keep::No).unwrap()
}

fn idc_mix(case: &Case) -> Outputs {
    let real = case.input("real");
    let [_, channels, height, width] = real.shape[..] else { panic!("four axes") };
    let tiled = tile(&real.values, InputShape { channels, height, width }, 1, case.number("factor"));
    one("x", Array::real(&[case.number("ipc"), channels, height, width], tiled))
}
