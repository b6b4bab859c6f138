//! The primitive operations: what a backend computes and what a gradient rule exists for.
//!
//! Everything else is composed of these and never has a rule of its own.

mod infer;

use std::sync::Arc;

pub(crate) use infer::{broadcast, infer};

use crate::{DType, ResampleMap};

/// Images of one plane each (instance) or of all images together (batch) share their statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NormAxes {
    /// Over rows and columns of every image and channel.
    Instance,
    /// Over images, rows and columns of every channel.
    Batch,
}

/// What follows the affine map of an instance normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Nothing,
    Relu,
    /// ReLU, then the mean of 2x2 windows with stride 2.
    ReluPool,
}

impl Finish {
    /// Rows and columns of the result.
    pub(crate) fn plane(self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Nothing | Self::Relu => [rows, columns],
            Self::ReluPool => [rows / 2, columns / 2],
        }
    }
}

/// Windows moving over a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
}

/// How a convolution kernel moves: steps and zero padding, both `[rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
}

macro_rules! ops {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident : $type:ty),* })? = $name:literal, $differentiable:literal;)*) => {
        /// A primitive operation with its attributes. The inputs are in the order of the methods that make it.
        #[derive(Clone, Debug)]
        pub(crate) enum Op {
            $($(#[$doc])* $variant $({ $($field: $type),* })?,)*
        }

        impl Op {
            /// Every operation by name, with whether it has a gradient rule.
            #[cfg(test)]
            pub(crate) const ALL: &[(&str, bool)] = &[$(($name, $differentiable)),*];

            /// The name that messages use: that of the public method.
            pub(crate) fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)* }
            }

            /// Whether the result depends smoothly on an input, so that it belongs on the tape.
            pub(crate) fn is_differentiable(&self) -> bool {
                match self { $(Self::$variant { .. } => $differentiable,)* }
            }
        }
    };
}

ops! {
    Neg = "neg", true;
    Exp = "exp", true;
    Log = "log", true;
    Sqrt = "sqrt", true;
    Recip = "recip", true;
    Square = "square", true;
    Abs = "abs", true;
    Sign = "sign", false;
    Relu = "relu", true;
    Step = "step", false;
    Sin = "sin", true;
    Cos = "cos", true;
    Tanh = "tanh", true;
    Sigmoid = "sigmoid", true;
    Powf { exponent: f64 } = "powf", true;
    Clamp { low: f64, high: f64 } = "clamp", true;
    /// 1 where the value lies in `low..=high`, else 0.
    Within { low: f64, high: f64 } = "within", false;
    AddScalar { value: f64 } = "add_scalar", true;
    MulScalar { value: f64 } = "mul_scalar", true;
    Add = "add", true;
    Sub = "sub", true;
    Mul = "mul", true;
    Div = "div", true;
    Maximum = "maximum", true;
    Minimum = "minimum", true;
    Greater = "greater", false;
    GreaterEqual = "greater_equal", false;
    Less = "less", false;
    LessEqual = "less_equal", false;
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
    OneHot { classes: usize, dtype: DType } = "one_hot", false;
    Cast { dtype: DType } = "cast", true;
    /// `[batch, m, k] x [batch, k, n]`, either stored transposed.
    Matmul { transpose: [bool; 2] } = "matmul", true;
    /// For inputs (x, w) or (x, w, bias).
    Conv { sweep: Sweep } = "conv2d", true;
    /// Gradient of `Conv` by x, for inputs (g, w); `size` is that of x's planes.
    ConvInput { sweep: Sweep, size: [usize; 2] } = "conv2d_input", true;
    /// Gradient of `Conv` by w, for inputs (x, g).
    ConvWeight { sweep: Sweep, kernel: [usize; 2] } = "conv2d_weight", true;
    AvgPool { window: Window } = "avg_pool2d", true;
    /// Transpose of `AvgPool`.
    AvgPoolTranspose { window: Window, size: [usize; 2] } = "avg_pool2d_transpose", true;
    /// Position within the plane of the first largest element of each window.
    MaxPoolIndex { window: Window } = "max_pool2d_index", false;
    Resample { map: Arc<ResampleMap> } = "resample", true;
    /// Transpose of `Resample`.
    ResampleTranspose { map: Arc<ResampleMap> } = "resample_transpose", true;
    Standardize { axes: NormAxes, eps: f64 } = "standardize", true;
    /// `1 / sqrt(var + eps)` for inputs (x, y), y being the standardised x: given for the rule's sake only.
    InverseStd { axes: NormAxes, eps: f64 } = "inverse_std", true;
    /// `r (g - mean(g) - y mean(g y))` for inputs (y, r, g): derivative of `Standardize` applied to g.
    StandardizeGradient { axes: NormAxes } = "standardize_gradient", true;
    /// Instance normalisation with its affine map and more, for inputs (x, weight, bias). By-product 0: mean and 1 / sqrt(var + eps)
    /// of each plane, `[image, channel, 2]`.
    Norm { eps: f64, finish: Finish } = "instance_norm", true;
    /// Gradient of `Norm` by x, for inputs (x, weight, bias, by-product, g). By-products for each plane: 0, `[image, channel, 2]`, the
    /// parts of the gradients by bias and weight; 1, `[image, channel]`, the sum of the result.
    NormGradient { eps: f64, finish: Finish } = "instance_norm_gradient", true;
    /// Gradient of `NormGradient` and its by-product by x, for inputs (x, weight, bias, by-product of `Norm`, g, by-product, c, s) with
    /// c and s the cotangents of the two. By-products: the gradients by g, and by weight for each plane, `[image, channel]`.
    NormCurvature { eps: f64, finish: Finish } = "instance_norm_curvature", true;
    /// A by-product of the operation that made the input.
    ByProduct { index: usize } = "by_product", true;
}

impl Op {
    /// Shape of a by-product, given those of the inputs.
    pub(crate) fn by_product_shape(&self, index: usize, inputs: &[&[usize]]) -> Vec<usize> {
        let planes = |x: &[usize]| vec![x[0], x[1]];
        match (self, index) {
            (Self::Standardize { axes, .. }, _) => axes.reduced(inputs[0]),
            (Self::NormCurvature { .. }, 0) => inputs[4].to_vec(),
            (Self::NormCurvature { .. }, _) => planes(inputs[0]),
            _ => [planes(inputs[0]), vec![2]].concat(),
        }
    }
}

impl NormAxes {
    /// The reduced axes of `[image, channel, row, column]`.
    pub(crate) fn axes(self) -> &'static [usize] {
        match self {
            Self::Instance => &[2, 3],
            Self::Batch => &[0, 2, 3],
        }
    }

    /// Shape of the statistics.
    pub(crate) fn reduced(self, shape: &[usize]) -> Vec<usize> {
        let images = if self == Self::Instance { shape[0] } else { 1 };
        vec![images, shape[1], 1, 1]
    }

    /// Elements that share a statistic.
    pub(crate) fn count(self, shape: &[usize]) -> usize {
        let images = if self == Self::Instance { 1 } else { shape[0] };
        images * shape[2] * shape[3]
    }
}
