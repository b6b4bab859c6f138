//! Operations through any backend of burn: what a GPU computes with, and a second opinion on the CPU kernels in tests.
//!
//! burn has no tensors without axes, so that a single number has shape `[1]` here. Values follow the CPU kernels up
//! to rounding. Indices and labels are not checked: reading them back would stall the device.

use burn_backend::ops::ConvOptions;
use burn_backend::tensor::{BoolTensor, FloatTensor, IntTensor};
use burn_backend::{
    Backend, FloatDType, IntDType, Scalar, Shape, TensorData, TensorMetadata, get_device_settings, read_sync,
};

use super::{burn_layout, internal};
use crate::DType;
use crate::error::{Result, TensorError};
use crate::op::{NormAxes, Op, Sweep, Window};

/// A value of a burn backend.
#[derive(Clone)]
pub(crate) enum Array<B: Backend> {
    Float(FloatTensor<B>),
    Int(IntTensor<B>),
}

impl<B: Backend> Array<B> {
    pub(crate) fn from_f32(values: Vec<f32>, shape: &[usize], device: &B::Device) -> Self {
        Self::Float(B::float_from_data(TensorData::new(values, physical(shape)), device))
    }

    pub(crate) fn from_i64(values: Vec<i64>, shape: &[usize], device: &B::Device) -> Self {
        Self::Int(B::int_from_data(TensorData::new(values, physical(shape)), device))
    }

    pub(crate) fn to_f32(&self) -> Result<Vec<f32>> {
        let data = read_sync(B::float_into_data(self.float("to_f32")?));
        let data = data.map_err(|error| fault("to_f32", error))?;
        data.to_vec().map_err(|error| fault("to_f32", error))
    }

    pub(crate) fn to_i64(&self) -> Result<Vec<i64>> {
        let data = read_sync(B::int_into_data(self.int("to_i64")?));
        let data = data.map_err(|error| fault("to_i64", error))?;
        data.convert::<i64>().to_vec().map_err(|error| fault("to_i64", error))
    }

    pub(super) fn float(&self, op: &'static str) -> Result<FloatTensor<B>> {
        match self {
            Self::Float(x) => Ok(x.clone()),
            Self::Int(_) => internal(op, "integers where numbers are needed"),
        }
    }

    pub(super) fn int(&self, op: &'static str) -> Result<IntTensor<B>> {
        match self {
            Self::Int(x) => Ok(x.clone()),
            Self::Float(_) => internal(op, "numbers where integers are needed"),
        }
    }
}

/// What an operation gives: its value, and a by-product worth saving.
type Evaluated<B> = (Array<B>, Option<Array<B>>);

fn fault(op: &'static str, error: impl std::fmt::Display) -> TensorError {
    TensorError::Internal { op, message: error.to_string() }
}

/// The shape that burn sees.
pub(super) fn physical(shape: &[usize]) -> Shape {
    if shape.is_empty() { Shape::from([1]) } else { Shape::from(shape) }
}

pub(super) fn dims(x: &impl TensorMetadata) -> Vec<usize> {
    x.shape().to_vec()
}

