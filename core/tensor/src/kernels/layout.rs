//! Moving elements: permutation, broadcasting, slices, padding, flips, concatenation, rows by index.

use std::mem::MaybeUninit;

use super::Real;
use super::buffer::{GRAIN, build, items_per_task};
use super::parallel::chunks;
use super::strides::{Axis, broadcast_strides, collapse, offsets, strides};

/// Axis `i` of the result is axis `permutation[i]` of `x`.
pub(crate) fn permute<T: Real>(x: &[T], shape: &[usize], permutation: &[usize]) -> Vec<T> {
    let from = strides(shape);
    let out_shape: Vec<usize> = permutation.iter().map(|&axis| shape[axis]).collect();
    let from: Vec<usize> = permutation.iter().map(|&axis| from[axis]).collect();
    let axes = collapse(&out_shape, [&from]);
    match *axes {
        [_] => x.to_vec(),
        [rows, columns] if rows.strides[0] == 1 => transpose(x, 1, rows.size, columns.size),
        [batch, rows, columns] if rows.strides[0] == 1 && batch.strides[0] == rows.size * columns.size => {
            transpose(x, batch.size, rows.size, columns.size)
        }
        _ => copy_strided(x, &axes),
    }
}

/// Side of the square that is transposed at a time; its rows stay in the first-level cache.
const TILE: usize = 16;

/// Matrices `[columns, rows]` to `[rows, columns]`.
fn transpose<T: Real>(x: &[T], batch: usize, rows: usize, columns: usize) -> Vec<T> {
    let strip = items_per_task(columns, GRAIN).next_multiple_of(TILE).min(rows);
    // SAFETY: the chunks cover the result, and the tiles cover every chunk.
    unsafe {
        build(batch * rows * columns, |out| {
            let matrices = items_per_task(rows * columns, GRAIN);
            if batch == 1 {
                chunks(out, strip * columns, |index, out| {
                    transpose_strip(x, rows, index * strip, columns, out);
                });
            } else {
                chunks(out, matrices * rows * columns, |index, out| {
                    for (i, out) in out.chunks_mut(rows * columns).enumerate() {
                        let x = &x[(index * matrices + i) * rows * columns..];
                        transpose_strip(x, rows, 0, columns, out);
                    }
                });
            }
        })
    }
}

fn transpose_strip<T: Real>(x: &[T], rows: usize, first_row: usize, columns: usize, out: &mut [MaybeUninit<T>]) {
    let count = out.len() / columns;
    for column in (0..columns).step_by(TILE) {
        let width = TILE.min(columns - column);
        for row in (0..count).step_by(TILE) {
            let height = TILE.min(count - row);
            for r in row..row + height {
                let out = &mut out[r * columns + column..][..width];
                for (c, out) in out.iter_mut().enumerate() {
                    out.write(x[(column + c) * rows + first_row + r]);
                }
            }
        }
    }
}

/// `x` repeated to the larger shape by the rules of numpy.
pub(crate) fn broadcast_to<T: Real>(x: &[T], shape: &[usize], to: &[usize]) -> Vec<T> {
    let from = broadcast_strides(shape, to);
    copy_strided(x, &collapse(to, [&from]))
}

/// Copies a strided view into a contiguous result.
fn copy_strided<T: Real>(x: &[T], axes: &[Axis<1>]) -> Vec<T> {
    let total: usize = axes.iter().map(|axis| axis.size).product();
    let Some((&inner, outer)) = axes.split_last() else { return Vec::new() };
    let runs = items_per_task(inner.size, GRAIN);
    // SAFETY: the chunks cover the result in whole runs, and every run is filled.
    unsafe {
        build(total, |out| {
            chunks(out, runs * inner.size, |index, out| {
                for (i, out) in out.chunks_mut(inner.size).enumerate() {
                    let [start] = offsets(outer, index * runs + i);
                    copy_run(x, start, inner.strides[0], out);
                }
            });
        })
    }
}

