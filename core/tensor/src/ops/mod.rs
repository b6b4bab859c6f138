//! The public operations: methods of [`Tensor`], primitives and what is composed of them.

mod composite;
pub(crate) mod descent;
pub(crate) mod linear;
mod map;
mod norm;
mod reduce;
mod shape;

use crate::Tensor;
use crate::error::Result;
use crate::op::Op;
use crate::tensor::apply;

/// A primitive operation that has no public method of its own.
pub(crate) fn primitive(op: Op, inputs: &[&Tensor]) -> Result<Tensor> {
    apply(op, inputs)
}
