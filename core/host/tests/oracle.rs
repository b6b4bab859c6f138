//! The reference vectors that go through plugins: kinds `convnet`, `hvp`, `dm`, `dc_distance`, `dc_match`, `dc_iteration`.
//!
//! The plugins are loaded as libraries, with tensors in double precision. `PDDFLOW_ORACLE_DIR` points the test at another folder of
//! cases; the ones of these kinds lie in `tests/oracle`. Every case prints one line; kinds without a routine are listed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod support;

use pddflow_host::{Batch, Forward, Init, InputShape, Mode, Model, Registry, WeightRole, WeightSpec};
use pddflow_tensor::{DType, Device, Keep, RandomKey, Tensor, grad};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use support::Bench;

struct Case {
    kind: String,
    name: String,
    params: Value,
    tolerance: f64,
    tensors: BTreeMap<String, Tensor>,
}

impl Case {
    fn read(path: &std::path::Path) -> Self {
        let bytes = fs_err::read(path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let case: Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["case"]).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = tensors.iter().map(|(name, view)| {
            let chunks = view.data().as_chunks::<8>().0;
            let tensor = match view.dtype() {
                safetensors::Dtype::F64 => {
                    let values = chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect();
                    Tensor::from_f64(values, view.shape(), &Device::Cpu).unwrap()
                }
                _ => {
                    let values = chunks.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect();
                    Tensor::from_i64(values, view.shape(), &Device::Cpu).unwrap()
                }
            };
            (name.to_owned(), tensor)
        });
        Self {
            kind: case["kind"].as_str().unwrap().to_owned(),
            name: case["name"].as_str().unwrap().to_owned(),
            tolerance: case["tolerance"]["f64_rel"].as_f64().unwrap(),
            tensors: tensors.collect(),
            params: case["params"].clone(),
        }
    }

    fn tensor(&self, name: &str) -> Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name)).clone()
    }

    fn number(&self, name: &str) -> usize {
        self.params[name].as_u64().unwrap_or_else(|| panic!("{}: no number {name}", self.name)) as usize
    }

    fn shape(&self) -> InputShape {
        InputShape { channels: self.number("channels"), height: self.number("height"), width: self.number("width_px") }
    }

    fn model(&self, registry: &Registry) -> Arc<Model> {
        let config = json!({"width": self.number("width"), "depth": self.number("depth"), "norm": self.params["norm"]});
        registry.model("convnet", &config).unwrap()
    }

    /// The model's weights by name, checked against the order of the case.
    fn weights(&self, model: &Model) -> (Vec<WeightSpec>, Vec<Tensor>) {
        let specs = model.weights(self.shape(), self.number("classes")).unwrap();
        let learnable = specs.iter().filter(|spec| spec.role == WeightRole::Learnable);
        let order: Vec<&str> = learnable.map(|spec| spec.name.as_str()).collect();
        assert_eq!(json!(order), self.params["parameters"], "{}: order of the weights", self.name);
        let weights = specs.iter().map(|spec| match spec.role {
            WeightRole::Learnable => self.tensor(&format!("in.w.{}", spec.name)),
            WeightRole::Statistic => self.tensor(&format!("in.stat.{}", spec.name)),
        });
        let weights = weights.collect();
        (specs, weights)
    }

    /// Largest error of the outputs, in units of the tolerance, with the rule of the vectors' README.
    fn error(&self, found: &[(String, Tensor)]) -> f64 {
        let mut groups: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (name, tensor) in found {
            let expected = self.tensor(&format!("out.{name}")).to_f64_vec().unwrap();
            let values = tensor.to_f64_vec().unwrap();
            assert_eq!(values.len(), expected.len(), "{}: {name}", self.name);
            let group = groups.entry(name.split('.').next().unwrap()).or_default();
            for (value, expected) in values.iter().zip(&expected) {
                assert!(value.is_finite(), "{}: {name}", self.name);
                group.0 = group.0.max((value - expected).abs());
                group.1 = group.1.max(expected.abs());
            }
        }
        // A group of zeros must be within 1e-12 by the README.
        let share =
            |(error, scale): &(f64, f64)| if *scale == 0.0 { error / 1e-12 } else { error / scale / self.tolerance };
        groups.values().map(share).fold(0.0, f64::max)
    }
}

