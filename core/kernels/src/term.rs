//! Functions of two numbers, summed over slices or written to them: what kernels over planes are made of.

use std::mem::MaybeUninit;

use super::Real;
use super::reduce::{self, LANES, WIDE};

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
