//! Operations through burn's backends: what a GPU computes with, and a second opinion on the CPU kernels in tests.
//!
//! Values follow the CPU kernels up to rounding. Indices and labels are not checked: reading them back would stall the
//! device.

use burn_backend::ops::ConvOptions;
use burn_backend::{FloatDType, Scalar, Slice};

use super::burn_array::{
    Array, aligned, booleans, closed, empty, expanded, float_type, int_type, physical, real, zeros,
};
use super::burn_layout;
use super::calls::{Calls as B, Tensor, dims};
use super::failure::internal;
use super::fused;
use crate::DType;
use crate::error::Result;
use crate::op::elementwise::{binary_table, unary_table};
use crate::op::{Binary, Conv2d, Op, Unary, Window};

/// What an operation gives: its value, and values saved for its rule.
type Evaluated = (Array, Vec<Array>);

/// Computes `op`; shapes and types are those that `infer` has checked.
pub(crate) fn evaluate(op: &Op, inputs: &[&Array], shape: &[usize]) -> Result<Evaluated> {
    let name = op.name();
    let value = match (op, inputs[0]) {
        (Op::Cast { dtype }, x) => cast(x, *dtype)?,
        (Op::OneHot { .. }, x) => Array::Float(burn_layout::one_hot(x.int(name)?, inputs[1].float(name)?, shape)),
        (_, Array::Int(x)) => Array::Int(burn_layout::integer_op(op, x.clone(), inputs, shape)?),
        (Op::ArgMax { axis }, Array::Float(x)) => {
            let index = B::float_argmax(x.clone(), *axis, int_type(&B::float_device(x)));
            Array::Int(B::int_reshape(index, physical(shape)))
        }
        (Op::MaxPoolIndex { window: Window { kernel, stride } }, Array::Float(x)) => {
            let indices = B::max_pool2d_indices(x.clone(), *kernel, *stride);
            Array::Int(B::int_cast(indices, int_type(&B::float_device(x))))
        }
        (Op::Norm { .. } | Op::NormGradient { .. } | Op::NormCurvature { .. } | Op::ChannelStatistics { .. }, _) => {
            return fused::evaluate(op, inputs, shape);
        }
        (_, Array::Float(x)) => Array::Float(float_op(op, x.clone(), inputs, shape)?),
    };
    Ok((value, Vec::new()))
}

fn float_op(op: &Op, x: Tensor, inputs: &[&Array], shape: &[usize]) -> Result<Tensor> {
    let name = op.name();
    let float = |index: usize| inputs[index].float(name);
    Ok(match op {
        Op::Unary(op) => unary(*op, x),
        // These broadcast by themselves.
        Op::Binary(op @ (Binary::Add | Binary::Sub | Binary::Mul | Binary::Div)) => {
            binary(*op, aligned(x, shape), aligned(float(1)?, shape))
        }
        Op::Binary(op) => binary(*op, expanded(x, shape), expanded(float(1)?, shape)),
        Op::Gate => B::float_mask_fill(x, closed(float(1)?), Scalar::from(0.0)),
        Op::Select => {
            let off = B::float_equal_elem(expanded(x.clone(), shape), Scalar::from(0.0), booleans(&x));
            B::float_mask_where(expanded(float(1)?, shape), off, expanded(float(2)?, shape))
        }
        Op::Sum { axes } => reduced(x, axes, B::float_sum_dim),
        Op::Max { axes } => reduced(x, axes, B::float_max_dim),
        Op::Min { axes } => reduced(x, axes, B::float_min_dim),
        Op::Matmul { transpose: [ta, tb] } => {
            let turned = |x: Tensor, turn: bool| if turn { B::float_swap_dims(x, 1, 2) } else { x };
            B::float_matmul(turned(x, *ta), turned(float(1)?, *tb))
        }
        Op::Conv { conv } => {
            let bias = inputs.get(2).map(|bias| bias.float(name)).transpose()?;
            B::conv2d(x, float(1)?, bias, options(*conv))
        }
        Op::ConvInput { conv, .. } => conv_input(x, float(1)?, *conv, shape),
        Op::ConvWeight { conv, .. } => {
            let weight = empty(&x, shape);
            B::conv2d_weight_backward(x, weight, float(1)?, options(*conv))
        }
        Op::AvgPool { window: Window { kernel, stride } } => B::avg_pool2d(x, *kernel, *stride, [0, 0], true, false),
        Op::AvgPoolTranspose { window: Window { kernel, stride }, .. } => {
            B::avg_pool2d_backward(empty(&x, shape), x, *kernel, *stride, [0, 0], true, false)
        }
        Op::Resample { map } => burn_layout::resample(x, map),
        Op::ResampleTranspose { map } => burn_layout::resample_transpose(&x, map),
        Op::Reshape { .. } | Op::Permute { .. } | Op::BroadcastTo { .. } | Op::Slice { .. } | Op::Place { .. } => {
            burn_layout::float_op(op, x, inputs, shape)?
        }
        Op::Pad { .. } | Op::Flip { .. } | Op::Concat { .. } | Op::Gather { .. } | Op::ScatterAdd { .. } => {
            burn_layout::float_op(op, x, inputs, shape)?
        }
        Op::Take | Op::Put { .. } => burn_layout::float_op(op, x, inputs, shape)?,
        _ => return internal(name, "not available on this device"),
    })
}

