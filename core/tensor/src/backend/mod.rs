//! Where values lie and who computes on them: the only module that names burn.

mod array;
#[cfg(any(test, feature = "cuda"))]
mod burn;
#[cfg(any(test, feature = "cuda"))]
mod burn_array;
#[cfg(any(test, feature = "cuda"))]
mod burn_layout;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod failure;
#[cfg(test)]
mod tests;

use array::{Array, Stored};
use failure::internal;

use crate::Device;
use crate::error::Result;
use crate::op::{Descent, Op};

/// Elements of a tensor.
#[derive(Clone)]
pub(crate) enum Value {
    Cpu(Array),
    #[cfg(feature = "cuda")]
    Cuda(cuda::CudaValue),
}

impl Value {
    pub(crate) fn device(&self) -> Device {
        match self {
            Self::Cpu(_) => Device::Cpu,
            #[cfg(feature = "cuda")]
            Self::Cuda(value) => value.device(),
        }
    }

    /// Lengths of the axes; burn has none for a single number.
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            Self::Cpu(value) => value.shape().to_vec(),
            #[cfg(feature = "cuda")]
            Self::Cuda(value) => value.shape(),
        }
    }

    /// Bytes of an element.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Cpu(value) => value.dtype().size(),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => 4,
        }
    }

    pub(crate) fn as_f32(&self) -> Option<&[f32]> {
        match self {
            Self::Cpu(value) => value.of(),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => None,
        }
    }

    pub(crate) fn to_f32(&self) -> Result<Vec<f32>> {
        match self {
            Self::Cpu(value) => value.slice().map(<[f32]>::to_vec),
            #[cfg(feature = "cuda")]
            Self::Cuda(value) => value.to_f32(),
        }
    }

    pub(crate) fn to_f64(&self) -> Result<Vec<f64>> {
        match self {
            Self::Cpu(value) => value.slice().map(<[f64]>::to_vec),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => internal("to_f64", "double precision outside the CPU"),
        }
    }

    pub(crate) fn to_i64(&self) -> Result<Vec<i64>> {
        match self {
            Self::Cpu(value) => value.slice().map(<[i64]>::to_vec),
            #[cfg(feature = "cuda")]
            Self::Cuda(value) => value.to_i64(),
        }
    }
}

/// Numbers of a type that some device may not have.
pub(crate) trait Number: Stored {
    #[cfg(feature = "cuda")]
    fn on_cuda(values: Vec<Self>, shape: &[usize], index: usize) -> Result<cuda::CudaValue>;
}

macro_rules! number {
    ($($type:ident, $on_cuda:expr;)*) => {$(
        impl Number for $type {
            #[cfg(feature = "cuda")]
            fn on_cuda(values: Vec<Self>, shape: &[usize], index: usize) -> Result<cuda::CudaValue> {
                $on_cuda(values, shape, index)
            }
        }
    )*};
}

number! {
    f32, |values, shape, index| Ok(cuda::from_f32(values, shape, index));
    f64, |_, _, _| Err(cuda::no_double("from_f64"));
    i64, |values, shape, index| Ok(cuda::from_i64(values, shape, index));
}

/// A value of as many numbers as the shape has.
pub(crate) fn value<T: Number>(values: Vec<T>, shape: &[usize], device: &Device) -> Result<Value> {
    match device {
        Device::Cpu => Ok(Value::Cpu(Array::new(values, shape))),
        #[cfg(feature = "cuda")]
        Device::Cuda(index) => T::on_cuda(values, shape, *index).map(Value::Cuda),
    }
}

/// A step of gradient descent in place, on the CPU; shapes and types are equal.
pub(crate) fn descend(
    rule: &Descent,
    weight: &mut Value,
    gradient: &Value,
    buffer: Option<&mut Value>,
    first: bool,
) -> Result<()> {
    match (weight, gradient, buffer) {
        (Value::Cpu(weight), Value::Cpu(gradient), None) => cpu::descend(rule, weight, gradient, None, first),
        (Value::Cpu(weight), Value::Cpu(gradient), Some(Value::Cpu(buffer))) => {
            cpu::descend(rule, weight, gradient, Some(buffer), first)
        }
        #[cfg(feature = "cuda")]
        _ => internal("descent", "not on the CPU"),
    }
}

/// Computes an operation on checked inputs: its value, and its saved values.
pub(crate) fn evaluate(op: &Op, inputs: &[&Value], shape: &[usize]) -> Result<(Value, Vec<Value>)> {
    #[cfg(feature = "cuda")]
    if let Some(Value::Cuda(_)) = inputs.first() {
        let arrays = inputs.iter().map(|input| match input {
            Value::Cuda(value) => Ok(value),
            Value::Cpu(_) => internal(op.name(), "mixed devices"),
        });
        let (value, saved) = cuda::evaluate(op, &arrays.collect::<Result<Vec<_>>>()?, shape)?;
        return Ok((Value::Cuda(value), saved.into_iter().map(Value::Cuda).collect()));
    }
    let mut arrays: Vec<&Array> = Vec::with_capacity(inputs.len());
    for input in inputs {
        match input {
            Value::Cpu(array) => arrays.push(array),
            #[cfg(feature = "cuda")]
            Value::Cuda(_) => {}
        }
    }
    if arrays.is_empty() || arrays.len() < inputs.len() {
        return internal(op.name(), "no inputs, or mixed devices");
    }
    let (value, saved) = cpu::evaluate(op, &arrays, shape)?;
    Ok((Value::Cpu(value), saved.into_iter().map(Value::Cpu).collect()))
}
