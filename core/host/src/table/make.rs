//! Groups `make`, `info`, `read`: tensors from numbers and numbers from tensors.

use super::{dtype, dtype_number};
use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Call, Status};
use pddflow_tensor::{DType, Tensor};

pub(super) static MAKE: abi::MakeGroup = abi::MakeGroup {
    size: size_of::<abi::MakeGroup>() as u32,
    revision: 1,
    from_bytes: Some(from_bytes),
    full: Some(full),
    arange: Some(arange),
    cast: Some(cast),
};

pub(super) static INFO: abi::InfoGroup = abi::InfoGroup {
    size: size_of::<abi::InfoGroup>() as u32,
    revision: 1,
    dtype: Some(info_dtype),
    rank: Some(rank),
    shape: Some(shape),
    elements: Some(elements),
    on_tape: Some(on_tape),
};

pub(super) static READ: abi::ReadGroup =
    abi::ReadGroup { size: size_of::<abi::ReadGroup>() as u32, revision: 1, bytes: Some(bytes), scalar: Some(scalar) };

/// Most elements of a tensor that a plugin makes: 2^31, 16 GiB in double precision.
const ELEMENT_LIMIT: usize = 1 << 31;

fn checked_shape(shape: *const u64, rank: u64) -> Result<(Vec<usize>, usize), Fault> {
    if rank > raw::RANK_LIMIT {
        return Err(Fault::new(Status::Shape, format!("{rank} axes are more than {}", raw::RANK_LIMIT)));
    }
    let shape = raw::axes(shape, rank, "the shape")?;
    let elements = shape.iter().try_fold(1usize, |product, axis| product.checked_mul(*axis));
    match elements.filter(|elements| *elements <= ELEMENT_LIMIT) {
        Some(elements) => Ok((shape, elements)),
        None => Err(Fault::new(Status::OutOfMemory, format!("shape {shape:?} has too many elements"))),
    }
}

fn width(dtype: DType) -> usize {
    match dtype {
        DType::F32 => 4,
        DType::F64 | DType::I64 => 8,
    }
}

fn from_bytes_checked(
    data: &[u8],
    shape: &[usize],
    dtype: DType,
    device: &pddflow_tensor::Device,
) -> Result<Tensor, Fault> {
    fn numbers<const N: usize, T>(data: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
        data.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
    }
    Ok(match dtype {
        DType::F32 => Tensor::from_f32(numbers(data, f32::from_ne_bytes), shape, device)?,
        DType::F64 => Tensor::from_f64(numbers(data, f64::from_ne_bytes), shape, device)?,
        DType::I64 => Tensor::from_i64(numbers(data, i64::from_ne_bytes), shape, device)?,
    })
}

extern "C" fn from_bytes(
    call: *mut Call,
    number: u32,
    shape: *const u64,
    rank: u64,
    data: *const u8,
    bytes: u64,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "make.from_bytes", |state| {
        let dtype = dtype(state, number)?;
        let (shape, elements) = checked_shape(shape, rank)?;
        let needed = elements * width(dtype);
        if bytes != needed as u64 {
            let message = format!("{bytes} bytes were given, but shape {shape:?} of {dtype:?} has {needed}");
            return Err(Fault::new(Status::Shape, message));
        }
        let data = raw::bytes(data, needed)?;
        let tensor = from_bytes_checked(data, &shape, dtype, &state.device)?;
        state.give(out, tensor)
    })
}

extern "C" fn full(
    call: *mut Call,
    number: u32,
    shape: *const u64,
    rank: u64,
    value: f64,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "make.full", |state| {
        let (shape, _) = checked_shape(shape, rank)?;
        let tensor = Tensor::full(value, &shape, dtype(state, number)?, &state.device)?;
        state.give(out, tensor)
    })
}

extern "C" fn arange(call: *mut Call, count: u64, out: *mut abi::Tensor) -> i32 {
    enter(call, "make.arange", |state| {
        let (shape, _) = checked_shape(&raw const count, 1)?;
        let tensor = Tensor::arange_i64(shape[0], &state.device)?;
        state.give(out, tensor)
    })
}

extern "C" fn cast(call: *mut Call, x: abi::Tensor, number: u32, out: *mut abi::Tensor) -> i32 {
    enter(call, "make.cast", |state| {
        let tensor = state.get(x)?.cast(dtype(state, number)?)?;
        state.give(out, tensor)
    })
}

extern "C" fn info_dtype(call: *mut Call, x: abi::Tensor, out: *mut u32) -> i32 {
    enter(call, "info.dtype", |state| raw::store(out, dtype_number(state.get(x)?.dtype())))
}

extern "C" fn rank(call: *mut Call, x: abi::Tensor, out: *mut u64) -> i32 {
    enter(call, "info.rank", |state| raw::store(out, state.get(x)?.rank() as u64))
}

extern "C" fn shape(call: *mut Call, x: abi::Tensor, out: *mut u64, capacity: u64) -> i32 {
    enter(call, "info.shape", |state| {
        let tensor = state.get(x)?;
        if capacity < tensor.rank() as u64 {
            return Err(Fault::invalid(format!("there is room for {capacity} axes of {}", tensor.rank())));
        }
        let room = raw::slice_mut(out, tensor.rank() as u64, "the shape")?;
        for (place, axis) in room.iter_mut().zip(tensor.shape()) {
            *place = *axis as u64;
        }
        Ok(())
    })
}

extern "C" fn elements(call: *mut Call, x: abi::Tensor, out: *mut u64) -> i32 {
    enter(call, "info.elements", |state| raw::store(out, state.get(x)?.elements() as u64))
}

extern "C" fn on_tape(call: *mut Call, x: abi::Tensor, out: *mut u32) -> i32 {
    enter(call, "info.on_tape", |state| raw::store(out, u32::from(state.get(x)?.is_on_tape())))
}

fn off_tape(tensor: Tensor) -> Result<Tensor, Fault> {
    if tensor.is_on_tape() {
        let message = "the tensor is on the tape; detach it first, so that the break in the gradient is visible";
        return Err(Fault::invalid(message));
    }
    Ok(tensor)
}

extern "C" fn bytes(call: *mut Call, x: abi::Tensor, out: *mut u8, capacity: u64) -> i32 {
    enter(call, "read.bytes", |state| {
        let tensor = off_tape(state.get(x)?)?;
        let data: Vec<u8> = match tensor.dtype() {
            DType::F32 => tensor.to_f32_vec()?.into_iter().flat_map(f32::to_ne_bytes).collect(),
            DType::F64 => tensor.to_f64_vec()?.into_iter().flat_map(f64::to_ne_bytes).collect(),
            DType::I64 => tensor.to_i64_vec()?.into_iter().flat_map(i64::to_ne_bytes).collect(),
        };
        if capacity < data.len() as u64 {
            return Err(Fault::invalid(format!("there is room for {capacity} bytes of {}", data.len())));
        }
        raw::slice_mut(out, data.len() as u64, "the buffer")?.copy_from_slice(&data);
        Ok(())
    })
}

extern "C" fn scalar(call: *mut Call, x: abi::Tensor, out: *mut f64) -> i32 {
    enter(call, "read.scalar", |state| raw::store(out, off_tape(state.get(x)?)?.item()?))
}
