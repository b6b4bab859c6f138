//! Operations on each element.

use crate::Tensor;
use crate::error::Result;
use crate::op::{Finish, Op};
use crate::tensor::{apply, apply_later};

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        /// Functions of each element; shape and type stay. f32 or f64.
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// When the tensor is i64.
                pub fn $name(&self) -> Result<Self> {
                    apply($op, &[self])
                }
            )*
        }
    };
}

impl Tensor {
    /// max(x, 0); the gradient at 0 is 0.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn relu(&self) -> Result<Self> {
        match self.norm_instead(Finish::Nothing, Finish::Relu) {
            Some((op, inputs)) => apply_later(op, &inputs.iter().collect::<Vec<_>>()),
            None => apply(Op::Relu, &[self]),
        }
    }
}

unary! {
    /// -x.
    neg => Op::Neg;
    /// e^x.
    exp => Op::Exp;
    /// Natural logarithm.
    log => Op::Log;
    /// Square root; its gradient at 0 is infinite.
    sqrt => Op::Sqrt;
    /// 1 / x.
    recip => Op::Recip;
    /// x x.
    square => Op::Square;
    /// |x|; the gradient at 0 is 0.
    abs => Op::Abs;
    /// -1, 0 or 1; no gradient.
    sign => Op::Sign;
    /// 1 where x > 0, else 0; no gradient.
    step => Op::Step;
    /// Sine of an angle in radians.
    sin => Op::Sin;
    /// Cosine of an angle in radians.
    cos => Op::Cos;
    /// Hyperbolic tangent.
    tanh => Op::Tanh;
    /// 1 / (1 + e^-x).
    sigmoid => Op::Sigmoid;
}

/// Functions of each element with a number.
impl Tensor {
    /// x^exponent, for x >= 0 unless the exponent is whole.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn powf(&self, exponent: f64) -> Result<Self> {
        apply(Op::Powf { exponent }, &[self])
    }

    /// min(max(x, low), high); the gradient passes where `low <= x <= high`.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn clamp(&self, low: f64, high: f64) -> Result<Self> {
        apply(Op::Clamp { low, high }, &[self])
    }

    /// x + value.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn add_scalar(&self, value: f64) -> Result<Self> {
        apply(Op::AddScalar { value }, &[self])
    }

    /// x value.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn mul_scalar(&self, value: f64) -> Result<Self> {
        apply(Op::MulScalar { value }, &[self])
    }
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        /// Functions of two elements. Shapes broadcast: aligned at the last axis, an axis of length 1 stretches.
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// When shapes do not broadcast, or types or devices differ.
                pub fn $name(&self, other: &Self) -> Result<Self> {
                    apply($op, &[self, other])
                }
            )*
        }
    };
}

binary! {
    /// a + b.
    add => Op::Add;
    /// a - b.
    sub => Op::Sub;
    /// a b, element by element.
    mul => Op::Mul;
    /// a / b.
    div => Op::Div;
    /// The larger of both; where equal, the gradient goes to `self`.
    maximum => Op::Maximum;
    /// The smaller of both; where equal, the gradient goes to `self`.
    minimum => Op::Minimum;
    /// 1 where a > b, else 0, in the same type; no gradient.
    greater => Op::Greater;
    /// 1 where a >= b, else 0, in the same type; no gradient.
    greater_equal => Op::GreaterEqual;
    /// 1 where a < b, else 0, in the same type; no gradient.
    less => Op::Less;
    /// 1 where a <= b, else 0, in the same type; no gradient.
    less_equal => Op::LessEqual;
}

/// Choosing.
impl Tensor {
    /// `a` where `self` is not 0, else `b`; all three broadcast. No gradient by the mask.
    ///
    /// # Errors
    /// When shapes do not broadcast, or types or devices differ.
    pub fn select(&self, a: &Self, b: &Self) -> Result<Self> {
        apply(Op::Select, &[&self.detach(), a, b])
    }
}
