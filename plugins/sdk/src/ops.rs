//! Operations on tensors. Those of the host are here under their names; derived ones are composed of them, and say so.

use crate::call::host;
use crate::error::Result;
use crate::tensor::{DType, Tensor, handles, numbers};
use pddflow_abi::Op;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// The tensor is not real.
            #[track_caller]
            pub fn $name(&self) -> Result<Self> {
                self.map(Op::$op, &[])
            }
        )*
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// The shapes do not broadcast.
            #[track_caller]
            pub fn $name(&self, other: &Self) -> Result<Self> {
                self.with(Op::$op, other)
            }
        )*
    };
}

macro_rules! reduction {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// No axes means all of them; `keep` keeps them with size 1.
            ///
            /// # Errors
            /// An axis does not exist.
            #[track_caller]
            pub fn $name(&self, axes: &[usize], keep: bool) -> Result<Self> {
                self.reduce(Op::$op, axes, keep)
            }
        )*
    };
}

impl<'call> Tensor<'call> {
    #[track_caller]
    fn map(&self, op: Op, parameters: &[f64]) -> Result<Self> {
        let (data, count) = (parameters.as_ptr(), parameters.len() as u64);
        Self::made(
            self.call(),
            |out| host!(self.call(), map: MapGroup, unary(op as u32, self.handle(), data, count, out)),
        )
    }

