//! Shape and number type of every operation's result, and the checks that come before computing.

use super::{Conv2d, Op, Over, Window};
use crate::error::{Result, TensorError, shape_error, value_error};
use crate::size::checked_elements;
use crate::{DType, Device};

/// What checks need of a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Form<'a> {
    pub(crate) shape: &'a [usize],
    pub(crate) dtype: DType,
    pub(crate) device: Device,
}

/// Checks the inputs of `op` and gives shape and number type of its result. No kernel runs on what has not come through here.
pub(crate) fn infer(op: &Op, inputs: &[Form<'_>]) -> Result<(Vec<usize>, DType)> {
    let name = op.name();
    // A factor lies on the processor, wherever its matrix does.
    check_devices(name, if matches!(op, Op::Solve) { &inputs[..2] } else { inputs })?;
    let dtypes: Vec<DType> = inputs.iter().map(|input| input.dtype).collect();
    let dtype = result_dtype(op, &dtypes)?;
    let shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape).collect();
    let shape = result_shape(op, name, &shapes)?;
    checked_elements(name, &shape)?;
    Ok((shape, dtype))
}

fn check_devices(op: &'static str, inputs: &[Form<'_>]) -> Result<()> {
    let Some((first, rest)) = inputs.split_first() else { return value_error(op, "no tensors given") };
    match rest.iter().find(|other| other.device != first.device) {
        Some(other) => Err(TensorError::Devices { op, first: first.device.clone(), second: other.device.clone() }),
        None => Ok(()),
    }
}

fn result_dtype(op: &Op, dtypes: &[DType]) -> Result<DType> {
    let (first, is_float) = (dtypes[0], dtypes[0].is_float());
    let fail = |rule| Err(TensorError::DType { op: op.name(), dtypes: dtypes.to_vec(), rule });
    match op {
        Op::Cast { dtype } => Ok(*dtype),
        Op::OneHot { dtype, .. } if first == DType::I64 && dtype.is_float() => Ok(*dtype),
        Op::OneHot { .. } => fail("labels are i64, the result is f32 or f64"),
        Op::Gather { .. } | Op::ScatterAdd { .. } | Op::Take | Op::Put { .. } if dtypes[1] != DType::I64 => {
            fail("the rows are i64")
        }
        Op::Gather { .. } => Ok(first),
        Op::ScatterAdd { .. } | Op::Take | Op::Put { .. } if is_float => Ok(first),
        Op::ScatterAdd { .. } | Op::Take | Op::Put { .. } => fail("f32 or f64 is needed"),
        Op::Cholesky if is_float => Ok(DType::F64),
        Op::Solve if is_float && dtypes[1] == first => Ok(first),
        _ if dtypes.iter().any(|dtype| *dtype != first) => fail("all must have the same; use cast"),
        Op::Reshape { .. } | Op::Permute { .. } | Op::BroadcastTo { .. } | Op::Slice { .. } | Op::Concat { .. } => {
            Ok(first)
        }
        _ if !is_float => fail("f32 or f64 is needed"),
        Op::ArgMax { .. } | Op::ArgSort { .. } | Op::MaxPoolIndex { .. } => Ok(DType::I64),
        _ => Ok(first),
    }
}

