//! Moving elements of any type: permutation, broadcasting, slices, padding, flips, concatenation, rows by index.

use std::mem::MaybeUninit;

use super::Real;
use super::buffer::{GRAIN, build, items_per_task};
use super::parallel::chunks;
use super::strides::{Axis, broadcast_strides, collapse, offsets, strides};

/// What can be moved.
pub trait Element: Copy + Default + Send + Sync {}

impl<T: Copy + Default + Send + Sync> Element for T {}

/// Axis `i` of the result is axis `permutation[i]` of `x`.
pub fn permute<T: Element>(x: &[T], shape: &[usize], permutation: &[usize]) -> Vec<T> {
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
        _ => copy_strided(x, 0, &axes),
    }
}

/// Side of the square that is transposed at a time; its rows stay in the first-level cache.
const TILE: usize = 16;

/// Matrices `[columns, rows]` to `[rows, columns]`.
fn transpose<T: Element>(x: &[T], batch: usize, rows: usize, columns: usize) -> Vec<T> {
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

fn transpose_strip<T: Element>(x: &[T], rows: usize, first_row: usize, columns: usize, out: &mut [MaybeUninit<T>]) {
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
pub fn broadcast_to<T: Element>(x: &[T], shape: &[usize], to: &[usize]) -> Vec<T> {
    copy_strided(x, 0, &collapse(to, [&broadcast_strides(shape, to)]))
}

/// Positions `start`, `start + step`, ... below `end` of an axis.
pub fn slice<T: Element>(x: &[T], shape: &[usize], axis: usize, [start, end, step]: [usize; 3]) -> Vec<T> {
    let (mut strides, mut to) = (strides(shape), shape.to_vec());
    let first = start * strides[axis];
    to[axis] = (end - start).div_ceil(step);
    strides[axis] = strides[axis].wrapping_mul(step);
    copy_strided(x, first, &collapse(&to, [&strides]))
}

/// The elements in reverse order along `axes`.
pub fn flip<T: Element>(x: &[T], shape: &[usize], axes: &[usize]) -> Vec<T> {
    let (mut strides, mut first) = (strides(shape), 0);
    for &axis in axes {
        first += shape[axis].saturating_sub(1) * strides[axis];
        strides[axis] = strides[axis].wrapping_neg();
    }
    copy_strided(x, first, &collapse(shape, [&strides]))
}

/// Copies a strided view that begins at `first` into a contiguous result. Negative strides are written modulo 2^64.
fn copy_strided<T: Element>(x: &[T], first: usize, axes: &[Axis<1>]) -> Vec<T> {
    let total: usize = axes.iter().map(|axis| axis.size).product();
    let Some((&inner, outer)) = axes.split_last() else { return Vec::new() };
    let runs = items_per_task(inner.size, GRAIN);
    // SAFETY: the chunks cover the result in whole runs, and every run is filled.
    unsafe {
        build(total, |out| {
            chunks(out, runs * inner.size, |index, out| {
                for (i, out) in out.chunks_mut(inner.size).enumerate() {
                    let [start] = offsets(outer, index * runs + i);
                    copy_run(x, first.wrapping_add(start), inner.strides[0], out);
                }
            });
        })
    }
}

#[inline]
fn copy_run<T: Element>(x: &[T], start: usize, stride: usize, out: &mut [MaybeUninit<T>]) {
    match stride {
        0 => out.fill(MaybeUninit::new(x[start])),
        1 => copy(&x[start..start + out.len()], out),
        usize::MAX => {
            for (out, &x) in out.iter_mut().zip(x[..=start].iter().rev()) {
                out.write(x);
            }
        }
        _ => {
            let mut from = start;
            for out in out {
                out.write(x[from]);
                from = from.wrapping_add(stride);
            }
        }
    }
}

#[inline]
fn copy<T: Copy>(x: &[T], out: &mut [MaybeUninit<T>]) {
    for (out, &x) in out.iter_mut().zip(x) {
        out.write(x);
    }
}

/// Zeros of shape `to`, with `x` put in: position i of an axis at `start + i * step`.
pub fn embed<T: Element>(x: &[T], shape: &[usize], to: &[usize], start: &[usize], step: &[usize]) -> Vec<T> {
    let mut out = vec![T::default(); to.iter().product()];
    if x.is_empty() {
        return out;
    }
    let into = strides(to);
    let first: usize = start.iter().zip(&into).map(|(start, stride)| start * stride).sum();
    let into: Vec<usize> = into.iter().zip(step).map(|(stride, step)| stride.wrapping_mul(*step)).collect();
    let axes = collapse(shape, [&strides(shape), &into]);
    let (inner, outer) = (axes[axes.len() - 1], &axes[..axes.len() - 1]);
    for (run, x) in x.chunks(inner.size).enumerate() {
        let [_, offset] = offsets(outer, run);
        let out = &mut out[first + offset..];
        match inner.strides[1] {
            1 => out[..x.len()].copy_from_slice(x),
            stride => out.iter_mut().step_by(stride.max(1)).zip(x).for_each(|(out, x)| *out = *x),
        }
    }
    out
}

/// Splits a shape at an axis: elements before, at and after it.
fn split(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// The tensors one after the other along `axis`; their other axes agree.
pub fn concat<T: Element>(parts: &[(&[T], &[usize])], axis: usize) -> Vec<T> {
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
pub fn gather<T: Element>(x: &[T], shape: &[usize], axis: usize, rows: &[i64]) -> Vec<T> {
    let (outer, size, inner) = split(shape, axis);
    let per_task = items_per_task(inner, GRAIN);
    // SAFETY: the chunks cover the result in whole rows, and every row is filled.
    unsafe {
        build(outer * rows.len() * inner, |out| {
            chunks(out, per_task * inner, |index, out| {
                for (i, out) in out.chunks_mut(inner).enumerate() {
                    let index = index * per_task + i;
                    let start = (index / rows.len() * size + position(rows[index % rows.len()])) * inner;
                    copy(&x[start..start + inner], out);
                }
            });
        })
    }
}

/// The transpose of [`gather`]: adds position `i` of an axis of `x` to position `rows[i]` of an
/// axis of `size` positions that starts as zeros. Additions go in the order of `rows`.
pub fn scatter_add<T: Real>(x: &[T], shape: &[usize], axis: usize, rows: &[i64], size: usize) -> Vec<T> {
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
