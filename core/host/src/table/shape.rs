//! Group `shape`.

use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Call};
use pddflow_tensor::Tensor;

pub(super) static SHAPE: abi::ShapeGroup = abi::ShapeGroup {
    size: size_of::<abi::ShapeGroup>() as u32,
    revision: 1,
    reshape: Some(reshape),
    permute: Some(permute),
    broadcast: Some(broadcast),
    slice: Some(slice),
    pad: Some(pad),
    flip: Some(flip),
    concat: Some(concat),
    stack: Some(stack),
    gather: Some(gather),
    scatter_add: Some(scatter_add),
    one_hot: Some(one_hot),
};

/// Applies an op that takes a list of numbers.
fn with_numbers(
    call: *mut Call,
    function: &'static str,
    x: abi::Tensor,
    numbers: (*const u64, u64),
    out: *mut abi::Tensor,
    apply: impl FnOnce(&Tensor, &[usize]) -> pddflow_tensor::Result<Tensor>,
) -> i32 {
    enter(call, function, |state| {
        let numbers = raw::axes(numbers.0, numbers.1, "the axes")?;
        let result = apply(&state.get(x)?, &numbers)?;
        state.give(out, result)
    })
}

extern "C" fn reshape(call: *mut Call, x: abi::Tensor, shape: *const u64, rank: u64, out: *mut abi::Tensor) -> i32 {
    with_numbers(call, "shape.reshape", x, (shape, rank), out, Tensor::reshape)
}

extern "C" fn permute(call: *mut Call, x: abi::Tensor, axes: *const u64, rank: u64, out: *mut abi::Tensor) -> i32 {
    with_numbers(call, "shape.permute", x, (axes, rank), out, Tensor::permute)
}

extern "C" fn broadcast(call: *mut Call, x: abi::Tensor, shape: *const u64, rank: u64, out: *mut abi::Tensor) -> i32 {
    with_numbers(call, "shape.broadcast", x, (shape, rank), out, Tensor::broadcast_to)
}

extern "C" fn slice(call: *mut Call, x: abi::Tensor, axis: u64, range: *const u64, out: *mut abi::Tensor) -> i32 {
    enter(call, "shape.slice", |state| {
        let axis = raw::index(axis, "axis")?;
        let range = raw::axes(range, 3, "the range")?;
        let result = state.get(x)?.slice(axis, range[0], range[1], range[2])?;
        state.give(out, result)
    })
}

extern "C" fn pad(call: *mut Call, x: abi::Tensor, before_after: *const u64, rank: u64, out: *mut abi::Tensor) -> i32 {
    enter(call, "shape.pad", |state| {
        let numbers = raw::axes(before_after, rank.saturating_mul(2), "the widths")?;
        let pairs: Vec<(usize, usize)> = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let result = state.get(x)?.pad(&pairs)?;
        state.give(out, result)
    })
}

extern "C" fn flip(call: *mut Call, x: abi::Tensor, axes: *const u64, count: u64, out: *mut abi::Tensor) -> i32 {
    with_numbers(call, "shape.flip", x, (axes, count), out, Tensor::flip)
}

fn join(
    call: *mut Call,
    function: &'static str,
    items: (*const abi::Tensor, u64),
    axis: u64,
    out: *mut abi::Tensor,
    apply: impl FnOnce(&[Tensor], usize) -> pddflow_tensor::Result<Tensor>,
) -> i32 {
    enter(call, function, |state| {
        let items = state.get_all(items.0, items.1, "the tensors")?;
        if items.is_empty() {
            return Err(Fault::invalid("there is no tensor to join"));
        }
        let result = apply(&items, raw::index(axis, "axis")?)?;
        state.give(out, result)
    })
}

extern "C" fn concat(call: *mut Call, items: *const abi::Tensor, count: u64, axis: u64, out: *mut abi::Tensor) -> i32 {
    join(call, "shape.concat", (items, count), axis, out, Tensor::concat)
}

extern "C" fn stack(call: *mut Call, items: *const abi::Tensor, count: u64, axis: u64, out: *mut abi::Tensor) -> i32 {
    join(call, "shape.stack", (items, count), axis, out, Tensor::stack)
}

extern "C" fn gather(call: *mut Call, x: abi::Tensor, axis: u64, rows: abi::Tensor, out: *mut abi::Tensor) -> i32 {
    enter(call, "shape.gather", |state| {
        let result = state.get(x)?.gather(raw::index(axis, "axis")?, &state.get(rows)?)?;
        state.give(out, result)
    })
}

extern "C" fn scatter_add(
    call: *mut Call,
    x: abi::Tensor,
    axis: u64,
    rows: abi::Tensor,
    size: u64,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "shape.scatter_add", |state| {
        let (axis, size) = (raw::index(axis, "axis")?, raw::index(size, "size")?);
        let result = state.get(x)?.scatter_add(axis, &state.get(rows)?, size)?;
        state.give(out, result)
    })
}

extern "C" fn one_hot(call: *mut Call, labels: abi::Tensor, classes: u64, out: *mut abi::Tensor) -> i32 {
    enter(call, "shape.one_hot", |state| {
        let result = state.get(labels)?.one_hot(raw::index(classes, "classes")?, state.dtype)?;
        state.give(out, result)
    })
}
