//! Operations on the CPU: own kernels over slices; burn-flex keeps the storage and serves what needs no kernel.

use burn_backend::TensorData;
use burn_flex::FlexTensor;

use super::internal;
use super::{cpu_layout, cpu_norm};
use crate::error::{Result, value_error};
use crate::kernels::matmul::Layout;
use crate::kernels::resample::Planes;
use crate::kernels::standardize::Groups;
use crate::kernels::{Real, conv, descent, elementwise, layout, matmul, pool, reduce, resample, standardize};
use crate::op::{NormAxes, Op};
use crate::ops::descent::Descent;
use crate::{DType, ResampleMap};

/// A number type that the storage holds.
pub(crate) trait Stored: Real {
    fn slice(value: &FlexTensor) -> Option<&[Self]>;
    fn slice_mut(value: &mut FlexTensor) -> &mut [Self];
    fn data(values: Vec<Self>, shape: &[usize]) -> TensorData;
}

impl Stored for f32 {
    fn slice(value: &FlexTensor) -> Option<&[Self]> {
        value.as_slice::<Self>()
    }
    fn slice_mut(value: &mut FlexTensor) -> &mut [Self] {
        value.storage_mut::<Self>()
    }
    fn data(values: Vec<Self>, shape: &[usize]) -> TensorData {
        TensorData::new(values, shape)
    }
}

impl Stored for f64 {
    fn slice(value: &FlexTensor) -> Option<&[Self]> {
        value.as_slice::<Self>()
    }
    fn slice_mut(value: &mut FlexTensor) -> &mut [Self] {
        value.storage_mut::<Self>()
    }
    fn data(values: Vec<Self>, shape: &[usize]) -> TensorData {
        TensorData::new(values, shape)
    }
}

pub(crate) fn slice<T: Stored>(value: &FlexTensor) -> Result<&[T]> {
    T::slice(value).map_or_else(|| internal("storage", format!("unexpected storage {value:?}")), Ok)
}

pub(crate) fn wrap<T: Stored>(values: Vec<T>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(T::data(values, shape))
}

pub(crate) fn integers(value: &FlexTensor) -> Result<&[i64]> {
    value.as_slice::<i64>().map_or_else(|| internal("storage", format!("unexpected storage {value:?}")), Ok)
}