fn result_shape(op: &Op, name: &'static str, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let x = shapes[0];
    match op {
        Op::Binary(_) | Op::Select => broadcast(name, shapes),
        Op::Gate => same(name, shapes),
        Op::Sum { axes } | Op::Max { axes } | Op::Min { axes } => {
            check_axes(name, x, axes)?;
            if !matches!(op, Op::Sum { .. }) && axes.iter().any(|&axis| x[axis] == 0) {
                return shape_error(name, shapes, "an empty axis has no extreme value");
            }
            Ok((0..x.len()).map(|axis| if axes.contains(&axis) { 1 } else { x[axis] }).collect())
        }
        Op::ArgMax { axis } => {
            check_axes(name, x, &[*axis])?;
            if x[*axis] == 0 {
                return shape_error(name, shapes, "an empty axis has no largest element");
            }
            Ok(without(x, *axis))
        }
        Op::Reshape { .. } | Op::Permute { .. } | Op::BroadcastTo { .. } | Op::Flip { .. } | Op::Pad { .. } => {
            rearranged(op, name, x)
        }
        Op::Slice { .. } | Op::Place { .. } | Op::Concat { .. } | Op::Gather { .. } | Op::ScatterAdd { .. } => {
            along_axis(op, name, shapes)
        }
        Op::Take | Op::Put { .. } => rowwise(op, name, shapes),
        Op::OneHot { classes, .. } => Ok([x, &[*classes]].concat()),
        Op::Matmul { transpose } => matmul(name, shapes, *transpose),
        Op::Cholesky | Op::Solve => solve(name, shapes),
        Op::Conv { .. } | Op::ConvInput { .. } | Op::ConvWeight { .. } => conv(op, name, shapes),
        Op::AvgPool { window } | Op::MaxPoolIndex { window } => pool(name, x, *window),
        Op::AvgPoolTranspose { window, size } => {
            let [n, c, h, w] = planes(name, x)?;
            let full = vec![n, c, size[0], size[1]];
            if pool(name, &full, *window)?[2..] != [h, w] {
                return shape_error(name, shapes, format!("these are not the windows of planes of {size:?}"));
            }
            Ok(full)
        }
        Op::Resample { map } => resample(name, x, map.images(), map.from(), map.to()),
        Op::ResampleTranspose { map } => resample(name, x, map.images(), map.to(), map.from()),
        Op::ChannelStatistics { .. } | Op::Norm { .. } => norm(op, name, shapes),
        _ => Ok(x.to_vec()),
    }
}

fn norm(op: &Op, name: &'static str, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let x = shapes[0];
    let [n, c, h, w] = planes(name, x)?;
    if h * w == 0 || (n == 0 && !matches!(op, Op::Norm { over: Over::Plane, .. })) {
        return shape_error(name, shapes, "no elements to take the mean of");
    }
    match op {
        Op::Norm { epilogue, .. } => {
            if shapes[1..3] != [&[c][..], &[c]] {
                return shape_error(name, shapes, "weight and bias have one number for each channel");
            }
            let [rows, columns] = epilogue.plane([h, w]);
            Ok(vec![n, c, rows, columns])
        }
        _ => Ok(vec![1, c, 2]),
    }
}

/// Numpy's rule: shapes are aligned at their last axis, and an axis of length 1 stretches.
pub(crate) fn broadcast(op: &'static str, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes {
        let offset = rank - shape.len();
        for (axis, &length) in shape.iter().enumerate() {
            let seen = &mut out[offset + axis];
            if *seen == 1 {
                *seen = length;
            } else if length != 1 && length != *seen {
                return shape_error(op, shapes, "aligned at the last axis, lengths must be equal or 1");
            }
        }
    }
    Ok(out)
}

fn same(op: &'static str, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    if shapes.iter().any(|shape| *shape != shapes[0]) {
        return shape_error(op, shapes, "they must be equal");
    }
    Ok(shapes[0].to_vec())
}

fn check_axes(op: &'static str, shape: &[usize], axes: &[usize]) -> Result<()> {
    let mut seen = vec![false; shape.len()];
    for &axis in axes {
        match seen.get_mut(axis) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => return shape_error(op, &[shape], format!("axis {axis} is given twice")),
            None => return shape_error(op, &[shape], format!("there is no axis {axis}")),
        }
    }
    Ok(())
}

fn without(shape: &[usize], axis: usize) -> Vec<usize> {
    shape.iter().enumerate().filter(|(i, _)| *i != axis).map(|(_, &length)| length).collect()
}

fn with_length(shape: &[usize], axis: usize, length: usize) -> Vec<usize> {
    let mut out = shape.to_vec();
    out[axis] = length;
    out
}

