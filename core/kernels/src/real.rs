//! The two number types of the kernels.

use super::vector::Number;
use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// `f32` or `f64`: what the kernels compute with.
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + PartialEq
    + Send
    + Sync
    + Debug
    + Display
    + Sum
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + Number
    + Into<f64>
    + 'static
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// Negative infinity.
    const NEG_INFINITY: Self;

    /// The numbers if this is single precision, which some kernels are for.
    fn single(numbers: &[Self]) -> Option<&[f32]>;
    /// What such a kernel has made.
    fn from_single(numbers: Vec<f32>) -> Vec<Self>;
    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;
    /// e^x.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Sine of an angle in radians.
    fn sin(self) -> Self;
    /// Cosine of an angle in radians.
    fn cos(self) -> Self;
    /// Angle in radians of a cosine.
    fn acos(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Power with a real exponent.
    fn powf(self, exponent: Self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;

    /// The nearest number of this type.
    #[inline(always)]
    fn from_usize(value: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let value = value as f64;
        Self::from_f64(value)
    }

    /// The larger one; not-a-number when either is.
    #[inline(always)]
    #[expect(clippy::eq_op, reason = "x != x is the test for not-a-number")]
    fn maximum(self, other: Self) -> Self {
        if self >= other || self != self { self } else { other }
    }

    /// The smaller one; not-a-number when either is.
    #[inline(always)]
    #[expect(clippy::eq_op, reason = "x != x is the test for not-a-number")]
    fn minimum(self, other: Self) -> Self {
        if self <= other || self != self { self } else { other }
    }
}

macro_rules! real {
    ($type:ident, $round:expr, $single:expr, $from_single:expr, $($name:ident($($argument:ident),*) = $function:ident;)*) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = $type::INFINITY;
            const NEG_INFINITY: Self = $type::NEG_INFINITY;

            fn single(numbers: &[Self]) -> Option<&[f32]> {
                $single(numbers)
            }
            fn from_single(numbers: Vec<f32>) -> Vec<Self> {
                $from_single(numbers)
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                $round(value)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $type::abs(self)
            }
            $(
                #[inline(always)]
                fn $name(self $(, $argument: Self)*) -> Self {
                    libm::$function(self $(, $argument)*)
                }
            )*
        }
    };
}

// Not those of the system's mathematical library, whose last digits differ from one to the next.
real! {
    f32, |value: f64| value as f32, Some, std::convert::identity,
    exp() = expf; ln() = logf; sin() = sinf; cos() = cosf; acos() = acosf; erf() = erff; tanh() = tanhf; powf(exponent) = powf;
}
real! {
    f64, |value: f64| value, |_| None, |numbers: Vec<f32>| numbers.into_iter().map(f64::from).collect(),
    exp() = exp; ln() = log; sin() = sin; cos() = cos; acos() = acos; erf() = erf; tanh() = tanh; powf(exponent) = pow;
}
