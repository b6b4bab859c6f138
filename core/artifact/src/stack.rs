//! Many tensors of one shape as one array with leading axes, read one at a time where they lie.

use std::ops::Range;

use pddflow_cache::Blob;
use pddflow_tensor::{DType, Device, Tensor, TensorError};
use safetensors::tensor::Dtype;

use super::container::{Array, Arrays, from_bytes};
use super::error::ArtifactError;
use super::tensors::to_array;

/// A stored array of tensors.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    bytes: Range<usize>,
    dtype: DType,
    shape: Vec<usize>,
}

/// The tensors as one array `[leading..., shape...]`; all have the shape and number type of the first.
pub(crate) fn pack<'a>(
    leading: &[usize],
    shape: &[usize],
    tensors: impl Iterator<Item = &'a Tensor>,
) -> Result<Array<'static>, TensorError> {
    let (mut bytes, mut dtype) = (Vec::new(), Dtype::F32);
    for tensor in tensors {
        let one = to_array(tensor)?;
        dtype = one.dtype;
        bytes.extend_from_slice(&one.bytes);
    }
    let shape = leading.iter().chain(shape).copied().collect();
    Ok(Array { dtype, shape, bytes: bytes.into() })
}

impl Stack {
    /// The array `name` of `leading` times a tensor of `shape`.
    pub(crate) fn open(
        artifact: &'static str,
        (tensors, blob): (&Arrays<'_>, &Blob),
        name: &str,
        leading: &[usize],
        shape: &[usize],
    ) -> Result<Self, ArtifactError> {
        let wrong = |message: String| ArtifactError::content(artifact, message);
        let view = tensors.get(name)?;
        let expected: Vec<usize> = leading.iter().chain(shape).copied().collect();
        if view.shape() != expected {
            return Err(wrong(format!("the array `{name}` has the shape {:?}, not {expected:?}", view.shape())));
        }
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            other => return Err(wrong(format!("the array `{name}` has the type {other:?}; F32 or F64 are allowed"))),
        };
        let start = view.data().as_ptr().addr() - blob.as_ptr().addr();
        Ok(Self { bytes: start..start + view.data().len(), dtype, shape: shape.to_vec() })
    }

    /// Tensor number `place`, counted through the leading axes, on the CPU. Only its own bytes are touched.
    pub(crate) fn tensor(&self, blob: &Blob, place: usize) -> Result<Tensor, TensorError> {
        let count: usize = self.shape.iter().product();
        let width = if self.dtype == DType::F64 { size_of::<f64>() } else { size_of::<f32>() };
        let start = self.bytes.start + place * count * width;
        let bytes = &blob[start..(start + count * width).min(self.bytes.end)];
        match self.dtype {
            DType::F64 => Tensor::from_f64(from_bytes(bytes, f64::from_le_bytes), &self.shape, &Device::Cpu),
            _ => Tensor::from_f32(from_bytes(bytes, f32::from_le_bytes), &self.shape, &Device::Cpu),
        }
    }
}
