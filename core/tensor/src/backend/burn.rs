//! Operations through any backend of burn: what a GPU computes with, and a second opinion on the CPU kernels in tests.
//!
//! Values follow the CPU kernels up to rounding. Indices and labels are not checked: reading them back would stall the
//! device.

use burn_backend::ops::ConvOptions;
use burn_backend::tensor::{BoolTensor, FloatTensor};
use burn_backend::{Backend, FloatDType, Scalar, get_device_settings};

use super::burn_array::{Array, expanded, float_type, int_type, physical, zeros};
use super::burn_layout;
use super::failure::internal;
use crate::DType;
use crate::error::Result;
use crate::op::elementwise::{binary_table, unary_table};
use crate::op::{Binary, Conv2d, OVER_CHANNELS, Op, Unary, Window};

/// What an operation gives: its value, and a value saved for its rule.
type Evaluated<B> = (Array<B>, Option<Array<B>>);

/// Computes `op`; shapes and types are those that `infer` has checked.
pub(crate) fn evaluate<B: Backend>(op: &Op, inputs: &[&Array<B>], shape: &[usize]) -> Result<Evaluated<B>> {
    let name = op.name();
    let value = match (op, inputs[0]) {
        (Op::Cast { dtype }, x) => cast(x, *dtype)?,
        (Op::OneHot { classes, dtype }, x) => {
            Array::Float(burn_layout::one_hot::<B>(x.int(name)?, *classes, shape, real(*dtype)))
        }
        (_, Array::Int(x)) => Array::Int(burn_layout::integer_op::<B>(op, x.clone(), inputs, shape)?),
        (Op::ArgMax { axis }, Array::Float(x)) => {
            let index = B::float_argmax(x.clone(), *axis, int_type::<B>(&B::float_device(x)));
            Array::Int(B::int_reshape(index, physical(shape)))
        }
        (Op::MaxPoolIndex { window: Window { kernel, stride } }, Array::Float(x)) => {
            let pooled = B::max_pool2d_with_indices(x.clone(), *kernel, *stride, [0, 0], [1, 1], false);
            Array::Int(B::int_cast(pooled.indices, int_type::<B>(&B::float_device(x))))
        }
        (Op::Standardize { eps }, Array::Float(x)) => {
            let (y, r) = standardize::<B>(x.clone(), *eps);
            return Ok((Array::Float(y), Some(Array::Float(r))));
        }
        (_, Array::Float(x)) => Array::Float(float_op::<B>(op, x.clone(), inputs, shape)?),
    };
    Ok((value, None))
}

fn float_op<B: Backend>(op: &Op, x: FloatTensor<B>, inputs: &[&Array<B>], shape: &[usize]) -> Result<FloatTensor<B>> {
    let name = op.name();
    let float = |index: usize| inputs[index].float(name);
    Ok(match op {
        Op::Unary(op) => unary::<B>(*op, x),
        Op::Binary(op) => binary::<B>(*op, expanded::<B>(x, shape), expanded::<B>(float(1)?, shape)),
        Op::Gate => {
            let closed = B::float_lower_equal_elem(float(1)?, Scalar::from(0.0), booleans::<B>(&x));
            B::float_mask_fill(x, closed, Scalar::from(0.0))
        }
        Op::Select => {
            let off = B::float_equal_elem(expanded::<B>(x.clone(), shape), Scalar::from(0.0), booleans::<B>(&x));
            B::float_mask_where(expanded::<B>(float(1)?, shape), off, expanded::<B>(float(2)?, shape))
        }
        Op::Sum { axes } => axes.iter().fold(x, |x, &axis| B::float_sum_dim(x, axis)),
        Op::Max { axes } => axes.iter().fold(x, |x, &axis| B::float_max_dim(x, axis)),
        Op::Min { axes } => axes.iter().fold(x, |x, &axis| B::float_min_dim(x, axis)),
        Op::Matmul { transpose: [ta, tb] } => {
            let turned = |x: FloatTensor<B>, turn: bool| if turn { B::float_swap_dims(x, 1, 2) } else { x };
            B::float_matmul(turned(x, *ta), turned(float(1)?, *tb))
        }
        Op::Conv { conv } => {
            let bias = inputs.get(2).map(|bias| bias.float(name)).transpose()?;
            B::conv2d(x, float(1)?, bias, options(*conv))
        }
        Op::ConvInput { conv, .. } => B::conv2d_x_backward(zeros::<B>(&x, shape), float(1)?, x, options(*conv)),
        Op::ConvWeight { conv, .. } => {
            let weight = zeros::<B>(&x, shape);
            B::conv2d_weight_backward(x, weight, float(1)?, options(*conv))
        }
        Op::AvgPool { window: Window { kernel, stride } } => B::avg_pool2d(x, *kernel, *stride, [0, 0], true, false),
        Op::AvgPoolTranspose { window: Window { kernel, stride }, .. } => {
            B::avg_pool2d_backward(zeros::<B>(&x, shape), x, *kernel, *stride, [0, 0], true, false)
        }
        Op::InverseStd { eps } => standardize::<B>(x, *eps).1,
        Op::StandardizeGradient => standardize_gradient::<B>(x, float(1)?, float(2)?),
        Op::Resample { map } => burn_layout::resample::<B>(x, map),
        Op::ResampleTranspose { map } => burn_layout::resample_transpose::<B>(&x, map),
        Op::Reshape { .. } | Op::Permute { .. } | Op::BroadcastTo { .. } | Op::Slice { .. } | Op::Place { .. } => {
            burn_layout::float_op::<B>(op, x, inputs, shape)?
        }
        Op::Pad { .. } | Op::Flip { .. } | Op::Concat { .. } | Op::Gather { .. } | Op::ScatterAdd { .. } => {
            burn_layout::float_op::<B>(op, x, inputs, shape)?
        }
        Op::Take | Op::Put { .. } => burn_layout::float_op::<B>(op, x, inputs, shape)?,
        _ => return internal(name, "not available on this device"),
    })
}

