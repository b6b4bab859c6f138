//! Values of a burn backend, and their shapes.
//!
//! burn has no tensors without axes, so that a single number has shape `[1]` here.

use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{
    Backend, Element, FloatDType, IntDType, Shape, TensorData, TensorMetadata, get_device_settings, read_sync,
};

use super::failure::internal;
use crate::DType;
use crate::error::{Result, TensorError};

/// A value of a burn backend.
#[derive(Clone)]
pub(crate) enum Array<B: Backend> {
    Float(FloatTensor<B>),
    Int(IntTensor<B>),
}

impl<B: Backend> Array<B> {
    pub(crate) fn from_data(values: TensorData, dtype: DType, device: &B::Device) -> Self {
        match dtype {
            DType::I64 => Self::Int(integers::<B>(values, device)),
            _ => Self::Float(B::float_from_data(values, device)),
        }
    }

    /// The numbers in row-major order, converted if the device has them in another type.
    pub(crate) fn read<T: Element>(&self) -> Result<Vec<T>> {
        const OP: &str = "download";
        let data = match self {
            Self::Float(x) => read_sync(B::float_into_data(x.clone())),
            Self::Int(x) => read_sync(B::int_into_data(x.clone())),
        };
        data.map_err(|error| fault(OP, error))?.convert::<T>().to_vec().map_err(|error| fault(OP, error))
    }

    pub(super) fn float(&self, op: &'static str) -> Result<FloatTensor<B>> {
        match self {
            Self::Float(x) => Ok(x.clone()),
            Self::Int(_) => internal(op, "integers where numbers are needed"),
        }
    }

    pub(super) fn int(&self, op: &'static str) -> Result<IntTensor<B>> {
        match self {
            Self::Int(x) => Ok(x.clone()),
            Self::Float(_) => internal(op, "numbers where integers are needed"),
        }
    }
}

fn fault(op: &'static str, error: impl std::fmt::Display) -> TensorError {
    TensorError::Internal { op, message: error.to_string() }
}

/// The number format of a tensor.
pub(super) fn float_type<B: Backend>(x: &FloatTensor<B>) -> FloatDType {
    x.dtype().into()
}

/// How a device stores integers.
pub(super) fn int_type<B: Backend>(device: &B::Device) -> IntDType {
    get_device_settings::<B>(device).int_dtype
}

/// Integers as the device stores them.
pub(super) fn integers<B: Backend>(values: TensorData, device: &B::Device) -> IntTensor<B> {
    B::int_from_data(values.convert_dtype(int_type::<B>(device).into()), device)
}

/// The shape that burn sees.
pub(super) fn physical(shape: &[usize]) -> Shape {
    if shape.is_empty() { Shape::from([1]) } else { Shape::from(shape) }
}

pub(super) fn dims(x: &impl TensorMetadata) -> Vec<usize> {
    x.shape().to_vec()
}

pub(super) fn zeros<B: Backend>(like: &FloatTensor<B>, shape: &[usize]) -> FloatTensor<B> {
    B::float_zeros(physical(shape), &B::float_device(like), float_type::<B>(like))
}

/// With axes of length 1 put in front, so that both sides have the rank of the result.
fn aligned<B: Backend>(x: FloatTensor<B>, shape: &[usize]) -> FloatTensor<B> {
    let own = dims(&x);
    let rank = physical(shape).to_vec().len();
    if own.len() >= rank {
        return x;
    }
    let mut to = vec![1; rank - own.len()];
    to.extend(own);
    B::float_reshape(x, Shape::from(to))
}

pub(super) fn expanded<B: Backend>(x: FloatTensor<B>, shape: &[usize]) -> FloatTensor<B> {
    B::float_expand(aligned::<B>(x, shape), physical(shape))
}