fn scalar(value: f64) -> Tensor {
    Tensor::from_f64(vec![value], &[], &Device::Cpu).unwrap()
}

fn mode(case: &Case) -> Mode {
    if case.params["mode"] == "eval" { Mode::Eval } else { Mode::Train }
}

/// Weights with the learnable ones as leaves; and those leaves.
fn leaves(specs: &[WeightSpec], weights: &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>) {
    let mut learnable = Vec::new();
    let all = specs.iter().zip(weights).map(|(spec, weight)| match spec.role {
        WeightRole::Learnable => {
            let leaf = weight.variable().unwrap();
            learnable.push(leaf.clone());
            leaf
        }
        WeightRole::Statistic => weight.clone(),
    });
    (all.collect(), learnable)
}

fn convnet(case: &Case, registry: &Registry) -> f64 {
    let model = case.model(registry);
    let (specs, weights) = case.weights(&model);
    let (all, learnable) = leaves(&specs, &weights);
    let x = case.tensor("in.x").variable().unwrap();
    let Forward { logits, features, statistics, .. } = model.forward(&all, &x, mode(case), RandomKey::new(0)).unwrap();
    let loss = logits.cross_entropy(&case.tensor("in.y")).unwrap();
    let mut inputs = learnable;
    inputs.push(x);
    let mut gradients = grad(std::slice::from_ref(&loss), &inputs, None, Keep::No).unwrap();
    let mut found = vec![("dx".to_owned(), gradients.pop().unwrap())];
    let named = |role| specs.iter().filter(move |spec| spec.role == role).map(|spec| spec.name.clone());
    found.extend(named(WeightRole::Learnable).map(|name| format!("dw.{name}")).zip(gradients));
    found.extend(named(WeightRole::Statistic).map(|name| format!("stat.{name}")).zip(statistics));
    found.extend([("logits", logits), ("features", features), ("loss", loss)].map(|(name, x)| (name.to_owned(), x)));
    case.error(&found)
}

