//! Tensors as arrays of a container and back.

use std::borrow::Cow;

use pddflow_tensor::{DType, Device, Tensor, TensorError};
use safetensors::tensor::{Dtype, TensorView};

use super::container::{Array, from_bytes, to_bytes};
use super::error::ArtifactError;

/// A tensor to be written, in its own number type.
pub(crate) fn to_array(tensor: &Tensor) -> Result<Array<'static>, TensorError> {
    let (dtype, bytes) = match tensor.dtype() {
        DType::F32 => (Dtype::F32, to_bytes(&tensor.to_f32_vec()?, f32::to_le_bytes)),
        DType::F64 => (Dtype::F64, to_bytes(&tensor.to_f64_vec()?, f64::to_le_bytes)),
        DType::I64 => (Dtype::I64, to_bytes(&tensor.to_i64_vec()?, i64::to_le_bytes)),
    };
    Ok(Array { dtype, shape: tensor.shape().to_vec(), bytes: Cow::Owned(bytes) })
}

/// The tensor that [`to_array`] wrote, on the CPU.
pub(crate) fn from_view(artifact: &'static str, name: &str, view: &TensorView<'_>) -> Result<Tensor, ArtifactError> {
    let (shape, bytes, cpu) = (view.shape(), view.data(), &Device::Cpu);
    let tensor = match view.dtype() {
        Dtype::F32 => Tensor::from_f32(from_bytes(bytes, f32::from_le_bytes), shape, cpu),
        Dtype::F64 => Tensor::from_f64(from_bytes(bytes, f64::from_le_bytes), shape, cpu),
        Dtype::I64 => Tensor::from_i64(from_bytes(bytes, i64::from_le_bytes), shape, cpu),
        other => {
            let message = format!("the array `{name}` has the type {other:?}; F32, F64 or I64 are allowed");
            return Err(ArtifactError::content(artifact, message));
        }
    };
    tensor.map_err(|error| ArtifactError::content(artifact, format!("the array `{name}`: {error}")))
}
