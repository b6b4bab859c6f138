//! Group `shape`.

use super::group::group;
use crate::call::{State, enter};
use crate::error::Fault;
use crate::raw;
use pddflow_abi as abi;
use pddflow_tensor::Tensor;

fn axes(axes: *const u64, count: u64) -> Result<Vec<usize>, Fault> {
    raw::axes(axes, count, "the axes")
}

/// Tensors to join; at least one.
fn several(state: &State<'_>, items: *const abi::Tensor, count: u64) -> Result<Vec<Tensor>, Fault> {
    match state.get_all(items, count, "the tensors")? {
        items if items.is_empty() => Err(Fault::invalid("there is no tensor to join")),
        items => Ok(items),
    }
}

group! { SHAPE: ShapeGroup, "shape", revision 1;
    enter fn reshape(state, x: abi::Tensor, shape: *const u64, rank: u64) -> Tensor {
        state.get(x)?.reshape(&raw::shape(shape, rank)?.0)?
    }

    enter fn permute(state, x: abi::Tensor, order: *const u64, rank: u64) -> Tensor {
        state.get(x)?.permute(&axes(order, rank)?)?
    }

    enter fn broadcast(state, x: abi::Tensor, shape: *const u64, rank: u64) -> Tensor {
        state.get(x)?.broadcast_to(&raw::shape(shape, rank)?.0)?
    }

    enter fn slice(state, x: abi::Tensor, axis: u64, range: *const u64) -> Tensor {
        let axis = raw::index(axis, "axis")?;
        let range = raw::axes(range, 3, "the range")?;
        state.get(x)?.slice(axis, range[0], range[1], range[2])?
    }

    enter fn pad(state, x: abi::Tensor, before_after: *const u64, rank: u64) -> Tensor {
        let numbers = raw::axes(before_after, rank.saturating_mul(2), "the widths")?;
        let pairs: Vec<(usize, usize)> = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let x = state.get(x)?;
        let padded = |(axis, pair): (&usize, &(usize, usize))| axis.saturating_add(pair.0).saturating_add(pair.1);
        raw::elements(&x.shape().iter().zip(&pairs).map(padded).collect::<Vec<_>>())?;
        x.pad(&pairs)?
    }

    enter fn flip(state, x: abi::Tensor, which: *const u64, count: u64) -> Tensor {
        state.get(x)?.flip(&axes(which, count)?)?
    }

    enter fn concat(state, items: *const abi::Tensor, count: u64, axis: u64) -> Tensor {
        Tensor::concat(&several(state, items, count)?, raw::index(axis, "axis")?)?
    }

    enter fn stack(state, items: *const abi::Tensor, count: u64, axis: u64) -> Tensor {
        Tensor::stack(&several(state, items, count)?, raw::index(axis, "axis")?)?
    }

    enter fn gather(state, x: abi::Tensor, axis: u64, rows: abi::Tensor) -> Tensor {
        state.get(x)?.gather(raw::index(axis, "axis")?, &state.get(rows)?)?
    }

    enter fn scatter_add(state, x: abi::Tensor, axis: u64, rows: abi::Tensor, size: u64) -> Tensor {
        state.get(x)?.scatter_add(raw::index(axis, "axis")?, &state.get(rows)?, raw::index(size, "size")?)?
    }

    enter fn one_hot(state, labels: abi::Tensor, classes: u64) -> Tensor {
        state.get(labels)?.one_hot(raw::index(classes, "classes")?, state.dtype)?
    }

    enter fn top_k(
        state,
        x: abi::Tensor,
        axis: u64,
        count: u64,
        largest: u32,
        values: *mut abi::Tensor,
        places: *mut abi::Tensor,
    ) {
        let (axis, count) = (raw::index(axis, "axis")?, raw::index(count, "count")?);
        let (found, at) = state.get(x)?.top_k(axis, count, largest != 0)?;
        for (place, tensor) in [(values, found), (places, at)] {
            if !place.is_null() {
                state.give(place, tensor)?;
            }
        }
    }

    enter fn take_along(state, x: abi::Tensor, axis: u64, places: abi::Tensor) -> Tensor {
        state.get(x)?.take_along(raw::index(axis, "axis")?, &state.get(places)?)?
    }
}
