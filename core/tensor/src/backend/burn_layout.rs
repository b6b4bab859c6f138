//! Rearrangements through burn's dispatch.

use burn_backend::{FloatDType, Shape, Slice, TensorData, get_device_settings};
use burn_dispatch::{Dispatch, DispatchDevice};

use super::burn_array::{Array, dims, expanded, float_type, integers, physical, zeros};
use super::calls::{Calls as B, Tensor};
use super::failure::internal;
use crate::ResampleMap;
use crate::error::Result;
use crate::op::Op;

pub(super) fn float_op(op: &Op, x: Tensor, inputs: &[&Array], shape: &[usize]) -> Result<Tensor> {
    let name = op.name();
    Ok(match op {
        Op::Reshape { .. } => B::float_reshape(x, physical(shape)),
        Op::Permute { axes } => B::float_permute(x, axes),
        Op::BroadcastTo { .. } => expanded(x, shape),
        Op::Slice { axis, start, end, step } => B::float_slice(x, &along(shape.len(), *axis, [*start, *end, *step])),
        Op::Place { axis, start, step, .. } => {
            let count = i64::try_from(dims(&x)[*axis]).unwrap_or(i64::MAX);
            let [start, step] = [*start, *step].map(|v| i64::try_from(v).unwrap_or(i64::MAX));
            let rows = (0..count).map(|i| start + i * step).collect();
            let rows = vector(rows, &B::float_device(&x));
            B::float_select_add(zeros(&x, shape), *axis, rows, x)
        }
        Op::Pad { widths } => {
            let ranges = widths.iter().zip(dims(&x)).map(|(&(before, _), size)| part([before, before + size, 1]));
            B::float_slice_assign(zeros(&x, shape), &ranges.collect::<Vec<_>>(), x)
        }
        Op::Flip { axes } => B::float_flip(x, axes),
        Op::Concat { axis } => {
            let parts = inputs.iter().map(|input| input.float(name)).collect::<Result<Vec<_>>>()?;
            B::float_cat(parts, *axis)
        }
        Op::Gather { axis } => B::float_select(x, *axis, inputs[1].int(name)?),
        Op::ScatterAdd { axis, .. } => B::float_select_add(zeros(&x, shape), *axis, inputs[1].int(name)?, x),
        Op::Take => B::float_gather(1, x, inputs[1].int(name)?),
        Op::Put { .. } => B::float_scatter_add(1, zeros(&x, shape), inputs[1].int(name)?, x),
        _ => return internal(name, "no rearrangement"),
    })
}

pub(super) fn integer_op(op: &Op, x: Tensor, inputs: &[&Array], shape: &[usize]) -> Result<Tensor> {
    let name = op.name();
    Ok(match op {
        Op::Reshape { .. } => B::int_reshape(x, physical(shape)),
        Op::Permute { axes } => B::int_permute(x, axes),
        Op::BroadcastTo { .. } => {
            let own = dims(&x);
            let mut to = vec![1; physical(shape).to_vec().len().saturating_sub(own.len())];
            to.extend(own);
            B::int_expand(B::int_reshape(x, Shape::from(to)), physical(shape))
        }
        Op::Slice { axis, start, end, step } => B::int_slice(x, &along(shape.len(), *axis, [*start, *end, *step])),
        Op::Concat { axis } => {
            let parts = inputs.iter().map(|input| input.int(name)).collect::<Result<Vec<_>>>()?;
            B::int_cat(parts, *axis)
        }
        Op::Gather { axis } => B::int_select(x, *axis, inputs[1].int(name)?),
        _ => return internal(name, "no integer form"),
    })
}

pub(super) fn one_hot(labels: Tensor, classes: usize, shape: &[usize], dtype: FloatDType) -> Tensor {
    let device = B::int_device(&labels);
    let count = dims(&labels).iter().product::<usize>();
    let table = Shape::from([count, classes]);
    let labels = B::int_expand(B::int_reshape(labels, Shape::from([count, 1])), table.clone());
    let numbers = vector((0..i64::try_from(classes).unwrap_or(i64::MAX)).collect(), &device);
    let numbers = B::int_expand(B::int_reshape(numbers, Shape::from([1, classes])), table);
    let mask = B::int_equal(labels, numbers, get_device_settings::<Dispatch>(&device).bool_dtype);
    B::float_reshape(B::bool_into_float(mask, dtype), physical(shape))
}

/// Every output pixel from its taps: gathered, weighted, added up.
pub(super) fn resample(x: Tensor, map: &ResampleMap) -> Tensor {
    let size = dims(&x);
    let (images, channels) = (size[0], size[1]);
    let [from, to] = [map.from(), map.to()].map(|[rows, columns]| rows * columns);
    let (index, weight) = tables(map, [images, channels], &x);
    let taken = B::float_gather(2, B::float_reshape(x, Shape::from([images, channels, from])), index);
    let terms = B::float_reshape(B::float_mul(taken, weight), Shape::from([images, channels, to, map.taps()]));
    B::float_reshape(B::float_sum_dim(terms, 3), Shape::from([images, channels, map.to()[0], map.to()[1]]))
}

pub(super) fn resample_transpose(g: &Tensor, map: &ResampleMap) -> Tensor {
    let size = dims(g);
    let (images, channels) = (size[0], size[1]);
    let [from, to] = [map.from(), map.to()].map(|[rows, columns]| rows * columns);
    let (index, weight) = tables(map, [images, channels], g);
    let repeated = B::float_expand(
        B::float_reshape(g.clone(), Shape::from([images, channels, to, 1])),
        Shape::from([images, channels, to, map.taps()]),
    );
    let repeated = B::float_reshape(repeated, Shape::from([images, channels, to * map.taps()]));
    let out = B::float_scatter_add(2, zeros(g, &[images, channels, from]), index, B::float_mul(repeated, weight));
    B::float_reshape(out, Shape::from([images, channels, map.from()[0], map.from()[1]]))
}

/// Indices `[image, channel, output pixel and tap]` and weights that broadcast to them.
fn tables(map: &ResampleMap, [images, channels]: [usize; 2], like: &Tensor) -> (Tensor, Tensor) {
    let device = &B::float_device(like);
    let (mut index, mut weight) = (Vec::new(), Vec::new());
    let maps = map.images().unwrap_or(1);
    for image in 0..maps {
        let (i, w) = map.entries(image);
        index.extend(i.iter().map(|&i| i64::from(i)));
        weight.extend_from_slice(w);
    }
    let entries = map.to()[0] * map.to()[1] * map.taps();
    let table = Shape::from([maps, 1, entries]);
    let index = integers(TensorData::new(index, table.clone()), device);
    let weight = TensorData::new(weight, table).convert_dtype(float_type(like).into());
    let weight = B::float_from_data(weight, device);
    (B::int_expand(index, Shape::from([images, channels, entries])), weight)
}

fn vector(values: Vec<i64>, device: &DispatchDevice) -> Tensor {
    let count = values.len();
    integers(TensorData::new(values, Shape::from([count])), device)
}

fn along(rank: usize, axis: usize, range: [usize; 3]) -> Vec<Slice> {
    let mut slices = vec![Slice::full(); rank];
    slices[axis] = part(range);
    slices
}

#[expect(clippy::cast_possible_wrap, reason = "lengths of tensors lie below isize::MAX")]
fn part([start, end, step]: [usize; 3]) -> Slice {
    Slice::new(start as isize, Some(end as isize), step as isize)
}