/// Computes `op`; shapes and types are those that `infer` has checked.
pub(crate) fn evaluate<B: Backend>(op: &Op, inputs: &[&Array<B>], shape: &[usize]) -> Result<Evaluated<B>> {
    let name = op.name();
    let value = match (op, inputs[0]) {
        (Op::Cast { dtype }, x) => cast(x, *dtype)?,
        (Op::OneHot { classes, .. }, x) => Array::Float(burn_layout::one_hot::<B>(x.int(name)?, *classes, shape)),
        (_, Array::Int(x)) => Array::Int(burn_layout::integer_op::<B>(op, x.clone(), inputs, shape)?),
        (Op::ArgMax { axis }, Array::Float(x)) => {
            let index = B::float_argmax(x.clone(), *axis, IntDType::I64);
            Array::Int(B::int_reshape(index, physical(shape)))
        }
        (Op::MaxPoolIndex { window: Window { kernel, stride } }, Array::Float(x)) => {
            let pooled = B::max_pool2d_with_indices(x.clone(), *kernel, *stride, [0, 0], [1, 1], false);
            Array::Int(B::int_cast(pooled.indices, IntDType::I64))
        }
        (Op::Standardize { axes, eps }, Array::Float(x)) => {
            let (y, r) = standardize::<B>(x.clone(), *axes, *eps);
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
        Op::Add | Op::Sub | Op::Mul | Op::Div => arithmetic::<B>(op, x, float(1)?, shape)?,
        Op::Maximum | Op::Minimum | Op::Greater | Op::GreaterEqual | Op::Less | Op::LessEqual => {
            comparison::<B>(op, x, float(1)?, shape)?
        }
        Op::Gate => {
            let closed = B::float_lower_equal_elem(float(1)?, Scalar::from(0.0), bool_dtype::<B>(&x));
            B::float_mask_fill(x, closed, Scalar::from(0.0))
        }
        Op::Select => {
            let off = B::float_equal_elem(expanded::<B>(x.clone(), shape), Scalar::from(0.0), bool_dtype::<B>(&x));
            B::float_mask_where(expanded::<B>(float(1)?, shape), off, expanded::<B>(float(2)?, shape))
        }
        Op::Sum { axes } => axes.iter().fold(x, |x, &axis| B::float_sum_dim(x, axis)),
        Op::Max { axes } => axes.iter().fold(x, |x, &axis| B::float_max_dim(x, axis)),
        Op::Min { axes } => axes.iter().fold(x, |x, &axis| B::float_min_dim(x, axis)),
        Op::Matmul { transpose: [ta, tb] } => {
            let turned = |x: FloatTensor<B>, turn: bool| if turn { B::float_swap_dims(x, 1, 2) } else { x };
            B::float_matmul(turned(x, *ta), turned(float(1)?, *tb))
        }
        Op::Conv { sweep } => {
            let bias = inputs.get(2).map(|bias| bias.float(name)).transpose()?;
            B::conv2d(x, float(1)?, bias, options(*sweep))
        }
        Op::ConvInput { sweep, .. } => B::conv2d_x_backward(zeros::<B>(&x, shape), float(1)?, x, options(*sweep)),
        Op::ConvWeight { sweep, .. } => {
            let weight = zeros::<B>(&x, shape);
            B::conv2d_weight_backward(x, weight, float(1)?, options(*sweep))
        }
        Op::AvgPool { window: Window { kernel, stride } } => B::avg_pool2d(x, *kernel, *stride, [0, 0], true, false),
        Op::AvgPoolTranspose { window: Window { kernel, stride }, .. } => {
            B::avg_pool2d_backward(zeros::<B>(&x, shape), x, *kernel, *stride, [0, 0], true, false)
        }
        Op::InverseStd { axes, eps } => standardize::<B>(x, *axes, *eps).1,
        Op::StandardizeGradient { axes } => standardize_gradient::<B>(x, float(1)?, float(2)?, *axes),
        Op::Resample { map } => burn_layout::resample::<B>(x, map),
        Op::ResampleTranspose { map } => burn_layout::resample_transpose::<B>(&x, map),
        Op::Reshape { .. } | Op::Permute { .. } | Op::BroadcastTo { .. } | Op::Slice { .. } | Op::Place { .. } => {
            burn_layout::float_op::<B>(op, x, inputs, shape)?
        }
        Op::Pad { .. } | Op::Flip { .. } | Op::Concat { .. } | Op::Gather { .. } | Op::ScatterAdd { .. } => {
            burn_layout::float_op::<B>(op, x, inputs, shape)?
        }
        Op::Take | Op::Put { .. } => burn_layout::float_op::<B>(op, x, inputs, shape)?,
        _ => unary::<B>(op, x)?,
    })
}

fn unary<B: Backend>(op: &Op, x: FloatTensor<B>) -> Result<FloatTensor<B>> {
    let number = |mask: BoolTensor<B>| B::bool_into_float(mask, FloatDType::F32);
    let bool_dtype = bool_dtype::<B>(&x);
    Ok(match *op {
        Op::Neg => B::float_neg(x),
        Op::Exp => B::float_exp(x),
        Op::Log => B::float_log(x),
        Op::Sqrt => B::float_sqrt(x),
        Op::Recip => B::float_recip(x),
        Op::Square => B::float_mul(x.clone(), x),
        Op::Abs => B::float_abs(x),
        Op::Sign => B::float_sign(x),
        Op::Relu => B::relu(x),
        Op::Step => number(B::float_greater_elem(x, Scalar::from(0.0), bool_dtype)),
        Op::Sin => B::float_sin(x),
        Op::Cos => B::float_cos(x),
        Op::Tanh => B::float_tanh(x),
        Op::Sigmoid => B::float_recip(B::float_add_scalar(B::float_exp(B::float_neg(x)), Scalar::from(1.0))),
        Op::Powf { exponent } => B::float_powf_scalar(x, Scalar::from(exponent)),
        Op::Clamp { low, high } => B::float_clamp(x, Scalar::from(low), Scalar::from(high)),
        Op::Within { low, high } => {
            let above = number(B::float_greater_equal_elem(x.clone(), Scalar::from(low), bool_dtype));
            B::float_mul(above, number(B::float_lower_equal_elem(x, Scalar::from(high), bool_dtype)))
        }
        Op::AddScalar { value } => B::float_add_scalar(x, Scalar::from(value)),
        Op::MulScalar { value } => B::float_mul_scalar(x, Scalar::from(value)),
        _ => return internal(op.name(), "not available on this device"),
    })
}

