//! Where values lie and who computes on them: the only module that names burn.

#[cfg(any(test, feature = "cuda"))]
mod burn;
#[cfg(any(test, feature = "cuda"))]
mod burn_layout;
mod cpu;
mod cpu_layout;
mod cpu_norm;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(test)]
mod tests;

use burn_flex::FlexTensor;

use crate::Device;
use crate::error::{Result, TensorError};
use crate::op::Op;
use crate::ops::descent::Descent;

/// Elements of a tensor. CPU values are always contiguous in row-major order.
#[derive(Clone)]
pub(crate) enum Value {
    Cpu(FlexTensor),
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

    pub(crate) fn as_f32(&self) -> Option<&[f32]> {
        match self {
            Self::Cpu(value) => value.as_slice(),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => None,
        }
    }

    pub(crate) fn to_f32(&self) -> Result<Vec<f32>> {
        match self {
            Self::Cpu(value) => Ok(cpu::slice::<f32>(value)?.to_vec()),
            #[cfg(feature = "cuda")]
            Self::Cuda(value) => value.to_f32(),
        }
    }

    pub(crate) fn to_f64(&self) -> Result<Vec<f64>> {
        match self {
            Self::Cpu(value) => Ok(cpu::slice::<f64>(value)?.to_vec()),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => internal("to_f64", "double precision outside the CPU"),
        }
    }

    pub(crate) fn to_i64(&self) -> Result<Vec<i64>> {
        match self {
            Self::Cpu(value) => Ok(cpu::integers(value)?.to_vec()),
            #[cfg(feature = "cuda")]
            Self::Cuda(value) => value.to_i64(),
        }
    }
}

pub(crate) fn from_f32(values: Vec<f32>, shape: &[usize], device: &Device) -> Result<Value> {
    match device {
        Device::Cpu => Ok(Value::Cpu(cpu::wrap(values, shape))),
        #[cfg(feature = "cuda")]
        Device::Cuda(index) => Ok(Value::Cuda(cuda::from_f32(values, shape, *index))),
    }
}

pub(crate) fn from_f64(values: Vec<f64>, shape: &[usize], device: &Device) -> Result<Value> {
    match device {
        Device::Cpu => Ok(Value::Cpu(cpu::wrap(values, shape))),
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => Err(cuda::no_double("from_f64")),
    }
}

pub(crate) fn from_i64(values: Vec<i64>, shape: &[usize], device: &Device) -> Result<Value> {
    match device {
        Device::Cpu => Ok(Value::Cpu(cpu::wrap_integers(values, shape))),
        #[cfg(feature = "cuda")]
        Device::Cuda(index) => Ok(Value::Cuda(cuda::from_i64(values, shape, *index))),
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

/// Computes an operation on checked inputs: its value, and its by-products.
pub(crate) fn evaluate(op: &Op, inputs: &[&Value], shape: &[usize]) -> Result<(Value, Vec<Value>)> {
    match inputs {
        [Value::Cpu(_), ..] => {
            let inputs = inputs.iter().map(|input| on_cpu(op, input)).collect::<Result<Vec<_>>>()?;
            let (value, by_products) = cpu::evaluate(op, &inputs, shape)?;
            Ok((Value::Cpu(value), by_products.into_iter().map(Value::Cpu).collect()))
        }
        #[cfg(feature = "cuda")]
        [Value::Cuda(_), ..] => {
            let inputs = inputs.iter().map(|input| on_cuda(op, input)).collect::<Result<Vec<_>>>()?;
            let (value, saved) = cuda::evaluate(op, &inputs, shape)?;
            Ok((Value::Cuda(value), saved.into_iter().map(Value::Cuda).collect()))
        }
        [] => internal(op.name(), "no inputs"),
    }
}

#[cfg_attr(
    not(feature = "cuda"),
    expect(clippy::unnecessary_wraps, reason = "fails only when there are other devices")
)]
fn on_cpu<'a>(op: &Op, value: &'a Value) -> Result<&'a FlexTensor> {
    let _ = op;
    match value {
        Value::Cpu(value) => Ok(value),
        #[cfg(feature = "cuda")]
        Value::Cuda(_) => internal(op.name(), "mixed devices"),
    }
}

#[cfg(feature = "cuda")]
fn on_cuda<'a>(op: &Op, value: &'a Value) -> Result<&'a cuda::CudaValue> {
    match value {
        Value::Cuda(value) => Ok(value),
        Value::Cpu(_) => internal(op.name(), "mixed devices"),
    }
}

fn internal<T>(op: &'static str, message: impl Into<String>) -> Result<T> {
    Err(TensorError::Internal { op, message: message.into() })
}
