//! The tensor: an immutable value with an optional place on the tape.

use std::fmt;
use std::sync::Arc;

use crate::backend::{self, Value};
use crate::error::{Result, TensorError, shape_error, value_error};
use crate::lazy::{Lazy, Outcome};
use crate::op::{Form, Op, infer};
use crate::size::checked_elements;
use crate::{DType, Device};

/// An immutable array. Cloning is cheap; `Send + Sync`.
///
/// Operations are methods that return a [`Result`]; shape errors name the operation and all shapes. If any
/// input [is on the tape](Self::is_on_tape), so is the result.
#[derive(Clone)]
pub struct Tensor(Arc<Node>);

pub(crate) struct Node {
    /// Shared with the tensors that have the same values elsewhere on the tape, or off it.
    value: Arc<Lazy>,
    shape: Box<[usize]>,
    dtype: DType,
    origin: Origin,
    /// Longest way to a leaf: a node cannot depend on one that lies as deep.
    depth: u64,
}

enum Origin {
    Constant,
    Variable,
    Op(Record),
}

/// How a tensor on the tape came about.
pub(crate) struct Record {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Tensor>,
}

impl Drop for Node {
    /// Takes long chains apart in a loop: dropping them recursively would overflow the stack.
    fn drop(&mut self) {
        let Origin::Op(record) = &mut self.origin else { return };
        let mut waiting = std::mem::take(&mut record.inputs);
        while let Some(tensor) = waiting.pop() {
            if let Some(mut node) = Arc::into_inner(tensor.0)
                && let Origin::Op(record) = &mut node.origin
            {
                waiting.append(&mut record.inputs);
            }
        }
    }
}

/// Making tensors.
impl Tensor {
    /// A tensor of single-precision numbers in row-major order.
    ///
    /// # Errors
    /// When the number of values does not match the shape.
    pub fn from_f32(values: Vec<f32>, shape: &[usize], device: &Device) -> Result<Self> {
        check_length("from_f32", values.len(), shape)?;
        Ok(Self::constant(backend::value(values, shape, device)?, shape, DType::F32))
    }

    /// A tensor of double-precision numbers in row-major order.
    ///
    /// # Errors
    /// When the number of values does not match the shape.
    pub fn from_f64(values: Vec<f64>, shape: &[usize], device: &Device) -> Result<Self> {
        check_length("from_f64", values.len(), shape)?;
        Ok(Self::constant(backend::value(values, shape, device)?, shape, DType::F64))
    }

    /// A tensor of integers (indices, labels) in row-major order.
    ///
    /// # Errors
    /// When the number of values does not match the shape.
    pub fn from_i64(values: Vec<i64>, shape: &[usize], device: &Device) -> Result<Self> {
        check_length("from_i64", values.len(), shape)?;
        Ok(Self::constant(backend::value(values, shape, device)?, shape, DType::I64))
    }

    /// A tensor of the given type from double-precision numbers, rounded (f32) or cut to whole numbers (i64).
    ///
    /// # Errors
    /// When the number of values does not match the shape.
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what the function is for")]
    pub fn from_values(values: Vec<f64>, shape: &[usize], dtype: DType, device: &Device) -> Result<Self> {
        match dtype {
            DType::F32 => Self::from_f32(values.iter().map(|&v| v as f32).collect(), shape, device),
            DType::F64 => Self::from_f64(values, shape, device),
            DType::I64 => Self::from_i64(values.iter().map(|&v| v as i64).collect(), shape, device),
        }
    }

    /// A tensor whose elements are all `value`.
    ///
    /// # Errors
    /// When the device cannot hold it.
    pub fn full(value: f64, shape: &[usize], dtype: DType, device: &Device) -> Result<Self> {
        check_memory("full", shape, dtype)?;
        match device {
            Device::Cpu => Self::from_values(vec![value; checked_elements("full", shape)?], shape, dtype, device),
            Device::Burn(..) => Ok(Self::constant(backend::full(value, shape, dtype, device)?, shape, dtype)),
        }
    }

    /// A tensor of zeros.
    ///
    /// # Errors
    /// When the device cannot hold it.
    pub fn zeros(shape: &[usize], dtype: DType, device: &Device) -> Result<Self> {
        Self::full(0.0, shape, dtype, device)
    }

    /// A tensor of ones.
    ///
    /// # Errors
    /// When the device cannot hold it.
    pub fn ones(shape: &[usize], dtype: DType, device: &Device) -> Result<Self> {
        Self::full(1.0, shape, dtype, device)
    }

    /// The integers `0..count` as a tensor `[count]`.
    ///
    /// # Errors
    /// When the device cannot hold it.
    #[expect(clippy::cast_possible_wrap, reason = "no tensor has 2^63 elements")]
    pub fn arange_i64(count: usize, device: &Device) -> Result<Self> {
        Self::from_i64((0..count as i64).collect(), &[count], device)
    }

