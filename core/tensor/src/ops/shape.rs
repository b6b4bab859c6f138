//! Operations that move elements.

use crate::error::{Result, shape_error};
use crate::op::Op;
use crate::tensor::apply;
use crate::{DType, Tensor};

/// Rearrangements. Integers can be reshaped, permuted, broadcast, sliced, concatenated and gathered.
impl Tensor {
    /// The same elements in row-major order under another shape.
    ///
    /// # Errors
    /// When the number of elements differs.
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        apply(Op::Reshape { shape: shape.to_vec() }, &[self])
    }

    /// Axis i of the result is axis `axes[i]`.
    ///
    /// # Errors
    /// When `axes` does not list every axis once.
    pub fn permute(&self, axes: &[usize]) -> Result<Self> {
        apply(Op::Permute { axes: axes.to_vec() }, &[self])
    }

    /// Stretched to `shape`: aligned at the last axis, axes of length 1 repeat.
    ///
    /// # Errors
    /// When the tensor does not stretch to `shape`.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        apply(Op::BroadcastTo { shape: shape.to_vec() }, &[self])
    }

    /// Entries `start`, `start + step`, ... below `end` of an axis.
    ///
    /// # Errors
    /// When the range leaves the axis or `step` is 0.
    pub fn slice(&self, axis: usize, start: usize, end: usize, step: usize) -> Result<Self> {
        if step == 1 && start == 0 && self.shape().get(axis) == Some(&end) {
            return Ok(self.clone());
        }
        apply(Op::Slice { axis, start, end, step }, &[self])
    }

    /// Zeros put before and after each axis: one pair of widths for each.
    ///
    /// # Errors
    /// When the number of pairs is not the number of axes.
    pub fn pad(&self, widths: &[(usize, usize)]) -> Result<Self> {
        apply(Op::Pad { widths: widths.to_vec() }, &[self])
    }

    /// Axes mirrored.
    ///
    /// # Errors
    /// When an axis does not exist or is given twice.
    pub fn flip(&self, axes: &[usize]) -> Result<Self> {
        apply(Op::Flip { axes: axes.to_vec() }, &[self])
    }

    /// Tensors one after the other along an axis.
    ///
    /// # Errors
    /// When there are none, or other axes differ.
    pub fn concat(tensors: &[Self], axis: usize) -> Result<Self> {
        if let [only] = tensors
            && axis < only.rank()
        {
            return Ok(only.clone());
        }
        apply(Op::Concat { axis }, &tensors.iter().collect::<Vec<_>>())
    }

    /// Tensors of one shape along a new axis at position `axis`.
    ///
    /// # Errors
    /// When there are none, shapes differ, or `axis` is beyond the rank.
    pub fn stack(tensors: &[Self], axis: usize) -> Result<Self> {
        let unsqueezed = tensors
            .iter()
            .map(|tensor| {
                let mut shape = tensor.shape().to_vec();
                if axis > shape.len() {
                    return shape_error("stack", &[tensor.shape()], format!("there is no place for a new axis {axis}"));
                }
                shape.insert(axis, 1);
                tensor.reshape(&shape)
            })
            .collect::<Result<Vec<_>>>()?;
        Self::concat(&unsqueezed, axis)
    }

    /// Entries `rows` (i64, `[count]`) of an axis, in that order, repeats allowed.
    ///
    /// # Errors
    /// When a row lies outside the axis (checked on the CPU) or `rows` is not i64 with one axis.
    pub fn gather(&self, axis: usize, rows: &Self) -> Result<Self> {
        apply(Op::Gather { axis }, &[self, rows])
    }

    /// Entry i of the axis added to entry `rows[i]` of an axis of length `size` that starts as zeros: the
    /// transpose of [`gather`](Self::gather).
    ///
    /// # Errors
    /// When a row lies outside `0..size` (checked on the CPU) or there is not one row for each entry.
    pub fn scatter_add(&self, axis: usize, rows: &Self, size: usize) -> Result<Self> {
        apply(Op::ScatterAdd { axis, size }, &[self, rows])
    }

    /// 1 at each label, else 0: `[..., classes]` in type `dtype` for i64 labels `[...]`.
    ///
    /// # Errors
    /// When a label lies outside `0..classes` (checked on the CPU) or the types do not fit.
    pub fn one_hot(&self, classes: usize, dtype: DType) -> Result<Self> {
        apply(Op::OneHot { classes, dtype }, &[self])
    }

    /// The same numbers in another type: rounded to f32, cut to whole numbers for i64. Casts to and from i64 have
    /// no gradient.
    ///
    /// # Errors
    /// When the device has not the type.
    pub fn cast(&self, dtype: DType) -> Result<Self> {
        if self.dtype() == dtype {
            return Ok(self.clone());
        }
        apply(Op::Cast { dtype }, &[self])
    }
}
