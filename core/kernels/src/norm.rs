//! Instance normalisation together with what follows it in a network (a line per channel, ReLU, 2x2 average pooling), and the
//! first and second derivative of the whole, plane by plane.
//!
//! Done one after the other, these operations read and write memory some ten times as large as the first-level cache that a
//! plane fits into; here every plane is read once and its result written once. With x̂ = r (x - mean), h = weight x̂ + bias and n
//! numbers in a plane, `u` is the gradient of the result spread over its window where h > 0, and
//! S(v) = r (v - mean(v) - x̂ mean(v x̂)) the (symmetric) derivative of x̂.

use std::mem::MaybeUninit;

use super::Real;
use super::buffer::{GRAIN, assume_init, build_two, items_per_task};
use super::parallel::{Parts, for_each};
use super::pool::{Window, halve, halving_gradient};
use super::simd::{Kernel, dispatch};
use super::standardize::{First, Product, Square, Term, total, write};

/// What is computed in the same pass, after the affine map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// Nothing.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// ReLU, then the mean of 2x2 windows with stride 2.
    ReluPool,
}

impl Epilogue {
    /// Rows and columns of the result.
    pub fn plane(self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Identity | Self::Relu => [rows, columns],
            Self::ReluPool => [rows / 2, columns / 2],
        }
    }
}

/// Planes `[image, channel, row, column]` and what is done to them.
#[derive(Clone, Copy, Debug)]
pub struct Planes {
    /// Images of the batch.
    pub images: usize,
    /// Channels of each.
    pub channels: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Columns of a plane.
    pub width: usize,
    /// What follows the normalisation.
    pub epilogue: Epilogue,
}

impl Planes {
    /// Of a shape `[image, channel, row, column]`.
    pub fn new([images, channels, height, width]: [usize; 4], epilogue: Epilogue) -> Self {
        Self { images, channels, height, width, epilogue }
    }

    fn count(&self) -> usize {
        self.images * self.channels
    }

    fn len(&self) -> usize {
        self.height * self.width
    }

    fn out_len(&self) -> usize {
        self.epilogue.plane([self.height, self.width]).iter().product()
    }

    /// Calls `task(first plane, planes)`, in parallel when it pays.
    fn for_tasks(&self, task: impl Fn(usize, usize) + Sync) {
        let per_task = self.per_task();
        let tasks = self.count().div_ceil(per_task);
        for_each(tasks, tasks > 2, |index| {
            let first = index * per_task;
            task(first, per_task.min(self.count() - first));
        });
    }

    fn per_task(&self) -> usize {
        items_per_task(self.len(), GRAIN)
    }
}

/// What the planes are made with: one number for each channel.
#[derive(Clone, Copy)]
pub struct Affine<'a, T> {
    /// Factor of each channel.
    pub weight: &'a [T],
    /// What is added to each channel.
    pub bias: &'a [T],
}

/// The result and, for each plane, mean and r = 1 / sqrt(variance + eps).
pub fn forward<T: Real>(x: &[T], affine: Affine<'_, T>, planes: Planes, eps: T) -> (Vec<T>, Vec<T>) {
    // SAFETY: every task fills its parts of both, and the tasks cover all planes.
    unsafe {
        build_two([planes.count() * planes.out_len(), planes.count() * 2], |out, statistics| {
            let out = Parts::new(out, planes.out_len() * planes.per_task());
            let statistics = Parts::new(statistics, 2 * planes.per_task());
            planes.for_tasks(|first, count| {
                let task = first / planes.per_task();
                let (out, statistics) = (out.get(task), statistics.get(task));
                let x = &x[first * planes.len()..][..count * planes.len()];
                dispatch(Forward { x, affine, planes, eps, first, out, statistics });
            });
        })
    }
}

struct Forward<'a, T> {
    x: &'a [T],
    affine: Affine<'a, T>,
    planes: Planes,
    eps: T,
    /// Number of the first plane.
    first: usize,
    out: &'a mut [MaybeUninit<T>],
    statistics: &'a mut [MaybeUninit<T>],
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let planes = self.planes;
        let mut scratch = Vec::with_capacity(planes.len());
        let scratch = &mut scratch.spare_capacity_mut()[..planes.len()];
        let share = T::ONE / T::from_usize(planes.len());
        let outs = self.out.chunks_mut(planes.out_len()).zip(self.statistics.chunks_mut(2));
        for (index, (x, (out, statistics))) in self.x.chunks(planes.len()).zip(outs).enumerate() {
            let mean = total(x, x, First) * share;
            let variance = total(x, x, Square { mean }) * share;
            let r = T::ONE / (variance + self.eps).sqrt();
            statistics[0].write(mean);
            statistics[1].write(r);
            let line = Line::new(self.affine, (self.first + index) % planes.channels, [mean, r]);
            match planes.epilogue {
                Epilogue::Identity => write(x, x, out, line),
                Epilogue::Relu | Epilogue::ReluPool => epilogue([x, x], planes, out, scratch, Positive(line)),
            }
        }
    }
}

