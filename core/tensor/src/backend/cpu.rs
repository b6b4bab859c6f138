//! Operations on the CPU: from an operation to its kernel.

use super::array::{Array, RealStored, Stored};
use super::failure::internal;
use crate::error::{Result, value_error};
use crate::op::elementwise::{binary_table, unary_table};
use crate::op::{Binary, Descent, Epilogue, Op, Over, Unary};
use crate::{DType, ResampleMap};
use pddflow_kernels::matmul::Factor;
use pddflow_kernels::norm::{self, Affine, Cotangents, Planes, Saved};
use pddflow_kernels::resample::Sizes;
use pddflow_kernels::{Real, conv, descent, elementwise, layout, matmul, pool, reduce, resample};

pub(super) fn descend(
    rule: &Descent,
    weight: &mut Array,
    gradient: &Array,
    buffer: Option<&mut Array>,
    first: bool,
) -> Result<()> {
    match gradient.dtype() {
        DType::F64 => descend_real::<f64>(rule, weight, gradient, buffer, first),
        _ => descend_real::<f32>(rule, weight, gradient, buffer, first),
    }
}

fn descend_real<T: RealStored>(
    rule: &Descent,
    weight: &mut Array,
    gradient: &Array,
    buffer: Option<&mut Array>,
    first: bool,
) -> Result<()> {
    let step = descent::Step {
        lr: T::from_f64(rule.lr),
        momentum: T::from_f64(rule.momentum),
        weight_decay: (rule.weight_decay != 0.0).then(|| T::from_f64(rule.weight_decay)),
        nesterov: rule.nesterov,
    };
    let (weight, gradient) = (weight.slice_mut::<T>()?, gradient.slice()?);
    match buffer {
        Some(buffer) => descent::with_buffer(weight, gradient, buffer.slice_mut()?, first, step),
        None => descent::plain(weight, gradient, step),
    }
    Ok(())
}

/// A value with its saved values.
pub(super) type Outcome = (Array, Vec<Array>);

/// Computes `op`; shapes and types are those that `infer` has checked.
pub(crate) fn evaluate(op: &Op, inputs: &[&Array], shape: &[usize]) -> Result<Outcome> {
    let x = inputs[0];
    let value = match (op, x.dtype()) {
        (Op::Reshape { .. }, _) => x.reshaped(shape),
        (Op::Cast { dtype }, _) => cast(x, *dtype)?,
        (Op::OneHot { classes, dtype: DType::F64 }, _) => Array::new(one_hot::<f64>(x.slice()?, *classes)?, shape),
        (Op::OneHot { classes, .. }, _) => Array::new(one_hot::<f32>(x.slice()?, *classes)?, shape),
        (_, DType::I64) => Array::new(rearrange::<i64>(op, inputs)?, shape),
        (_, DType::F32) => return evaluate_real::<f32>(op, inputs, shape),
        (_, DType::F64) => return evaluate_real::<f64>(op, inputs, shape),
    };
    Ok((value, Vec::new()))
}

/// What gives more than one result, or one of another type; then all the others.
fn evaluate_real<T: RealStored>(op: &Op, inputs: &[&Array], shape: &[usize]) -> Result<Outcome> {
    let (x, x_shape) = inputs[0].view::<T>()?;
    let value = match op {
        Op::Norm { .. } | Op::NormGradient { .. } | Op::NormCurvature { .. } => {
            return normalise::<T>(op, inputs, shape);
        }
        Op::ChannelStatistics { eps } => {
            let planes = Planes::new(four(x_shape)?, Over::Channel, Epilogue::Identity);
            Array::new(norm::statistics(x, planes, T::from_f64(*eps)), shape)
        }
        Op::ArgMax { axis } => Array::new(reduce::argmax(x, x_shape, *axis), shape),
        Op::MaxPoolIndex { window } => {
            Array::new(pool::max_index(x, &four(x_shape)?, window.kernel, window.stride), shape)
        }
        _ => Array::new(numbers_of::<T>(op, inputs, shape)?, shape),
    };
    Ok((value, Vec::new()))
}

