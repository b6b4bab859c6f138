//! Tensors of the host.

use crate::call::{Call, host};
use crate::error::Result;
use pddflow_abi as abi;
use std::panic::Location;
use std::rc::Rc;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// Indices and labels.
    I64,
}

impl DType {
    fn code(self) -> abi::Dtype {
        match self {
            Self::F32 => abi::Dtype::F32,
            Self::F64 => abi::Dtype::F64,
            Self::I64 => abi::Dtype::I64,
        }
    }

    /// Bytes of an element.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

/// A tensor of the host: immutable, cheap to clone, released when the last clone is dropped. It cannot outlive its call, so it
/// cannot be stored in a plugin, nor sent to another thread.
///
/// Every operation gives a `Result`; shapes that do not fit are told by the host with the operation and both shapes.
#[derive(Clone)]
pub struct Tensor<'call>(Rc<Handle<'call>>);

struct Handle<'call> {
    call: Call<'call>,
    handle: abi::Tensor,
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        let _ = host!(self.call, arena: ArenaGroup, release(self.handle));
    }
}

impl std::fmt::Debug for Tensor<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Tensor{:?}", self.shape().unwrap_or_default())
    }
}

/// Axes as the boundary wants them.
pub(crate) fn numbers(numbers: &[usize]) -> Vec<u64> {
    numbers.iter().map(|number| *number as u64).collect()
}