/// What a forward pass has left for its derivatives.
#[derive(Clone, Copy)]
pub struct Saved<'a, T> {
    /// What was normalised.
    pub x: &'a [T],
    /// What the normalised planes were made with.
    pub affine: Affine<'a, T>,
    /// Mean and r of each plane.
    pub statistics: &'a [T],
    /// Gradient of the result.
    pub g: &'a [T],
}

impl<T: Real> Saved<'_, T> {
    #[inline(always)]
    fn line(&self, plane: usize, channels: usize) -> Line<T> {
        Line::new(self.affine, plane % channels, [self.statistics[2 * plane], self.statistics[2 * plane + 1]])
    }
}

/// The gradient by x, weight S(u); for each plane the sums of u and of u x̂, which over the images are the gradients by bias and
/// weight; and for each plane the sum of the first result, which is 0 but for rounding.
pub fn gradient<T: Real>(saved: Saved<'_, T>, planes: Planes) -> (Vec<T>, Vec<T>, Vec<T>) {
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
                dispatch(Gradient { saved, planes, range: first..first + count, outs });
            });
        })
    };
    (out, sums, totals)
}

struct Gradient<'a, T> {
    saved: Saved<'a, T>,
    planes: Planes,
    range: std::ops::Range<usize>,
    outs: (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<T>], &'a mut [T]),
}

impl<T: Real> Kernel for Gradient<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { saved, planes, range, outs } = self;
        let share = T::ONE / T::from_usize(planes.len());
        let outs = outs.0.chunks_mut(planes.len()).zip(outs.1.chunks_mut(2).zip(outs.2));
        for (plane, (out, (sums, whole))) in range.zip(outs) {
            let line = saved.line(plane, planes.channels);
            let x = &saved.x[plane * planes.len()..][..planes.len()];
            let u = spread(x, &saved.g[plane * planes.out_len()..][..planes.out_len()], planes, line, out);
            let (sum, along) = (total(u, u, First), total(u, x, line.product()));
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

/// What the derivative of [`gradient`] is taken along: cotangents of its two results.
#[derive(Clone, Copy)]
pub struct Cotangents<'a, T> {
    /// Of the gradient by x.
    pub c: &'a [T],
    /// Of the two sums of each plane.
    pub sums: &'a [T],
}

/// Derivatives of `<c, weight S(u)> + s0 sum(u) + s1 sum(u x̂)`: by x, by g, and for each plane by the weight, `<c, S(u)>`.
pub fn curvature<T: Real>(
    saved: Saved<'_, T>,
    sums: &[T],
    along: Cotangents<'_, T>,
    planes: Planes,
) -> (Vec<T>, Vec<T>, Vec<T>) {
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
                dispatch(Curvature { saved, sums, along, planes, range: first..first + count, outs });
            });
        })
    };
    (by_x, by_g, by_weight)
}

struct Curvature<'a, T> {
    saved: Saved<'a, T>,
    sums: &'a [T],
    along: Cotangents<'a, T>,
    planes: Planes,
    range: std::ops::Range<usize>,
    outs: (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<T>], &'a mut [T]),
}