pub(crate) fn wrap_integers(values: Vec<i64>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

pub(super) fn descend(
    rule: &Descent,
    weight: &mut FlexTensor,
    gradient: &FlexTensor,
    buffer: Option<&mut FlexTensor>,
    first: bool,
) -> Result<()> {
    match gradient.dtype() {
        burn_backend::DType::F64 => descend_real::<f64>(rule, weight, gradient, buffer, first),
        _ => descend_real::<f32>(rule, weight, gradient, buffer, first),
    }
}

fn descend_real<T: Stored>(
    rule: &Descent,
    weight: &mut FlexTensor,
    gradient: &FlexTensor,
    buffer: Option<&mut FlexTensor>,
    first: bool,
) -> Result<()> {
    let step = descent::Step {
        lr: T::from_f64(rule.lr),
        momentum: T::from_f64(rule.momentum),
        weight_decay: (rule.weight_decay != 0.0).then(|| T::from_f64(rule.weight_decay)),
        nesterov: rule.nesterov,
    };
    let (weight, gradient) = (T::slice_mut(weight), slice(gradient)?);
    match buffer {
        Some(buffer) => descent::with_buffer(weight, gradient, T::slice_mut(buffer), first, step),
        None => descent::plain(weight, gradient, step),
    }
    Ok(())
}

/// A value with its by-products.
pub(super) type Outcome = (FlexTensor, Vec<FlexTensor>);

/// Computes `op`; shapes and types are those that `infer` has checked.
pub(crate) fn evaluate(op: &Op, inputs: &[&FlexTensor], shape: &[usize]) -> Result<Outcome> {
    let value = match (op, inputs[0].dtype()) {
        (Op::Reshape { .. }, _) => inputs[0].reshape(shape.into()),
        (Op::Cast { dtype }, _) => cast(inputs[0], *dtype, shape)?,
        (Op::OneHot { classes, dtype }, _) => one_hot(integers(inputs[0])?, *classes, *dtype, shape)?,
        (Op::Standardize { axes, eps }, burn_backend::DType::F64) => {
            return standardize_forward::<f64>(inputs[0], *axes, *eps);
        }
        (Op::Standardize { axes, eps }, _) => return standardize_forward::<f32>(inputs[0], *axes, *eps),
        (Op::Norm { .. } | Op::NormGradient { .. } | Op::NormCurvature { .. }, burn_backend::DType::F64) => {
            return cpu_norm::evaluate::<f64>(op, inputs, shape);
        }
        (Op::Norm { .. } | Op::NormGradient { .. } | Op::NormCurvature { .. }, _) => {
            return cpu_norm::evaluate::<f32>(op, inputs, shape);
        }
        (_, burn_backend::DType::I64) => cpu_layout::integer_op(op, inputs, shape)?,
        (_, burn_backend::DType::F64) => evaluate_real::<f64>(op, inputs, shape)?,
        _ => evaluate_real::<f32>(op, inputs, shape)?,
    };
    Ok((value, Vec::new()))
}

fn evaluate_real<T: Stored>(op: &Op, inputs: &[&FlexTensor], shape: &[usize]) -> Result<FlexTensor> {
    if let Some(values) = unary::<T>(op, slice(inputs[0])?) {
        return Ok(wrap(values, shape));
    }
    match op {
        Op::ArgMax { axis } => {
            let (x, x_shape) = view::<T>(inputs[0])?;
            Ok(wrap_integers(reduce::argmax(x, &x_shape, *axis), shape))
        }
        Op::MaxPoolIndex { window } => {
            let (x, x_shape) = view::<T>(inputs[0])?;
            let (_, index) = pool::max_with_index(x, &four(&x_shape)?, window.kernel, window.stride);
            Ok(wrap_integers(index, shape))
        }
        _ => Ok(wrap(evaluate_values::<T>(op, inputs, shape)?, shape)),
    }
}

fn evaluate_values<T: Stored>(op: &Op, inputs: &[&FlexTensor], shape: &[usize]) -> Result<Vec<T>> {
    match op {
        Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Maximum
        | Op::Minimum
        | Op::Greater
        | Op::GreaterEqual
        | Op::Less
        | Op::LessEqual
        | Op::Gate => binary(op, inputs, shape),
        Op::Select => {
            let (mask, mask_shape) = view::<T>(inputs[0])?;
            let (a, a_shape) = view::<T>(inputs[1])?;
            let (b, b_shape) = view::<T>(inputs[2])?;
            Ok(elementwise::select(mask, &mask_shape, a, &a_shape, b, &b_shape, shape))
        }
        Op::Sum { axes } => view::<T>(inputs[0]).map(|(x, x_shape)| reduce::sum(x, &x_shape, axes)),
        Op::Max { axes } => view::<T>(inputs[0]).map(|(x, x_shape)| reduce::max(x, &x_shape, axes)),
        Op::Min { axes } => view::<T>(inputs[0]).map(|(x, x_shape)| reduce::min(x, &x_shape, axes)),
        Op::Matmul { transpose } => product(inputs, *transpose, shape),
        Op::Conv { .. } | Op::ConvInput { .. } | Op::ConvWeight { .. } => convolution(op, inputs, shape),
        Op::AvgPool { window } => {
            let (x, x_shape) = view::<T>(inputs[0])?;
            Ok(pool::average(x, &four(&x_shape)?, window.kernel, window.stride))
        }
        Op::AvgPoolTranspose { window, .. } => {
            Ok(pool::average_gradient(slice(inputs[0])?, &four(shape)?, window.kernel, window.stride))
        }
        Op::Resample { map } => {
            Ok(resample::apply(slice(inputs[0])?, map_planes(map, shape[1]), |image| map.entries(image)))
        }
        Op::ResampleTranspose { map } => {
            Ok(resample::transpose(slice(inputs[0])?, map_planes(map, shape[1]), |image| map.entries(image)))
        }
        Op::InverseStd { axes, eps } => {
            let (x, x_shape) = view::<T>(inputs[0])?;
            Ok(standardize::forward(x, groups(*axes, &x_shape), T::from_f64(*eps)).2)
        }
        Op::StandardizeGradient { axes } => {
            let (y, y_shape) = view::<T>(inputs[0])?;
            Ok(standardize::gradient(y, slice(inputs[1])?, slice(inputs[2])?, groups(*axes, &y_shape)))
        }
        _ => rearrange(op, inputs),
    }
}

fn unary<T: Real>(op: &Op, x: &[T]) -> Option<Vec<T>> {
    let (zero, one) = (T::ZERO, T::ONE);
    let number = |condition: bool| if condition { one } else { zero };
    Some(match *op {
        Op::Neg => elementwise::unary(x, |x| -x),
        Op::Exp => elementwise::unary(x, T::exp),
        Op::Log => elementwise::unary(x, T::ln),
        Op::Sqrt => elementwise::unary(x, T::sqrt),
        Op::Recip => elementwise::unary(x, |x| one / x),
        Op::Square => elementwise::unary(x, |x| x * x),
        Op::Abs => elementwise::unary(x, T::abs),
        Op::Sign => elementwise::unary(x, |x| number(x > zero) - number(x < zero)),
        Op::Relu => elementwise::unary(x, |x| x.maximum(zero)),
        Op::Step => elementwise::unary(x, |x| number(x > zero)),
        Op::Sin => elementwise::unary(x, T::sin),
        Op::Cos => elementwise::unary(x, T::cos),
        Op::Tanh => elementwise::unary(x, T::tanh),
        Op::Sigmoid => elementwise::unary(x, |x| one / (one + (-x).exp())),
        Op::Powf { exponent } => {
            let exponent = T::from_f64(exponent);
            elementwise::unary(x, |x| x.powf(exponent))
        }
        Op::Clamp { low, high } => {
            let (low, high) = (T::from_f64(low), T::from_f64(high));
            elementwise::unary(x, |x| x.maximum(low).minimum(high))
        }
        Op::Within { low, high } => {
            let (low, high) = (T::from_f64(low), T::from_f64(high));
            elementwise::unary(x, |x| number(x >= low && x <= high))
        }
        Op::AddScalar { value } => {
            let value = T::from_f64(value);
            elementwise::unary(x, |x| x + value)
        }
        Op::MulScalar { value } => {
            let value = T::from_f64(value);
            elementwise::unary(x, |x| x * value)
        }
        _ => return None,
    })
}

fn binary<T: Stored>(op: &Op, inputs: &[&FlexTensor], shape: &[usize]) -> Result<Vec<T>> {
    let (a, a_shape) = view::<T>(inputs[0])?;
    let (b, b_shape) = view::<T>(inputs[1])?;
    let number = |condition: bool| if condition { T::ONE } else { T::ZERO };
    Ok(match op {
        Op::Add => elementwise::binary(a, &a_shape, b, &b_shape, shape, |a, b| a + b),
        Op::Sub => elementwise::binary(a, &a_shape, b, &b_shape, shape, |a, b| a - b),
        Op::Mul => elementwise::binary(a, &a_shape, b, &b_shape, shape, |a, b| a * b),
        Op::Div => elementwise::binary(a, &a_shape, b, &b_shape, shape, |a, b| a / b),
        Op::Maximum => elementwise::binary(a, &a_shape, b, &b_shape, shape, T::maximum),
        Op::Minimum => elementwise::binary(a, &a_shape, b, &b_shape, shape, T::minimum),
        Op::Greater => elementwise::binary(a, &a_shape, b, &b_shape, shape, |a, b| number(a > b)),
        Op::GreaterEqual => elementwise::binary(a, &a_shape, b, &b_shape, shape, |a, b| number(a >= b)),
        Op::Less => elementwise::binary(a, &a_shape, b, &b_shape, shape, |a, b| number(a < b)),
        Op::LessEqual => elementwise::binary(a, &a_shape, b, &b_shape, shape, |a, b| number(a <= b)),
        Op::Gate => elementwise::binary(a, &a_shape, b, &b_shape, shape, |g, x| if x > T::ZERO { g } else { T::ZERO }),
        _ => return internal(op.name(), "no kernel for two inputs"),
    })
}

fn product<T: Stored>(inputs: &[&FlexTensor], transpose: [bool; 2], shape: &[usize]) -> Result<Vec<T>> {
    let (a, a_shape) = view::<T>(inputs[0])?;
    let (b, b_shape) = view::<T>(inputs[1])?;
    let inner = if transpose[0] { a_shape[1] } else { a_shape[2] };
    let lies = |shape: &[usize], turned: bool| {
        let (row_stride, column_stride) = if turned { (1, shape[2]) } else { (shape[2], 1) };
        Layout { batch_stride: shape[1] * shape[2], row_stride, column_stride }
    };
    let [batch, m, n] = *shape else { return internal("matmul", "the result has three axes") };
    Ok(matmul::matmul(batch, m, inner, n, a, lies(&a_shape, transpose[0]), b, lies(&b_shape, transpose[1])))
}

fn convolution<T: Stored>(op: &Op, inputs: &[&FlexTensor], shape: &[usize]) -> Result<Vec<T>> {
    let (first, first_shape) = view::<T>(inputs[0])?;
    let (second, second_shape) = view::<T>(inputs[1])?;
    let (first_shape, second_shape) = (four(&first_shape)?, four(&second_shape)?);
    Ok(match op {
        Op::Conv { sweep } => {
            let bias = inputs.get(2).map(|bias| slice::<T>(bias)).transpose()?;
            conv::forward(first, &first_shape, second, &second_shape, bias, sweep.stride, sweep.padding)
        }
        Op::ConvInput { sweep, .. } => {
            conv::input_gradient(first, &first_shape, second, &second_shape, &four(shape)?, sweep.stride, sweep.padding)
        }
        Op::ConvWeight { sweep, .. } => conv::weight_gradient(
            first,
            &first_shape,
            second,
            &second_shape,
            &four(shape)?,
            sweep.stride,
            sweep.padding,
        ),
        _ => return internal(op.name(), "not a convolution"),
    })
}

fn rearrange<T: Stored>(op: &Op, inputs: &[&FlexTensor]) -> Result<Vec<T>> {
    let (x, shape) = view::<T>(inputs[0])?;
    match op {
        Op::Permute { axes } => Ok(layout::permute(x, &shape, axes)),
        Op::BroadcastTo { shape: to } => Ok(layout::broadcast_to(x, &shape, to)),
        Op::Slice { axis, start, end, step } => Ok(layout::slice(x, &shape, *axis, *start, *end, *step)),
        Op::Place { axis, start, step, size } => Ok(cpu_layout::place(x, &shape, *axis, [*start, *step, *size])),
        Op::Pad { widths } => Ok(layout::pad(x, &shape, widths)),
        Op::Flip { axes } => Ok(layout::flip(x, &shape, axes)),
        Op::Concat { axis } => {
            let parts = inputs.iter().map(|input| view::<T>(input)).collect::<Result<Vec<_>>>()?;
            let parts: Vec<(&[T], &[usize])> = parts.iter().map(|(x, shape)| (*x, shape.as_slice())).collect();
            Ok(layout::concat(&parts, *axis))
        }
        Op::Gather { axis } => Ok(layout::gather(x, &shape, *axis, rows_in(op, inputs[1], shape[*axis])?)),
        Op::ScatterAdd { axis, size } => {
            Ok(layout::scatter_add(x, &shape, *axis, rows_in(op, inputs[1], *size)?, *size))
        }
        Op::Take => {
            let index = rows_in(op, inputs[1], shape[1])?;
            Ok(pool::plane_gather(x, shape[1], index, dims(inputs[1])[1]))
        }
        Op::Put { size } => Ok(pool::plane_scatter_add(x, shape[1], rows_in(op, inputs[1], *size)?, *size)),
        _ => internal(op.name(), "no kernel"),
    }
}

/// The indices, all checked to lie in `0..size`.
pub(super) fn rows_in<'a>(op: &Op, rows: &'a FlexTensor, size: usize) -> Result<&'a [i64]> {
    let rows = integers(rows)?;
    match rows.iter().find(|row| usize::try_from(**row).map_or(true, |row| row >= size)) {
        Some(row) => value_error(op.name(), format!("row {row} lies outside 0..{size}")),
        None => Ok(rows),
    }
}