/// Handles of tensors.
pub(crate) fn handles(tensors: &[Tensor<'_>]) -> Vec<abi::Tensor> {
    tensors.iter().map(Tensor::handle).collect()
}

impl<'call> Tensor<'call> {
    /// Takes over a handle that the host gave.
    pub(crate) fn own(call: Call<'call>, handle: abi::Tensor) -> Self {
        Self(Rc::new(Handle { call, handle }))
    }

    #[track_caller]
    pub(crate) fn made(call: Call<'call>, make: impl FnOnce(*mut abi::Tensor) -> Result<()>) -> Result<Self> {
        let (mut out, place) = (0, Location::caller());
        make(&raw mut out).map_err(|error| error.at(place))?;
        Ok(Self::own(call, out))
    }

    pub(crate) fn call(&self) -> Call<'call> {
        self.0.call
    }

    pub(crate) fn handle(&self) -> abi::Tensor {
        self.0.handle
    }

    /// Every element is `value`; of the call's real dtype.
    ///
    /// # Errors
    /// The shape is too large.
    #[track_caller]
    pub fn full(call: Call<'call>, shape: &[usize], value: f64) -> Result<Self> {
        let shape = numbers(shape);
        let real = abi::Dtype::Real as u32;
        Self::made(call, |out| host!(call, make: MakeGroup, full(real, shape.as_ptr(), shape.len() as u64, value, out)))
    }

    /// From numbers in row-major order; of the call's real dtype.
    ///
    /// # Errors
    /// The shape has another number of elements.
    #[track_caller]
    pub fn from_f64(call: Call<'call>, values: &[f64], shape: &[usize]) -> Result<Self> {
        Self::from_slice(call, values, shape, abi::Dtype::F64)?.cast_real()
    }

    /// From indices or labels in row-major order.
    ///
    /// # Errors
    /// The shape has another number of elements.
    #[track_caller]
    pub fn from_i64(call: Call<'call>, values: &[i64], shape: &[usize]) -> Result<Self> {
        Self::from_slice(call, values, shape, abi::Dtype::I64)
    }

    /// From bytes as [`to_bytes`](Self::to_bytes) gives them.
    ///
    /// # Errors
    /// The shape has another number of elements.
    #[track_caller]
    pub fn from_bytes(call: Call<'call>, bytes: &[u8], dtype: DType, shape: &[usize]) -> Result<Self> {
        Self::from_slice(call, bytes, shape, dtype.code())
    }

    #[track_caller]
    fn from_slice<T>(call: Call<'call>, values: &[T], shape: &[usize], dtype: abi::Dtype) -> Result<Self> {
        let shape = numbers(shape);
        let (data, bytes) = (values.as_ptr().cast::<u8>(), size_of_val(values) as u64);
        Self::made(
            call,
            |out| host!(call, make: MakeGroup, from_bytes(dtype as u32, shape.as_ptr(), shape.len() as u64, data, bytes, out)),
        )
    }

    /// I64 `0, 1, .., count - 1`.
    ///
    /// # Errors
    /// The count is too large.
    #[track_caller]
    pub fn arange(call: Call<'call>, count: usize) -> Result<Self> {
        Self::made(call, |out| host!(call, make: MakeGroup, arange(count as u64, out)))
    }

    /// In the call's real dtype.
    ///
    /// # Errors
    /// The tensor is stale.
    #[track_caller]
    pub fn cast_real(&self) -> Result<Self> {
        self.cast_to(abi::Dtype::Real)
    }

    /// The same numbers in another type.
    ///
    /// # Errors
    /// The device does not compute in it.
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Result<Self> {
        self.cast_to(dtype.code())
    }

    #[track_caller]
    fn cast_to(&self, dtype: abi::Dtype) -> Result<Self> {
        Self::made(self.call(), |out| host!(self.call(), make: MakeGroup, cast(self.handle(), dtype as u32, out)))
    }

    /// Number of elements.
    ///
    /// # Errors
    /// The tensor is stale.
    #[track_caller]
    pub fn elements(&self) -> Result<usize> {
        let mut out = 0;
        host!(self.call(), info: InfoGroup, elements(self.handle(), &raw mut out))?;
        Ok(out as usize)
    }

    /// Axes.
    ///
    /// # Errors
    /// The tensor is stale.
    #[track_caller]
    pub fn shape(&self) -> Result<Vec<usize>> {
        let (call, handle) = (self.call(), self.handle());
        let mut rank = 0;
        host!(call, info: InfoGroup, rank(handle, &raw mut rank))?;
        let mut axes = vec![0u64; rank as usize];
        host!(call, info: InfoGroup, shape(handle, axes.as_mut_ptr(), rank))?;
        Ok(axes.into_iter().map(|axis| axis as usize).collect())
    }

    /// Type of the elements.
    ///
    /// # Errors
    /// The tensor is stale.
    #[track_caller]
    pub fn dtype(&self) -> Result<DType> {
        let mut out = 0;
        host!(self.call(), info: InfoGroup, dtype(self.handle(), &raw mut out))?;
        Ok(match out {
            number if number == abi::Dtype::F32 as u32 => DType::F32,
            number if number == abi::Dtype::F64 as u32 => DType::F64,
            _ => DType::I64,
        })
    }

    /// Whether gradients flow through it.
    ///
    /// # Errors
    /// The tensor is stale.
    #[track_caller]
    pub fn is_on_tape(&self) -> Result<bool> {
        let mut out = 0;
        host!(self.call(), info: InfoGroup, on_tape(self.handle(), &raw mut out))?;
        Ok(out != 0)
    }

    /// The only element. A tensor on the tape is refused: detach it first.
    ///
    /// # Errors
    /// The tensor is on the tape, or has several elements.
    #[track_caller]
    pub fn scalar(&self) -> Result<f64> {
        let mut out = 0.0;
        host!(self.call(), read: ReadGroup, scalar(self.handle(), &raw mut out))?;
        Ok(out)
    }

    /// All elements as double precision, in row-major order. A tensor on the tape is refused: detach it first.
    ///
    /// # Errors
    /// The tensor is on the tape.
    #[track_caller]
    pub fn to_f64_vec(&self) -> Result<Vec<f64>> {
        let count = self.elements()?;
        if self.dtype()? == DType::F32 {
            let mut values = vec![0.0f32; count];
            self.read_into(&mut values)?;
            return Ok(values.into_iter().map(f64::from).collect());
        }
        let mut values = vec![0.0f64; count];
        self.cast(DType::F64)?.read_into(&mut values)?;
        Ok(values)
    }

    /// All indices or labels, in row-major order.
    ///
    /// # Errors
    /// The tensor is not I64.
    #[track_caller]
    pub fn to_i64_vec(&self) -> Result<Vec<i64>> {
        if self.dtype()? != DType::I64 {
            return Err(crate::Error::new("the tensor does not hold indices"));
        }
        let mut values = vec![0i64; self.elements()?];
        self.read_into(&mut values)?;
        Ok(values)
    }

    /// All elements in row-major order, in their own type and the machine's byte order. A tensor on the tape is refused: detach it
    /// first.
    ///
    /// # Errors
    /// The tensor is on the tape.
    #[track_caller]
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0u8; self.elements()? * self.dtype()?.bytes()];
        self.read_into(&mut bytes)?;
        Ok(bytes)
    }

    #[track_caller]
    fn read_into<T>(&self, values: &mut [T]) -> Result<()> {
        let (data, bytes) = (values.as_mut_ptr().cast::<u8>(), size_of_val(values) as u64);
        host!(self.call(), read: ReadGroup, bytes(self.handle(), data, bytes))
    }

    /// A new leaf of the tape with this value.
    ///
    /// # Errors
    /// The tensor holds indices.
    #[track_caller]
    pub fn variable(&self) -> Result<Self> {
        Self::made(self.call(), |out| host!(self.call(), grad: GradGroup, variable(self.handle(), out)))
    }

    /// The value without its history.
    ///
    /// # Errors
    /// The tensor is stale.
    #[track_caller]
    pub fn detach(&self) -> Result<Self> {
        Self::made(self.call(), |out| host!(self.call(), grad: GradGroup, detach(self.handle(), out)))
    }
}