fn hvp(case: &Case, registry: &Registry) -> f64 {
    let model = case.model(registry);
    let (specs, weights) = case.weights(&model);
    let (all, learnable) = leaves(&specs, &weights);
    let x = case.tensor("in.x").variable().unwrap();
    let logits = model.forward(&all, &x, Mode::Train, RandomKey::new(0)).unwrap().logits;
    let loss = logits.cross_entropy(&case.tensor("in.y")).unwrap();
    let first = grad(&[loss], &learnable, None, Keep::OnTape).unwrap();
    let names: Vec<&str> =
        case.params["parameters"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut dot = scalar(0.0);
    for (name, gradient) in names.iter().zip(&first) {
        dot = dot.add(&gradient.dot(&case.tensor(&format!("in.v.{name}"))).unwrap()).unwrap();
    }
    let mut inputs = learnable;
    inputs.push(x);
    let mut second = grad(std::slice::from_ref(&dot), &inputs, None, Keep::No).unwrap();
    let mut found = vec![("mixed".to_owned(), second.pop().unwrap()), ("dot".to_owned(), dot)];
    found.extend(names.iter().map(|name| format!("hv.{name}")).zip(second));
    case.error(&found)
}

/// A bench with the case's model, weights and images; real images come by class.
fn bench(case: &Case, registry: &Registry, classes: usize) -> Bench {
    let model = case.model(registry);
    let (specs, weights) = case.weights(&model);
    let mut bench = Bench::new(support::problem(classes, case.shape(), case.number("ipc")));
    bench.model = Some(model);
    bench.specs = specs;
    bench.start = weights;
    bench.learnables = vec![("images".to_owned(), case.tensor("in.x_syn"))];
    bench
}

/// Rows of `[class, image, ..]` as a batch labelled with the place of the class.
fn real_of(all: &Tensor, place: usize) -> Batch {
    let shape = all.shape()[1..].to_vec();
    let images = all.slice(0, place, place + 1, 1).unwrap().reshape(&shape).unwrap();
    let labels = Tensor::from_i64(vec![place as i64; shape[0]], &[shape[0]], &Device::Cpu).unwrap();
    Batch { images, labels }
}

fn dm(case: &Case, registry: &Registry) -> f64 {
    let classes = case.number("classes");
    let mut bench = bench(case, registry, classes);
    let real = case.tensor("in.x_real");
    bench.real = Box::new(move |class, _, _| real_of(&real, class.unwrap()));
    let matcher = registry.matcher("dm", &json!({"augment": "none"})).unwrap();
    support::iterate(&matcher, &mut bench).unwrap();
    let loss = bench.metrics["loss"] * classes as f64;
    case.error(&[("loss".to_owned(), scalar(loss)), ("dx_syn".to_owned(), bench.steps[0].1.clone())])
}

/// The classes of `class_list` become 0, 1, ..: cross-entropy does not mind if the columns of the logits change places.
fn dc_match(case: &Case, registry: &Registry) -> f64 {
    let list: Vec<i64> = case.params["class_list"].as_array().unwrap().iter().map(|c| c.as_i64().unwrap()).collect();
    let mut bench = bench(case, registry, list.len());
    let real = case.tensor("in.x_real");
    bench.real = Box::new(move |class, _, _| real_of(&real, class.unwrap()));
    let classes = case.number("classes") as i64;
    let order: Vec<i64> = list.iter().copied().chain((0..classes).filter(|class| !list.contains(class))).collect();
    let order = Tensor::from_i64(order, &[classes as usize], &Device::Cpu).unwrap();
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
fn dc_distance(case: &Case, registry: &Registry) -> f64 {
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
    bench.start = shapes.iter().map(|shape| Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap()).collect();
    bench.learnables = vec![("images".to_owned(), synthetic)];
    let labels = Tensor::from_i64(vec![0], &[1], &Device::Cpu).unwrap();
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

fn gradient_is_input(weights: &[Tensor], x: &Tensor, shapes: &[Vec<usize>]) -> Forward {
    let flat = x.reshape(&[x.elements()]).unwrap();
    let (mut sum, mut at) = (scalar(0.0), 0);
    for (weight, shape) in weights.iter().zip(shapes) {
        let count: usize = shape.iter().product();
        let part = flat.slice(0, at, at + count, 1).unwrap().reshape(shape).unwrap();
        sum = sum.add(&part.dot(weight).unwrap()).unwrap();
        at += count;
    }
    let first = sum.mul_scalar(-2.0).unwrap().reshape(&[1, 1]).unwrap();
    let zero = Tensor::zeros(&[1, 1], DType::F64, &Device::Cpu).unwrap();
    let logits = Tensor::concat(&[first, zero], 1).unwrap();
    Forward { features: logits.clone(), logits, maps: Vec::new(), statistics: Vec::new() }
}

fn dc_iteration(case: &Case, registry: &Registry) -> f64 {
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
                let rows = Tensor::from_i64(chunk.to_vec(), &[chunk.len()], &Device::Cpu).unwrap();
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

#[test]
fn plugins_agree_with_the_reference() {
    let folder = std::env::var_os("PDDFLOW_ORACLE_DIR").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle"));
    let mut files: Vec<PathBuf> = fs_err::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "safetensors"));
    files.sort();
    assert!(!files.is_empty(), "{} has no cases", folder.display());
    let registry = support::registry();
    let (mut missing, mut failed, mut passed) = (BTreeSet::new(), Vec::new(), 0);
    for file in files {
        let case = Case::read(&file);
        let share = match case.kind.as_str() {
            "convnet" => convnet(&case, &registry),
            "hvp" => hvp(&case, &registry),
            "dm" => dm(&case, &registry),
            "dc_distance" => dc_distance(&case, &registry),
            "dc_match" => dc_match(&case, &registry),
            "dc_iteration" => dc_iteration(&case, &registry),
            _ => {
                missing.insert(case.kind);
                continue;
            }
        };
        println!("{:<28} {:<13} error / tolerance = {share:.1e}", case.name, case.kind);
        passed += 1;
        if share > 1.0 {
            failed.push(case.name);
        }
    }
    println!("{passed} cases through plugins; kinds without a routine here: {missing:?}");
    assert!(failed.is_empty(), "beyond the tolerance: {failed:?}");
    assert!(passed > 0);
}
