//! Functions of one, two or three tensors element by element, with numpy broadcasting.
//!
//! Broadcasting never walks element by element: neighbouring axes are merged as far as the
//! operands allow, and the innermost loop runs over contiguous memory or a repeated value.

use std::mem::MaybeUninit;

use super::Real;
use super::buffer::{GRAIN, build, items_per_task};
use super::parallel::chunks;
use super::simd::{Kernel, dispatch};
use super::strides::{Axis, broadcast_strides, collapse, offsets};

/// `f(x)` for every element.
pub fn unary<T: Real>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    // SAFETY: the chunks cover the result and `Unary` fills its chunk, which is as long as its part of `x`.
    unsafe {
        build(x.len(), |out| {
            chunks(out, GRAIN, |index, out| {
                let x = &x[index * GRAIN..][..out.len()];
                dispatch(Unary { x, out, f: &f });
            });
        })
    }
}

/// `f(a, b)` for every element of the broadcast shape `out_shape`; operands come with their shapes.
pub fn binary<T: Real>(
    (a, a_shape): (&[T], &[usize]),
    (b, b_shape): (&[T], &[usize]),
    out_shape: &[usize],
    f: impl Fn(T, T) -> T + Sync,
) -> Vec<T> {
    let a_strides = broadcast_strides(a_shape, out_shape);
    let b_strides = broadcast_strides(b_shape, out_shape);
    let axes = collapse(out_shape, [&a_strides, &b_strides]);
    // SAFETY: `for_runs` covers the result with runs, and `Binary` fills its run.
    unsafe {
        build(out_shape.iter().product(), |out| {
            for_runs(out, &axes, |runs| dispatch(Binary { runs, a, b, f: &f }));
        })
    }
}

/// `a` where `mask` is not zero, else `b`, over the broadcast shape `out_shape`.
pub fn select<T: Real>(
    (mask, mask_shape): (&[T], &[usize]),
    (a, a_shape): (&[T], &[usize]),
    (b, b_shape): (&[T], &[usize]),
    out_shape: &[usize],
) -> Vec<T> {
    let mask_strides = broadcast_strides(mask_shape, out_shape);
    let a_strides = broadcast_strides(a_shape, out_shape);
    let b_strides = broadcast_strides(b_shape, out_shape);
    let axes = collapse(out_shape, [&mask_strides, &a_strides, &b_strides]);
    // SAFETY: as in `binary`.
    unsafe {
        build(out_shape.iter().product(), |out| {
            for_runs(out, &axes, |runs| dispatch(Select { runs, mask, a, b }));
        })
    }
}

/// A part of the result: whole rows of the two innermost axes, or a part of one row.
struct Runs<'a, T, const N: usize> {
    out: &'a mut [MaybeUninit<T>],
    /// All axes but the innermost.
    outer: &'a [Axis<N>],
    inner: Axis<N>,
    /// Position of the first run among all runs.
    first: usize,
    /// Position within the run where `out` starts; not 0 only when `out` is a part of one run.
    within: usize,
}

/// Cuts the result into tasks by shape and calls `task` for each.
fn for_runs<T: Send, const N: usize>(
    out: &mut [MaybeUninit<T>],
    axes: &[Axis<N>],
    task: impl Fn(Runs<'_, T, N>) + Sync,
) {
    let Some((&inner, outer)) = axes.split_last() else { return };
    if outer.is_empty() {
        chunks(out, GRAIN, |index, out| {
            let inner = Axis { size: out.len(), ..inner };
            task(Runs { out, outer, inner, first: 0, within: index * GRAIN });
        });
    } else {
        let runs = items_per_task(inner.size, GRAIN);
        chunks(out, runs * inner.size, |index, out| {
            task(Runs { out, outer, inner, first: index * runs, within: 0 });
        });
    }
}

impl<'a, T, const N: usize> Runs<'a, T, N> {
    #[inline(always)]
    fn iter(self) -> RunIter<'a, T, N> {
        let (row, outer) = match self.outer.split_last() {
            Some((&row, outer)) => (row, outer),
            None => (Axis { size: usize::MAX, strides: [0; N] }, self.outer),
        };
        let mut base = offsets(outer, self.first / row.size);
        for (base, stride) in base.iter_mut().zip(self.inner.strides) {
            *base += self.within * stride;
        }
        RunIter {
            runs: self.out.chunks_mut(self.inner.size),
            outer,
            row,
            index: self.first / row.size,
            position: self.first % row.size,
            base,
        }
    }
}

/// The runs of a task in order, each with the offsets of its operands.
///
/// An iterator and not a function that takes a closure: the bodies of such closures are compiled
/// for the baseline when the compiler does not inline them.
struct RunIter<'a, T, const N: usize> {
    runs: std::slice::ChunksMut<'a, MaybeUninit<T>>,
    outer: &'a [Axis<N>],
    row: Axis<N>,
    index: usize,
    position: usize,
    base: [usize; N],
}

impl<'a, T, const N: usize> Iterator for RunIter<'a, T, N> {
    type Item = (&'a mut [MaybeUninit<T>], [usize; N]);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let run = self.runs.next()?;
        if self.position == self.row.size {
            self.position = 0;
            self.index += 1;
            self.base = offsets(self.outer, self.index);
        }
        let mut starts = self.base;
        for (start, stride) in starts.iter_mut().zip(self.row.strides) {
            *start += self.position * stride;
        }
        self.position += 1;
        Some((run, starts))
    }
}