fn rearranged(op: &Op, name: &'static str, x: &[usize]) -> Result<Vec<usize>> {
    match op {
        Op::Reshape { shape } => {
            if checked_elements(name, shape)? != x.iter().product::<usize>() {
                return shape_error(name, &[x, shape], "the number of elements must stay");
            }
            Ok(shape.clone())
        }
        Op::Permute { axes } => {
            check_axes(name, x, axes)?;
            if axes.len() != x.len() {
                return shape_error(name, &[x], format!("{axes:?} does not list every axis once"));
            }
            Ok(axes.iter().map(|&axis| x[axis]).collect())
        }
        Op::BroadcastTo { shape } => {
            if broadcast(name, &[x, shape])? != *shape {
                return shape_error(name, &[x, shape], "the first does not stretch to the second");
            }
            Ok(shape.clone())
        }
        Op::Pad { widths } => {
            if widths.len() != x.len() {
                return shape_error(name, &[x], format!("{} widths are given for {} axes", widths.len(), x.len()));
            }
            Ok(x.iter()
                .zip(widths)
                .map(|(length, (before, after))| length.saturating_add(*before).saturating_add(*after))
                .collect())
        }
        Op::Flip { axes } => {
            check_axes(name, x, axes)?;
            Ok(x.to_vec())
        }
        _ => Ok(x.to_vec()),
    }
}

fn along_axis(op: &Op, name: &'static str, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let x = shapes[0];
    match op {
        Op::Slice { axis, start, end, step } => {
            check_axes(name, x, &[*axis])?;
            if start > end || *end > x[*axis] || *step == 0 {
                return shape_error(
                    name,
                    shapes,
                    format!("{start}..{end} in steps of {step} is no part of axis {axis}"),
                );
            }
            Ok(with_length(x, *axis, (end - start).div_ceil(*step)))
        }
        Op::Place { axis, start, step, size } => {
            check_axes(name, x, &[*axis])?;
            if *step == 0 || (x[*axis] > 0 && (x[*axis] - 1).saturating_mul(*step).saturating_add(*start) >= *size) {
                return shape_error(
                    name,
                    shapes,
                    format!("axis {axis} does not fit into {size} from {start} in steps of {step}"),
                );
            }
            Ok(with_length(x, *axis, *size))
        }
        Op::Concat { axis } => {
            check_axes(name, x, &[*axis])?;
            let length =
                shapes.iter().fold(0, |sum: usize, shape| sum.saturating_add(shape.get(*axis).copied().unwrap_or(0)));
            let out = with_length(x, *axis, length);
            let fits = |shape: &&[usize]| shape.len() == x.len() && without(shape, *axis) == without(x, *axis);
            if !shapes.iter().all(fits) {
                return shape_error(name, shapes, format!("all axes but axis {axis} must be equal"));
            }
            Ok(out)
        }
        Op::Gather { axis } | Op::ScatterAdd { axis, .. } => {
            check_axes(name, x, &[*axis])?;
            let [rows] = *shapes[1] else { return shape_error(name, shapes, "the rows have one axis") };
            match op {
                Op::ScatterAdd { size, .. } if rows == x[*axis] => Ok(with_length(x, *axis, *size)),
                Op::ScatterAdd { .. } => {
                    shape_error(name, shapes, format!("there must be one row number for each entry of axis {axis}"))
                }
                _ => Ok(with_length(x, *axis, rows)),
            }
        }
        _ => Ok(x.to_vec()),
    }
}

fn rowwise(op: &Op, name: &'static str, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let ([rows, columns], [index_rows, chosen]) = (shapes[0], shapes[1]) else {
        return shape_error(name, shapes, "both have two axes");
    };
    match op {
        Op::Put { size } if rows == index_rows && columns == chosen => Ok(vec![*rows, *size]),
        Op::Take if rows == index_rows => Ok(vec![*rows, *chosen]),
        _ => shape_error(name, shapes, "the rows must be the same"),
    }
}

fn matmul(op: &'static str, shapes: &[&[usize]], transpose: [bool; 2]) -> Result<Vec<usize>> {
    let ([batch, a0, a1], [other, b0, b1]) = (shapes[0], shapes[1]) else {
        return shape_error(op, shapes, "both have the axes [batch, row, column]");
    };
    let (m, k) = if transpose[0] { (a1, a0) } else { (a0, a1) };
    let (inner, n) = if transpose[1] { (b1, b0) } else { (b0, b1) };
    if batch != other || k != inner {
        let turned = match transpose {
            [false, false] => "",
            [true, false] => " (the first transposed)",
            [false, true] => " (the second transposed)",
            [true, true] => " (both transposed)",
        };
        return shape_error(op, shapes, format!("columns of the first{turned} must equal rows of the second"));
    }
    Ok(vec![*batch, *m, *n])
}

/// Rows of the largest system: minutes of work, which nothing can interrupt.
const LARGEST_SYSTEM: usize = 1 << 13;

