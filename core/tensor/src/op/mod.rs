//! The primitive operations: what a backend computes and what a gradient rule exists for.
//!
//! Everything else is composed of these and never has a rule of its own.

mod descent;
pub(crate) mod elementwise;
mod infer;

use std::sync::Arc;

pub use descent::Descent;
pub use elementwise::{Binary, Unary};
pub(crate) use infer::{Form, broadcast, infer};

use crate::{DType, ResampleMap};
pub(crate) use pddflow_kernels::norm::{Epilogue, Over};

/// Windows moving over a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
}

impl Window {
    /// Two by two, side by side.
    pub(crate) const HALVING: Self = Self { kernel: [2, 2], stride: [2, 2] };
}

/// How the kernel of a convolution moves over a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Steps in rows and columns.
    pub stride: [usize; 2],
    /// Zeros on each side in rows and columns.
    pub padding: [usize; 2],
}

impl Default for Conv2d {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0] }
    }
}

macro_rules! ops {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident : $type:ty),* })? = $name:literal, $differentiable:literal;)*) => {
        /// A primitive operation with its attributes. The inputs are in the order of the methods that make it.
        #[derive(Clone, Debug)]
        pub(crate) enum Op {
            /// See the [table](elementwise).
            Unary(Unary),
            /// See the [table](elementwise).
            Binary(Binary),
            $($(#[$doc])* $variant $({ $($field: $type),* })?,)*
        }

        impl Op {
            /// Every operation by name, with whether it has a gradient rule.
            #[cfg(test)]
            pub(crate) fn all() -> impl Iterator<Item = (&'static str, bool)> {
                let others = [$(($name, $differentiable)),*];
                let unary = Unary::ALL.iter().map(|(name, _, differentiable)| (*name, *differentiable));
                unary.chain(Binary::ALL.iter().copied()).chain(others)
            }

            /// The name that messages use: that of the public method.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    Self::Unary(op) => op.name(),
                    Self::Binary(op) => op.name(),
                    $(Self::$variant { .. } => $name,)*
                }
            }

            /// Whether the result depends smoothly on an input, so that it belongs on the tape.
            pub(crate) fn is_differentiable(&self) -> bool {
                match self {
                    Self::Unary(op) => op.is_differentiable(),
                    Self::Binary(op) => op.is_differentiable(),
                    $(Self::$variant { .. } => $differentiable,)*
                }
            }
        }
    };
}