/// Whether gradients can be differentiated again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They are plain values; cheaper.
    No,
    /// They are on the tape.
    OnTape,
}

/// Gradients of a scalar by each input, in their shapes; zeros for inputs that it does not depend on.
///
/// # Errors
/// The output is not a scalar, or an input is not on the tape.
#[track_caller]
pub fn grad<'call>(output: &Tensor<'call>, inputs: &[Tensor<'call>], keep: Keep) -> Result<Vec<Tensor<'call>>> {
    gradients(std::slice::from_ref(output), None, inputs, keep)
}

/// Gradients of `sum over k of <seeds[k], outputs[k]>` by each input; without seeds every output is a scalar, and the seeds are 1.
///
/// # Errors
/// Shapes do not fit, or an input is not on the tape.
#[track_caller]
pub fn gradients<'call>(
    outputs: &[Tensor<'call>],
    seeds: Option<&[Tensor<'call>]>,
    inputs: &[Tensor<'call>],
    keep: Keep,
) -> Result<Vec<Tensor<'call>>> {
    let Some(call) = outputs.first().or(inputs.first()).map(Tensor::call) else {
        return Ok(Vec::new());
    };
    if seeds.is_some_and(|seeds| seeds.len() != outputs.len()) {
        return Err(crate::Error::shape("there must be one seed for each output"));
    }
    let (from, by) = (handles(outputs), handles(inputs));
    let seeds = seeds.map(handles);
    let seed_data = seeds.as_ref().map_or(std::ptr::null(), Vec::as_ptr);
    let keep = u32::from(keep == Keep::OnTape);
    let (from_count, by_count) = (from.len() as u64, by.len() as u64);
    several(
        call,
        inputs.len(),
        |out| host!(call, grad: GradGroup, gradient(from.as_ptr(), from_count, seed_data, by.as_ptr(), by_count, keep, out)),
    )
}

/// Bytes of the values that the tensors and the tape behind them hold; what they share counts once.
///
/// # Errors
/// The host is older than this function ([`Call::tape_budget`] is 0 then).
#[track_caller]
pub fn tape_bytes(tensors: &[Tensor<'_>]) -> Result<u64> {
    let Some(call) = tensors.first().map(Tensor::call) else {
        return Ok(0);
    };
    let (handles, mut out) = (handles(tensors), 0);
    host!(call, arena: ArenaGroup, tape_bytes(handles.as_ptr(), handles.len() as u64, &raw mut out))?;
    Ok(out)
}

/// Several results at once.
#[track_caller]
pub(crate) fn several<'call>(
    call: Call<'call>,
    count: usize,
    make: impl FnOnce(*mut abi::Tensor) -> Result<()>,
) -> Result<Vec<Tensor<'call>>> {
    let (mut out, place) = (vec![0; count], Location::caller());
    make(out.as_mut_ptr()).map_err(|error| error.at(place))?;
    Ok(out.into_iter().map(|handle| Tensor::own(call, handle)).collect())
}