    #[track_caller]
    fn with(&self, op: Op, other: &Self) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), map: MapGroup, binary(op as u32, self.handle(), other.handle(), out)),
        )
    }

    #[track_caller]
    fn reduce(&self, op: Op, axes: &[usize], keep: bool) -> Result<Self> {
        let axes = numbers(axes);
        let (data, count) = (axes.as_ptr(), axes.len() as u64);
        Self::made(
            self.call(),
            |out| host!(self.call(), reduce: ReduceGroup, over(op as u32, self.handle(), data, count, u32::from(keep), out)),
        )
    }

    unary! {
        /// -x.
        negated Neg;
        /// e^x.
        exp Exp;
        /// Natural logarithm.
        log Log;
        /// Square root.
        sqrt Sqrt;
        /// 1 / x.
        recip Recip;
        /// x^2.
        square Square;
        /// |x|; derivative 0 at 0.
        abs Abs;
        /// -1, 0 or 1; derivative 0.
        sign Sign;
        /// max(x, 0); derivative 0 at 0.
        relu Relu;
        /// 1 where x > 0, else 0; derivative 0.
        positive Step;
        /// Sine.
        sin Sin;
        /// Cosine.
        cos Cos;
        /// Angle in radians, from 0 to pi, whose cosine is x; not a number outside of [-1, 1], infinite derivative at both ends.
        acos Acos;
        /// The error function.
        erf Erf;
        /// Hyperbolic tangent.
        tanh Tanh;
        /// 1 / (1 + e^-x).
        sigmoid Sigmoid;
    }

    binary! {
        /// Larger of the two.
        maximum Maximum;
        /// Smaller of the two.
        minimum Minimum;
        /// 1 where x > y, else 0; no gradient.
        greater Greater;
        /// 1 where x >= y, else 0; no gradient.
        greater_equal GreaterEqual;
        /// 1 where x < y, else 0; no gradient.
        less Less;
        /// 1 where x <= y, else 0; no gradient.
        less_equal LessEqual;
        /// 1 where x = y, else 0; no gradient.
        equal Equal;
    }

    reduction! {
        /// Sum.
        sum Sum;
        /// Mean.
        mean Mean;
        /// Largest element.
        max Max;
        /// Smallest element.
        min Min;
    }

    /// x^p.
    ///
    /// # Errors
    /// The tensor is not real.
    #[track_caller]
    pub fn powf(&self, exponent: f64) -> Result<Self> {
        self.map(Op::Power, &[exponent])
    }

    /// Limited to an interval; derivative 0 outside.
    ///
    /// # Errors
    /// The interval is empty.
    #[track_caller]
    pub fn clamp(&self, low: f64, high: f64) -> Result<Self> {
        self.map(Op::Clamp, &[low, high])
    }

    /// x where the mask is not 0, else y.
    ///
    /// # Errors
    /// The shapes do not broadcast.
    #[track_caller]
    pub fn select(mask: &Self, x: &Self, y: &Self) -> Result<Self> {
        Self::made(x.call(), |out| host!(x.call(), map: MapGroup, select(mask.handle(), x.handle(), y.handle(), out)))
    }

    /// Row of the largest element along an axis, I64; no gradient.
    ///
    /// # Errors
    /// The axis does not exist.
    #[track_caller]
    pub fn argmax(&self, axis: usize) -> Result<Self> {
        self.reduce(Op::ArgMax, &[axis], false)
    }

    /// log(sum e^x) along an axis, without overflow.
    ///
    /// # Errors
    /// The axis does not exist.
    #[track_caller]
    pub fn log_sum_exp(&self, axis: usize, keep: bool) -> Result<Self> {
        self.reduce(Op::LogSumExp, &[axis], keep)
    }

    /// Same elements, other axes.
    ///
    /// # Errors
    /// The numbers of elements differ.
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        let shape = numbers(shape);
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, reshape(self.handle(), shape.as_ptr(), shape.len() as u64, out)),
        )
    }

    /// All axes but the first become one.
    ///
    /// # Errors
    /// The tensor has no axis.
    #[track_caller]
    pub fn flatten_rows(&self) -> Result<Self> {
        match self.shape()?.as_slice() {
            [] => Err(crate::Error::shape("a scalar has no rows")),
            [rows, rest @ ..] => self.reshape(&[*rows, rest.iter().product()]),
        }
    }

    /// Axes in another order.
    ///
    /// # Errors
    /// It is not a permutation.
    #[track_caller]
    pub fn permute(&self, axes: &[usize]) -> Result<Self> {
        let axes = numbers(axes);
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, permute(self.handle(), axes.as_ptr(), axes.len() as u64, out)),
        )
    }

    /// Repeated along axes of size 1.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        let shape = numbers(shape);
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, broadcast(self.handle(), shape.as_ptr(), shape.len() as u64, out)),
        )
    }

    /// Rows `start..end` of an axis, every `step`-th.
    ///
    /// # Errors
    /// The range does not lie within the axis.
    #[track_caller]
    pub fn slice(&self, axis: usize, start: usize, end: usize, step: usize) -> Result<Self> {
        let range = numbers(&[start, end, step]);
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, slice(self.handle(), axis as u64, range.as_ptr(), out)),
        )
    }

    /// Zeros around: before and after, for each axis.
    ///
    /// # Errors
    /// There is not one pair for each axis.
    #[track_caller]
    pub fn pad(&self, widths: &[(usize, usize)]) -> Result<Self> {
        let flat: Vec<u64> = widths.iter().flat_map(|(before, after)| [*before as u64, *after as u64]).collect();
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, pad(self.handle(), flat.as_ptr(), widths.len() as u64, out)),
        )
    }

    /// Reversed along axes.
    ///
    /// # Errors
    /// An axis does not exist.
    #[track_caller]
    pub fn flip(&self, axes: &[usize]) -> Result<Self> {
        let axes = numbers(axes);
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, flip(self.handle(), axes.as_ptr(), axes.len() as u64, out)),
        )
    }

    /// One after the other along an axis.
    ///
    /// # Errors
    /// There is none, or the other axes differ.
    #[track_caller]
    pub fn concat(items: &[Self], axis: usize) -> Result<Self> {
        let call = items.first().ok_or_else(|| crate::Error::shape("there is no tensor to join"))?.call();
        let items = handles(items);
        Self::made(
            call,
            |out| host!(call, shape: ShapeGroup, concat(items.as_ptr(), items.len() as u64, axis as u64, out)),
        )
    }

    /// Along a new axis.
    ///
    /// # Errors
    /// There is none, or the shapes differ.
    #[track_caller]
    pub fn stack(items: &[Self], axis: usize) -> Result<Self> {
        let call = items.first().ok_or_else(|| crate::Error::shape("there is no tensor to join"))?.call();
        let items = handles(items);
        Self::made(
            call,
            |out| host!(call, shape: ShapeGroup, stack(items.as_ptr(), items.len() as u64, axis as u64, out)),
        )
    }

    /// The rows of an axis that an I64 tensor names.
    ///
    /// # Errors
    /// A row does not exist.
    #[track_caller]
    pub fn gather(&self, axis: usize, rows: &Self) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, gather(self.handle(), axis as u64, rows.handle(), out)),
        )
    }

    /// Adds rows to zeros of `size` rows: the transpose of [`gather`](Self::gather).
    ///
    /// # Errors
    /// A row does not exist.
    #[track_caller]
    pub fn scatter_add(&self, axis: usize, rows: &Self, size: usize) -> Result<Self> {
        let (axis, size) = (axis as u64, size as u64);
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, scatter_add(self.handle(), axis, rows.handle(), size, out)),
        )
    }

    /// The `count` largest elements along an axis, or the smallest, in order, and their places, I64. Of equal elements the first comes
    /// first; not-a-number counts as the largest. The gradient goes to the elements that were taken.
    ///
    /// # Errors
    /// The axis does not exist or has fewer elements, or the host is older than 0.8.
    #[track_caller]
    pub fn top_k(&self, axis: usize, count: usize, largest: bool) -> Result<(Self, Self)> {
        let (mut values, mut places) = (0, 0);
        let (axis, count, largest) = (axis as u64, count as u64, u32::from(largest));
        host!(self.call(), shape: ShapeGroup, top_k(self.handle(), axis, count, largest, &raw mut values, &raw mut places))?;
        Ok((Self::own(self.call(), values), Self::own(self.call(), places)))
    }

    /// All elements along an axis in order, and their places. Derived: [`top_k`](Self::top_k) of all.
    ///
    /// # Errors
    /// As [`top_k`](Self::top_k).
    #[track_caller]
    pub fn sort(&self, axis: usize, descending: bool) -> Result<(Self, Self)> {
        let length = self.shape()?.get(axis).copied();
        self.top_k(axis, length.ok_or_else(|| crate::Error::shape(format!("there is no axis {axis}")))?, descending)
    }

    /// Along an axis the elements at `places`, I64, of the shape of the tensor but for the length of the axis; repeats allowed.
    ///
    /// # Errors
    /// The shapes do not fit, a place does not exist, or the host is older than 0.8.
    #[track_caller]
    pub fn take_along(&self, axis: usize, places: &Self) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, take_along(self.handle(), axis as u64, places.handle(), out)),
        )
    }

    /// I64 `[row]` to real `[row, class]`.
    ///
    /// # Errors
    /// A label is out of range.
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Result<Self> {
        Self::made(
            self.call(),
            |out| host!(self.call(), shape: ShapeGroup, one_hot(self.handle(), classes as u64, out)),
        )
    }

    /// e^x / sum e^x along an axis. Derived: the exponential of [`log_softmax`](Self::log_softmax).
    ///
    /// # Errors
    /// The axis does not exist.
    #[track_caller]
    pub fn softmax(&self, axis: usize) -> Result<Self> {
        self.log_softmax(axis)?.exp()
    }

    /// Sum of products of all elements. Derived.
    ///
    /// # Errors
    /// The shapes differ.
    #[track_caller]
    pub fn dot(&self, other: &Self) -> Result<Self> {
        (self * other)?.sum(&[], false)
    }

    /// Square root of the sum of squares over axes. Derived; its derivative is not defined where it is 0.
    ///
    /// # Errors
    /// An axis does not exist.
    #[track_caller]
    pub fn norm(&self, axes: &[usize], keep: bool) -> Result<Self> {
        self.square()?.sum(axes, keep)?.sqrt()
    }

    /// Square root of the sum of all squares, as a number. Derived.
    ///
    /// # Errors
    /// The tensor is on the tape.
    #[track_caller]
    pub(crate) fn length(&self) -> Result<f64> {
        Ok(self.square()?.sum(&[], false)?.scalar()?.sqrt())
    }

    /// Sum of squared differences. Derived.
    ///
    /// # Errors
    /// The shapes do not broadcast.
    #[track_caller]
    pub fn squared_distance(&self, other: &Self) -> Result<Self> {
        (self - other)?.square()?.sum(&[], false)
    }

    /// `<x, y> / (|x| |y| + epsilon)` over the last axis of `[row, element]`, for each row. Derived. A row of zeros gives 0 with
    /// gradient 0: its length is taken as that of its squares with the mask of non-zero rows.
    ///
    /// # Errors
    /// The shapes differ.
    #[track_caller]
    pub fn cosine(&self, other: &Self, epsilon: f64) -> Result<Self> {
        let products = (self * other)?.sum(&[1], false)?;
        let lengths = (&self.safe_norm()? * &other.safe_norm()?)?;
        &products / &(&lengths + epsilon)?
    }

    /// Length of each row; 0 with gradient 0 for a row of zeros.
    #[track_caller]
    fn safe_norm(&self) -> Result<Self> {
        let squares = self.square()?.sum(&[1], false)?;
        let filled = squares.detach()?.positive()?;
        // Rows of zeros get 1 under the root and 0 behind it, so that no 0/0 arises backwards.
        let empty = (&filled.negated()? + 1.0)?;
        &(&squares + &empty)?.sqrt()? * &filled
    }

    /// The number of rows with the same label as the largest logit, divided by their number. Derived; no gradient.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn accuracy(&self, labels: &Self) -> Result<f64> {
        let hard = if labels.dtype()? == DType::I64 { labels.clone() } else { labels.detach()?.argmax(1)? };
        let (found, wanted) = (self.detach()?.argmax(1)?.to_i64_vec()?, hard.to_i64_vec()?);
        let right = found.iter().zip(&wanted).filter(|(a, b)| a == b).count();
        Ok(right as f64 / wanted.len().max(1) as f64)
    }
}

macro_rules! operator {
    ($($Trait:ident $method:ident $op:ident $scalar:expr;)*) => {
        $(
            impl<'call> $Trait<&Tensor<'call>> for &Tensor<'call> {
                type Output = Result<Tensor<'call>>;
                #[track_caller]
                fn $method(self, other: &Tensor<'call>) -> Self::Output {
                    self.with(Op::$op, other)
                }
            }
            impl<'call> $Trait<f64> for &Tensor<'call> {
                type Output = Result<Tensor<'call>>;
                #[track_caller]
                fn $method(self, other: f64) -> Self::Output {
                    let (op, parameter): (Op, f64) = $scalar(other);
                    self.map(op, &[parameter])
                }
            }
        )*
    };
}

operator! {
    Add add Add |value: f64| (Op::AddScalar, value);
    Sub sub Sub |value: f64| (Op::AddScalar, -value);
    Mul mul Mul |value: f64| (Op::MulScalar, value);
    Div div Div |value: f64| (Op::MulScalar, 1.0 / value);
}

impl<'call> Neg for &Tensor<'call> {
    type Output = Result<Tensor<'call>>;
    #[track_caller]
    fn neg(self) -> Self::Output {
        self.negated()
    }
}
