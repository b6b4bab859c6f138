//! Groups `make`, `info`, `read`: tensors from numbers and numbers from tensors.

use super::group::group;
use super::shared::dtype_of;
use crate::call::{State, enter};
use crate::convert::dtype_number;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Status};
use pddflow_tensor::{DType, Device, Tensor};

fn width(dtype: DType) -> usize {
    match dtype {
        DType::F32 => 4,
        DType::F64 | DType::I64 => 8,
    }
}

/// Where numbers of a type lie: the processor has those in double precision that the device has not.
fn place(state: &State<'_>, dtype: DType) -> Device {
    match dtype == DType::F64 && !state.device.has_double() {
        true => Device::Cpu,
        false => state.device.clone(),
    }
}

fn from_bytes_checked(data: &[u8], shape: &[usize], dtype: DType, device: &Device) -> Result<Tensor, Fault> {
    fn numbers<const N: usize, T>(data: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
        data.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
    }
    Ok(match dtype {
        DType::F32 => Tensor::from_f32(numbers(data, f32::from_ne_bytes), shape, device)?,
        DType::F64 => Tensor::from_f64(numbers(data, f64::from_ne_bytes), shape, device)?,
        DType::I64 => Tensor::from_i64(numbers(data, i64::from_ne_bytes), shape, device)?,
    })
}

group! { MAKE: MakeGroup, "make", revision 1;
    enter fn from_bytes(state, number: u32, shape: *const u64, rank: u64, data: *const u8, bytes: u64) -> Tensor {
        let dtype = dtype_of(state, number)?;
        let (shape, elements) = raw::shape(shape, rank)?;
        let needed = elements * width(dtype);
        if bytes != needed as u64 {
            let message = format!("{bytes} bytes were given, but shape {shape:?} of {dtype:?} has {needed}");
            return Err(Fault::new(Status::Shape, message));
        }
        from_bytes_checked(raw::bytes(data, needed)?, &shape, dtype, &place(state, dtype))?
    }

    enter fn full(state, number: u32, shape: *const u64, rank: u64, value: f64) -> Tensor {
        let dtype = dtype_of(state, number)?;
        Tensor::full(value, &raw::shape(shape, rank)?.0, dtype, &place(state, dtype))?
    }

    enter fn arange(state, count: u64) -> Tensor {
        Tensor::arange_i64(raw::shape(&raw const count, 1)?.1, &state.device)?
    }

    enter fn cast(state, x: abi::Tensor, number: u32) -> Tensor {
        let (x, dtype) = (state.get(x)?, dtype_of(state, number)?);
        match place(state, dtype) {
            place if place == x.device() => x.cast(dtype)?,
            place if dtype == DType::F64 => off_tape(x)?.to_device(&place)?.cast(dtype)?,
            place => x.cast(dtype)?.to_device(&place)?,
        }
    }
}

group! { INFO: InfoGroup, "info", revision 1;
    enter fn dtype(state, x: abi::Tensor) -> u32 {
        dtype_number(state.get(x)?.dtype())
    }

    enter fn rank(state, x: abi::Tensor) -> u64 {
        state.get(x)?.rank() as u64
    }

    enter fn shape(state, x: abi::Tensor, out: *mut u64, capacity: u64) {
        let tensor = state.get(x)?;
        if capacity < tensor.rank() as u64 {
            return Err(Fault::invalid(format!("there is room for {capacity} axes of {}", tensor.rank())));
        }
        let room = raw::slice_mut(out, tensor.rank() as u64, "the shape")?;
        for (place, axis) in room.iter_mut().zip(tensor.shape()) {
            *place = *axis as u64;
        }
    }

    enter fn elements(state, x: abi::Tensor) -> u64 {
        state.get(x)?.elements() as u64
    }

    enter fn on_tape(state, x: abi::Tensor) -> u32 {
        u32::from(state.get(x)?.is_on_tape())
    }
}

fn off_tape(tensor: Tensor) -> Result<Tensor, Fault> {
    if tensor.is_on_tape() {
        let message = "the tensor is on the tape; detach it first, so that the break in the gradient is visible";
        return Err(Fault::invalid(message));
    }
    Ok(tensor)
}

group! { READ: ReadGroup, "read", revision 1;
    enter fn bytes(state, x: abi::Tensor, out: *mut u8, capacity: u64) {
        let tensor = off_tape(state.get(x)?)?;
        let mut numbers = || state.views.steps.read_with(&tensor);
        #[expect(clippy::cast_possible_truncation, reason = "these were in single precision")]
        let data: Vec<u8> = match tensor.dtype() {
            DType::F32 => numbers()?.into_iter().flat_map(|number| (number as f32).to_ne_bytes()).collect(),
            DType::F64 => numbers()?.into_iter().flat_map(f64::to_ne_bytes).collect(),
            DType::I64 => tensor.to_i64_vec()?.into_iter().flat_map(i64::to_ne_bytes).collect(),
        };
        if capacity < data.len() as u64 {
            return Err(Fault::invalid(format!("there is room for {capacity} bytes of {}", data.len())));
        }
        raw::slice_mut(out, data.len() as u64, "the buffer")?.copy_from_slice(&data);
    }

    enter fn scalar(state, x: abi::Tensor) -> f64 {
        let tensor = off_tape(state.get(x)?)?;
        match state.views.steps.read_with(&tensor)?[..] {
            [number] => number,
            _ => tensor.item()?,
        }
    }
}
