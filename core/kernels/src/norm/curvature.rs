//! The second derivative.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::line::{Gated, Saved, Slope, epilogue, spread};
use super::planes::{Epilogue, Over, Planes};
use crate::Real;
use crate::buffer::build_two;
use crate::parallel::Parts;
use crate::simd::{Kernel, dispatch};
use crate::term::{First, Product, total, write};

/// What the derivative of [`gradient`](super::gradient) is taken along: cotangents of its two results.
#[derive(Clone, Copy)]
pub struct Cotangents<'a, T> {
    /// Of the gradient by x.
    pub c: &'a [T],
    /// Of the two sums of each plane or channel.
    pub sums: &'a [T],
}

/// Derivatives of `<c, weight S(u)> + s0 sum(u) + s1 sum(u x̂)`: by x, by g, and for each plane or channel by the
/// weight, `<c, S(u)>`.
pub fn curvature<T: Real>(
    saved: Saved<'_, T>,
    sums: &[T],
    along: Cotangents<'_, T>,
    planes: Planes,
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let shared = (planes.over == Over::Channel)
        .then(|| planes.channel_sums(|range| dispatch(CurvatureSums { saved, c: along.c, planes, range })));
    let given = shared.as_deref();
    let mut by_weight = vec![T::ZERO; planes.count()];
    // SAFETY: as in `forward`.
    let (by_x, by_g) = unsafe {
        build_two([saved.x.len(), saved.g.len()], |by_x, by_g| {
            let by_x = Parts::new(by_x, planes.len() * planes.per_task());
            let by_g = Parts::new(by_g, planes.out_len() * planes.per_task());
            let by_weight = Parts::new(&mut by_weight, planes.per_task());
            planes.for_tasks(|first, count| {
                let task = first / planes.per_task();
                let outs = (by_x.get(task), by_g.get(task), by_weight.get(task));
                dispatch(Curvature { saved, sums, along, given, planes, range: first..first + count, outs });
            });
        })
    };
    // Every plane of a channel has the number of the channel.
    by_weight.truncate(planes.over.rows(planes.images) * planes.channels);
    (by_x, by_g, by_weight)
}

/// The sums of c, of c x̂ and of u c, for each plane.
struct CurvatureSums<'a, T> {
    saved: Saved<'a, T>,
    c: &'a [T],
    planes: Planes,
    range: Range<usize>,
}

impl<T: Real> Kernel for CurvatureSums<'_, T> {
    type Output = Vec<[T; 3]>;
    #[inline(always)]
    fn run(self) -> Vec<[T; 3]> {
        let Self { saved, c, planes, range } = self;
        let mut scratch = Vec::with_capacity(planes.len());
        let scratch = &mut scratch.spare_capacity_mut()[..planes.len()];
        let mut sums = Vec::with_capacity(range.len());
        for plane in range {
            let (line, [x, g]) = (saved.line(plane, planes), saved.plane(plane, planes));
            let c = &c[plane * planes.len()..][..planes.len()];
            let u = spread(x, g, planes, line, scratch);
            sums.push([total(c, c, First), total(c, x, line.product()), total(u, c, Product)]);
        }
        sums
    }
}

struct Curvature<'a, T> {
    saved: Saved<'a, T>,
    sums: &'a [T],
    along: Cotangents<'a, T>,
    /// Sums of each channel; without them those of each plane are taken.
    given: Option<&'a [[T; 3]]>,
    planes: Planes,
    range: Range<usize>,
    outs: (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<T>], &'a mut [T]),
}

impl<T: Real> Kernel for Curvature<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { saved, planes, .. } = self;
        let mut scratch = Vec::with_capacity(planes.len());
        let scratch = &mut scratch.spare_capacity_mut()[..planes.len()];
        let share = T::ONE / planes.shared();
        let (by_x, by_g, by_weight) = self.outs;
        let outs = by_x.chunks_mut(planes.len()).zip(by_g.chunks_mut(planes.out_len())).zip(by_weight);
        for (plane, ((by_x, by_g), by_weight)) in self.range.zip(outs) {
            let (group, line, [x, g]) = (planes.group(plane), saved.line(plane, planes), saved.plane(plane, planes));
            let c = &self.along.c[plane * planes.len()..][..planes.len()];
            let u = spread(x, g, planes, line, by_x);
            let (sum, product) = (self.sums[2 * group] * share, self.sums[2 * group + 1] * share);
            let (s0, s1) = (self.along.sums[2 * group], self.along.sums[2 * group + 1]);
            let [c_sum, c_product, along] = match self.given {
                Some(given) => given[group],
                None => [total(c, c, First), total(c, x, line.product()), total(u, c, Product)],
            };
            let (c_sum, c_product) = (c_sum * share, c_product * share);
            // <c, S(u)> / n
            let inner = line.r * (along * share - c_sum * sum - c_product * product);
            *by_weight = inner * planes.shared();

            let slope = Slope { line, mean: c_sum, along: c_product, s0, s1 };
            match planes.epilogue {
                Epilogue::Identity => write(c, x, by_g, slope),
                Epilogue::Relu | Epilogue::ReluPool => epilogue([c, x], planes, by_g, scratch, Gated(slope)),
            }

            // The derivative of <c, S(u)> by x is -r (x̂ <c, S(u)> / n + mean(c x̂) S(u) + mean(u x̂) S(c)), that of the sum of
            // u x̂ is S(u): all of it a sum of multiples of u, c, x̂ and 1.
            let of_u = s1 - line.scale * c_product;
            let of_c = -(line.scale * product);
            let of_x = -(line.scale * inner) - line.r * (of_u * product + of_c * c_product);
            let rest = -(line.r * (of_u * sum + of_c * c_sum));
            let (of_u, of_c) = (of_u * line.r, of_c * line.r);
            for ((u, &c), &x) in u.iter_mut().zip(c).zip(x) {
                *u = of_u * *u + of_c * c + (of_x * line.standard(x) + rest);
            }
        }
    }
}
