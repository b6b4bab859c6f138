//! The forward pass.

use std::mem::MaybeUninit;

use super::line::{Affine, Line, Positive, epilogue};
use super::planes::{Epilogue, Planes};
use crate::Real;
use crate::buffer::{build, build_two};
use crate::parallel::Parts;
use crate::simd::{Kernel, dispatch};
use crate::term::{First, Square, Term, total, write};

/// Mean and r = 1 / sqrt(variance + eps) of each channel.
pub fn statistics<T: Real>(x: &[T], planes: Planes, eps: T) -> Vec<T> {
    let share = T::ONE / planes.shared();
    let plane = |plane: usize| &x[plane * planes.len()..][..planes.len()];
    let sums = planes
        .channel_sums(|range| range.map(|index| [dispatch(PlaneTotal { x: plane(index), term: First })]).collect());
    let mean: Vec<T> = sums.into_iter().map(|[sum]| sum * share).collect();
    let squares = planes.channel_sums(|range| {
        range
            .map(|index| {
                let mean = mean[index % planes.channels];
                [dispatch(PlaneTotal { x: plane(index), term: Square { mean } })]
            })
            .collect()
    });
    mean.iter().zip(squares).flat_map(|(&mean, [sum])| [mean, T::ONE / (sum * share + eps).sqrt()]).collect()
}

struct PlaneTotal<'a, T, F> {
    x: &'a [T],
    term: F,
}

impl<T: Real, F: Term<T>> Kernel for PlaneTotal<'_, T, F> {
    type Output = T;
    #[inline(always)]
    fn run(self) -> T {
        total(self.x, self.x, self.term)
    }
}

/// The result where each plane is normalised by itself, and mean and r of each.
pub fn forward<T: Real>(x: &[T], affine: Affine<'_, T>, planes: Planes, eps: T) -> (Vec<T>, Vec<T>) {
    // SAFETY: every task fills its parts of both, and the tasks cover all planes.
    unsafe {
        build_two([planes.count() * planes.out_len(), planes.count() * 2], |out, statistics| {
            let out = Parts::new(out, planes.out_len() * planes.per_task());
            let statistics = Parts::new(statistics, 2 * planes.per_task());
            planes.for_tasks(|first, count| {
                let task = first / planes.per_task();
                let statistics = Statistics::Found(statistics.get(task), eps);
                let x = &x[first * planes.len()..][..count * planes.len()];
                dispatch(Forward { x, affine, planes, first, out: out.get(task), statistics });
            });
        })
    }
}

/// The result where channels are normalised by their [`statistics`].
pub fn forward_by<T: Real>(x: &[T], affine: Affine<'_, T>, statistics: &[T], planes: Planes) -> Vec<T> {
    // SAFETY: as in `forward`.
    unsafe {
        build(planes.count() * planes.out_len(), |out| {
            let out = Parts::new(out, planes.out_len() * planes.per_task());
            planes.for_tasks(|first, count| {
                let statistics = Statistics::Given(statistics);
                let x = &x[first * planes.len()..][..count * planes.len()];
                let out = out.get(first / planes.per_task());
                dispatch(Forward { x, affine, planes, first, out, statistics });
            });
        })
    }
}

/// Mean and r.
enum Statistics<'a, T> {
    /// To be found for each plane and written here; with eps.
    Found(&'a mut [MaybeUninit<T>], T),
    /// Of each channel.
    Given(&'a [T]),
}

struct Forward<'a, T> {
    x: &'a [T],
    affine: Affine<'a, T>,
    planes: Planes,
    /// Number of the first plane.
    first: usize,
    out: &'a mut [MaybeUninit<T>],
    statistics: Statistics<'a, T>,
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        let planes = self.planes;
        let mut scratch = Vec::with_capacity(planes.len());
        let scratch = &mut scratch.spare_capacity_mut()[..planes.len()];
        let share = T::ONE / planes.shared();
        let outs = self.out.chunks_mut(planes.out_len());
        for (index, (x, out)) in self.x.chunks(planes.len()).zip(outs).enumerate() {
            let channel = (self.first + index) % planes.channels;
            let [mean, r] = match &mut self.statistics {
                Statistics::Given(given) => [given[2 * channel], given[2 * channel + 1]],
                Statistics::Found(found, eps) => {
                    let mean = total(x, x, First) * share;
                    let variance = total(x, x, Square { mean }) * share;
                    let r = T::ONE / (variance + *eps).sqrt();
                    found[2 * index].write(mean);
                    found[2 * index + 1].write(r);
                    [mean, r]
                }
            };
            let line = Line::new(self.affine, channel, [mean, r]);
            match planes.epilogue {
                Epilogue::Identity => write(x, x, out, line),
                Epilogue::Relu | Epilogue::ReluPool => epilogue([x, x], planes, out, scratch, Positive(line)),
            }
        }
    }
}
