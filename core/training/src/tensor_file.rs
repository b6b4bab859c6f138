//! Named tensors with a note, as safetensors bytes: the form of checkpoints.
//!
//! Names are sorted and the note is a single metadata entry, so equal content has equal bytes.

use std::collections::{BTreeMap, HashMap};

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_tensor::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The metadata entry that holds the note.
const NOTE: &str = "pddflow";

/// Tensors by name.
pub type Named = BTreeMap<String, Tensor>;

/// Puts a list of tensors among others: `<prefix>0`, `<prefix>1` and so on.
pub fn extend(named: &mut Named, prefix: &str, list: &[Tensor]) {
    named.extend(list.iter().enumerate().map(|(place, tensor)| (format!("{prefix}{place}"), tensor.clone())));
}

/// The list that [`extend`] put there; empty where there is none.
#[must_use]
pub fn series(named: &Named, prefix: &str) -> Vec<Tensor> {
    (0..).map_while(|place| named.get(&format!("{prefix}{place}")).cloned()).collect()
}

/// Bytes of `tensors` and `note`.
pub fn encode<N: Serialize>(tensors: &Named, note: &N) -> NodeResult<Vec<u8>> {
    let note = serde_json::to_string(note).during("writing a checkpoint's note")?;
    let mut raw = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let (dtype, bytes) = to_bytes(tensor)?;
        raw.push((name, dtype, tensor.shape().to_vec(), bytes));
    }
    let mut views = Vec::with_capacity(raw.len());
    for (name, dtype, shape, bytes) in &raw {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| damaged(&error))?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([(NOTE.to_owned(), note)]);
    serialize(views, Some(metadata)).map_err(|error| damaged(&error))
}

/// What [`encode`] wrote.
pub fn decode<N: DeserializeOwned>(bytes: &[u8], device: &Device) -> NodeResult<(Named, N)> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error))?;
    let note = header.metadata().as_ref().and_then(|metadata| metadata.get(NOTE));
    let note = note.ok_or_else(|| fail("checkpoint", "a checkpoint has no note"))?;
    let note = serde_json::from_str(note).during("reading a checkpoint's note")?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
    let mut tensors = Named::new();
    for (name, view) in file.tensors() {
        tensors.insert(name, from_view(&view, device)?);
    }
    Ok((tensors, note))
}

fn damaged(error: &safetensors::SafeTensorError) -> pddflow_runner::NodeError {
    fail("checkpoint", format!("a checkpoint cannot be read or written: {error}"))
}

fn to_bytes(tensor: &Tensor) -> NodeResult<(Dtype, Vec<u8>)> {
    let doing = "writing a checkpoint";
    Ok(match tensor.dtype() {
        DType::F32 => (Dtype::F32, flatten(tensor.to_f32_vec().during(doing)?, f32::to_le_bytes)),
        DType::F64 => (Dtype::F64, flatten(tensor.to_f64_vec().during(doing)?, f64::to_le_bytes)),
        DType::I64 => (Dtype::I64, flatten(tensor.to_i64_vec().during(doing)?, i64::to_le_bytes)),
    })
}

fn flatten<T, const N: usize>(values: Vec<T>, bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.into_iter().flat_map(bytes).collect()
}

fn from_view(view: &TensorView<'_>, device: &Device) -> NodeResult<Tensor> {
    let (shape, bytes) = (view.shape(), view.data());
    let tensor = match view.dtype() {
        Dtype::F32 => Tensor::from_f32(unflatten(bytes, f32::from_le_bytes), shape, device),
        Dtype::F64 => Tensor::from_f64(unflatten(bytes, f64::from_le_bytes), shape, device),
        Dtype::I64 => Tensor::from_i64(unflatten(bytes, i64::from_le_bytes), shape, device),
        other => return Err(fail("checkpoint", format!("a checkpoint holds a tensor of type {other:?}"))),
    };
    tensor.during("reading a checkpoint")
}

fn unflatten<T, const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_note_come_back_bit_for_bit() {
        let mut tensors = Named::new();
        tensors
            .insert("a".into(), Tensor::from_f32(vec![0.1, -0.0, f32::MIN_POSITIVE], &[3, 1], &Device::Cpu).unwrap());
        tensors.insert("b".into(), Tensor::from_i64(vec![i64::MIN, 7], &[2], &Device::Cpu).unwrap());
        tensors.insert("c".into(), Tensor::from_f64(vec![std::f64::consts::PI], &[], &Device::Cpu).unwrap());
        let bytes = encode(&tensors, &17_u64).unwrap();
        let (back, note): (Named, u64) = decode(&bytes, &Device::Cpu).unwrap();
        assert_eq!(note, 17);
        assert_eq!(encode(&back, &note).unwrap(), bytes);
        assert_eq!(back["a"].shape(), [3, 1]);
        assert_eq!(back["a"].to_f32_vec().unwrap()[1].to_bits(), (-0.0_f32).to_bits());
    }

    #[test]
    fn cut_bytes_are_refused() {
        let bytes = encode(&Named::new(), &1_u64).unwrap();
        assert!(decode::<u64>(&bytes[..bytes.len() - 1], &Device::Cpu).is_err());
    }
}