fn standardize_forward<T: Stored>(x: &FlexTensor, axes: NormAxes, eps: f64) -> Result<Outcome> {
    let (x, shape) = view::<T>(x)?;
    let (y, _mean, inverse_std) = standardize::forward(x, groups(axes, &shape), T::from_f64(eps));
    Ok((wrap(y, &shape), vec![wrap(inverse_std, &axes.reduced(&shape))]))
}

fn map_planes(map: &ResampleMap, channels: usize) -> Planes {
    let pixels = |[rows, columns]: [usize; 2]| rows * columns;
    Planes { channels, from: pixels(map.from()), to: pixels(map.to()), taps: map.taps() }
}

fn groups(axes: NormAxes, shape: &[usize]) -> Groups {
    let (images, channels, plane) = (shape[0], shape[1], shape[2] * shape[3]);
    match axes {
        NormAxes::Instance => Groups::Instance { images, channels, plane },
        NormAxes::Batch => Groups::Batch { images, channels, plane },
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "conversion is what a cast is for")]
fn cast(x: &FlexTensor, dtype: DType, shape: &[usize]) -> Result<FlexTensor> {
    use burn_backend::DType as Stored;
    Ok(match (x.dtype(), dtype) {
        (Stored::F32, DType::F64) => wrap(slice::<f32>(x)?.iter().map(|&v| v.to_f64()).collect::<Vec<f64>>(), shape),
        (Stored::F32, DType::I64) => wrap_integers(slice::<f32>(x)?.iter().map(|&v| v as i64).collect(), shape),
        (Stored::F64, DType::F32) => wrap(slice::<f64>(x)?.iter().map(|&v| v as f32).collect::<Vec<f32>>(), shape),
        (Stored::F64, DType::I64) => wrap_integers(slice::<f64>(x)?.iter().map(|&v| v as i64).collect(), shape),
        (Stored::I64, DType::F32) => wrap(integers(x)?.iter().map(|&v| v as f32).collect::<Vec<f32>>(), shape),
        (Stored::I64, DType::F64) => wrap(integers(x)?.iter().map(|&v| v as f64).collect::<Vec<f64>>(), shape),
        _ => x.clone(),
    })
}

fn one_hot(labels: &[i64], classes: usize, dtype: DType, shape: &[usize]) -> Result<FlexTensor> {
    fn rows<T: Stored>(labels: &[i64], classes: usize) -> Result<Vec<T>> {
        let mut out = vec![T::ZERO; labels.len() * classes];
        for (row, &label) in labels.iter().enumerate() {
            match usize::try_from(label) {
                Ok(label) if label < classes => out[row * classes + label] = T::ONE,
                _ => return value_error("one_hot", format!("label {label} lies outside 0..{classes}")),
            }
        }
        Ok(out)
    }
    if dtype == DType::F64 {
        Ok(wrap(rows::<f64>(labels, classes)?, shape))
    } else {
        Ok(wrap(rows::<f32>(labels, classes)?, shape))
    }
}

pub(super) fn dims(value: &FlexTensor) -> Vec<usize> {
    value.layout().shape().to_vec()
}

pub(super) fn view<T: Stored>(value: &FlexTensor) -> Result<(&[T], Vec<usize>)> {
    Ok((slice(value)?, dims(value)))
}

pub(super) fn four(shape: &[usize]) -> Result<[usize; 4]> {
    shape.try_into().or_else(|_| internal("planes", format!("shape {shape:?} has not four axes")))
}
