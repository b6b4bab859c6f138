//! The first derivative.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::line::{Saved, spread};
use super::planes::{Over, Planes};
use crate::Real;
use crate::buffer::build_two;
use crate::parallel::Parts;
use crate::simd::{Kernel, dispatch};
use crate::term::{First, total};

/// The gradient by x, weight S(u); for each plane or channel the sums of u and of u x̂, which over the images are the gradients by bias
/// and weight; and for each plane the sum of the first result, which is 0 but for rounding where planes are normalised.
pub fn gradient<T: Real>(saved: Saved<'_, T>, planes: Planes) -> (Vec<T>, Vec<T>, Vec<T>) {
    let shared = (planes.over == Over::Channel)
        .then(|| planes.channel_sums(|range| dispatch(GradientSums { saved, planes, range })));
    let given = shared.as_deref();
    let mut totals = vec![T::ZERO; planes.count()];
    // SAFETY: as in `forward`.
    let (out, sums) = unsafe {
        build_two([saved.x.len(), planes.count() * 2], |out, sums| {
            let out = Parts::new(out, planes.len() * planes.per_task());
            let sums = Parts::new(sums, 2 * planes.per_task());
            let totals = Parts::new(&mut totals, planes.per_task());
            planes.for_tasks(|first, count| {
                let task = first / planes.per_task();
                let outs = (out.get(task), sums.get(task), totals.get(task));
                dispatch(Gradient { saved, given, planes, range: first..first + count, outs });
            });
        })
    };
    // Those of a channel were written for each of its planes; they are handed on once.
    (out, shared.map_or(sums, Vec::into_flattened), totals)
}

/// The sums of u and of u x̂, for each plane.
struct GradientSums<'a, T> {
    saved: Saved<'a, T>,
    planes: Planes,
    range: Range<usize>,
}

impl<T: Real> Kernel for GradientSums<'_, T> {
    type Output = Vec<[T; 2]>;
    #[inline(always)]
    fn run(self) -> Vec<[T; 2]> {
        let Self { saved, planes, range } = self;
        let mut scratch = Vec::with_capacity(planes.len());
        let scratch = &mut scratch.spare_capacity_mut()[..planes.len()];
        let mut sums = Vec::with_capacity(range.len());
        for plane in range {
            let (line, [x, g]) = (saved.line(plane, planes), saved.plane(plane, planes));
            let u = spread(x, g, planes, line, scratch);
            sums.push([total(u, u, First), total(u, x, line.product())]);
        }
        sums
    }
}

struct Gradient<'a, T> {
    saved: Saved<'a, T>,
    /// Sums of each channel; without them those of each plane are taken.
    given: Option<&'a [[T; 2]]>,
    planes: Planes,
    range: Range<usize>,
    outs: (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<T>], &'a mut [T]),
}

impl<T: Real> Kernel for Gradient<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { saved, given, planes, range, outs } = self;
        let share = T::ONE / planes.shared();
        let outs = outs.0.chunks_mut(planes.len()).zip(outs.1.chunks_mut(2).zip(outs.2));
        for (plane, (out, (sums, whole))) in range.zip(outs) {
            let (line, [x, g]) = (saved.line(plane, planes), saved.plane(plane, planes));
            let u = spread(x, g, planes, line, out);
            let [sum, along] = match given {
                Some(given) => given[planes.group(plane)],
                None => [total(u, u, First), total(u, x, line.product())],
            };
            sums[0].write(sum);
            sums[1].write(along);
            let (mean, along) = (sum * share, along * share);
            for (u, &x) in u.iter_mut().zip(x) {
                *u = line.scale * (*u - mean - line.standard(x) * along);
            }
            *whole = total(u, u, First);
        }
    }
}
