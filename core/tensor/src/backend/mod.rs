//! Where values lie and who computes on them: the only module that computes with burn.

mod array;
mod burn;
mod burn_array;
mod burn_layout;
mod burn_tensor;
mod calls;
mod cpu;
mod failure;
mod fused;
mod on_device;
#[cfg(test)]
mod tests;

use array::{Array, Stored};
use burn_backend::Element;
use failure::internal;
use on_device::{DeviceValue, Place};

use crate::error::Result;
use crate::linalg::cholesky;
use crate::op::{Descent, Op};
use crate::{DType, Device};

/// Elements of a tensor.
#[derive(Clone)]
pub(crate) enum Value {
    Cpu(Array),
    Device(DeviceValue),
}

impl Value {
    pub(crate) fn device(&self) -> Device {
        match self {
            Self::Cpu(_) => Device::Cpu,
            Self::Device(value) => value.device(),
        }
    }

    /// Whether it can be read without waiting for a device.
    pub(crate) fn is_at_hand(&self) -> bool {
        match self {
            Self::Cpu(_) => true,
            Self::Device(value) => value.is_at_hand(),
        }
    }

    /// Lengths of the axes; burn has none for a single number.
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            Self::Cpu(value) => value.shape().to_vec(),
            Self::Device(value) => value.shape(),
        }
    }

    /// Bytes of an element.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Cpu(value) => value.dtype().size(),
            Self::Device(value) => value.width(),
        }
    }

    /// The elements, which are real, in double precision.
    fn to_f64(&self) -> Result<Vec<f64>> {
        match self.width() {
            4 => Ok(self.read::<f32>()?.into_iter().map(f64::from).collect()),
            _ => self.read(),
        }
    }

    pub(crate) fn as_f32(&self) -> Option<&[f32]> {
        match self {
            Self::Cpu(value) => value.of(),
            Self::Device(_) => None,
        }
    }

    /// Whether it has NaN, and whether an infinite number; whole numbers are neither.
    pub(crate) fn not_finite(&self) -> [bool; 2] {
        let single = |values: &[f32]| [values.iter().any(|x| x.is_nan()), values.iter().any(|x| x.is_infinite())];
        let double = |values: &[f64]| [values.iter().any(|x| x.is_nan()), values.iter().any(|x| x.is_infinite())];
        match self {
            Self::Cpu(value) => value.of().map(single).or_else(|| value.of().map(double)).unwrap_or_default(),
            Self::Device(_) => match self.read::<f32>() {
                Ok(values) => single(&values),
                Err(_) => self.read::<f64>().map_or_else(|_| [false; 2], |values| double(&values)),
            },
        }
    }

    /// The elements in row-major order; the type must be that of the value.
    pub(crate) fn read<T: Stored + Element>(&self) -> Result<Vec<T>> {
        match self {
            Self::Cpu(value) => value.slice().map(<[T]>::to_vec),
            Self::Device(value) => value.read(),
        }
    }
}

/// A value of as many numbers as the shape has.
pub(crate) fn value<T: Stored + Element>(values: Vec<T>, shape: &[usize], device: &Device) -> Result<Value> {
    match device {
        Device::Cpu => Ok(Value::Cpu(Array::new(values, shape))),
        Device::Burn(backend, index) => {
            DeviceValue::new(values, shape, Place::new(*backend, *index)).map(Value::Device)
        }
    }
}

/// A value whose numbers are all the same, made where it lies.
pub(crate) fn full(number: f64, shape: &[usize], dtype: DType, device: &Device) -> Result<Value> {
    match device {
        Device::Cpu => internal("full", "not on a device"),
        Device::Burn(backend, index) => {
            DeviceValue::full(number, shape, dtype, Place::new(*backend, *index)).map(Value::Device)
        }
    }
}

/// A step of gradient descent on a device: the weight after it, and the buffer if the rule has one.
pub(crate) fn descend_there(
    rule: &Descent,
    weight: &Value,
    gradient: &Value,
    buffer: Option<&Value>,
) -> Result<(Value, Option<Value>)> {
    let there = |value: &Value| match value {
        Value::Device(value) => Ok(value.clone()),
        Value::Cpu(_) => internal("descent", "not on a device"),
    };
    let buffer = buffer.map(there).transpose()?;
    let (weight, buffer) = on_device::descend(rule, &there(weight)?, &there(gradient)?, buffer.as_ref())?;
    Ok((Value::Device(weight), buffer.map(Value::Device)))
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
        _ => internal("descent", "not on the CPU"),
    }
}

/// `Cholesky` or `Solve`, on the processor in double precision wherever the inputs lie: for small systems a device has neither the
/// precision nor the parallelism. A solution lies where the matrix does.
fn system(op: &Op, inputs: &[&Value], shape: &[usize]) -> Result<Value> {
    let (matrix, size) = (inputs[0], shape[0]);
    match (op, inputs) {
        (Op::Cholesky, _) => value(cholesky::factor(&matrix.to_f64()?, size)?, shape, &Device::Cpu),
        (Op::Solve, [_, b, factor]) => {
            let mut x = b.to_f64()?;
            cholesky::solve(&factor.read::<f64>()?, size, &mut x, shape[1]);
            #[expect(clippy::cast_possible_truncation, reason = "rounded to the type of the matrix")]
            match matrix.width() {
                4 => value(x.iter().map(|&number| number as f32).collect(), shape, &matrix.device()),
                _ => value(x, shape, &matrix.device()),
            }
        }
        _ => internal(op.name(), "no system"),
    }
}

/// Places of the elements of each row in their order; not-a-number is larger than every number.
fn sorted_places(x: &Value, descending: bool) -> Result<Value> {
    let (numbers, shape) = (x.to_f64()?, x.shape());
    let mut places: Vec<i64> = Vec::with_capacity(numbers.len());
    for row in numbers.chunks(shape[1].max(1)) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        let compared = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
        // Stable, in both directions.
        match descending {
            true => order.sort_by(|&a, &b| compared(row[b], row[a])),
            false => order.sort_by(|&a, &b| compared(row[a], row[b])),
        }
        #[expect(clippy::cast_possible_wrap, reason = "a place in a tensor")]
        places.extend(order.into_iter().map(|place| place as i64));
    }
    value(places, &shape, &x.device())
}

/// Computes an operation on checked inputs: its value, and its saved values.
pub(crate) fn evaluate(op: &Op, inputs: &[&Value], shape: &[usize]) -> Result<(Value, Vec<Value>)> {
    if let Op::Cholesky | Op::Solve = op {
        return system(op, inputs, shape).map(|value| (value, Vec::new()));
    }
    if let (Op::ArgSort { descending }, [x]) = (op, inputs) {
        return sorted_places(x, *descending).map(|value| (value, Vec::new()));
    }
    let mixed = || internal(op.name(), "no inputs, or mixed devices");
    if let Some(Value::Device(_)) = inputs.first() {
        let mut values: Vec<&DeviceValue> = Vec::with_capacity(inputs.len());
        for input in inputs {
            let Value::Device(value) = input else { return mixed() };
            values.push(value);
        }
        let (value, saved) = on_device::evaluate(op, &values, shape)?;
        return Ok((Value::Device(value), saved.into_iter().map(Value::Device).collect()));
    }
    let mut arrays: Vec<&Array> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let Value::Cpu(array) = input else { return mixed() };
        arrays.push(array);
    }
    if arrays.is_empty() {
        return mixed();
    }
    let (value, saved) = cpu::evaluate(op, &arrays, shape)?;
    Ok((Value::Cpu(value), saved.into_iter().map(Value::Cpu).collect()))
}
