//! Rearrangements that need no fast kernel: placing with steps, and integer tensors through burn-flex.

use burn_backend::ops::IntTensorOps;
use burn_backend::{Shape, Slice};
use burn_flex::{Flex, FlexTensor};

use super::cpu::rows_in;
use super::internal;
use crate::error::Result;
use crate::kernels::Real;
use crate::op::Op;

/// Zeros with entry i of `axis` put at `start + i * step` of an axis of length `size`.
pub(crate) fn place<T: Real>(x: &[T], shape: &[usize], axis: usize, [start, step, size]: [usize; 3]) -> Vec<T> {
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let count = shape[axis];
    let mut out = vec![T::ZERO; outer * size * inner];
    if x.is_empty() {
        return out;
    }
    for (from, to) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(size * inner)) {
        if step == 1 {
            to[start * inner..(start + count) * inner].copy_from_slice(from);
        } else {
            for (i, entry) in from.chunks_exact(inner).enumerate() {
                to[(start + i * step) * inner..][..inner].copy_from_slice(entry);
            }
        }
    }
    out
}

/// The rearrangements that labels and indices need.
pub(crate) fn integer_op(op: &Op, inputs: &[&FlexTensor], shape: &[usize]) -> Result<FlexTensor> {
    let x = inputs[0].clone();
    let out = match op {
        Op::Permute { axes } => Flex::int_permute(x, axes),
        Op::BroadcastTo { .. } => Flex::int_expand(x, Shape::from(shape)),
        Op::Slice { axis, start, end, step } => {
            let mut slices = vec![Slice::full(); shape.len()];
            slices[*axis] = Slice::new(to_isize(*start), Some(to_isize(*end)), to_isize(*step));
            Flex::int_slice(x, &slices)
        }
        Op::Concat { axis } => Flex::int_cat(inputs.iter().map(|&input| input.clone()).collect(), *axis),
        Op::Gather { axis } => {
            let size = super::cpu::dims(inputs[0])[*axis];
            rows_in(op, inputs[1], size)?;
            Flex::int_select(x, *axis, inputs[1].clone())
        }
        _ => return internal(op.name(), "no integer form"),
    };
    Ok(out.to_contiguous())
}

#[expect(clippy::cast_possible_wrap, reason = "lengths of tensors lie below isize::MAX")]
fn to_isize(value: usize) -> isize {
    value as isize
}