fn numbers_of<T: RealStored>(op: &Op, inputs: &[&Array], shape: &[usize]) -> Result<Vec<T>> {
    let (x, x_shape) = inputs[0].view::<T>()?;
    let second = |index: usize| inputs[index].view::<T>();
    Ok(match op {
        Op::Unary(op) => unary(*op, x),
        Op::Binary(op) => binary(*op, (x, x_shape), second(1)?, shape),
        Op::Gate => elementwise::binary((x, x_shape), second(1)?, shape, |g, x| if x > T::ZERO { g } else { T::ZERO }),
        Op::Select => elementwise::select((x, x_shape), second(1)?, second(2)?, shape),
        Op::Sum { axes } => reduce::sum(x, x_shape, axes),
        Op::Max { axes } => reduce::max(x, x_shape, axes),
        Op::Min { axes } => reduce::min(x, x_shape, axes),
        Op::Matmul { transpose } => {
            let (b, b_shape) = second(1)?;
            matmul::matmul(Factor::new(x, x_shape, transpose[0]), Factor::new(b, b_shape, transpose[1]))
        }
        Op::Conv { .. } | Op::ConvInput { .. } | Op::ConvWeight { .. } => convolution(op, inputs, shape)?,
        Op::AvgPool { window } => pool::average(x, &four(x_shape)?, window.kernel, window.stride),
        Op::AvgPoolTranspose { window, .. } => pool::average_gradient(x, &four(shape)?, window.kernel, window.stride),
        Op::Resample { map } => resample::apply(x, sizes(map, shape[1]), |image| map.entries(image)),
        Op::ResampleTranspose { map } => resample::transpose(x, sizes(map, shape[1]), |image| map.entries(image)),
        Op::ScatterAdd { axis, size } => layout::scatter_add(x, x_shape, *axis, rows_in(op, inputs[1], *size)?, *size),
        Op::Take => {
            let index = rows_in(op, inputs[1], x_shape[1])?;
            pool::plane_gather(x, x_shape[1], index, inputs[1].shape()[1])
        }
        Op::Put { size } => pool::plane_scatter_add(x, x_shape[1], rows_in(op, inputs[1], *size)?, *size),
        _ => rearrange(op, inputs)?,
    })
}

fn number<T: Real>(condition: bool) -> T {
    if condition { T::ONE } else { T::ZERO }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident),* })? $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $rule:expr)?;)*) => {
        fn unary<T: Real>(op: Unary, x: &[T]) -> Vec<T> {
            match op {
                $(Unary::$variant $({ $($field),* })? => elementwise::unary(x, $kernel),)*
            }
        }
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $variant:ident $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $by_a:expr, $by_b:expr)?;)*) => {
        fn binary<T: Real>(op: Binary, a: (&[T], &[usize]), b: (&[T], &[usize]), shape: &[usize]) -> Vec<T> {
            match op {
                $(Binary::$variant => elementwise::binary(a, b, shape, $kernel),)*
            }
        }
    };
}

unary_table!(unary);
binary_table!(binary);

fn convolution<T: RealStored>(op: &Op, inputs: &[&Array], shape: &[usize]) -> Result<Vec<T>> {
    let (first, first_shape) = inputs[0].view::<T>()?;
    let (second, second_shape) = inputs[1].view::<T>()?;
    let (first_shape, second_shape) = (four(first_shape)?, four(second_shape)?);
    Ok(match op {
        Op::Conv { conv } => {
            let bias = inputs.get(2).map(|bias| bias.slice::<T>()).transpose()?;
            let geometry = conv::Geometry::new(&first_shape, &second_shape, conv.stride, conv.padding);
            conv::forward(first, second, bias, &geometry)
        }
        Op::ConvInput { conv, .. } => {
            let geometry = conv::Geometry::new(&four(shape)?, &second_shape, conv.stride, conv.padding);
            conv::input_gradient(first, second, &geometry)
        }
        Op::ConvWeight { conv, .. } => {
            let geometry = conv::Geometry::new(&first_shape, &four(shape)?, conv.stride, conv.padding);
            conv::weight_gradient(first, second, &geometry)
        }
        _ => return internal(op.name(), "not a convolution"),
    })
}

/// Normalisation with its epilogue, and its derivatives: see [`norm`].
fn normalise<T: RealStored>(op: &Op, inputs: &[&Array], shape: &[usize]) -> Result<Outcome> {
    let (x, x_shape) = inputs[0].view::<T>()?;
    let affine = Affine { weight: inputs[1].slice()?, bias: inputs[2].slice()? };
    let sizes = |over, epilogue| Ok(Planes::new(four(x_shape)?, over, epilogue));
    let groups = |over: Over| [over.rows(x_shape[0]), x_shape[1]];
    let pairs = |over: Over| [over.rows(x_shape[0]), x_shape[1], 2];
    let saved = || Ok(Saved { x, affine, statistics: inputs[3].slice()?, g: inputs[4].slice()? });
    match op {
        Op::Norm { eps, over: over @ Over::Plane, epilogue } => {
            let (y, statistics) = norm::forward(x, affine, sizes(*over, *epilogue)?, T::from_f64(*eps));
            Ok((Array::new(y, shape), vec![Array::new(statistics, &pairs(*over))]))
        }
        Op::Norm { over, epilogue, .. } => {
            let y = norm::forward_by(x, affine, inputs[3].slice()?, sizes(*over, *epilogue)?);
            Ok((Array::new(y, shape), Vec::new()))
        }
        Op::NormGradient { over, epilogue, .. } => {
            let (by_x, sums, totals) = norm::gradient(saved()?, sizes(*over, *epilogue)?);
            Ok((Array::new(by_x, shape), vec![Array::new(sums, &pairs(*over)), Array::new(totals, &x_shape[..2])]))
        }
        Op::NormCurvature { over, epilogue, .. } => {
            let cotangents = Cotangents { c: inputs[6].slice()?, sums: inputs[7].slice()? };
            let sizes = sizes(*over, *epilogue)?;
            let (by_x, by_g, by_weight) = norm::curvature(saved()?, inputs[5].slice()?, cotangents, sizes);
            let by_g = Array::new(by_g, inputs[4].shape());
            Ok((Array::new(by_x, shape), vec![by_g, Array::new(by_weight, &groups(*over))]))
        }
        _ => internal(op.name(), "no normalisation"),
    }
}