fn arithmetic<B: Backend>(op: &Op, a: FloatTensor<B>, b: FloatTensor<B>, shape: &[usize]) -> Result<FloatTensor<B>> {
    let (a, b) = (aligned::<B>(a, shape), aligned::<B>(b, shape));
    Ok(match op {
        Op::Add => B::float_add(a, b),
        Op::Sub => B::float_sub(a, b),
        Op::Mul => B::float_mul(a, b),
        Op::Div => B::float_div(a, b),
        _ => return internal(op.name(), "no arithmetic"),
    })
}

fn comparison<B: Backend>(op: &Op, a: FloatTensor<B>, b: FloatTensor<B>, shape: &[usize]) -> Result<FloatTensor<B>> {
    let dtype = bool_dtype::<B>(&a);
    let (a, b) = (expanded::<B>(a, shape), expanded::<B>(b, shape));
    let mask = match op {
        Op::Maximum => return Ok(B::float_mask_where(a.clone(), B::float_lower(a, b.clone(), dtype), b)),
        Op::Minimum => return Ok(B::float_mask_where(a.clone(), B::float_greater(a, b.clone(), dtype), b)),
        Op::Greater => B::float_greater(a, b, dtype),
        Op::GreaterEqual => B::float_greater_equal(a, b, dtype),
        Op::Less => B::float_lower(a, b, dtype),
        Op::LessEqual => B::float_lower_equal(a, b, dtype),
        _ => return internal(op.name(), "no comparison"),
    };
    Ok(B::bool_into_float(mask, FloatDType::F32))
}

fn bool_dtype<B: Backend>(x: &FloatTensor<B>) -> burn_backend::BoolDType {
    get_device_settings::<B>(&B::float_device(x)).bool_dtype
}

pub(super) fn zeros<B: Backend>(like: &FloatTensor<B>, shape: &[usize]) -> FloatTensor<B> {
    B::float_zeros(physical(shape), &B::float_device(like), FloatDType::F32)
}

/// With axes of length 1 put in front, so that both sides have the rank of the result.
fn aligned<B: Backend>(x: FloatTensor<B>, shape: &[usize]) -> FloatTensor<B> {
    let own = dims(&x);
    let rank = physical(shape).to_vec().len();
    if own.len() >= rank {
        return x;
    }
    let mut to = vec![1; rank - own.len()];
    to.extend(own);
    B::float_reshape(x, Shape::from(to))
}

pub(super) fn expanded<B: Backend>(x: FloatTensor<B>, shape: &[usize]) -> FloatTensor<B> {
    B::float_expand(aligned::<B>(x, shape), physical(shape))
}

fn cast<B: Backend>(x: &Array<B>, dtype: DType) -> Result<Array<B>> {
    Ok(match (x, dtype) {
        (_, DType::F64) => return internal("cast", "double precision outside the CPU"),
        (Array::Float(x), DType::I64) => Array::Int(B::float_into_int(x.clone(), IntDType::I64)),
        (Array::Int(x), DType::F32) => Array::Float(B::int_into_float(x.clone(), FloatDType::F32)),
        (x, _) => x.clone(),
    })
}

fn options(Sweep { stride, padding }: Sweep) -> ConvOptions<2> {
    ConvOptions::new(stride, padding, [1, 1], 1)
}

fn mean<B: Backend>(x: FloatTensor<B>, axes: NormAxes) -> FloatTensor<B> {
    axes.axes().iter().fold(x, |x, &axis| B::float_mean_dim(x, axis))
}

fn standardize<B: Backend>(x: FloatTensor<B>, axes: NormAxes, eps: f64) -> (FloatTensor<B>, FloatTensor<B>) {
    let centred = B::float_sub(x.clone(), mean::<B>(x, axes));
    let variance = mean::<B>(B::float_mul(centred.clone(), centred.clone()), axes);
    let r = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, Scalar::from(eps))));
    (B::float_mul(centred, r.clone()), r)
}

fn standardize_gradient<B: Backend>(
    y: FloatTensor<B>,
    r: FloatTensor<B>,
    g: FloatTensor<B>,
    axes: NormAxes,
) -> FloatTensor<B> {
    let along = mean::<B>(B::float_mul(g.clone(), y.clone()), axes);
    let centred = B::float_sub(g.clone(), mean::<B>(g, axes));
    B::float_mul(B::float_sub(centred, B::float_mul(y, along)), r)
}
