//! Tensors by name that a matcher works from, such as those of a generator.

use std::collections::BTreeMap;

use pddflow_tensor::{DType, Tensor, TensorError};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

use super::container;
use super::error::ArtifactError;
use super::named_tensors_format::{ARTIFACT, TensorsNote, VERSION};
use super::nets_format::NetData;
use super::tensors::{from_view, to_array};

/// Tensors by name.
#[derive(Clone, Debug)]
pub struct NamedTensors {
    /// F32, F64 or I64, finite, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// The data that they were made for, if that is known.
    pub data: Option<NetData>,
    /// Parameters of the node that made them.
    pub made_by: Value,
}

impl NamedTensors {
    /// The bytes of the artifact: safetensors with these names.
    ///
    /// # Errors
    /// When there is none, or a number is not finite.
    pub fn encode(&self) -> Result<Vec<u8>, ArtifactError> {
        self.check()?;
        let mut arrays = BTreeMap::new();
        for (name, tensor) in &self.tensors {
            arrays.insert(name.clone(), to_array(tensor).map_err(|error| unreadable(&error))?);
        }
        let (data, made_by) = (self.data.clone(), self.made_by.clone());
        let note = TensorsNote { artifact: ARTIFACT.to_owned(), version: VERSION, data, made_by };
        container::write(ARTIFACT, &arrays, &note)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, of another artifact or version, or hold a number that is not finite.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let (arrays, note): (_, TensorsNote) = container::open(ARTIFACT, VERSION, bytes)?;
        let mut tensors = BTreeMap::new();
        for name in arrays.names() {
            let tensor = from_view(ARTIFACT, &name, &arrays.get(&name)?)?;
            tensors.insert(name, tensor);
        }
        let read = Self { tensors, data: note.data, made_by: note.made_by };
        read.check()?;
        Ok(read)
    }

    /// Reads any safetensors file: what [`Self::encode`] wrote, or tensors of another program.
    ///
    /// # Errors
    /// As [`Self::decode`], or a tensor has a type that is none of those above.
    pub fn read(bytes: &[u8]) -> Result<Self, ArtifactError> {
        if container::has_note(bytes) {
            return Self::decode(bytes);
        }
        let file = SafeTensors::deserialize(bytes)
            .map_err(|source| ArtifactError::Container { artifact: ARTIFACT, source })?;
        let named = |(name, view): (String, TensorView<'_>)| {
            let tensor = from_view(ARTIFACT, &name, &view)?;
            Ok((name, tensor))
        };
        let tensors = file.tensors().into_iter().map(named).collect::<Result<_, ArtifactError>>()?;
        let read = Self { tensors, data: None, made_by: Value::Null };
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), ArtifactError> {
        if self.tensors.is_empty() {
            return Err(ArtifactError::content(ARTIFACT, "it has no tensor"));
        }
        for (name, tensor) in self.tensors.iter().filter(|(_, tensor)| tensor.dtype() != DType::I64) {
            let values = tensor.to_f64_vec().map_err(|error| unreadable(&error))?;
            if values.iter().any(|value| !value.is_finite()) {
                return Err(ArtifactError::content(ARTIFACT, format!("a number of `{name}` is not finite")));
            }
        }
        Ok(())
    }
}

fn unreadable(error: &TensorError) -> ArtifactError {
    ArtifactError::content(ARTIFACT, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pddflow_tensor::Device;
    use serde_json::json;

    fn named(values: Vec<f64>) -> NamedTensors {
        let own = Tensor::from_f64(values, &[2, 1], &Device::Cpu).unwrap();
        let counts = Tensor::from_i64(vec![7], &[1], &Device::Cpu).unwrap();
        let tensors = BTreeMap::from([("a.weight".to_owned(), own), ("counts".to_owned(), counts)]);
        NamedTensors { tensors, data: None, made_by: json!({ "kind": "test" }) }
    }

    #[test]
    fn tensors_come_back_bit_for_bit() {
        let bytes = named(vec![0.1 + 0.2, -0.0]).encode().unwrap();
        let back = NamedTensors::decode(&bytes).unwrap();
        assert_eq!(back.tensors["a.weight"].to_f64_vec().unwrap()[1].to_bits(), (-0.0_f64).to_bits());
        assert_eq!((back.tensors["a.weight"].shape(), back.encode().unwrap()), (&[2, 1][..], bytes));
    }

    #[test]
    fn a_file_of_another_program_is_read_by_its_names() {
        let values = [1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].concat();
        let view = TensorView::new(safetensors::Dtype::F32, vec![2], &values).unwrap();
        let bytes = safetensors::serialize([("dense.bias", view)], None).unwrap();
        let read = NamedTensors::read(&bytes).unwrap();
        assert_eq!(read.tensors["dense.bias"].to_f64_vec().unwrap(), [1.0, 2.0]);
        assert!(NamedTensors::decode(&bytes).is_err());
        assert!(NamedTensors::read(&bytes[..20]).is_err());
    }

    #[test]
    fn numbers_that_are_not_finite_and_nothing_at_all_are_refused() {
        let error = named(vec![0.0, f64::NAN]).encode().unwrap_err();
        assert!(error.to_string().contains("`a.weight` is not finite"), "{error}");
        let none = NamedTensors { tensors: BTreeMap::new(), ..named(vec![0.0, 1.0]) };
        assert!(none.encode().unwrap_err().to_string().contains("no tensor"));
    }
}
