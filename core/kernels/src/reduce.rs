//! Sums, extrema and positions of extrema over axes.
//!
//! The order of additions is fixed by the shape: the same bits at any thread count. Long sums run
//! over many partial sums, so that the rounding error grows far slower than with one.

use super::Real;
use super::buffer::{GRAIN, items_per_task};
use super::parallel::{chunks, map};
use super::simd::{Kernel, dispatch};

/// Sum over `axes`, which are removed.
pub fn sum<T: Real>(x: &[T], shape: &[usize], axes: &[usize]) -> Vec<T> {
    reduce(x, shape, axes, &Sum)
}

/// Maximum over `axes`, which are removed; not-a-number when one is among the elements.
pub fn max<T: Real>(x: &[T], shape: &[usize], axes: &[usize]) -> Vec<T> {
    reduce(x, shape, axes, &Max)
}

/// Minimum over `axes`, which are removed; not-a-number when one is among the elements.
pub fn min<T: Real>(x: &[T], shape: &[usize], axes: &[usize]) -> Vec<T> {
    reduce(x, shape, axes, &Min)
}

/// Position of the first maximum along `axis`, which is removed; not-a-number counts as largest.
pub fn argmax<T: Real>(x: &[T], shape: &[usize], axis: usize) -> Vec<i64> {
    let size = shape[axis];
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let mut out = vec![0_i64; outer * inner];
    let rows = items_per_task(size * inner, GRAIN);
    chunks(&mut out, rows * inner, |index, out| {
        for (row, out) in out.chunks_mut(inner).enumerate() {
            let x = &x[(index * rows + row) * size * inner..][..size * inner];
            argmax_row(x, inner, out);
        }
    });
    out
}

fn argmax_row<T: Real>(x: &[T], inner: usize, out: &mut [i64]) {
    let mut best = x[..inner].to_vec();
    for (position, x) in (0_i64..).zip(x.chunks(inner)).skip(1) {
        for ((best, out), &x) in best.iter_mut().zip(out.iter_mut()).zip(x) {
            let is_nan = x.partial_cmp(&x).is_none();
            let best_is_nan = (*best).partial_cmp(&*best).is_none();
            if x > *best || (is_nan && !best_is_nan) {
                *best = x;
                *out = position;
            }
        }
    }
}

/// How two values become one.
pub(super) trait Fold<T>: Sync {
    const START: T;
    fn join(a: T, b: T) -> T;
}

pub(super) struct Sum;
struct Max;
struct Min;

impl<T: Real> Fold<T> for Sum {
    const START: T = T::ZERO;
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
}

impl<T: Real> Fold<T> for Max {
    const START: T = T::NEG_INFINITY;
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a.maximum(b)
    }
}

impl<T: Real> Fold<T> for Min {
    const START: T = T::INFINITY;
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a.minimum(b)
    }
}

/// Neighbouring axes that are all reduced or all kept.
#[derive(Clone, Copy, Debug)]
struct Group {
    size: usize,
    /// Elements of the input below one position.
    step: usize,
    /// Elements of the result below one position; those of the deeper groups when reduced.
    out_step: usize,
    reduced: bool,
}

fn groups(shape: &[usize], axes: &[usize]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(shape.len());
    for (axis, &size) in shape.iter().enumerate() {
        if size == 1 {
            continue;
        }
        let reduced = axes.contains(&axis);
        match groups.last_mut() {
            Some(last) if last.reduced == reduced => last.size *= size,
            _ => groups.push(Group { size, step: 1, out_step: 1, reduced }),
        }
    }
    let (mut step, mut out_step) = (1, 1);
    for group in groups.iter_mut().rev() {
        group.step = step;
        group.out_step = out_step;
        step *= group.size;
        if !group.reduced {
            out_step *= group.size;
        }
    }
    groups
}

fn reduce<T: Real, F: Fold<T>>(x: &[T], shape: &[usize], axes: &[usize], fold: &F) -> Vec<T> {
    let kept = |axis: &usize| !axes.contains(axis);
    let len = (0..shape.len()).filter(kept).map(|axis| shape[axis]).product();
    let mut out = vec![F::START; len];
    if !x.is_empty() {
        reduce_into(x, &groups(shape, axes), &mut out, fold);
    }
    out
}

/// Joins `x` into `out`, cut into parallel tasks by shape.
fn reduce_into<T: Real, F: Fold<T>>(x: &[T], groups: &[Group], out: &mut [T], fold: &F) {
    let Some((&group, rest)) = groups.split_first() else {
        out[0] = F::join(out[0], x[0]);
        return;
    };
    if x.len() <= GRAIN {
        dispatch(Block::<T, F> { x, groups, out, fold });
    } else if group.reduced {
        // Partial results cost as much as they are long: take at least eight rows for each.
        let rows = items_per_task(group.step, GRAIN).max(if group.step == 1 { 1 } else { 8 });
        let partials = map(group.size.div_ceil(rows), |index| {
            let count = rows.min(group.size - index * rows);
            let x = &x[index * rows * group.step..][..count * group.step];
            let mut partial = vec![F::START; out_len(group, rest)];
            let first = Group { size: count, ..group };
            let groups: Vec<Group> = std::iter::once(first).chain(rest.iter().copied()).collect();
            dispatch(Block::<T, F> { x, groups: &groups, out: &mut partial, fold });
            partial
        });
        for (out, value) in out.iter_mut().zip(join_in_pairs::<T, F>(partials)) {
            *out = F::join(*out, value);
        }
    } else {
        let positions = items_per_task(group.step, GRAIN);
        chunks(out, positions * group.out_step, |index, out| {
            let x = &x[index * positions * group.step..];
            if positions == 1 {
                reduce_into(&x[..group.step], rest, out, fold);
            } else {
                let first = Group { size: out.len() / group.out_step, ..group };
                let groups: Vec<Group> = std::iter::once(first).chain(rest.iter().copied()).collect();
                dispatch(Block::<T, F> { x: &x[..first.size * group.step], groups: &groups, out, fold });
            }
        });
    }
}

