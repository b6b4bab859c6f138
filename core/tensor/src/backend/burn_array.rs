//! Values on burn's devices, and their shapes.
//!
//! burn has no tensors without axes, so that a single number has shape `[1]` here.

use burn_backend::{BoolDType, Element, FloatDType, IntDType, Scalar, Shape, TensorData};

use super::calls::{Calls as B, Tensor, dims, settings};
use super::failure::internal;
use crate::DType;
use crate::device::BurnDevice;
use crate::error::{Result, TensorError};

/// Numbers of one of the two kinds.
#[derive(Clone)]
pub(crate) enum Array {
    Float(Tensor),
    Int(Tensor),
}

impl Array {
    pub(crate) fn from_data(values: TensorData, dtype: DType, device: &BurnDevice) -> Self {
        match dtype {
            DType::I64 => Self::Int(integers(values, device)),
            _ => Self::Float(B::float_from_data(values, device)),
        }
    }

    pub(crate) fn full(number: f64, shape: &[usize], dtype: DType, device: &BurnDevice) -> Self {
        let (shape, value) = (physical(shape), Scalar::from(number));
        match dtype {
            DType::I64 => Self::Int(B::int_full(shape, value, device, int_type(device))),
            dtype => Self::Float(B::float_full(shape, value, device, real(dtype))),
        }
    }

    /// The numbers in row-major order, converted if the device has them in another type.
    pub(crate) fn read<T: Element>(&self) -> Result<Vec<T>> {
        const OP: &str = "download";
        let data = match self {
            Self::Float(x) => B::float_into_data(x.clone()),
            Self::Int(x) => B::int_into_data(x.clone()),
        };
        data.map_err(|error| fault(OP, error))?.convert::<T>().to_vec().map_err(|error| fault(OP, error))
    }

    pub(super) fn float(&self, op: &'static str) -> Result<Tensor> {
        match self {
            Self::Float(x) => Ok(x.clone()),
            Self::Int(_) => internal(op, "integers where numbers are needed"),
        }
    }

    pub(super) fn int(&self, op: &'static str) -> Result<Tensor> {
        match self {
            Self::Int(x) => Ok(x.clone()),
            Self::Float(_) => internal(op, "numbers where integers are needed"),
        }
    }
}

fn fault(op: &'static str, error: impl std::fmt::Display) -> TensorError {
    TensorError::Internal { op, message: error.to_string() }
}

/// burn's name of a real type.
pub(super) fn real(dtype: DType) -> FloatDType {
    match dtype {
        DType::F64 => FloatDType::F64,
        _ => FloatDType::F32,
    }
}

/// The number format of a tensor.
pub(super) fn float_type(x: &Tensor) -> FloatDType {
    x.dtype().into()
}

/// How a device stores integers.
pub(super) fn int_type(device: &BurnDevice) -> IntDType {
    settings(device).int_dtype
}

/// Integers as the device stores them.
pub(super) fn integers(values: TensorData, device: &BurnDevice) -> Tensor {
    B::int_from_data(values.convert_dtype(int_type(device).into()), device)
}

/// The shape that burn sees.
pub(super) fn physical(shape: &[usize]) -> Shape {
    if shape.is_empty() { Shape::from([1]) } else { Shape::from(shape) }
}

pub(super) fn zeros(like: &Tensor, shape: &[usize]) -> Tensor {
    B::float_zeros(physical(shape), &B::float_device(like), float_type(like))
}

/// Numbers that nobody reads: what some calls of burn know a shape by.
pub(super) fn empty(like: &Tensor, shape: &[usize]) -> Tensor {
    B::float_empty(physical(shape), &B::float_device(like), float_type(like))
}

/// With axes of length 1 put in front, so that both sides have the rank of the result.
pub(super) fn aligned(x: Tensor, shape: &[usize]) -> Tensor {
    let own = dims(&x);
    let rank = physical(shape).to_vec().len();
    if own.len() >= rank {
        return x;
    }
    let mut to = vec![1; rank - own.len()];
    to.extend(own);
    B::float_reshape(x, Shape::from(to))
}

pub(super) fn expanded(x: Tensor, shape: &[usize]) -> Tensor {
    B::float_expand(aligned(x, shape), physical(shape))
}

/// How the device stores booleans.
pub(super) fn booleans(x: &Tensor) -> BoolDType {
    settings(&B::float_device(x)).bool_dtype
}

/// Where ReLU closes.
pub(super) fn closed(x: Tensor) -> Tensor {
    let booleans = booleans(&x);
    B::float_lower_equal_elem(x, Scalar::from(0.0), booleans)
}
