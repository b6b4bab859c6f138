//! One case: inputs, expected outputs, and the error measure of the vectors' README.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::Value;

/// Numbers with a shape; integers are exact in `f64` here.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
    integer: bool,
}

impl Array {
    pub(crate) fn real(shape: &[usize], values: Vec<f64>) -> Self {
        Self { shape: shape.to_vec(), values, integer: false }
    }

    pub(crate) fn integers(shape: &[usize], values: impl IntoIterator<Item = usize>) -> Self {
        let values = values.into_iter().map(|value| value as f64).collect();
        Self { shape: shape.to_vec(), values, integer: true }
    }

    pub(crate) fn as_usize(&self) -> Vec<usize> {
        self.values.iter().map(|value| *value as usize).collect()
    }
}

/// Outputs by name without `out.`.
pub(crate) type Outputs = BTreeMap<String, Array>;

pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) params: Value,
    /// Largest relative error allowed to a double-precision implementation.
    pub(crate) tolerance: f64,
    tensors: BTreeMap<String, Array>,
}

/// All vector files of a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "safetensors"));
    files.sort();
    files
}

impl Case {
    pub(crate) fn load(file: &Path) -> Self {
        let bytes = fs_err::read(file).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let text = &header.metadata().as_ref().unwrap()["case"];
        let mut about: Value = serde_json::from_str(text).unwrap();
        let stored = SafeTensors::deserialize(&bytes).unwrap();
        let tensors =
            stored.tensors().into_iter().map(|(name, view)| {
                let integer = view.dtype() == Dtype::I64;
                let values =
                    view.data().as_chunks::<8>().0.iter().map(|bytes| {
                        if integer { i64::from_le_bytes(*bytes) as f64 } else { f64::from_le_bytes(*bytes) }
                    });
                (name, Array { shape: view.shape().to_vec(), values: values.collect(), integer })
            });
        Self {
            kind: about["kind"].as_str().unwrap().to_owned(),
            name: about["name"].as_str().unwrap().to_owned(),
            tolerance: about["tolerance"]["f64_rel"].as_f64().unwrap(),
            tensors: tensors.collect(),
            params: about["params"].take(),
        }
    }

    /// An input by its name without `in.`.
    pub(crate) fn input(&self, name: &str) -> &Array {
        self.tensors.get(&format!("in.{name}")).unwrap_or_else(|| panic!("{}: no in.{name}", self.name))
    }

    pub(crate) fn has_input(&self, name: &str) -> bool {
        self.tensors.contains_key(&format!("in.{name}"))
    }

    pub(crate) fn number(&self, name: &str) -> usize {
        self.params[name].as_u64().unwrap_or_else(|| panic!("{}: no parameter {name}", self.name)) as usize
    }

    pub(crate) fn real(&self, name: &str) -> f64 {
        self.params[name].as_f64().unwrap()
    }

    /// Largest error over the groups of outputs; infinite where an output is missing, of another shape or another integer.
    pub(crate) fn error_of(&self, outputs: &Outputs) -> f64 {
        let mut groups: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (name, expected) in
            self.tensors.iter().filter_map(|(name, array)| Some((name.strip_prefix("out.")?, array)))
        {
            let Some(found) = outputs.get(name).filter(|found| found.shape == expected.shape) else {
                println!("{}: output {name} is missing or has another shape", self.name);
                return f64::INFINITY;
            };
            let group = groups.entry(name.split('.').next().unwrap()).or_default();
            for (found, value) in found.values.iter().zip(&expected.values) {
                let difference = (found - value).abs();
                let difference = if expected.integer && difference != 0.0 { f64::INFINITY } else { difference };
                group.0 = if difference.is_nan() { f64::INFINITY } else { group.0.max(difference) };
                group.1 = group.1.max(value.abs());
            }
        }
        let relative = |(difference, scale): &(f64, f64)| match *scale {
            0.0 if *difference <= 1e-12 => 0.0,
            0.0 => f64::INFINITY,
            scale => difference / scale,
        };
        groups.values().map(relative).fold(0.0, f64::max)
    }
}
