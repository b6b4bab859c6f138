//! NVIDIA GPUs through burn's dispatch backend, single precision.

use std::sync::Arc;

use burn_cuda::CudaDevice;
use burn_dispatch::{Dispatch, DispatchDevice};

use super::burn;
use super::burn_array::{Array, dims};
use crate::error::{Result, TensorError};
use crate::op::Op;
use crate::{DType, Device};

/// A value on a GPU.
#[derive(Clone)]
pub(crate) struct CudaValue {
    array: Arc<Array<Dispatch>>,
    index: usize,
}

impl CudaValue {
    fn new(array: Array<Dispatch>, index: usize) -> Self {
        Self { array: Arc::new(array), index }
    }

    pub(crate) fn device(&self) -> Device {
        Device::Cuda(self.index)
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        match &*self.array {
            Array::Float(x) => dims(x),
            Array::Int(x) => dims(x),
        }
    }

    pub(crate) fn to_f32(&self) -> Result<Vec<f32>> {
        self.array.to_f32()
    }

    pub(crate) fn to_i64(&self) -> Result<Vec<i64>> {
        self.array.to_i64()
    }
}

fn device(index: usize) -> DispatchDevice {
    DispatchDevice::Cuda(CudaDevice::new(index))
}

pub(crate) fn from_f32(values: Vec<f32>, shape: &[usize], index: usize) -> CudaValue {
    CudaValue::new(Array::from_f32(values, shape, &device(index)), index)
}

pub(crate) fn from_i64(values: Vec<i64>, shape: &[usize], index: usize) -> CudaValue {
    CudaValue::new(Array::from_i64(values, shape, &device(index)), index)
}

pub(crate) fn no_double(op: &'static str) -> TensorError {
    TensorError::DType { op, dtypes: vec![DType::F64], rule: "a GPU computes in f32; use cast" }
}

pub(crate) fn evaluate(op: &Op, inputs: &[&CudaValue], shape: &[usize]) -> Result<(CudaValue, Option<CudaValue>)> {
    if matches!(op, Op::Cast { dtype: DType::F64 } | Op::OneHot { dtype: DType::F64, .. }) {
        return Err(no_double(op.name()));
    }
    let index = inputs[0].index;
    let arrays: Vec<&Array<Dispatch>> = inputs.iter().map(|input| &*input.array).collect();
    let (array, saved) = burn::evaluate(op, &arrays, shape)?;
    Ok((CudaValue::new(array, index), saved.map(|array| CudaValue::new(array, index))))
}
