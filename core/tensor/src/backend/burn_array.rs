//! Values of a burn backend, and their shapes.
//!
//! burn has no tensors without axes, so that a single number has shape `[1]` here.

use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{Backend, FloatDType, Shape, TensorData, TensorMetadata, read_sync};

use super::failure::internal;
use crate::error::{Result, TensorError};

/// A value of a burn backend.
#[derive(Clone)]
pub(crate) enum Array<B: Backend> {
    Float(FloatTensor<B>),
    Int(IntTensor<B>),
}

impl<B: Backend> Array<B> {
    pub(crate) fn from_f32(values: Vec<f32>, shape: &[usize], device: &B::Device) -> Self {
        Self::Float(B::float_from_data(TensorData::new(values, physical(shape)), device))
    }

    pub(crate) fn from_i64(values: Vec<i64>, shape: &[usize], device: &B::Device) -> Self {
        Self::Int(B::int_from_data(TensorData::new(values, physical(shape)), device))
    }

    pub(crate) fn to_f32(&self) -> Result<Vec<f32>> {
        let data = read_sync(B::float_into_data(self.float("to_f32")?));
        let data = data.map_err(|error| fault("to_f32", error))?;
        data.to_vec().map_err(|error| fault("to_f32", error))
    }

    pub(crate) fn to_i64(&self) -> Result<Vec<i64>> {
        let data = read_sync(B::int_into_data(self.int("to_i64")?));
        let data = data.map_err(|error| fault("to_i64", error))?;
        data.convert::<i64>().to_vec().map_err(|error| fault("to_i64", error))
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

/// The shape that burn sees.
pub(super) fn physical(shape: &[usize]) -> Shape {
    if shape.is_empty() { Shape::from([1]) } else { Shape::from(shape) }
}

pub(super) fn dims(x: &impl TensorMetadata) -> Vec<usize> {
    x.shape().to_vec()
}

pub(super) fn zeros<B: Backend>(like: &FloatTensor<B>, shape: &[usize]) -> FloatTensor<B> {
    B::float_zeros(physical(shape), &B::float_device(like), FloatDType::F32)
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
