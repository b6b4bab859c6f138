//! One recorded operation, as its rule sees it.

use crate::error::Result;
use crate::op::Op;
use crate::{Tensor, TensorError};

/// Whether gradients can be differentiated again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Gradients are constants; cheaper in memory and time.
    No,
    /// Gradients are on the tape.
    OnTape,
}

/// As [`super::grad`].
pub(super) type Grad = fn(&[Tensor], &[Tensor], Option<&[Tensor]>, Keep) -> Result<Vec<Tensor>>;

pub(super) struct Site<'a> {
    pub(super) op: &'a Op,
    pub(super) inputs: &'a [Tensor],
    pub(super) output: &'a Tensor,
    /// Which inputs a requested tensor lies behind; the others need no cotangent.
    pub(super) wanted: &'a [bool],
    /// Cotangents of the saved values.
    pub(super) saved: &'a [Option<Tensor>],
    pub(super) keep: Keep,
    /// For rules that walk a tape of their own.
    pub(super) grad: Grad,
}

impl Site<'_> {
    /// A saved value of the operation, as a constant.
    pub(super) fn saved(&self, index: usize) -> Result<Tensor> {
        let shapes: Vec<&[usize]> = self.inputs.iter().map(Tensor::shape).collect();
        Ok(self.output.saved(index, self.op.saved_shape(index, &shapes))?.detach())
    }

    /// The cotangent of an input, if it is wanted.
    pub(super) fn part(&self, input: usize, part: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
        (self.wanted.get(input) == Some(&true)).then(part).transpose()
    }
}

pub(super) type Parts = Result<Vec<Option<Tensor>>>;

pub(super) fn missing<T>(op: &Op) -> Result<T> {
    Err(TensorError::Internal { op: op.name(), message: "no gradient rule".to_owned() })
}
