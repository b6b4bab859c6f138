//! One case: inputs, expected outputs, and the error measure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use pddflow_tensor::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

thread_local! {
    static DEVICE: RefCell<Device> = const { RefCell::new(Device::Cpu) };
}

/// Where the cases of this thread are computed.
pub(crate) fn device() -> Device {
    DEVICE.with_borrow(Device::clone)
}

/// Computes the cases of this thread there from now on.
pub(crate) fn use_device(device: Device) {
    DEVICE.set(device);
}

/// Output name without `out.`, and its value.
pub(crate) type Outputs = Vec<(String, Tensor)>;

pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) params: Value,
    pub(crate) dtype: DType,
    inputs: BTreeMap<String, Tensor>,
    expected: BTreeMap<String, Tensor>,
    tolerance: f64,
}

impl Case {
    /// Reads a case, its floating-point inputs rounded to `dtype`.
    pub(crate) fn load(file: &Path, dtype: DType) -> Self {
        let bytes = fs_err::read(file).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let case = &metadata.metadata().as_ref().unwrap()["case"];
        let case: Value = serde_json::from_str(case).unwrap();
        let (mut inputs, mut expected) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
            let words = view.data().as_chunks::<8>().0.iter();
            let tensor = match view.dtype() {
                Dtype::F64 => {
                    Tensor::from_f64(words.map(|word| f64::from_le_bytes(*word)).collect(), view.shape(), &Device::Cpu)
                }
                Dtype::I64 => {
                    Tensor::from_i64(words.map(|word| i64::from_le_bytes(*word)).collect(), view.shape(), &Device::Cpu)
                }
                other => panic!("{}: {name} is {other:?}", file.display()),
            };
            let tensor = tensor.unwrap();
            if let Some(name) = name.strip_prefix("out.") {
                expected.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_prefix("in.") {
                let rounded = if tensor.dtype() == DType::I64 { tensor } else { tensor.cast(dtype).unwrap() };
                inputs.insert(name.to_owned(), rounded.to_device(&device()).unwrap());
            }
        }
        let tolerance = if dtype == DType::F64 { "f64_rel" } else { "f32_rel" };
        Self {
            kind: case["kind"].as_str().unwrap().to_owned(),
            name: case["name"].as_str().unwrap().to_owned(),
            tolerance: case["tolerance"][tolerance].as_f64().unwrap(),
            params: case["params"].clone(),
            dtype,
            inputs,
            expected,
        }
    }

    pub(crate) fn input(&self, name: &str) -> Tensor {
        self.inputs.get(name).unwrap_or_else(|| panic!("{}: no input {name}", self.name)).clone()
    }

    pub(crate) fn numbers(&self, name: &str) -> Vec<f64> {
        self.input(name).to_f64_vec().unwrap()
    }

    pub(crate) fn integers(&self, name: &str) -> Vec<i64> {
        self.input(name).to_i64_vec().unwrap()
    }

    pub(crate) fn indices(&self, name: &str) -> Vec<usize> {
        self.integers(name).into_iter().map(|v| usize::try_from(v).unwrap()).collect()
    }

    pub(crate) fn size(&self, name: &str) -> usize {
        usize::try_from(self.params[name].as_u64().unwrap()).unwrap()
    }

    pub(crate) fn number(&self, name: &str) -> f64 {
        self.params[name].as_f64().unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.params[name].as_str().unwrap()
    }

    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        self.params[name].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    }

    /// Whether all groups are within the tolerance, and a line that says so.
    pub(crate) fn compare(&self, outputs: &Outputs) -> (bool, String) {
        let found: BTreeMap<&str, &Tensor> = outputs.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let mut worst = (0.0_f64, "");
        let mut groups: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (name, expected) in &self.expected {
            let Some(actual) = found.get(name.as_str()) else {
                return (false, format!("{} {}: no output {name}", self.name, self.dtype));
            };
            if actual.shape() != expected.shape() {
                return (false, format!("{} {}: {name} has shape {:?}", self.name, self.dtype, actual.shape()));
            }
            let (actual, numbers) = (actual.to_f64_vec().unwrap(), expected.to_f64_vec().unwrap());
            let (scale, difference) = groups.entry(group_of(name)).or_default();
            for (a, b) in actual.iter().zip(&numbers) {
                let here = (a - b).abs();
                // Not-a-number must not pass as small.
                *difference = if here.is_nan() { f64::INFINITY } else { difference.max(here) };
                *scale = scale.max(b.abs());
            }
            if expected.dtype() == DType::I64 && *difference > 0.0 {
                return (false, format!("{} {}: integers {name} differ", self.name, self.dtype));
            }
        }
        for (group, (scale, difference)) in groups {
            let error = match scale {
                0.0 if difference <= 1e-12 => 0.0,
                0.0 => f64::INFINITY,
                _ => difference / scale,
            };
            if error >= worst.0 {
                worst = (error, group);
            }
        }
        let line = format!(
            "{} {}: error {:.1e} in {}, tolerance {:.0e}",
            self.name, self.dtype, worst.0, worst.1, self.tolerance
        );
        (worst.0 <= self.tolerance, line)
    }
}

fn group_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
