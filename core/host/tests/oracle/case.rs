//! A reference vector, and what its routines share.

use crate::support::{self, Bench, device, dtype};
use pddflow_host::{Batch, InputShape, Mode, Model, Registry, WeightRole, WeightSpec};
use pddflow_tensor::{DType, Tensor};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) params: Value,
    pub(crate) tolerance: f64,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

impl Case {
    pub(crate) fn read(path: &std::path::Path) -> Self {
        let bytes = fs_err::read(path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let case: Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["case"]).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = tensors.iter().map(|(name, view)| {
            let chunks = view.data().as_chunks::<8>().0;
            let tensor = match view.dtype() {
                safetensors::Dtype::F64 => {
                    let values = chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect();
                    Tensor::from_values(values, view.shape(), dtype(), &device()).unwrap()
                }
                _ => {
                    let values = chunks.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect();
                    Tensor::from_i64(values, view.shape(), &device()).unwrap()
                }
            };
            (name.to_owned(), tensor)
        });
        let tolerance = if dtype() == DType::F64 { "f64_rel" } else { "f32_rel" };
        Self {
            kind: case["kind"].as_str().unwrap().to_owned(),
            name: case["name"].as_str().unwrap().to_owned(),
            tolerance: case["tolerance"][tolerance].as_f64().unwrap(),
            tensors: tensors.collect(),
            params: case["params"].clone(),
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name)).clone()
    }

    pub(crate) fn number(&self, name: &str) -> usize {
        self.params[name].as_u64().unwrap_or_else(|| panic!("{}: no number {name}", self.name)) as usize
    }

    pub(crate) fn shape(&self) -> InputShape {
        InputShape { channels: self.number("channels"), height: self.number("height"), width: self.number("width_px") }
    }

    pub(crate) fn model(&self, registry: &Registry) -> Arc<Model> {
        let config = json!({"width": self.number("width"), "depth": self.number("depth"), "norm": self.params["norm"]});
        let id = if self.kind == "resnet" { "resnet" } else { "convnet" };
        registry.model(id, &config).unwrap()
    }

    /// The model's weights by name, checked against the order of the case.
    pub(crate) fn weights(&self, model: &Model) -> (Vec<WeightSpec>, Vec<Tensor>) {
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
    pub(crate) fn error(&self, found: &[(String, Tensor)]) -> f64 {
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

pub(crate) fn scalar(value: f64) -> Tensor {
    Tensor::from_values(vec![value], &[], dtype(), &device()).unwrap()
}

pub(crate) fn mode(case: &Case) -> Mode {
    if case.params["mode"] == "eval" { Mode::Eval } else { Mode::Train }
}

/// Weights with the learnable ones as leaves; and those leaves.
pub(crate) fn leaves(specs: &[WeightSpec], weights: &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>) {
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

/// A bench with the case's model, weights and images; real images come by class.
pub(crate) fn bench(case: &Case, registry: &Registry, classes: usize) -> Bench {
    let model = case.model(registry);
    let (specs, weights) = case.weights(&model);
    let images = case.tensor("in.x_syn");
    let mut bench = Bench::new(support::problem(classes, case.shape(), images.shape()[0] / classes));
    bench.model = Some(model);
    bench.specs = specs;
    bench.start = weights;
    bench.learnables = vec![("images".to_owned(), images)];
    bench
}

/// Rows of `[class, image, ..]` as a batch labelled with the place of the class.
pub(crate) fn real_of(all: &Tensor, place: usize) -> Batch {
    let shape = all.shape()[1..].to_vec();
    let images = all.slice(0, place, place + 1, 1).unwrap().reshape(&shape).unwrap();
    let labels = Tensor::from_i64(vec![place as i64; shape[0]], &[shape[0]], &device()).unwrap();
    Batch { images, labels }
}
