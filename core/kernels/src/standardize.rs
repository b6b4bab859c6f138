//! Standardisation of each channel over all images (batch normalisation), and its gradient, each in two passes.

use std::mem::MaybeUninit;

use super::Real;
use super::buffer::{GRAIN, build, items_per_task};
use super::parallel::{chunks, map};
use super::reduce::{self, LANES, WIDE};
use super::simd::{Kernel, dispatch};

/// A tensor `[image, channel, plane]`, in which the numbers of a channel share a mean and a variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Images of the batch.
    pub images: usize,
    /// Channels of each.
    pub channels: usize,
    /// Elements of a channel of an image.
    pub plane: usize,
}

impl Channels {
    /// 1 / the numbers of a channel.
    fn share<T: Real>(self) -> T {
        T::ONE / T::from_usize((self.images * self.plane).max(1))
    }
}

/// `y = (x - mean) / sqrt(variance + eps)` with the biased variance of each channel; and `1 / sqrt(variance + eps)`.
pub fn forward<T: Real>(x: &[T], sizes: Channels, eps: T) -> (Vec<T>, Vec<T>) {
    let share: T = sizes.share();
    let sums = channel_sums(x, x, sizes, |_, x, _| [dispatch(PlaneSum { a: x, b: x, term: First })]);
    let mean: Vec<T> = sums.into_iter().map(|[sum]| sum * share).collect();
    let squares = channel_sums(x, x, sizes, |channel, x, _| {
        [dispatch(PlaneSum { a: x, b: x, term: Square { mean: mean[channel] } })]
    });
    let inverse_std: Vec<T> = squares.into_iter().map(|[sum]| T::ONE / (sum * share + eps).sqrt()).collect();
    let y = per_plane(x, x, sizes, |channel| Standard { mean: mean[channel], scale: inverse_std[channel] });
    (y, inverse_std)
}

/// Gradient of [`forward`] with respect to `x`, given its `y` and `inverse_std`:
/// `inverse_std * (g - mean(g) - y * mean(g * y))`, means over each channel.
pub fn gradient<T: Real>(y: &[T], inverse_std: &[T], g: &[T], sizes: Channels) -> Vec<T> {
    let share: T = sizes.share();
    let sums = channel_sums(g, y, sizes, |_, g, y| {
        [dispatch(PlaneSum { a: g, b: g, term: First }), dispatch(PlaneSum { a: g, b: y, term: Product })]
    });
    per_plane(g, y, sizes, |channel| {
        let [sum, along] = sums[channel];
        Slope { scale: inverse_std[channel], mean: sum * share, along: along * share }
    })
}

/// A function of two numbers. A trait and not a closure, because its body must be inlined into
/// loops that are compiled for every instruction set.
pub(super) trait Term<T>: Copy {
    fn of(self, a: T, b: T) -> T;
}

/// `a`
#[derive(Clone, Copy)]
pub(super) struct First;

/// `a * b`
#[derive(Clone, Copy)]
pub(super) struct Product;

/// `(a - mean)^2`
#[derive(Clone, Copy)]
pub(super) struct Square<T> {
    pub(super) mean: T,
}

/// `(a - mean) * scale`
#[derive(Clone, Copy)]
struct Standard<T> {
    mean: T,
    scale: T,
}

/// `scale * (a - mean - b * along)`
#[derive(Clone, Copy)]
struct Slope<T> {
    scale: T,
    mean: T,
    along: T,
}

impl<T: Real> Term<T> for First {
    #[inline(always)]
    fn of(self, a: T, _: T) -> T {
        a
    }
}

impl<T: Real> Term<T> for Product {
    #[inline(always)]
    fn of(self, a: T, b: T) -> T {
        a * b
    }
}

impl<T: Real> Term<T> for Square<T> {
    #[inline(always)]
    fn of(self, a: T, _: T) -> T {
        (a - self.mean) * (a - self.mean)
    }
}

impl<T: Real> Term<T> for Standard<T> {
    #[inline(always)]
    fn of(self, a: T, _: T) -> T {
        (a - self.mean) * self.scale
    }
}

impl<T: Real> Term<T> for Slope<T> {
    #[inline(always)]
    fn of(self, a: T, b: T) -> T {
        self.scale * (a - self.mean - b * self.along)
    }
}