impl<T: Real> Kernel for Curvature<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { saved, planes, .. } = self;
        let mut scratch = Vec::with_capacity(planes.len());
        let scratch = &mut scratch.spare_capacity_mut()[..planes.len()];
        let share = T::ONE / T::from_usize(planes.len());
        let (by_x, by_g, by_weight) = self.outs;
        let outs = by_x.chunks_mut(planes.len()).zip(by_g.chunks_mut(planes.out_len())).zip(by_weight);
        for (plane, ((by_x, by_g), by_weight)) in self.range.zip(outs) {
            let line = saved.line(plane, planes.channels);
            let x = &saved.x[plane * planes.len()..][..planes.len()];
            let c = &self.along.c[plane * planes.len()..][..planes.len()];
            let u = spread(x, &saved.g[plane * planes.out_len()..][..planes.out_len()], planes, line, by_x);
            let (sum, product) = (self.sums[2 * plane] * share, self.sums[2 * plane + 1] * share);
            let (s0, s1) = (self.along.sums[2 * plane], self.along.sums[2 * plane + 1]);
            let (c_sum, c_product) = (total(c, c, First) * share, total(c, x, line.product()) * share);
            // <c, S(u)> / n
            let inner = line.r * (total(u, c, Product) * share - c_sum * sum - c_product * product);
            *by_weight = inner * T::from_usize(planes.len());

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

/// `weight x̂ + bias` of one plane.
#[derive(Clone, Copy)]
struct Line<T> {
    mean: T,
    r: T,
    /// `r weight`
    scale: T,
    bias: T,
}

impl<T: Real> Line<T> {
    #[inline(always)]
    fn new(affine: Affine<'_, T>, channel: usize, [mean, r]: [T; 2]) -> Self {
        Self { mean, r, scale: r * affine.weight[channel], bias: affine.bias[channel] }
    }

    /// x̂
    #[inline(always)]
    fn standard(&self, x: T) -> T {
        (x - self.mean) * self.r
    }

    #[inline(always)]
    fn product(&self) -> StandardProduct<T> {
        StandardProduct { mean: self.mean, r: self.r }
    }
}

impl<T: Real> Term<T> for Line<T> {
    #[inline(always)]
    fn of(self, x: T, _: T) -> T {
        (x - self.mean) * self.scale + self.bias
    }
}

/// ReLU of a line.
#[derive(Clone, Copy)]
struct Positive<T>(Line<T>);

impl<T: Real> Term<T> for Positive<T> {
    #[inline(always)]
    fn of(self, x: T, _: T) -> T {
        self.0.of(x, x).maximum(T::ZERO)
    }
}

/// `a x̂`
#[derive(Clone, Copy)]
struct StandardProduct<T> {
    mean: T,
    r: T,
}

impl<T: Real> Term<T> for StandardProduct<T> {
    #[inline(always)]
    fn of(self, a: T, x: T) -> T {
        a * ((x - self.mean) * self.r)
    }
}

/// `weight S(c) + s0 + s1 x̂`
#[derive(Clone, Copy)]
struct Slope<T> {
    line: Line<T>,
    /// Means of c and of c x̂.
    mean: T,
    along: T,
    s0: T,
    s1: T,
}

impl<T: Real> Term<T> for Slope<T> {
    #[inline(always)]
    fn of(self, c: T, x: T) -> T {
        let standard = self.line.standard(x);
        self.line.scale * (c - self.mean - standard * self.along) + (self.s0 + self.s1 * standard)
    }
}

/// The slope where the line of `x` lies above 0.
#[derive(Clone, Copy)]
struct Gated<T>(Slope<T>);

impl<T: Real> Term<T> for Gated<T> {
    #[inline(always)]
    fn of(self, c: T, x: T) -> T {
        if self.0.line.of(x, x) > T::ZERO { self.0.of(c, x) } else { T::ZERO }
    }
}

/// A term of two planes, and what follows it: the means of its 2x2 windows if there is a pooling. `scratch` has room for a plane.
#[inline(always)]
fn epilogue<T: Real, F: Term<T>>(
    [a, b]: [&[T]; 2],
    planes: Planes,
    out: &mut [MaybeUninit<T>],
    scratch: &mut [MaybeUninit<T>],
    term: F,
) {
    if planes.epilogue == Epilogue::ReluPool {
        write(a, b, scratch, term);
        // SAFETY: written above.
        halve(unsafe { assume_init(scratch) }, out, Window::halving(planes.height, planes.width));
    } else {
        write(a, b, out, term);
    }
}

/// Writes `u`: to every number the gradient of what was made of it.
#[inline(always)]
fn spread<'a, T: Real>(x: &[T], g: &[T], planes: Planes, line: Line<T>, out: &'a mut [MaybeUninit<T>]) -> &'a mut [T] {
    match planes.epilogue {
        Epilogue::Identity | Epilogue::Relu => write(g, g, out, First),
        Epilogue::ReluPool => halving_gradient(g, out, Window::halving(planes.height, planes.width)),
    }
    // SAFETY: every number has been written.
    let u = unsafe { assume_init(out) };
    if planes.epilogue != Epilogue::Identity {
        for (u, &x) in u.iter_mut().zip(x) {
            *u = if line.of(x, x) > T::ZERO { *u } else { T::ZERO };
        }
    }
    u
}