macro_rules! unary {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident),* })? $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $rule:expr)?;)*) => {
        fn unary<B: Backend>(op: Unary, x: FloatTensor<B>) -> FloatTensor<B> {
            match op {
                $(Unary::$variant $({ $($field),* })? => one::<B>(x, $device),)*
            }
        }
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $variant:ident $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $by_a:expr, $by_b:expr)?;)*) => {
        fn binary<B: Backend>(op: Binary, a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
            match op {
                $(Binary::$variant => two::<B>(a, b, $device),)*
            }
        }
    };
}

unary_table!(unary);
binary_table!(binary);

fn one<B: Backend>(x: FloatTensor<B>, f: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>) -> FloatTensor<B> {
    f(x)
}

fn two<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    f: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    f(a, b)
}

/// 1 where true, else 0.
fn numbers<B: Backend>(mask: BoolTensor<B>, dtype: FloatDType) -> FloatTensor<B> {
    B::bool_into_float(mask, dtype)
}

/// 1 where the comparison holds, else 0.
fn compared<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    compare: impl FnOnce(FloatTensor<B>, FloatTensor<B>, burn_backend::BoolDType) -> BoolTensor<B>,
) -> FloatTensor<B> {
    let (booleans, dtype) = (booleans::<B>(&a), float_type::<B>(&a));
    numbers::<B>(compare(a, b, booleans), dtype)
}

fn positive<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let (booleans, dtype) = (booleans::<B>(&x), float_type::<B>(&x));
    numbers::<B>(B::float_greater_elem(x, Scalar::from(0.0), booleans), dtype)
}

fn between<B: Backend>(x: FloatTensor<B>, low: f64, high: f64) -> FloatTensor<B> {
    let (booleans, dtype) = (booleans::<B>(&x), float_type::<B>(&x));
    let above = numbers::<B>(B::float_greater_equal_elem(x.clone(), Scalar::from(low), booleans), dtype);
    B::float_mul(above, numbers::<B>(B::float_lower_equal_elem(x, Scalar::from(high), booleans), dtype))
}

/// `a` where the mask is true, else `b`.
fn choose<B: Backend>(mask: BoolTensor<B>, a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mask_where(b, mask, a)
}

/// How the device stores booleans.
fn booleans<B: Backend>(x: &FloatTensor<B>) -> burn_backend::BoolDType {
    get_device_settings::<B>(&B::float_device(x)).bool_dtype
}

fn cast<B: Backend>(x: &Array<B>, dtype: DType) -> Result<Array<B>> {
    Ok(match (x, dtype) {
        (Array::Float(x), DType::I64) => Array::Int(B::float_into_int(x.clone(), int_type::<B>(&B::float_device(x)))),
        (Array::Float(x), dtype) => Array::Float(B::float_cast(x.clone(), real(dtype))),
        (Array::Int(x), DType::I64) => Array::Int(x.clone()),
        (Array::Int(x), dtype) => Array::Float(B::int_into_float(x.clone(), real(dtype))),
    })
}

/// burn's name of a real type.
fn real(dtype: DType) -> FloatDType {
    match dtype {
        DType::F64 => FloatDType::F64,
        _ => FloatDType::F32,
    }
}

fn options(Conv2d { stride, padding }: Conv2d) -> ConvOptions<2> {
    ConvOptions::new(stride, padding, [1, 1], 1)
}

fn mean<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    OVER_CHANNELS.iter().fold(x, |x, &axis| B::float_mean_dim(x, axis))
}

fn standardize<B: Backend>(x: FloatTensor<B>, eps: f64) -> (FloatTensor<B>, FloatTensor<B>) {
    let centred = B::float_sub(x.clone(), mean::<B>(x));
    let variance = mean::<B>(B::float_mul(centred.clone(), centred.clone()));
    let r = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, Scalar::from(eps))));
    (B::float_mul(centred, r.clone()), r)
}

fn standardize_gradient<B: Backend>(y: FloatTensor<B>, r: FloatTensor<B>, g: FloatTensor<B>) -> FloatTensor<B> {
    let along = mean::<B>(B::float_mul(g.clone(), y.clone()));
    let centred = B::float_sub(g.clone(), mean::<B>(g));
    B::float_mul(B::float_sub(centred, B::float_mul(y, along)), r)
}
