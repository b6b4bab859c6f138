//! Kinds `dc_distance`, `dc_match` and `dc_iteration`: gradient matching.

use crate::case::{Case, bench, real_of, scalar};
use crate::support::{self, Bench, device, dtype};
use pddflow_host::{Batch, Forward, Init, InputShape, Mode, Registry, WeightRole, WeightSpec};
use pddflow_tensor::{RandomKey, Tensor};
use serde_json::json;
use std::sync::Arc;

/// The classes of `class_list` become 0, 1, ..: cross-entropy does not mind if the columns of the logits change places.
pub(crate) fn dc_match(case: &Case, registry: &Registry) -> f64 {
    let list: Vec<i64> = case.params["class_list"].as_array().unwrap().iter().map(|c| c.as_i64().unwrap()).collect();
    let mut bench = bench(case, registry, list.len());
    let real = case.tensor("in.x_real");
    bench.real = Box::new(move |class, _, _| real_of(&real, class.unwrap()));
    let classes = case.number("classes") as i64;
    let order: Vec<i64> = list.iter().copied().chain((0..classes).filter(|class| !list.contains(class))).collect();
    let order = Tensor::from_i64(order, &[classes as usize], &device()).unwrap();
    let model = bench.model.clone().unwrap();
    bench.forward = Some(Box::new(move |weights, x| {
        let forward = model.forward(weights, x, Mode::Train, RandomKey::new(0)).unwrap();
        Forward { logits: forward.logits.gather(1, &order).unwrap(), ..forward }
    }));
    let config = json!({"distance": case.params["metric"], "outer": 1, "inner": 0});
    support::iterate(&registry.matcher("dc", &config).unwrap(), &mut bench).unwrap();
    let loss = bench.metrics["loss"] * list.len() as f64;
    case.error(&[("loss".to_owned(), scalar(loss)), ("dx_syn".to_owned(), bench.steps[0].1.clone())])
}