    pub(crate) fn constant(value: Value, shape: &[usize], dtype: DType) -> Self {
        Self::new(Arc::new(Lazy::now((value, Vec::new()))), shape.into(), dtype, Origin::Constant)
    }

    fn new(value: Arc<Lazy>, shape: Box<[usize]>, dtype: DType, origin: Origin) -> Self {
        let depth = match &origin {
            Origin::Op(record) => 1 + record.inputs.iter().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        };
        Self(Arc::new(Node { value, shape, dtype, origin, depth }))
    }
}

/// Looking at tensors.
impl Tensor {
    /// Lengths of the axes; empty for a single number.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// Number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.shape.len()
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.0.shape.iter().product()
    }

    /// Type of the elements.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    pub(crate) fn form(&self) -> Form<'_> {
        Form { shape: self.shape(), dtype: self.dtype(), device: self.device() }
    }

    /// Where the tensor lies.
    #[must_use]
    pub fn device(&self) -> Device {
        self.0.value.device()
    }

    /// Whether its elements can be read without waiting for a device.
    #[must_use]
    pub fn is_at_hand(&self) -> bool {
        self.device() == Device::Cpu || self.0.value.known().is_some_and(|(value, _)| value.is_at_hand())
    }

    /// Whether gradients can be taken by this tensor or by one that it was computed from.
    #[must_use]
    pub fn is_on_tape(&self) -> bool {
        !matches!(self.0.origin, Origin::Constant)
    }

    /// The elements in row-major order, rounded if double precision.
    ///
    /// # Errors
    /// When the device fails to hand the data over.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "rounding is documented")]
    pub fn to_f32_vec(&self) -> Result<Vec<f32>> {
        Ok(match self.dtype() {
            DType::F32 => self.value()?.read::<f32>()?,
            DType::F64 => self.value()?.read::<f64>()?.iter().map(|&v| v as f32).collect(),
            DType::I64 => self.value()?.read::<i64>()?.iter().map(|&v| v as f32).collect(),
        })
    }

    /// The elements in row-major order in double precision.
    ///
    /// # Errors
    /// When the device fails to hand the data over.
    #[expect(clippy::cast_precision_loss, reason = "labels and indices lie far below 2^53")]
    pub fn to_f64_vec(&self) -> Result<Vec<f64>> {
        Ok(match self.dtype() {
            DType::F32 => self.value()?.read::<f32>()?.iter().map(|&v| f64::from(v)).collect(),
            DType::F64 => self.value()?.read::<f64>()?,
            DType::I64 => self.value()?.read::<i64>()?.iter().map(|&v| v as f64).collect(),
        })
    }

    /// The elements of an integer tensor in row-major order.
    ///
    /// # Errors
    /// When the tensor is not i64.
    pub fn to_i64_vec(&self) -> Result<Vec<i64>> {
        if self.dtype() != DType::I64 {
            return Err(TensorError::DType {
                op: "to_i64_vec",
                dtypes: vec![self.dtype()],
                rule: "i64 is needed; use cast",
            });
        }
        self.value()?.read()
    }

    /// The elements where they lie, in row-major order: without a copy, for f32 tensors on the CPU only.
    #[must_use]
    pub fn as_f32(&self) -> Option<&[f32]> {
        self.value().ok()?.as_f32()
    }

    /// The only element.
    ///
    /// # Errors
    /// When the tensor has not exactly one element.
    pub fn item(&self) -> Result<f64> {
        match self.to_f64_vec()?.as_slice() {
            [value] => Ok(*value),
            _ => shape_error("item", &[self.shape()], "exactly one element is needed"),
        }
    }
}

