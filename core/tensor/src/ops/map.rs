//! Operations on each element: methods made from the [table](crate::op::elementwise).

use crate::Tensor;
use crate::error::Result;
use crate::op::elementwise::{binary_table, unary_table};
use crate::op::{Binary, Op, Unary};
use crate::tensor::apply;

macro_rules! unary {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident),* })? $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $rule:expr)?;)*) => {
        /// Functions of each element; shape and type stay. f32 or f64.
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// When the tensor is i64.
                pub fn $name(&self $($(, $field: f64)*)?) -> Result<Self> {
                    self.unary(Unary::$variant $({ $($field),* })?)
                }
            )*
        }
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $variant:ident $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $by_a:expr, $by_b:expr)?;)*) => {
        /// Functions of two elements. Shapes broadcast: aligned at the last axis, an axis of length 1 stretches.
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// When shapes do not broadcast, or types or devices differ.
                pub fn $name(&self, other: &Self) -> Result<Self> {
                    self.binary(Binary::$variant, other)
                }
            )*
        }
    };
}

unary_table!(unary);
binary_table!(binary);

/// Functions of elements by their name as a value, and choosing.
impl Tensor {
    /// A function of each element.
    ///
    /// # Errors
    /// When the tensor is i64.
    pub fn unary(&self, op: Unary) -> Result<Self> {
        apply(Op::Unary(op), &[self])
    }

    /// A function of two elements, with broadcasting.
    ///
    /// # Errors
    /// When shapes do not broadcast, or types or devices differ.
    pub fn binary(&self, op: Binary, other: &Self) -> Result<Self> {
        apply(Op::Binary(op), &[self, other])
    }

    /// `a` where `self` is not 0, else `b`; all three broadcast. No gradient by the mask.
    ///
    /// # Errors
    /// When shapes do not broadcast, or types or devices differ.
    pub fn select(&self, a: &Self, b: &Self) -> Result<Self> {
        apply(Op::Select, &[&self.detach(), a, b])
    }

    /// `self` where `x > 0`, else 0: what ReLU of `x` lets back through. No gradient by `x`.
    pub(crate) fn gate(&self, x: &Self) -> Result<Self> {
        apply(Op::Gate, &[self, x])
    }
}