/// The distance alone, still through the plugin: a model whose gradient by its weights *is* its input. With logits
/// `[s, 0]`, `s = -2 <input, w - w0>` at `w = w0` and label 0, the derivative of the cross-entropy by `w` is the input.
pub(crate) fn dc_distance(case: &Case, registry: &Registry) -> f64 {
    let names: Vec<String> =
        case.params["order"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    let shapes: Vec<Vec<usize>> =
        names.iter().map(|name| case.tensor(&format!("in.real.{name}")).shape().to_vec()).collect();
    let flat = |prefix: &str| {
        let parts: Vec<Tensor> = names
            .iter()
            .map(|name| {
                let tensor = case.tensor(&format!("in.{prefix}.{name}"));
                tensor.reshape(&[tensor.elements()]).unwrap()
            })
            .collect();
        let joined = Tensor::concat(&parts, 0).unwrap();
        let elements = joined.elements();
        joined.reshape(&[1, 1, 1, elements]).unwrap()
    };
    let (real, synthetic) = (flat("real"), flat("syn"));
    let width = real.elements();
    let mut bench = Bench::new(support::problem(1, InputShape { channels: 1, height: 1, width }, 1));
    let spec = |(name, shape): (&String, &Vec<usize>)| WeightSpec {
        name: name.clone(),
        shape: shape.clone(),
        init: Init::Constant(0.0),
        role: WeightRole::Learnable,
    };
    bench.specs = names.iter().zip(&shapes).map(spec).collect();
    bench.start = shapes.iter().map(|shape| Tensor::zeros(shape, dtype(), &device()).unwrap()).collect();
    bench.learnables = vec![("images".to_owned(), synthetic)];
    let labels = Tensor::from_i64(vec![0], &[1], &device()).unwrap();
    bench.real = Box::new(move |_, _, _| Batch { images: real.clone(), labels: labels.clone() });
    let parts = shapes.clone();
    bench.forward = Some(Box::new(move |weights, x| gradient_is_input(weights, x, &parts)));
    let config = json!({"distance": case.params["metric"], "outer": 1, "inner": 0});
    support::iterate(&registry.matcher("dc", &config).unwrap(), &mut bench).unwrap();
    let gradient = bench.steps[0].1.reshape(&[width]).unwrap();
    let mut found = vec![("distance".to_owned(), scalar(bench.metrics["loss"]))];
    let mut at = 0;
    for (name, shape) in names.iter().zip(&shapes) {
        let count: usize = shape.iter().product();
        let part = gradient.slice(0, at, at + count, 1).unwrap().reshape(shape).unwrap();
        found.push((format!("dsyn.{name}"), part));
        at += count;
    }
    case.error(&found)
}

pub(crate) fn gradient_is_input(weights: &[Tensor], x: &Tensor, shapes: &[Vec<usize>]) -> Forward {
    let flat = x.reshape(&[x.elements()]).unwrap();
    let (mut sum, mut at) = (scalar(0.0), 0);
    for (weight, shape) in weights.iter().zip(shapes) {
        let count: usize = shape.iter().product();
        let part = flat.slice(0, at, at + count, 1).unwrap().reshape(shape).unwrap();
        sum = sum.add(&part.dot(weight).unwrap()).unwrap();
        at += count;
    }
    let first = sum.mul_scalar(-2.0).unwrap().reshape(&[1, 1]).unwrap();
    let zero = Tensor::zeros(&[1, 1], dtype(), &device()).unwrap();
    let logits = Tensor::concat(&[first, zero], 1).unwrap();
    Forward { features: logits.clone(), logits, maps: Vec::new(), statistics: Vec::new(), moments: Vec::new() }
}

pub(crate) fn dc_iteration(case: &Case, registry: &Registry) -> f64 {
    let (classes, outer, inner) = (case.number("classes"), case.number("outer"), case.number("inner"));
    let (batch, lr_net) = (case.number("batch_train"), case.params["lr_net"].as_f64().unwrap());
    let mut bench = bench(case, registry, classes);
    bench.lr = case.params["lr_img"].as_f64().unwrap();
    bench.momentum_rate = case.params["momentum_img"].as_f64().unwrap();
    bench.momentum.insert("images".to_owned(), case.tensor("in.momentum"));
    let real = case.tensor("in.x_real");
    bench.real = Box::new(move |class, _, call| {
        let shape = real.shape()[1..].to_vec();
        let step = call / classes;
        real_of(&real.slice(0, step, step + 1, 1).unwrap().reshape(&shape).unwrap(), class.unwrap())
    });
    let (model, orders) = (bench.model.clone().unwrap(), case.tensor("in.orders").to_i64_vec().unwrap());
    let theta = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (kept, mut trainings) = (Arc::clone(&theta), 0);
    bench.train = Some(Box::new(move |net, spec| {
        let pddflow_host::TrainData::Given { images, labels } = &spec.data else { panic!("real data") };
        assert_eq!((spec.epochs, spec.lr, spec.momentum, spec.weight_decay), (inner as u64, lr_net, 0.0, 0.0));
        let rows = images.shape()[0];
        for epoch in 0..inner {
            let start = (trainings * inner + epoch) * rows;
            for chunk in orders[start..start + rows].chunks(batch) {
                let rows = Tensor::from_i64(chunk.to_vec(), &[chunk.len()], &device()).unwrap();
                let (x, y) = (images.gather(0, &rows).unwrap(), labels.tensor().gather(0, &rows).unwrap());
                support::sgd(&model, net, (&x, &y), spec.lr);
            }
        }
        trainings += 1;
        *kept.lock().unwrap() = net.weights.clone();
    }));
    let config = json!({"outer": outer, "inner": inner, "lr_net": lr_net, "batch_net": batch});
    support::iterate(&registry.matcher("dc", &config).unwrap(), &mut bench).unwrap();
    let weights = theta.lock().unwrap().iter().map(|w| w.reshape(&[w.elements()]).unwrap()).collect::<Vec<_>>();
    let expected = case.tensor("out.losses").sum_all().unwrap().item().unwrap();
    let loss = bench.metrics["loss"] * (classes * outer) as f64;
    assert!((loss - expected).abs() <= case.tolerance * expected, "{}: loss {loss}, not {expected}", case.name);
    let found = [("images", Tensor::stack(&bench.images, 0)), ("theta", Tensor::concat(&weights, 0))];
    case.error(&found.map(|(name, tensor)| (name.to_owned(), tensor.unwrap())))
}