/// Of a matrix alone, or of a matrix and what it is to be solved for.
fn solve(op: &'static str, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    match (shapes[0], shapes.get(1)) {
        (&[rows, _], _) if rows > LARGEST_SYSTEM => {
            shape_error(op, shapes, format!("a matrix has at most {LARGEST_SYSTEM} rows"))
        }
        (&[rows, columns], None) if rows == columns => Ok(vec![rows, rows]),
        (&[rows, columns], Some(&&[height, width])) if rows == columns && rows == height => Ok(vec![rows, width]),
        _ => shape_error(op, shapes, "a matrix [n, n] is solved for [n, m]"),
    }
}

fn planes(op: &'static str, shape: &[usize]) -> Result<[usize; 4]> {
    match <[usize; 4]>::try_from(shape) {
        Ok(shape) => Ok(shape),
        Err(_) => shape_error(op, &[shape], "the axes are [image, channel, row, column]"),
    }
}

fn conv(op: &Op, name: &'static str, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let first = planes(name, shapes[0])?;
    let second = planes(name, shapes[1])?;
    match op {
        Op::Conv { conv } => {
            if let Some(bias) = shapes.get(2)
                && **bias != [second[0]]
            {
                return shape_error(name, shapes, "the bias has one number for each output channel");
            }
            conv_shape(name, shapes, first, second, *conv)
        }
        Op::ConvInput { conv, size } => {
            let x = [first[0], second[1], size[0], size[1]];
            if conv_shape(name, shapes, x, second, *conv)? != first {
                return shape_error(name, shapes, format!("this gradient does not belong to planes of {size:?}"));
            }
            Ok(x.to_vec())
        }
        Op::ConvWeight { conv, kernel } => {
            let w = [second[1], first[1], kernel[0], kernel[1]];
            if conv_shape(name, shapes, first, w, *conv)? != second {
                return shape_error(name, shapes, format!("this gradient does not belong to kernels of {kernel:?}"));
            }
            Ok(w.to_vec())
        }
        _ => Ok(shapes[0].to_vec()),
    }
}

fn conv_shape(op: &'static str, shapes: &[&[usize]], x: [usize; 4], w: [usize; 4], conv: Conv2d) -> Result<Vec<usize>> {
    if x[1] != w[1] {
        return shape_error(op, shapes, "axis 1 (channels) of images and weights must be equal");
    }
    let padded = [0, 1].map(|side: usize| conv.padding[side].saturating_mul(2).saturating_add(x[2 + side]));
    checked_elements(op, &[x[0], x[1], padded[0], padded[1]])?;
    let mut out = vec![x[0], w[0], 0, 0];
    for (side, length) in padded.into_iter().enumerate() {
        let kernel = w[2 + side];
        if conv.stride[side] == 0 || kernel == 0 || length < kernel {
            let (stride, padding) = (conv.stride, conv.padding);
            return shape_error(
                op,
                shapes,
                format!("the kernel must fit into the padded plane (stride {stride:?}, padding {padding:?})"),
            );
        }
        out[2 + side] = (length - kernel) / conv.stride[side] + 1;
    }
    Ok(out)
}

fn pool(op: &'static str, x: &[usize], window: Window) -> Result<Vec<usize>> {
    let [n, c, h, w] = planes(op, x)?;
    let Window { kernel, stride } = window;
    if kernel.contains(&0) || stride.contains(&0) || h < kernel[0] || w < kernel[1] {
        return shape_error(op, &[x], format!("a window of {kernel:?} in steps of {stride:?} must fit into the plane"));
    }
    Ok(vec![n, c, (h - kernel[0]) / stride[0] + 1, (w - kernel[1]) / stride[1] + 1])
}

fn resample(
    op: &'static str,
    x: &[usize],
    images: Option<usize>,
    from: [usize; 2],
    to: [usize; 2],
) -> Result<Vec<usize>> {
    let [n, c, h, w] = planes(op, x)?;
    if [h, w] != from || images.is_some_and(|images| images != n) {
        let maps = images.map_or("all images".to_owned(), |images| format!("{images} images"));
        return shape_error(op, &[x], format!("the map is for {maps} with planes of {from:?}"));
    }
    Ok(vec![n, c, to[0], to[1]])
}
