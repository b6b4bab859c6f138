//! Rearrangements through burn's backends.

use burn_backend::{FloatDType, Shape, Slice, TensorData};

use super::burn_array::{Array, expanded, float_type, int_type, integers, physical, zeros};
use super::calls::{Calls as B, Tensor, dims};
use super::failure::internal;
use super::fused::warp_tables;
use crate::ResampleMap;
use crate::device::BurnDevice;
use crate::error::Result;
use crate::op::Op;

pub(super) fn float_op(op: &Op, x: Tensor, inputs: &[&Array], shape: &[usize]) -> Result<Tensor> {
    let name = op.name();
    Ok(match op {
        Op::Reshape { .. } => B::float_reshape(x, physical(shape)),
        Op::Permute { axes } => B::float_permute(x, axes),
        Op::BroadcastTo { .. } => expanded(x, shape),
        Op::Slice { axis, start, end, step } => B::float_slice(x, &part_of(shape.len(), *axis, [*start, *end, *step])),
        Op::Place { axis, start, step, .. } => {
            let end = start + dims(&x)[*axis].saturating_sub(1) * step + 1;
            let place = part_of(shape.len(), *axis, [*start, end, *step]);
            match dims(&x)[*axis] {
                0 => zeros(&x, shape),
                _ => B::float_slice_assign(zeros(&x, shape), &place, x),
            }
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
        Op::Slice { axis, start, end, step } => B::int_slice(x, &part_of(shape.len(), *axis, [*start, *end, *step])),
        Op::Concat { axis } => {
            let parts = inputs.iter().map(|input| input.int(name)).collect::<Result<Vec<_>>>()?;
            B::int_cat(parts, *axis)
        }
        Op::Gather { axis } => B::int_select(x, *axis, inputs[1].int(name)?),
        _ => return internal(name, "no integer form"),
    })
}

/// Rows of the identity.
pub(super) fn one_hot(labels: Tensor, identity: Tensor, shape: &[usize]) -> Tensor {
    let count = dims(&labels).iter().product::<usize>();
    let labels = B::int_reshape(labels, Shape::from([count]));
    B::float_reshape(B::float_select(identity, 0, labels), physical(shape))
}

/// Every output pixel from its taps: gathered, weighted, added up.
pub(super) fn resample(x: Tensor, map: &ResampleMap) -> Tensor {
    let size = dims(&x);
    let (images, channels) = (size[0], size[1]);
    let [from, to] = [map.from(), map.to()].map(|[rows, columns]| rows * columns);
    let (index, weight, taps) = tables(map, [images, channels], &x);
    let taken = B::float_gather(2, B::float_reshape(x, Shape::from([images, channels, from])), index);
    let terms = B::float_reshape(B::float_mul(taken, weight), Shape::from([images, channels, to, taps]));
    B::float_reshape(B::float_sum_dim(terms, 3), Shape::from([images, channels, map.to()[0], map.to()[1]]))
}

pub(super) fn resample_transpose(g: &Tensor, map: &ResampleMap) -> Tensor {
    let size = dims(g);
    let (images, channels) = (size[0], size[1]);
    let [from, to] = [map.from(), map.to()].map(|[rows, columns]| rows * columns);
    let (index, weight, taps) = tables(map, [images, channels], g);
    let repeated = B::float_expand(
        B::float_reshape(g.clone(), Shape::from([images, channels, to, 1])),
        Shape::from([images, channels, to, taps]),
    );
    let repeated = B::float_reshape(repeated, Shape::from([images, channels, to * taps]));
    let out = B::float_scatter_add(2, zeros(g, &[images, channels, from]), index, B::float_mul(repeated, weight));
    B::float_reshape(out, Shape::from([images, channels, map.from()[0], map.from()[1]]))
}

/// What a device has of a map: `[map, 1, output pixel and tap]`.
struct Tables {
    index: Tensor,
    weight: Tensor,
    of: (BurnDevice, FloatDType),
}

/// Indices `[image, channel, output pixel and tap]`, weights that broadcast to them, and the number of taps. They are made once.
fn tables(map: &ResampleMap, [images, channels]: [usize; 2], like: &Tensor) -> (Tensor, Tensor, usize) {
    let of = (B::float_device(like), float_type(like));
    let expanded = |index: &Tensor| {
        let entries = dims(index)[2];
        let taps = entries / (map.to()[0] * map.to()[1]).max(1);
        (B::int_expand(index.clone(), Shape::from([images, channels, entries])), taps)
    };
    if let Some(known) = map.on_device().get::<Tables>().filter(|tables| tables.of == of) {
        let (index, taps) = expanded(&known.index);
        return (index, known.weight.clone(), taps);
    }
    let (index, weight) = match map.lines() {
        Some(lines) => {
            let numbers: Vec<f64> = lines.as_flattened().as_flattened().to_vec();
            let data = TensorData::new(numbers, Shape::from([6 * lines.len()])).convert_dtype(of.1.into());
            let [pixel, weight] = warp_tables(&B::float_from_data(data, &of.0), map.from());
            (B::float_into_int(pixel, int_type(&of.0)), weight)
        }
        None => uploaded(map, like),
    };
    map.on_device().keep(Tables { index: index.clone(), weight: weight.clone(), of });
    let (index, taps) = expanded(&index);
    (index, weight, taps)
}

fn uploaded(map: &ResampleMap, like: &Tensor) -> (Tensor, Tensor) {
    let device = &B::float_device(like);
    let (mut index, mut weight) = (Vec::new(), Vec::new());
    let maps = map.images().unwrap_or(1);
    for image in 0..maps {
        let (i, w) = map.entries(image);
        index.extend(i.iter().map(|&i| i64::from(i)));
        weight.extend_from_slice(w);
    }
    let table = Shape::from([maps, 1, map.to()[0] * map.to()[1] * map.taps()]);
    let index = integers(TensorData::new(index, table.clone()), device);
    let weight = TensorData::new(weight, table).convert_dtype(float_type(like).into());
    (index, B::float_from_data(weight, device))
}

pub(super) fn part_of(rank: usize, axis: usize, range: [usize; 3]) -> Vec<Slice> {
    let mut slices = vec![Slice::full(); rank];
    slices[axis] = part(range);
    slices
}

#[expect(clippy::cast_possible_wrap, reason = "lengths of tensors lie below isize::MAX")]
pub(super) fn part([start, end, step]: [usize; 3]) -> Slice {
    Slice::new(start as isize, Some(end as isize), step as isize)
}
