//! Values on devices of burn's backends, through its dispatch: one path for every backend.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use burn_dispatch::DispatchDevice;

use super::burn;
use super::burn_array::{Array, dims};
use crate::error::{Result, TensorError};
use crate::op::Op;
use crate::{Backend, DType, Device};

/// A value on a device of a backend.
#[derive(Clone)]
pub(crate) struct DeviceValue {
    array: Arc<Array>,
    dtype: DType,
    place: Place,
}

/// A backend, and which of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    backend: Backend,
    index: usize,
}

impl Place {
    pub(crate) fn new(backend: Backend, index: usize) -> Self {
        Self { backend, index }
    }

    fn device(self) -> Device {
        Device::Burn(self.backend, self.index)
    }

    fn open(self, op: &'static str) -> Result<DispatchDevice> {
        self.backend.device(self.index).ok_or_else(|| self.failed(op, "there is no such device"))
    }

    fn failed(self, op: &'static str, message: impl Into<String>) -> TensorError {
        TensorError::Device { op, device: self.device(), message: message.into() }
    }

    /// Backends report a lost device, a refused kernel, or too little memory by a panic.
    fn guard<T>(self, op: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(self.failed(op, text.unwrap_or("the backend stopped without a reason")))
        })
    }

    fn allows(self, op: &'static str, dtype: DType) -> Result<()> {
        if dtype == DType::F64 && !self.backend.has_double() {
            return Err(TensorError::DType { op, dtypes: vec![dtype], rule: "this device computes in f32; use cast" });
        }
        Ok(())
    }
}

impl DeviceValue {
    pub(crate) fn new(values: burn_backend::TensorData, dtype: DType, place: Place) -> Result<Self> {
        const OP: &str = "upload";
        place.allows(OP, dtype)?;
        let device = place.open(OP)?;
        let array = place.guard(OP, || Ok(Array::from_data(values, dtype, &device)))?;
        Ok(Self { array: Arc::new(array), dtype, place })
    }

    pub(crate) fn full(number: f64, shape: &[usize], dtype: DType, place: Place) -> Result<Self> {
        const OP: &str = "full";
        place.allows(OP, dtype)?;
        let device = place.open(OP)?;
        let array = place.guard(OP, || Ok(Array::full(number, shape, dtype, &device)))?;
        Ok(Self { array: Arc::new(array), dtype, place })
    }

    pub(crate) fn device(&self) -> Device {
        self.place.device()
    }

    /// Bytes of an element.
    pub(crate) fn width(&self) -> usize {
        self.dtype.size()
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        match &*self.array {
            Array::Float(x) => dims(x),
            Array::Int(x) => dims(x),
        }
    }

    /// The numbers, as the type of the value has them.
    pub(crate) fn read<T: burn_backend::Element>(&self) -> Result<Vec<T>> {
        self.place.guard("download", || self.array.read())
    }
}

/// Computes an operation on values of one device.
pub(crate) fn evaluate(
    op: &Op,
    inputs: &[&DeviceValue],
    shape: &[usize],
) -> Result<(DeviceValue, Option<DeviceValue>)> {
    let place = inputs[0].place;
    let dtype = match op {
        Op::Cast { dtype } | Op::OneHot { dtype, .. } => *dtype,
        Op::ArgMax { .. } | Op::MaxPoolIndex { .. } => DType::I64,
        _ => inputs[0].dtype,
    };
    place.allows(op.name(), dtype)?;
    let arrays: Vec<&Array> = inputs.iter().map(|input| &*input.array).collect();
    let (array, saved) = place.guard(op.name(), || burn::evaluate(op, &arrays, shape))?;
    let value = |array: Array| DeviceValue { array: Arc::new(array), dtype, place };
    Ok((value(array), saved.map(value)))
}