/// Sum of a term over two slices of one length, in a fixed order.
#[inline(always)]
pub(super) fn total<T: Real, F: Term<T>>(a: &[T], b: &[T], term: F) -> T {
    let mut lanes = [T::ZERO; LANES];
    let ((a_wide, a_rest), (b_wide, b_rest)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
    for (a, b) in a_wide.iter().zip(b_wide) {
        for i in 0..LANES {
            let first = term.of(a[i], b[i]) + term.of(a[i + LANES], b[i + LANES]);
            let second = term.of(a[i + 2 * LANES], b[i + 2 * LANES]) + term.of(a[i + 3 * LANES], b[i + 3 * LANES]);
            lanes[i] += first + second;
        }
    }
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a_rest.as_chunks::<LANES>(), b_rest.as_chunks::<LANES>());
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for i in 0..LANES {
            lanes[i] += term.of(a[i], b[i]);
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += term.of(a, b);
    }
    reduce::join_lanes::<T, reduce::Sum>(lanes)
}

/// A term of every element.
#[inline(always)]
pub(super) fn write<T: Real, F: Term<T>>(a: &[T], b: &[T], out: &mut [MaybeUninit<T>], term: F) {
    for (out, (&a, &b)) in out.iter_mut().zip(a.iter().zip(b)) {
        out.write(term.of(a, b));
    }
}

/// Images that one partial sum of a channel covers.
fn images_per_task(channels: usize, plane: usize) -> usize {
    items_per_task(channels * plane, 2 * GRAIN)
}

/// Sums `f(a, b)` of every channel over all images: partial sums of fixed image ranges, in order.
fn channel_sums<T: Real, const N: usize>(
    a: &[T],
    b: &[T],
    Channels { images, channels, plane }: Channels,
    f: impl Fn(usize, &[T], &[T]) -> [T; N] + Sync,
) -> Vec<[T; N]> {
    let per_task = images_per_task(channels, plane);
    let partials = map(images.div_ceil(per_task), |task| {
        let mut sums = vec![[T::ZERO; N]; channels];
        for image in task * per_task..((task + 1) * per_task).min(images) {
            for (channel, sums) in sums.iter_mut().enumerate() {
                let start = (image * channels + channel) * plane;
                let values = f(channel, &a[start..start + plane], &b[start..start + plane]);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
        sums
    });
    let mut total = vec![[T::ZERO; N]; channels];
    for partial in partials {
        for (total, partial) in total.iter_mut().zip(partial) {
            for (total, value) in total.iter_mut().zip(partial) {
                *total += value;
            }
        }
    }
    total
}

struct PlaneSum<'a, T, F> {
    a: &'a [T],
    b: &'a [T],
    term: F,
}

impl<T: Real, F: Term<T>> Kernel for PlaneSum<'_, T, F> {
    type Output = T;
    #[inline(always)]
    fn run(self) -> T {
        total(self.a, self.b, self.term)
    }
}

/// A term of every element; `term(channel)` gives it.
fn per_plane<T: Real, F: Term<T>>(
    a: &[T],
    b: &[T],
    Channels { channels, plane, .. }: Channels,
    term: impl Fn(usize) -> F + Sync,
) -> Vec<T> {
    let per_task = items_per_task(plane, GRAIN);
    // SAFETY: the chunks cover the result in whole planes, and every plane is filled.
    unsafe {
        build(a.len(), |out| {
            chunks(out, per_task * plane, |index, out| {
                let start = index * per_task * plane;
                let (a, b) = (&a[start..][..out.len()], &b[start..][..out.len()]);
                let planes = a.chunks(plane).zip(b.chunks(plane)).zip(out.chunks_mut(plane));
                for (i, ((a, b), out)) in planes.enumerate() {
                    let term = term((index * per_task + i) % channels);
                    dispatch(PlaneMap { a, b, out, term });
                }
            });
        })
    }
}

struct PlaneMap<'a, T, F> {
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [MaybeUninit<T>],
    term: F,
}

impl<T: Real, F: Term<T>> Kernel for PlaneMap<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        write(self.a, self.b, self.out, self.term);
    }
}
