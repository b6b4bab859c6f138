//! Operations that reduce axes.

use crate::Tensor;
use crate::error::{Result, shape_error};
use crate::op::Op;
use crate::tensor::{apply, with_value};

/// Reductions over `axes`. With `keep` they stay with length 1, else they are removed.
impl Tensor {
    /// Sum; an empty one is 0.
    ///
    /// # Errors
    /// When an axis does not exist or is given twice, or the tensor is i64.
    pub fn sum(&self, axes: &[usize], keep: bool) -> Result<Self> {
        let op = Op::Sum { axes: axes.to_vec() };
        let sum = match self.plane_sums() {
            _ if axes.is_empty() => self.clone(),
            Some(planes) if axes == [0, 2, 3] => {
                let shape = vec![1, self.shape()[1], 1, 1];
                let sum = planes.sum(&[0], false)?.reshape(&shape)?;
                with_value(op, &[self], sum.value()?.clone(), (shape, self.dtype()))
            }
            _ => apply(op, &[self])?,
        };
        sum.squeezed(axes, keep)
    }

    /// Mean.
    ///
    /// # Errors
    /// As [`sum`](Self::sum).
    pub fn mean(&self, axes: &[usize], keep: bool) -> Result<Self> {
        let sum = self.sum(axes, keep)?;
        let count: usize = axes.iter().map(|&axis| self.shape()[axis]).product();
        #[expect(clippy::cast_precision_loss, reason = "counts lie below 2^53")]
        sum.mul_scalar(1.0 / count as f64)
    }

    /// Largest element; equal ones share the gradient.
    ///
    /// # Errors
    /// As [`sum`](Self::sum), and when an axis is empty.
    pub fn max(&self, axes: &[usize], keep: bool) -> Result<Self> {
        apply(Op::Max { axes: axes.to_vec() }, &[self])?.squeezed(axes, keep)
    }

    /// Smallest element; equal ones share the gradient.
    ///
    /// # Errors
    /// As [`sum`](Self::sum), and when an axis is empty.
    pub fn min(&self, axes: &[usize], keep: bool) -> Result<Self> {
        apply(Op::Min { axes: axes.to_vec() }, &[self])?.squeezed(axes, keep)
    }

    /// Position of the (first) largest element along `axis`, which is removed: i64.
    ///
    /// # Errors
    /// When the axis does not exist or is empty.
    pub fn argmax(&self, axis: usize) -> Result<Self> {
        apply(Op::ArgMax { axis }, &[self])
    }

    /// Sum of all elements, shape `[]`.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn sum_all(&self) -> Result<Self> {
        self.sum(&(0..self.rank()).collect::<Vec<_>>(), false)
    }

    /// Mean of all elements, shape `[]`.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn mean_all(&self) -> Result<Self> {
        self.mean(&(0..self.rank()).collect::<Vec<_>>(), false)
    }

    /// log(sum of e^x) along `axis`, without overflow: the largest element, which has no gradient of its own,
    /// is taken out before. Minus infinity, with gradient 0, where all elements are.
    ///
    /// # Errors
    /// When the axis does not exist or is empty.
    pub fn log_sum_exp(&self, axis: usize, keep: bool) -> Result<Self> {
        let largest = self.detach().max(&[axis], true)?;
        let number = |value| Self::full(value, &[], self.dtype(), &self.device());
        // The distance of infinity from itself is not a number.
        let finite = largest.abs()?.less(&number(f64::INFINITY)?)?;
        let sum = self.sub(&finite.select(&largest, &number(0.0)?)?)?.exp()?.sum(&[axis], true)?;
        let positive = sum.detach().step()?;
        let sum = positive.select(&sum, &number(1.0)?)?.log()?.add(&largest)?;
        sum.squeezed(&[axis], keep)
    }

    /// Sum over the axes that broadcasting from `shape` has stretched: the transpose of
    /// [`broadcast_to`](Self::broadcast_to).
    ///
    /// # Errors
    /// When `shape` does not broadcast to the tensor's.
    pub fn sum_to(&self, shape: &[usize]) -> Result<Self> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        let Some(offset) = self.rank().checked_sub(shape.len()) else {
            return shape_error("sum_to", &[self.shape(), shape], "the second has more axes");
        };
        let stretched = |axis: &usize| *axis < offset || (shape[*axis - offset] == 1 && self.shape()[*axis] != 1);
        let axes: Vec<usize> = (0..self.rank()).filter(stretched).collect();
        self.sum(&axes, true)?.reshape(shape)
    }

    fn squeezed(&self, axes: &[usize], keep: bool) -> Result<Self> {
        if keep || axes.is_empty() {
            return Ok(self.clone());
        }
        let left = self.shape().iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        self.reshape(&left.map(|(_, &length)| length).collect::<Vec<_>>())
    }
}