macro_rules! unary {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident),* })? $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $rule:expr)?;)*) => {
        fn unary(op: Unary, x: Tensor) -> Tensor {
            match op {
                $(Unary::$variant $({ $($field),* })? => one(x, $device),)*
            }
        }
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $variant:ident $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $by_a:expr, $by_b:expr)?;)*) => {
        fn binary(op: Binary, a: Tensor, b: Tensor) -> Tensor {
            match op {
                $(Binary::$variant => two(a, b, $device),)*
            }
        }
    };
}

unary_table!(unary);
binary_table!(binary);

fn one(x: Tensor, f: impl FnOnce(Tensor) -> Tensor) -> Tensor {
    f(x)
}

fn two(a: Tensor, b: Tensor, f: impl FnOnce(Tensor, Tensor) -> Tensor) -> Tensor {
    f(a, b)
}

/// 1 where true, else 0.
fn numbers(mask: Tensor, dtype: FloatDType) -> Tensor {
    B::bool_into_float(mask, dtype)
}

/// 1 where the comparison holds, else 0.
fn compared(a: Tensor, b: Tensor, compare: impl FnOnce(Tensor, Tensor, burn_backend::BoolDType) -> Tensor) -> Tensor {
    let (booleans, dtype) = (booleans(&a), float_type(&a));
    numbers(compare(a, b, booleans), dtype)
}

fn positive(x: Tensor) -> Tensor {
    let (booleans, dtype) = (booleans(&x), float_type(&x));
    numbers(B::float_greater_elem(x, Scalar::from(0.0), booleans), dtype)
}

fn between(x: Tensor, low: f64, high: f64) -> Tensor {
    let (booleans, dtype) = (booleans(&x), float_type(&x));
    let above = numbers(B::float_greater_equal_elem(x.clone(), Scalar::from(low), booleans), dtype);
    B::float_mul(above, numbers(B::float_lower_equal_elem(x, Scalar::from(high), booleans), dtype))
}

/// `a` where the mask is true, else `b`.
fn choose(mask: Tensor, a: Tensor, b: Tensor) -> Tensor {
    B::float_mask_where(b, mask, a)
}

fn cast(x: &Array, dtype: DType) -> Result<Array> {
    Ok(match (x, dtype) {
        (Array::Float(x), DType::I64) => Array::Int(B::float_into_int(x.clone(), int_type(&B::float_device(x)))),
        (Array::Float(x), dtype) => Array::Float(B::float_cast(x.clone(), real(dtype))),
        (Array::Int(x), DType::I64) => Array::Int(x.clone()),
        (Array::Int(x), dtype) => Array::Float(B::int_into_float(x.clone(), real(dtype))),
    })
}

fn options(Conv2d { stride, padding }: Conv2d) -> ConvOptions<2> {
    ConvOptions::new(stride, padding, [1, 1], 1)
}

/// Where steps are longer than the kernel, which burn's kernel for GPUs makes zeros of, the gradient is first put at its distances: that of
/// all steps of one, of which the others are left out.
fn conv_input(g: Tensor, weight: Tensor, conv: Conv2d, shape: &[usize]) -> Tensor {
    let (own, kernel) = (dims(&g), dims(&weight));
    if kernel[2] >= conv.stride[0] && kernel[3] >= conv.stride[1] {
        return B::conv2d_x_backward(empty(&g, shape), weight, g, options(conv));
    }
    let (mut full, mut parts) = (own.clone(), vec![Slice::full(); 2]);
    for axis in 0..2 {
        full[axis + 2] = shape[axis + 2] + 2 * conv.padding[axis] + 1 - kernel[axis + 2];
        let end = own[axis + 2].saturating_sub(1) * conv.stride[axis] + 1;
        parts.push(burn_layout::part([0, end, conv.stride[axis]]));
    }
    let g = B::float_slice_assign(zeros(&g, &full), &parts, g);
    B::conv2d_x_backward(empty(&g, shape), weight, g, options(Conv2d { stride: [1, 1], ..conv }))
}

/// Over several axes, of which those that lie together are one.
fn reduced(x: Tensor, axes: &[usize], reduce: impl Fn(Tensor, usize) -> Tensor) -> Tensor {
    let mut shape = dims(&x);
    let mut runs: Vec<(usize, bool)> = Vec::new();
    for (axis, &length) in shape.iter().enumerate().filter(|(_, length)| **length != 1) {
        let is_over = axes.contains(&axis);
        match runs.last_mut() {
            Some((run, before)) if *before == is_over => *run *= length,
            _ => runs.push((length, is_over)),
        }
    }
    axes.iter().for_each(|&axis| shape[axis] = 1);
    let lengths: Vec<usize> = runs.iter().map(|(length, _)| *length).collect();
    let x = B::float_reshape(x, physical(&lengths));
    let over = runs.iter().enumerate().filter(|(_, (_, is_over))| *is_over);
    B::float_reshape(over.fold(x, |x, (axis, _)| reduce(x, axis)), physical(&shape))
}
