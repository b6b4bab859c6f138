//! Products, convolutions and what nets are made of: the host's group `linear`.

use crate::call::host;
use crate::error::Result;
use crate::tensor::Tensor;
use pddflow_abi as abi;

/// How the kernel of a grouped, dilated or transposed convolution moves; a plain one by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Step in rows and columns.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
    /// Distance of neighbouring elements of the kernel.
    pub dilation: usize,
    /// Parts that the channels are cut into.
    pub groups: usize,
    /// Of the transposed convolution: rows and columns added at the end, below the stride.
    pub output_padding: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self { stride: 1, padding: 0, dilation: 1, groups: 1, output_padding: 0 }
    }
}

/// Products, convolutions and what nets are made of.
impl<'call> Tensor<'call> {
    /// Product of the last two axes, batched over the others.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, matmul(self.handle(), other.handle(), out)),
        )
    }

    /// `[row, in]` times the transpose of `weight`, `[out, in]`, plus `bias`, `[out]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn affine(&self, weight: &Self, bias: Option<&Self>) -> Result<Self> {
        let bias = bias.map_or(0, Self::handle);
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, affine(self.handle(), weight.handle(), bias, out)),
        )
    }

    /// x, `[n, m]`, of `A x = b` for b, `[n, m]`, and a positive definite A: the symmetric part of this matrix, `[n, n]`. In double
    /// precision inside, whatever the dtype. The gradient by the matrix is symmetric.
    ///
    /// # Errors
    /// The shapes do not fit, or A is not positive definite (the message has the pivot): then more must be added to its diagonal.
    #[track_caller]
    pub fn solve(&self, b: &Self) -> Result<Self> {
        Self::made(self.call(), |out| host!(self.call(), linear: LinearGroup, solve(self.handle(), b.handle(), out)))
    }

    /// Cross-correlation of `[image, channel, row, column]` with `[out, in, row, column]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, stride: usize, padding: usize) -> Result<Self> {
        let arguments = abi::ConvArguments {
            size: size_of::<abi::ConvArguments>() as u32,
            reserved: 0,
            x: self.handle(),
            weight: weight.handle(),
            bias: bias.map_or(0, Self::handle),
            stride: [stride as u64; 2],
            padding: [padding as u64; 2],
        };
        Self::made(self.call(), |out| host!(self.call(), linear: LinearGroup, conv2d(&raw const arguments, out)))
    }

    /// Cross-correlation with groups and dilation: weight `[out, channel / groups, row, column]`.
    ///
    /// # Errors
    /// The shapes do not fit, the groups do not divide the channels, or the host is older than 0.8.
    #[track_caller]
    pub fn conv2d_grouped(&self, weight: &Self, bias: Option<&Self>, how: Conv2d) -> Result<Self> {
        let arguments = self.grouped(weight, bias, how);
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, conv2d_grouped(&raw const arguments, out)),
        )
    }

    /// The transpose of that linear map, plus a bias: weight `[channel, out / groups, row, column]`. A side of the result is
    /// `(side - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding`.
    ///
    /// # Errors
    /// The shapes do not fit, the groups do not divide the channels, or the host is older than 0.8.
    #[track_caller]
    pub fn conv_transpose2d(&self, weight: &Self, bias: Option<&Self>, how: Conv2d) -> Result<Self> {
        let arguments = self.grouped(weight, bias, how);
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, conv_transpose2d(&raw const arguments, out)),
        )
    }

    fn grouped(&self, weight: &Self, bias: Option<&Self>, how: Conv2d) -> abi::GroupedConvArguments {
        abi::GroupedConvArguments {
            size: size_of::<abi::GroupedConvArguments>() as u32,
            reserved: 0,
            x: self.handle(),
            weight: weight.handle(),
            bias: bias.map_or(0, Self::handle),
            stride: [how.stride as u64; 2],
            padding: [how.padding as u64; 2],
            dilation: [how.dilation as u64; 2],
            groups: how.groups as u64,
            output_padding: [how.output_padding as u64; 2],
        }
    }

    /// Bilinear samples of `[image, channel, row, column]` at the positions of `grid`, `[image or 1, row, column, 2]`: first along a row,
    /// then along a column, from -1 at the outer edge of the first pixel to 1 at that of the last; 0 outside. PyTorch's `grid_sample`
    /// without aligned corners. Differentiable by both.
    ///
    /// # Errors
    /// The shapes do not fit, a position is not finite, or the host is older than 0.8.
    #[track_caller]
    pub fn grid_sample(&self, grid: &Self) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, grid_sample(self.handle(), grid.handle(), out)),
        )
    }

    /// Mean of windows; an incomplete one at the end is dropped.
    ///
    /// # Errors
    /// No window fits.
    #[track_caller]
    pub fn avg_pool2d(&self, kernel: usize, stride: usize) -> Result<Self> {
        self.pool2d(abi::Pool::Average, kernel, stride)
    }

    /// Largest of windows; an incomplete one at the end is dropped.
    ///
    /// # Errors
    /// No window fits.
    #[track_caller]
    pub fn max_pool2d(&self, kernel: usize, stride: usize) -> Result<Self> {
        self.pool2d(abi::Pool::Max, kernel, stride)
    }

    #[track_caller]
    fn pool2d(&self, kind: abi::Pool, kernel: usize, stride: usize) -> Result<Self> {
        let arguments = abi::PoolArguments {
            size: size_of::<abi::PoolArguments>() as u32,
            kind: kind as u32,
            x: self.handle(),
            kernel: [kernel as u64; 2],
            stride: [stride as u64; 2],
        };
        Self::made(self.call(), |out| host!(self.call(), linear: LinearGroup, pool2d(&raw const arguments, out)))
    }

    /// x - log(sum e^x) along an axis.
    ///
    /// # Errors
    /// The axis does not exist.
    #[track_caller]
    pub fn log_softmax(&self, axis: usize) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, log_softmax(self.handle(), axis as u64, out)),
        )
    }

    /// Mean over the rows of `[row, class]` logits against I64 `[row]` or probabilities `[row, class]`.
    ///
    /// # Errors
    /// The shapes do not fit, or a label is out of range.
    #[track_caller]
    pub fn cross_entropy(&self, labels: &Self) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, cross_entropy(self.handle(), labels.handle(), out)),
        )
    }

    /// Bilinear with half-pixel centres, of the last two axes of `[image, channel, row, column]`.
    ///
    /// # Errors
    /// The tensor does not have four axes.
    #[track_caller]
    pub fn resize(&self, height: usize, width: usize) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, resize(self.handle(), height as u64, width as u64, out)),
        )
    }
}