#[inline]
fn copy_run<T: Real>(x: &[T], start: usize, stride: usize, out: &mut [MaybeUninit<T>]) {
    match stride {
        0 => fill(out, x[start]),
        1 => copy(&x[start..start + out.len()], out),
        _ => {
            for (out, &x) in out.iter_mut().zip(x[start..].iter().step_by(stride)) {
                out.write(x);
            }
        }
    }
}

#[inline]
fn fill<T: Copy>(out: &mut [MaybeUninit<T>], value: T) {
    for out in out {
        out.write(value);
    }
}

#[inline]
fn copy<T: Copy>(x: &[T], out: &mut [MaybeUninit<T>]) {
    for (out, &x) in out.iter_mut().zip(x) {
        out.write(x);
    }
}

/// Splits a shape at an axis: elements before, at and after it.
fn split(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// Positions `start`, `start + step`, ... below `end` of an axis.
pub(crate) fn slice<T: Real>(x: &[T], shape: &[usize], axis: usize, start: usize, end: usize, step: usize) -> Vec<T> {
    let (outer, size, inner) = split(shape, axis);
    let count = end.saturating_sub(start).div_ceil(step);
    let rows = |index: usize| {
        let (before, position) = (index / count, start + index % count * step);
        Some((before * size + position) * inner)
    };
    if step == 1 {
        return copy_rows(x, outer, count * inner, |index| Some((index * size + start) * inner));
    }
    copy_rows(x, outer * count, inner, rows)
}

/// Rows of `width` elements, each copied from an offset of `x`, or zero.
fn copy_rows<T: Real>(x: &[T], rows: usize, width: usize, from: impl Fn(usize) -> Option<usize> + Sync) -> Vec<T> {
    let per_task = items_per_task(width, GRAIN);
    // SAFETY: the chunks cover the result in whole rows, and every row is filled.
    unsafe {
        build(rows * width, |out| {
            chunks(out, per_task * width, |index, out| {
                for (i, out) in out.chunks_mut(width).enumerate() {
                    match from(index * per_task + i) {
                        Some(start) => copy(&x[start..start + width], out),
                        None => fill(out, T::ZERO),
                    }
                }
            });
        })
    }
}

/// Zeros around `x`: `(before, after)` for every axis.
pub(crate) fn pad<T: Real>(x: &[T], shape: &[usize], padding: &[(usize, usize)]) -> Vec<T> {
    let out_shape: Vec<usize> =
        shape.iter().zip(padding).map(|(size, (before, after))| before + size + after).collect();
    let (Some(&width), Some(&out_width), Some(&(left, _))) = (shape.last(), out_shape.last(), padding.last()) else {
        return x.to_vec();
    };
    let axes = out_shape.len() - 1;
    let rows: usize = out_shape[..axes].iter().product();
    let row_start = |mut row: usize| {
        let (mut start, mut stride) = (0, width);
        for axis in (0..axes).rev() {
            let position = (row % out_shape[axis]).checked_sub(padding[axis].0)?;
            row /= out_shape[axis];
            if position >= shape[axis] {
                return None;
            }
            start += position * stride;
            stride *= shape[axis];
        }
        Some(start)
    };
    let per_task = items_per_task(out_width, GRAIN);
    // SAFETY: the chunks cover the result in whole rows, and every row is filled in three parts.
    unsafe {
        build(rows * out_width, |out| {
            chunks(out, per_task * out_width, |index, out| {
                for (i, out) in out.chunks_mut(out_width).enumerate() {
                    match row_start(index * per_task + i) {
                        Some(start) => {
                            fill(&mut out[..left], T::ZERO);
                            copy(&x[start..start + width], &mut out[left..left + width]);
                            fill(&mut out[left + width..], T::ZERO);
                        }
                        None => fill(out, T::ZERO),
                    }
                }
            });
        })
    }
}

/// The elements in reverse order along `axes`.
pub(crate) fn flip<T: Real>(x: &[T], shape: &[usize], axes: &[usize]) -> Vec<T> {
    let Some(&width) = shape.last() else { return x.to_vec() };
    let last = shape.len() - 1;
    let reverse = axes.contains(&last);
    let rows: usize = shape[..last].iter().product();
    let per_task = items_per_task(width, GRAIN);
    // SAFETY: the chunks cover the result in whole rows, and every row is filled.
    unsafe {
        build(rows * width, |out| {
            chunks(out, per_task * width, |index, out| {
                for (i, out) in out.chunks_mut(width).enumerate() {
                    let start = flipped_row(shape, axes, index * per_task + i) * width;
                    let x = &x[start..start + width];
                    if reverse {
                        for (out, &x) in out.iter_mut().zip(x.iter().rev()) {
                            out.write(x);
                        }
                    } else {
                        copy(x, out);
                    }
                }
            });
        })
    }
}

fn flipped_row(shape: &[usize], axes: &[usize], mut row: usize) -> usize {
    let (mut from, mut stride) = (0, 1);
    for axis in (0..shape.len() - 1).rev() {
        let position = row % shape[axis];
        row /= shape[axis];
        let position = if axes.contains(&axis) { shape[axis] - 1 - position } else { position };
        from += position * stride;
        stride *= shape[axis];
    }
    from
}

/// The tensors one after the other along `axis`; their other axes agree.
pub(crate) fn concat<T: Real>(parts: &[(&[T], &[usize])], axis: usize) -> Vec<T> {
    let Some(&(_, first)) = parts.first() else { return Vec::new() };
    let (outer, _, inner) = split(first, axis);
    let widths: Vec<usize> = parts.iter().map(|(_, shape)| shape[axis] * inner).collect();
    let width: usize = widths.iter().sum();
    let per_task = items_per_task(width, GRAIN);
    // SAFETY: the chunks cover the result in whole rows, and the parts fill every row.
    unsafe {
        build(outer * width, |out| {
            chunks(out, per_task * width, |index, out| {
                for (i, mut out) in out.chunks_mut(width).enumerate() {
                    let row = index * per_task + i;
                    for ((x, _), &width) in parts.iter().zip(&widths) {
                        let (here, rest) = out.split_at_mut(width);
                        copy(&x[row * width..][..width], here);
                        out = rest;
                    }
                }
            });
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller checked that rows are positions of the axis"
)]
fn position(row: i64) -> usize {
    row as usize
}

/// Positions `rows` of an axis, in that order; a position may occur several times.
pub(crate) fn gather<T: Real>(x: &[T], shape: &[usize], axis: usize, rows: &[i64]) -> Vec<T> {
    let (outer, size, inner) = split(shape, axis);
    copy_rows(x, outer * rows.len(), inner, |index| {
        Some((index / rows.len() * size + position(rows[index % rows.len()])) * inner)
    })
}

/// The transpose of [`gather`]: adds position `i` of an axis of `x` to position `rows[i]` of an
/// axis of `size` positions that starts as zeros. Additions go in the order of `rows`.
pub(crate) fn scatter_add<T: Real>(x: &[T], shape: &[usize], axis: usize, rows: &[i64], size: usize) -> Vec<T> {
    let (outer, count, inner) = split(shape, axis);
    let mut out = vec![T::ZERO; outer * size * inner];
    let add = |x: &[T], out: &mut [T]| {
        for (x, &row) in x.chunks(inner).zip(rows) {
            for (out, &x) in out[position(row) * inner..][..inner].iter_mut().zip(x) {
                *out += x;
            }
        }
    };
    if inner > 0 && count > 0 {
        let blocks = items_per_task(size * inner, GRAIN);
        chunks(&mut out, blocks * size * inner, |index, out| {
            for (i, out) in out.chunks_mut(size * inner).enumerate() {
                add(&x[(index * blocks + i) * count * inner..][..count * inner], out);
            }
        });
    }
    out
}