/// The tape.
impl Tensor {
    /// The same values as a new leaf of the tape: gradients can be taken by it, and do not pass beyond it.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn variable(&self) -> Result<Self> {
        if !self.dtype().is_float() {
            return Err(TensorError::DType {
                op: "variable",
                dtypes: vec![self.dtype()],
                rule: "integers have no gradient",
            });
        }
        Ok(self.with_origin(Origin::Variable))
    }

    /// The same values as a constant: no gradient passes. Cheap.
    #[must_use]
    pub fn detach(&self) -> Self {
        if self.is_on_tape() { self.with_origin(Origin::Constant) } else { self.clone() }
    }

    fn with_origin(&self, origin: Origin) -> Self {
        Self::new(Arc::clone(&self.0.value), self.0.shape.clone(), self.dtype(), origin)
    }

    /// The same values on another device; a constant if the device differs.
    ///
    /// # Errors
    /// When the device cannot hold the tensor (double precision is for the CPU only).
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        if *device == self.device() {
            return Ok(self.clone());
        }
        match self.dtype() {
            DType::F32 => Self::from_f32(self.to_f32_vec()?, self.shape(), device),
            DType::F64 => Self::from_f64(self.to_f64_vec()?, self.shape(), device),
            DType::I64 => Self::from_i64(self.to_i64_vec()?, self.shape(), device),
        }
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        match &self.0.origin {
            Origin::Op(record) => Some(record),
            _ => None,
        }
    }

    pub(crate) fn depth(&self) -> u64 {
        self.0.depth
    }

    /// Identity of the node, for lookups while it is alive.
    pub(crate) fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Identity of the value, which tensors may share; `None` while it has not been computed.
    pub(crate) fn known_value(&self) -> Option<usize> {
        self.0.value.known().map(|_| Arc::as_ptr(&self.0.value).addr())
    }

    /// The elements; computed now if they have not been before.
    pub(crate) fn value(&self) -> Result<&Value> {
        Ok(&self.outcome()?.0)
    }

    fn outcome(&self) -> Result<&Outcome> {
        self.0.value.get()
    }

    /// The elements, to be changed: those of this tensor alone, copied if others share them. It becomes a constant.
    pub(crate) fn value_mut(&mut self) -> Result<&mut Value> {
        if self.alone().is_none() {
            *self = Self::constant(self.value()?.clone(), self.shape(), self.dtype());
        }
        let missing = || TensorError::Internal { op: "value_mut", message: "a new value is shared".to_owned() };
        self.alone().ok_or_else(missing)
    }

    /// The value, if neither the node nor the value has another user.
    fn alone(&mut self) -> Option<&mut Value> {
        let node = Arc::get_mut(&mut self.0)?;
        if !matches!(node.origin, Origin::Constant) {
            return None;
        }
        Arc::get_mut(&mut node.value)?.value_mut()
    }

    /// Remembers a saved value as the sums of each plane, `[image, channel]`.
    pub(crate) fn keep_plane_sums(&self, saved: usize) -> Result<()> {
        if let Some(sums) = self.outcome()?.1.get(saved) {
            let _ = self.0.value.plane_sums().set(sums.clone());
        }
        Ok(())
    }

    /// Sums of each plane of `[image, channel, row, column]` as a constant, if what made the tensor has left them.
    pub(crate) fn plane_sums(&self) -> Option<Self> {
        let sums = self.0.value.plane_sums().get()?;
        Some(Self::constant(sums.clone(), &self.shape()[..2], self.dtype()))
    }

    /// Whether the elements have been computed, with saved values.
    pub(crate) fn has_saved(&self) -> bool {
        self.0.value.known().is_some_and(|(_, saved)| !saved.is_empty())
    }

    /// A saved value of the operation that computed the tensor.
    pub(crate) fn saved(&self, index: usize, shape: Vec<usize>) -> Result<Self> {
        let Some(value) = self.outcome()?.1.get(index) else {
            return Err(TensorError::Internal { op: "saved", message: format!("no saved value {index}") });
        };
        let known = Lazy::now((value.clone(), Vec::new()));
        Ok(made(Op::Saved { index }, &[self], known, (shape, self.dtype())))
    }
}

/// Checks, computes (perhaps later, see [`crate::lazy`]) and, if an input is on the tape, records a primitive operation.
pub(crate) fn apply(op: Op, inputs: &[&Tensor]) -> Result<Tensor> {
    let forms: Vec<Form<'_>> = inputs.iter().map(|input| input.form()).collect();
    let (shape, dtype) = infer(&op, &forms)?;
    check_memory(op.name(), &shape, dtype)?;
    let values: Vec<&Arc<Lazy>> = inputs.iter().map(|input| &input.0.value).collect();
    let value = Lazy::of(&op, &values, &shape)?;
    Ok(made(op, inputs, value, (shape, dtype)))
}

/// An error, instead of the end of the process, where the system has not the memory for a large tensor.
fn check_memory(op: &'static str, shape: &[usize], dtype: DType) -> Result<()> {
    const LARGE: usize = 1 << 30;
    let bytes = checked_elements(op, shape)? * dtype.size();
    match bytes > LARGE && Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        true => Err(TensorError::Memory { op, shape: shape.to_vec(), bytes }),
        false => Ok(()),
    }
}

/// As [`apply`], with a value that is already known.
pub(crate) fn with_value(op: Op, inputs: &[&Tensor], value: Value, result: (Vec<usize>, DType)) -> Tensor {
    made(op, inputs, Lazy::now((value, Vec::new())), result)
}

fn made(op: Op, inputs: &[&Tensor], value: Lazy, (shape, dtype): (Vec<usize>, DType)) -> Tensor {
    let recorded = op.is_differentiable() && dtype.is_float() && inputs.iter().any(|input| input.is_on_tape());
    let origin = if recorded {
        Origin::Op(Record { op, inputs: inputs.iter().map(|&input| input.clone()).collect() })
    } else {
        Origin::Constant
    };
    Tensor::new(Arc::new(value), shape.into(), dtype, origin)
}

fn check_length(op: &'static str, length: usize, shape: &[usize]) -> Result<()> {
    if length != checked_elements(op, shape)? {
        return value_error(op, format!("{length} values do not fill the shape {shape:?}"));
    }
    Ok(())
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tensor")
            .field("shape", &self.shape())
            .field("dtype", &self.dtype())
            .field("device", &self.device())
            .field("on_tape", &self.is_on_tape())
            .finish()
    }
}