struct Unary<'a, T, F> {
    x: &'a [T],
    out: &'a mut [MaybeUninit<T>],
    f: &'a F,
}

/// Elements that are computed into a local array before they are written. A closure of the caller
/// may hold references to numbers; the compiler cannot know that these are not parts of the result,
/// but it knows that they are not parts of a local array, and so reads them once.
const BLOCK: usize = 64;

impl<T: Real, F: Fn(T) -> T> Kernel for Unary<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let f = self.f;
        let (blocks, rest) = self.out.as_chunks_mut::<BLOCK>();
        let (x_blocks, x_rest) = self.x[..blocks.len() * BLOCK + rest.len()].as_chunks::<BLOCK>();
        for (out, x) in blocks.iter_mut().zip(x_blocks) {
            let mut values = [T::ZERO; BLOCK];
            for i in 0..BLOCK {
                values[i] = f(x[i]);
            }
            *out = values.map(MaybeUninit::new);
        }
        for (out, &x) in rest.iter_mut().zip(x_rest) {
            out.write(f(x));
        }
    }
}

/// One side of a run: as many elements as the result, or one for all.
trait Side<T>: Copy {
    /// [`BLOCK`] elements.
    type Block;
    fn block(self, start: usize) -> Self::Block;
    fn of(block: &Self::Block, index: usize) -> T;
    fn at(self, index: usize) -> T;
}

#[derive(Clone, Copy)]
struct Each<'a, T>(&'a [T]);

#[derive(Clone, Copy)]
struct One<T>(T);

impl<'a, T: Real> Side<T> for Each<'a, T> {
    type Block = &'a [T; BLOCK];
    #[inline(always)]
    fn block(self, start: usize) -> Self::Block {
        &self.0[start..start + BLOCK].as_chunks().0[0]
    }
    #[inline(always)]
    fn of(block: &Self::Block, index: usize) -> T {
        block[index]
    }
    #[inline(always)]
    fn at(self, index: usize) -> T {
        self.0[index]
    }
}

impl<T: Real> Side<T> for One<T> {
    type Block = T;
    #[inline(always)]
    fn block(self, _: usize) -> T {
        self.0
    }
    #[inline(always)]
    fn of(block: &T, _: usize) -> T {
        *block
    }
    #[inline(always)]
    fn at(self, _: usize) -> T {
        self.0
    }
}

/// `f(a, b)` for every element of a run.
#[inline(always)]
fn join<T: Real, A: Side<T>, B: Side<T>>(out: &mut [MaybeUninit<T>], a: A, b: B, f: &impl Fn(T, T) -> T) {
    let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
    let mut start = 0;
    for out in blocks {
        let (a, b) = (a.block(start), b.block(start));
        let mut values = [T::ZERO; BLOCK];
        for (i, value) in values.iter_mut().enumerate() {
            *value = f(A::of(&a, i), B::of(&b, i));
        }
        *out = values.map(MaybeUninit::new);
        start += BLOCK;
    }
    for (i, out) in rest.iter_mut().enumerate() {
        out.write(f(a.at(start + i), b.at(start + i)));
    }
}

struct Binary<'a, T, F> {
    runs: Runs<'a, T, 2>,
    a: &'a [T],
    b: &'a [T],
    f: &'a F,
}

impl<T: Real, F: Fn(T, T) -> T> Kernel for Binary<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { runs, a, b, f } = self;
        // After collapsing, a stride of the innermost axis is 0 or 1.
        match runs.inner.strides {
            [0, 0] => {
                for (out, [i, j]) in runs.iter() {
                    let value = f(a[i], b[j]);
                    for out in out {
                        out.write(value);
                    }
                }
            }
            [0, _] => {
                for (out, [i, j]) in runs.iter() {
                    join(out, One(a[i]), Each(&b[j..][..out.len()]), f);
                }
            }
            [_, 0] => {
                for (out, [i, j]) in runs.iter() {
                    join(out, Each(&a[i..][..out.len()]), One(b[j]), f);
                }
            }
            _ => {
                for (out, [i, j]) in runs.iter() {
                    join(out, Each(&a[i..][..out.len()]), Each(&b[j..][..out.len()]), f);
                }
            }
        }
    }
}

struct Select<'a, T> {
    runs: Runs<'a, T, 3>,
    mask: &'a [T],
    a: &'a [T],
    b: &'a [T],
}

impl<T: Real> Kernel for Select<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { runs, mask, a, b } = self;
        let strides = runs.inner.strides;
        for (out, [m, i, j]) in runs.iter() {
            match strides {
                [1, 1, 1] => {
                    let len = out.len();
                    let values = mask[m..][..len].iter().zip(&a[i..][..len]).zip(&b[j..][..len]);
                    for (out, ((&mask, &a), &b)) in out.iter_mut().zip(values) {
                        out.write(if mask == T::ZERO { b } else { a });
                    }
                }
                [0, p, q] => {
                    let (from, stride) = if mask[m] == T::ZERO { (&b[j..], q) } else { (&a[i..], p) };
                    for (k, out) in out.iter_mut().enumerate() {
                        out.write(from[k * stride]);
                    }
                }
                [_, p, q] => {
                    for (k, (out, &mask)) in out.iter_mut().zip(&mask[m..]).enumerate() {
                        out.write(if mask == T::ZERO { b[j + k * q] } else { a[i + k * p] });
                    }
                }
            }
        }
    }
}
