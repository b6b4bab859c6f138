//! Products, convolution, pooling and resampling.

use std::sync::Arc;

use crate::error::{Result, shape_error};
use crate::op::{Conv2d, Op, Window};
use crate::tensor::apply;
use crate::{ResampleMap, Tensor};

/// Linear maps.
impl Tensor {
    /// Matrix product over the last two axes; axes before them broadcast. `[..., m, k] x [..., k, n]`.
    ///
    /// # Errors
    /// When a tensor has fewer than two axes, `k` differs, or the axes before do not broadcast.
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        self.product(other, [false, false])
    }

    /// As [`matmul`](Self::matmul) with the second matrix transposed: `[..., m, k] x [..., n, k]`.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul).
    pub fn matmul_transposed(&self, other: &Self) -> Result<Self> {
        self.product(other, [false, true])
    }

    /// `x w^T + b` for `x: [image, feature]`, `w: [class, feature]`, `b: [class]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn linear(&self, weight: &Self, bias: Option<&Self>) -> Result<Self> {
        let product = self.matmul_transposed(weight)?;
        bias.map_or(Ok(product.clone()), |bias| product.add(bias))
    }

    /// `x: [n, m]` of `a x = b` for the symmetric positive definite `a: [n, n]` that is the symmetric part of this matrix, and `b: [n, m]`.
    ///
    /// By Cholesky's decomposition, on the processor and in double precision whatever the type and the device; one decomposition serves
    /// the gradients of every order. The gradient by this matrix is symmetric.
    ///
    /// # Errors
    /// When shapes do not fit, or the matrix is not positive definite: then the error has the first pivot that is not above 0.
    pub fn solve(&self, b: &Self) -> Result<Self> {
        let factor = apply(Op::Cholesky, &[&self.detach()])?;
        apply(Op::Solve, &[self, b, &factor])
    }

    fn product(&self, other: &Self, transpose: [bool; 2]) -> Result<Self> {
        let (a, b) = (self.shape(), other.shape());
        if a.len() < 2 || b.len() < 2 {
            return shape_error("matmul", &[a, b], "both need two axes or more");
        }
        let (a_batch, a_matrix) = a.split_at(a.len() - 2);
        let (b_batch, b_matrix) = b.split_at(b.len() - 2);
        let op = Op::Matmul { transpose };
        let n = if transpose[1] { b_matrix[0] } else { b_matrix[1] };
        if b_batch.iter().all(|&length| length == 1) && b_batch.len() <= a_batch.len() {
            // One matrix for all: a single tall product is faster than many, and nothing is repeated.
            let rows: usize = a[..a.len() - 1].iter().product();
            let tall =
                apply(op, &[&self.reshape(&[1, rows, a_matrix[1]])?, &other.reshape(&[1, b_matrix[0], b_matrix[1]])?]);
            return match tall {
                Ok(tall) => tall.reshape(&[&a[..a.len() - 1], &[n]].concat()),
                Err(_) => shape_error("matmul", &[a, b], "columns of the first must equal rows of the second"),
            };
        }
        let Ok(batch) = crate::op::broadcast("matmul", &[a_batch, b_batch]) else {
            return shape_error("matmul", &[a, b], "the axes before the last two must be equal or 1");
        };
        let count: usize = batch.iter().product();
        let spread = |tensor: &Self, matrix: &[usize]| {
            tensor.broadcast_to(&[&batch, matrix].concat())?.reshape(&[&[count], matrix].concat())
        };
        let product = apply(op, &[&spread(self, a_matrix)?, &spread(other, b_matrix)?])?;
        product.reshape(&[&batch[..], &[a_matrix[0], n]].concat())
    }

    /// Cross-correlation with zero padding: `x: [image, channel, row, column]`, `weight: [out, channel, row, column]`,
    /// `bias: [out]`; a result side is `(side + 2 padding - kernel) / stride + 1`, rounded down.
    ///
    /// # Errors
    /// When shapes do not fit or the kernel is larger than the padded plane.
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, conv: Conv2d) -> Result<Self> {
        let op = Op::Conv { conv };
        match bias {
            Some(bias) => apply(op, &[self, weight, bias]),
            None => apply(op, &[self, weight]),
        }
    }

    /// Mean of each window of `[image, channel, row, column]`; what does not fill a window at the end is dropped.
    ///
    /// # Errors
    /// When the window is larger than the plane.
    pub fn avg_pool2d(&self, kernel: [usize; 2], stride: [usize; 2]) -> Result<Self> {
        apply(Op::AvgPool { window: Window { kernel, stride } }, &[self])
    }

    /// Largest element of each window; the gradient goes to the first of equal ones.
    ///
    /// # Errors
    /// When the window is larger than the plane.
    pub fn max_pool2d(&self, kernel: [usize; 2], stride: [usize; 2]) -> Result<Self> {
        let index = apply(Op::MaxPoolIndex { window: Window { kernel, stride } }, &[self])?;
        let (x, y) = (self.shape().to_vec(), index.shape().to_vec());
        let index = index.reshape(&[y[0] * y[1], y[2] * y[3]])?;
        apply(Op::Take, &[&self.reshape(&[x[0] * x[1], x[2] * x[3]])?, &index])?.reshape(&y)
    }

    /// A sparse linear map of every plane of `[image, channel, row, column]`.
    ///
    /// # Errors
    /// When the map was made for other planes or another number of images.
    pub fn resample(&self, map: &Arc<ResampleMap>) -> Result<Self> {
        apply(Op::Resample { map: Arc::clone(map) }, &[self])
    }

    /// Bilinear resize with half-pixel centres: see [`ResampleMap::bilinear`].
    ///
    /// # Errors
    /// When a side is 0 or the tensor has not the axes `[image, channel, row, column]`.
    pub fn bilinear_resize(&self, rows: usize, columns: usize) -> Result<Self> {
        let [_, _, height, width] = *self.shape() else {
            return shape_error("bilinear_resize", &[self.shape()], "the axes are [image, channel, row, column]");
        };
        self.resample(&Arc::new(ResampleMap::bilinear([height, width], [rows, columns])?))
    }
}