/// Neighbours joined until one is left: a sum of many partial sums loses fewer digits so.
fn join_in_pairs<T: Real, F: Fold<T>>(mut partials: Vec<Vec<T>>) -> Vec<T> {
    while partials.len() > 1 {
        let mut rest = partials.into_iter();
        let mut joined = Vec::with_capacity(rest.len().div_ceil(2));
        while let Some(mut first) = rest.next() {
            for (first, second) in first.iter_mut().zip(rest.next().unwrap_or_default()) {
                *first = F::join(*first, second);
            }
            joined.push(first);
        }
        partials = joined;
    }
    partials.pop().unwrap_or_default()
}

fn out_len(group: Group, rest: &[Group]) -> usize {
    rest.iter().filter(|group| !group.reduced).map(|group| group.size).product::<usize>()
        * if group.reduced { 1 } else { group.size }
}

/// One task, run by one thread in order.
struct Block<'a, T, F> {
    x: &'a [T],
    groups: &'a [Group],
    out: &'a mut [T],
    #[expect(dead_code, reason = "carries the type of the fold")]
    fold: &'a F,
}

impl<T: Real, F: Fold<T>> Kernel for Block<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        walk::<T, F>(self.x, self.groups, self.out);
    }
}

/// The two innermost groups are loops here; groups further out are rare and few.
#[inline(always)]
fn walk<T: Real, F: Fold<T>>(x: &[T], groups: &[Group], out: &mut [T]) {
    match *groups {
        [] => out[0] = F::join(out[0], x[0]),
        [a] => leaf::<T, F>(x, a, out),
        [a, b] => pair::<T, F>(x, a, b, out),
        [a, b, c] => {
            for (i, x) in x.chunks(a.step).enumerate() {
                let start = if a.reduced { 0 } else { i * a.out_step };
                pair::<T, F>(x, b, c, &mut out[start..][..out_len(b, &[c])]);
            }
        }
        [.., b, c] => {
            // Any depth: an odometer over all groups but the two innermost.
            let outer = &groups[..groups.len() - 2];
            let block = b.size * b.step;
            for (index, x) in x.chunks(block).enumerate() {
                let mut rest = index;
                let mut start = 0;
                for group in outer.iter().rev() {
                    if !group.reduced {
                        start += (rest % group.size) * group.out_step;
                    }
                    rest /= group.size;
                }
                pair::<T, F>(x, b, c, &mut out[start..][..out_len(b, &[c])]);
            }
        }
    }
}

#[inline(always)]
fn pair<T: Real, F: Fold<T>>(x: &[T], a: Group, b: Group, out: &mut [T]) {
    if a.reduced {
        for x in x.chunks(a.step) {
            leaf::<T, F>(x, b, out);
        }
    } else {
        for (x, out) in x.chunks(a.step).zip(out.chunks_mut(a.out_step)) {
            leaf::<T, F>(x, b, out);
        }
    }
}

#[inline(always)]
fn leaf<T: Real, F: Fold<T>>(x: &[T], group: Group, out: &mut [T]) {
    if group.reduced {
        out[0] = F::join(out[0], row::<T, F>(x));
    } else {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = F::join(*out, x);
        }
    }
}

/// Partial values that a row is folded into; a multiple of every register width.
pub(super) const LANES: usize = 64;
/// Numbers that are joined before they reach the partial values, which the compiler keeps in memory.
pub(super) const WIDE: usize = 4 * LANES;

#[inline(always)]
fn row<T: Real, F: Fold<T>>(x: &[T]) -> T {
    if x.len() < LANES {
        return x.iter().fold(F::START, |sum, &x| F::join(sum, x));
    }
    let mut lanes = [F::START; LANES];
    let (wide, rest) = x.as_chunks::<WIDE>();
    for x in wide {
        for i in 0..LANES {
            let first = F::join(x[i], x[i + LANES]);
            let second = F::join(x[i + 2 * LANES], x[i + 3 * LANES]);
            lanes[i] = F::join(lanes[i], F::join(first, second));
        }
    }
    let (blocks, rest) = rest.as_chunks::<LANES>();
    for x in blocks {
        for i in 0..LANES {
            lanes[i] = F::join(lanes[i], x[i]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = F::join(*lane, x);
    }
    join_lanes::<T, F>(lanes)
}

/// The lanes joined in a tree, each step at the width of registers as long as possible.
#[inline(always)]
pub(super) fn join_lanes<T: Real, F: Fold<T>>(lanes: [T; LANES]) -> T {
    let lanes: [T; 32] = halve::<T, F, 64, 32>(lanes);
    let lanes: [T; 16] = halve::<T, F, 32, 16>(lanes);
    let lanes: [T; 8] = halve::<T, F, 16, 8>(lanes);
    let lanes: [T; 4] = halve::<T, F, 8, 4>(lanes);
    F::join(F::join(lanes[0], lanes[2]), F::join(lanes[1], lanes[3]))
}

#[inline(always)]
fn halve<T: Real, F: Fold<T>, const N: usize, const H: usize>(lanes: [T; N]) -> [T; H] {
    let mut half = [F::START; H];
    for i in 0..H {
        half[i] = F::join(lanes[i], lanes[i + H]);
    }
    half
}