/// Rearrangements, which exist for integers too.
fn rearrange<T: Stored>(op: &Op, inputs: &[&Array]) -> Result<Vec<T>> {
    let (x, shape) = inputs[0].view::<T>()?;
    let with = |axis: usize, ones: usize, value: usize| {
        let mut all = vec![ones; shape.len()];
        all[axis] = value;
        all
    };
    Ok(match op {
        Op::Permute { axes } => layout::permute(x, shape, axes),
        Op::BroadcastTo { shape: to } => layout::broadcast_to(x, shape, to),
        Op::Slice { axis, start, end, step } => layout::slice(x, shape, *axis, [*start, *end, *step]),
        Op::Flip { axes } => layout::flip(x, shape, axes),
        Op::Place { axis, start, step, size } => {
            let mut to = shape.to_vec();
            to[*axis] = *size;
            layout::embed(x, shape, &to, &with(*axis, 0, *start), &with(*axis, 1, *step))
        }
        Op::Pad { widths } => {
            let to: Vec<usize> =
                shape.iter().zip(widths).map(|(length, (before, after))| before + length + after).collect();
            let before: Vec<usize> = widths.iter().map(|(before, _)| *before).collect();
            layout::embed(x, shape, &to, &before, &vec![1; shape.len()])
        }
        Op::Concat { axis } => {
            let parts = inputs.iter().map(|input| input.view::<T>()).collect::<Result<Vec<_>>>()?;
            layout::concat(&parts, *axis)
        }
        Op::Gather { axis } => layout::gather(x, shape, *axis, rows_in(op, inputs[1], shape[*axis])?),
        _ => return internal(op.name(), "no kernel"),
    })
}

/// Whether indices lie in `0..size`.
pub(super) fn check_rows(op: &Op, rows: &Array, size: usize) -> Result<()> {
    rows_in(op, rows, size).map(|_| ())
}

/// The indices, all checked to lie in `0..size`.
fn rows_in<'a>(op: &Op, rows: &'a Array, size: usize) -> Result<&'a [i64]> {
    let rows = rows.slice::<i64>()?;
    match rows.iter().find(|row| usize::try_from(**row).map_or(true, |row| row >= size)) {
        Some(row) => value_error(op.name(), format!("row {row} lies outside 0..{size}")),
        None => Ok(rows),
    }
}

fn sizes(map: &ResampleMap, channels: usize) -> Sizes {
    let pixels = |[rows, columns]: [usize; 2]| rows * columns;
    Sizes { channels, from: pixels(map.from()), to: pixels(map.to()), taps: map.taps() }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "conversion is what a cast is for")]
fn cast(x: &Array, dtype: DType) -> Result<Array> {
    fn each<A: Stored, B: Stored>(x: &Array, convert: impl Fn(A) -> B) -> Result<Array> {
        Ok(Array::new(x.slice()?.iter().map(|&value| convert(value)).collect(), x.shape()))
    }
    match (x.dtype(), dtype) {
        (DType::F32, DType::F64) => each(x, |value: f32| f64::from(value)),
        (DType::F32, DType::I64) => each(x, |value: f32| value as i64),
        (DType::F64, DType::F32) => each(x, |value: f64| value as f32),
        (DType::F64, DType::I64) => each(x, |value: f64| value as i64),
        (DType::I64, DType::F32) => each(x, |value: i64| value as f32),
        (DType::I64, DType::F64) => each(x, |value: i64| value as f64),
        _ => Ok(x.clone()),
    }
}

fn one_hot<T: Real>(labels: &[i64], classes: usize) -> Result<Vec<T>> {
    let mut out = vec![T::ZERO; labels.len() * classes];
    for (row, &label) in labels.iter().enumerate() {
        match usize::try_from(label) {
            Ok(label) if label < classes => out[row * classes + label] = T::ONE,
            _ => return value_error("one_hot", format!("label {label} lies outside 0..{classes}")),
        }
    }
    Ok(out)
}

fn four(shape: &[usize]) -> Result<[usize; 4]> {
    shape.try_into().or_else(|_| internal("planes", format!("shape {shape:?} has not four axes")))
}