ops! {
    /// `g` where `x > 0`, else 0, for inputs (g, x): what ReLU lets back through.
    Gate = "gate", true;
    /// For inputs (mask, a, b).
    Select = "select", true;
    /// Reduced axes stay with length 1, also in `Max` and `Min`.
    Sum { axes: Vec<usize> } = "sum", true;
    Max { axes: Vec<usize> } = "max", true;
    Min { axes: Vec<usize> } = "min", true;
    ArgMax { axis: usize } = "argmax", false;
    Reshape { shape: Vec<usize> } = "reshape", true;
    Permute { axes: Vec<usize> } = "permute", true;
    BroadcastTo { shape: Vec<usize> } = "broadcast_to", true;
    Slice { axis: usize, start: usize, end: usize, step: usize } = "slice", true;
    /// Transpose of `Slice`: entry i goes to `start + i * step` of an axis of length `size`, zeros elsewhere.
    Place { axis: usize, start: usize, step: usize, size: usize } = "place", true;
    Pad { widths: Vec<(usize, usize)> } = "pad", true;
    Flip { axes: Vec<usize> } = "flip", true;
    Concat { axis: usize } = "concat", true;
    /// For inputs (x, rows).
    Gather { axis: usize } = "gather", true;
    /// Transpose of `Gather`, for inputs (g, rows).
    ScatterAdd { axis: usize, size: usize } = "scatter_add", true;
    /// For inputs (x, index), both `[row, *]`: element `index[row, k]` of each row.
    Take = "take", true;
    /// Transpose of `Take`, for inputs (g, index).
    Put { size: usize } = "put", true;
    /// For `[row, element]`: the places of the elements of each row in their order, of equal ones the first first. Always found on the
    /// processor.
    ArgSort { descending: bool } = "top_k", false;
    OneHot { classes: usize, dtype: DType } = "one_hot", false;
    Cast { dtype: DType } = "cast", true;
    /// `[batch, m, k] x [batch, k, n]`, either stored transposed.
    Matmul { transpose: [bool; 2] } = "matmul", true;
    /// Lower triangular factor of the symmetric part of a positive definite matrix, zeros above the diagonal: always f64, on the
    /// processor. For `Solve` only, whose rule needs none of this operation.
    Cholesky = "solve", false;
    /// For inputs (a, b, factor): x of `a x = b`, the factor being `Cholesky` of a.
    Solve = "solve", true;
    /// For inputs (x, w) or (x, w, bias).
    Conv { conv: Conv2d } = "conv2d", true;
    /// Gradient of `Conv` by x, for inputs (g, w); `size` is that of x's planes.
    ConvInput { conv: Conv2d, size: [usize; 2] } = "conv2d_input", true;
    /// Gradient of `Conv` by w, for inputs (x, g).
    ConvWeight { conv: Conv2d, kernel: [usize; 2] } = "conv2d_weight", true;
    AvgPool { window: Window } = "avg_pool2d", true;
    /// Transpose of `AvgPool`.
    AvgPoolTranspose { window: Window, size: [usize; 2] } = "avg_pool2d_transpose", true;
    /// Position within the plane of the first largest element of each window.
    MaxPoolIndex { window: Window } = "max_pool2d_index", false;
    Resample { map: Arc<ResampleMap> } = "resample", true;
    /// Transpose of `Resample`.
    ResampleTranspose { map: Arc<ResampleMap> } = "resample_transpose", true;
    /// Mean and 1 / sqrt(var + eps) of each channel over images, rows and columns, `[1, channel, 2]`.
    ChannelStatistics { eps: f64 } = "channel_statistics", true;
    /// Normalisation with its affine map and more: instance normalisation for inputs (x, weight, bias); batch normalisation, over
    /// channels, for inputs (x, weight, bias, statistics of x), whose gradient by x is that by way of the statistics too. Saved value 0
    /// of instance normalisation: mean and 1 / sqrt(var + eps) of each plane, `[image, channel, 2]`.
    Norm { eps: f64, over: Over, epilogue: Epilogue } = "norm", true;
    /// Gradient of `Norm` by x, for inputs (x, weight, bias, statistics, g). Saved values: 0, in the shape of the statistics, the
    /// parts of the gradients by bias and weight; 1, `[image, channel]`, the sum of each plane of the result.
    NormGradient { eps: f64, over: Over, epilogue: Epilogue } = "norm_gradient", true;
    /// Gradient of `NormGradient` and its first saved value by x, for inputs (x, weight, bias, statistics, g, saved value, c, s) with c
    /// and s the cotangents of the two. Saved values: the gradients by g, and by weight for each plane or channel, `[image or 1, channel]`.
    NormCurvature { eps: f64, over: Over, epilogue: Epilogue } = "norm_curvature", true;
    /// A saved value of the operation that made the input.
    Saved { index: usize } = "saved", true;
}

impl Op {
    /// Shape of a saved value, given those of the inputs.
    pub(crate) fn saved_shape(&self, index: usize, inputs: &[&[usize]]) -> Vec<usize> {
        let groups = |over: &Over, x: &[usize]| vec![over.rows(x[0]), x[1]];
        match (self, index) {
            (Self::NormCurvature { .. }, 0) => inputs[4].to_vec(),
            (Self::NormCurvature { over, .. }, _) => groups(over, inputs[0]),
            (Self::Norm { over, .. } | Self::NormGradient { over, .. }, _) => {
                [groups(over, inputs[0]), vec![2]].concat()
            }
            _ => Vec::new(),
        }
    }
}

/// Axes of `[image, channel, row, column]` that a channel's statistics are over.
pub(crate) const OVER_CHANNELS: &[usize] = &[0, 2, 3];
