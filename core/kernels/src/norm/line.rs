//! The line of a plane, what follows it, and what a pass leaves for its derivatives.

use std::mem::MaybeUninit;

use super::planes::{Epilogue, Planes};
use crate::Real;
use crate::buffer::assume_init;
use crate::pool::{Window, halve, halving_gradient};
use crate::term::{First, Term, write};

/// What the planes are made with: one number for each channel.
#[derive(Clone, Copy)]
pub struct Affine<'a, T> {
    /// Factor of each channel.
    pub weight: &'a [T],
    /// What is added to each channel.
    pub bias: &'a [T],
}

/// What a forward pass has left for its derivatives.
#[derive(Clone, Copy)]
pub struct Saved<'a, T> {
    /// What was normalised.
    pub x: &'a [T],
    /// What the normalised planes were made with.
    pub affine: Affine<'a, T>,
    /// Mean and r of each plane or channel.
    pub statistics: &'a [T],
    /// Gradient of the result.
    pub g: &'a [T],
}

impl<T: Real> Saved<'_, T> {
    #[inline(always)]
    pub(super) fn line(&self, plane: usize, planes: Planes) -> Line<T> {
        let group = planes.group(plane);
        Line::new(self.affine, plane % planes.channels, [self.statistics[2 * group], self.statistics[2 * group + 1]])
    }

    #[inline(always)]
    pub(super) fn plane(&self, plane: usize, planes: Planes) -> [&[T]; 2] {
        [&self.x[plane * planes.len()..][..planes.len()], &self.g[plane * planes.out_len()..][..planes.out_len()]]
    }
}

/// `weight x̂ + bias` of one plane.
#[derive(Clone, Copy)]
pub(super) struct Line<T> {
    pub(super) mean: T,
    pub(super) r: T,
    /// `r weight`
    pub(super) scale: T,
    pub(super) bias: T,
}

impl<T: Real> Line<T> {
    #[inline(always)]
    pub(super) fn new(affine: Affine<'_, T>, channel: usize, [mean, r]: [T; 2]) -> Self {
        Self { mean, r, scale: r * affine.weight[channel], bias: affine.bias[channel] }
    }

    /// x̂
    #[inline(always)]
    pub(super) fn standard(&self, x: T) -> T {
        (x - self.mean) * self.r
    }

    #[inline(always)]
    pub(super) fn product(&self) -> StandardProduct<T> {
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
pub(super) struct Positive<T>(pub(super) Line<T>);

impl<T: Real> Term<T> for Positive<T> {
    #[inline(always)]
    fn of(self, x: T, _: T) -> T {
        self.0.of(x, x).maximum(T::ZERO)
    }
}

/// `a x̂`
#[derive(Clone, Copy)]
pub(super) struct StandardProduct<T> {
    pub(super) mean: T,
    pub(super) r: T,
}

impl<T: Real> Term<T> for StandardProduct<T> {
    #[inline(always)]
    fn of(self, a: T, x: T) -> T {
        a * ((x - self.mean) * self.r)
    }
}

/// `weight S(c) + s0 + s1 x̂`
#[derive(Clone, Copy)]
pub(super) struct Slope<T> {
    pub(super) line: Line<T>,
    /// Means of c and of c x̂.
    pub(super) mean: T,
    pub(super) along: T,
    pub(super) s0: T,
    pub(super) s1: T,
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
pub(super) struct Gated<T>(pub(super) Slope<T>);

impl<T: Real> Term<T> for Gated<T> {
    #[inline(always)]
    fn of(self, c: T, x: T) -> T {
        if self.0.line.of(x, x) > T::ZERO { self.0.of(c, x) } else { T::ZERO }
    }
}

/// A term of two planes, and what follows it: the means of its 2x2 windows if there is a pooling. `scratch` has room for a plane.
#[inline(always)]
pub(super) fn epilogue<T: Real, F: Term<T>>(
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
pub(super) fn spread<'a, T: Real>(
    x: &[T],
    g: &[T],
    planes: Planes,
    line: Line<T>,
    out: &'a mut [MaybeUninit<T>],
) -> &'a mut [T] {
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
