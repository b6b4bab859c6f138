//! The table of the operations on each element.
//!
//! Each row of a table is all that there is to know of an operation: its variant and method, its number at the plugin boundary
//! (0: not offered there), the kernel for one element of type `T`, its call `B` of a device's backend, and its gradient rule, unless
//! it has none. The enums here, the methods of `Tensor`, both backends, the rules, the host's dispatch and the lists that tests must
//! cover are made from these rows. A new operation is a row, and perhaps a function of
//! [`Real`](pddflow_kernels::Real); tests check its rule where it has no parameters.

/// Calls `$with!` with the rows of the functions of one element: `|x|`, `|x|`, and for `y` made of `x` with the cotangent `g` of `y`
/// that of `x`, `|g, x, y|`.
macro_rules! unary_table {
    ($with:ident) => {
        $with! {
            /// -x.
            Neg neg = 1, |x| -x, |x| B::float_neg(x), |g, _, _| g.neg();
            /// e^x.
            Exp exp = 2, T::exp, |x| B::float_exp(x), |g, _, y| g.mul(y);
            /// Natural logarithm.
            Log log = 3, T::ln, |x| B::float_log(x), |g, x, _| g.div(x);
            /// Square root; its gradient at 0 is infinite.
            Sqrt sqrt = 4, T::sqrt, |x| B::float_sqrt(x), |g, _, y| g.div(y)?.mul_scalar(0.5);
            /// 1 / x.
            Recip recip = 5, |x| T::ONE / x, |x| B::float_recip(x), |g, _, y| g.mul(&y.square()?)?.neg();
            /// x x.
            Square square = 6, |x| x * x, |x| B::float_mul(x.clone(), x), |g, x, _| g.mul(x)?.mul_scalar(2.0);
            /// |x|; the gradient at 0 is 0.
            Abs abs = 7, T::abs, |x| B::float_abs(x), |g, x, _| g.mul(&x.sign()?);
            /// -1, 0 or 1; no gradient.
            Sign sign = 8, |x| number::<T>(x > T::ZERO) - number::<T>(x < T::ZERO), |x| B::float_sign(x);
            /// max(x, 0); the gradient at 0 is 0.
            Relu relu = 9, |x| x.maximum(T::ZERO), |x| B::relu(x), |g, x, _| g.gate(x);
            /// 1 where x > 0, else 0; no gradient.
            Step step = 10, |x| number::<T>(x > T::ZERO), |x| positive(x);
            /// Sine of an angle in radians.
            Sin sin = 11, T::sin, |x| B::float_sin(x), |g, x, _| g.mul(&x.cos()?);
            /// Cosine of an angle in radians.
            Cos cos = 12, T::cos, |x| B::float_cos(x), |g, x, _| g.mul(&x.sin()?.neg()?);
            /// Hyperbolic tangent.
            Tanh tanh = 13, T::tanh, |x| B::float_tanh(x), |g, _, y| g.mul(&y.square()?.neg()?.add_scalar(1.0)?);
            /// 1 / (1 + e^-x).
            Sigmoid sigmoid = 14, |x| T::ONE / (T::ONE + (-x).exp()),
                |x| B::float_recip(B::float_add_scalar(B::float_exp(B::float_neg(x)), Scalar::from(1.0))),
                |g, _, y| g.mul(&y.sub(&y.square()?)?);
            /// x^exponent, for x >= 0 unless the exponent is whole. With whole exponents all derivatives at 0 are finite.
            Powf { exponent } powf = 15, { let exponent = T::from_f64(exponent); move |x: T| x.powf(exponent) },
                |x| B::float_powf_scalar(x, Scalar::from(exponent)),
                |g, x, _| match exponent {
                    0.0 => Tensor::zeros(x.shape(), x.dtype(), &x.device()),
                    _ => g.mul(&x.powf(exponent - 1.0)?.mul_scalar(exponent)?),
                };
            /// min(max(x, low), high); the gradient passes where `low <= x <= high`.
            Clamp { low, high } clamp = 16,
                { let (low, high) = (T::from_f64(low), T::from_f64(high)); move |x: T| x.maximum(low).minimum(high) },
                |x| B::float_clamp(x, Scalar::from(low), Scalar::from(high)),
                |g, x, _| g.mul(&x.within(low, high)?);
            /// 1 where `low <= x <= high`, else 0; no gradient.
            Within { low, high } within = 0,
                { let (low, high) = (T::from_f64(low), T::from_f64(high)); move |x| number::<T>(x >= low && x <= high) },
                |x| between(x, low, high);
            /// Angle in radians, from 0 to pi, whose cosine is x; not-a-number outside of [-1, 1]. Its gradient at -1 and 1 is infinite.
            Acos acos = 19, T::acos, |x| B::float_acos(x),
                |g, x, _| g.div(&x.neg()?.add_scalar(1.0)?.mul(&x.add_scalar(1.0)?)?.sqrt()?)?.neg();
            /// The error function, 2 / sqrt(pi) times the integral of e^(-t t) from 0 to x.
            Erf erf = 20, T::erf, |x| B::float_erf(x),
                |g, x, _| g.mul(&x.square()?.neg()?.exp()?)?.mul_scalar(std::f64::consts::FRAC_2_SQRT_PI);
            /// x + value.
            AddScalar { value } add_scalar = 17, { let value = T::from_f64(value); move |x| x + value },
                |x| B::float_add_scalar(x, Scalar::from(value)), |g, _, _| Ok(g.clone());
            /// x value.
            MulScalar { value } mul_scalar = 18, { let value = T::from_f64(value); move |x| x * value },
                |x| B::float_mul_scalar(x, Scalar::from(value)), |g, _, _| g.mul_scalar(value);
        }
    };
}

/// Calls `$with!` with the rows of the functions of two elements: `|a, b|`, `|a, b|` for arrays of one shape, and for `y` made of `a`
/// and `b` with the cotangent `g` of `y` those of `a` and of `b`, in their shapes, both `|g, a, b, y|`.
macro_rules! binary_table {
    ($with:ident) => {
        $with! {
            /// a + b.
            Add add = 100, |a, b| a + b, |a, b| B::float_add(a, b),
                |g, a, _, _| g.sum_to(a.shape()), |g, _, b, _| g.sum_to(b.shape());
            /// a - b.
            Sub sub = 101, |a, b| a - b, |a, b| B::float_sub(a, b),
                |g, a, _, _| g.sum_to(a.shape()), |g, _, b, _| g.sum_to(b.shape())?.neg();
            /// a b, element by element.
            Mul mul = 102, |a, b| a * b, |a, b| B::float_mul(a, b),
                |g, a, b, _| g.mul(b)?.sum_to(a.shape()), |g, a, b, _| g.mul(a)?.sum_to(b.shape());
            /// a / b.
            Div div = 103, |a, b| a / b, |a, b| B::float_div(a, b),
                |g, a, b, _| g.div(b)?.sum_to(a.shape()), |g, _, b, y| g.mul(y)?.div(b)?.sum_to(b.shape())?.neg();
            /// The larger of both; where equal, the gradient goes to `self`.
            Maximum maximum = 104, T::maximum, |a, b| choose(B::float_lower(a.clone(), b.clone(), booleans(&a)), b, a),
                |g, a, b, _| g.mul(&a.greater_equal(b)?)?.sum_to(a.shape()), |g, a, b, _| g.mul(&a.less(b)?)?.sum_to(b.shape());
            /// The smaller of both; where equal, the gradient goes to `self`.
            Minimum minimum = 105, T::minimum, |a, b| choose(B::float_greater(a.clone(), b.clone(), booleans(&a)), b, a),
                |g, a, b, _| g.mul(&a.less_equal(b)?)?.sum_to(a.shape()), |g, a, b, _| g.mul(&a.greater(b)?)?.sum_to(b.shape());
            /// 1 where a > b, else 0, in the same type; no gradient.
            Greater greater = 106, |a, b| number::<T>(a > b), |a, b| compared(a, b, B::float_greater);
            /// 1 where a >= b, else 0, in the same type; no gradient.
            GreaterEqual greater_equal = 107, |a, b| number::<T>(a >= b),
                |a, b| compared(a, b, B::float_greater_equal);
            /// 1 where a < b, else 0, in the same type; no gradient.
            Less less = 108, |a, b| number::<T>(a < b), |a, b| compared(a, b, B::float_lower);
            /// 1 where a = b, else 0, in the same type; no gradient.
            Equal equal = 109, |a, b| number::<T>(a == b), |a, b| compared(a, b, B::float_equal);
            /// 1 where a <= b, else 0, in the same type; no gradient.
            LessEqual less_equal = 110, |a, b| number::<T>(a <= b),
                |a, b| compared(a, b, B::float_lower_equal);
        }
    };
}

pub(crate) use {binary_table, unary_table};

/// Whether a row has a rule.
const fn given(rule: &[&str]) -> bool {
    !rule.is_empty()
}

macro_rules! unary {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident),* })? $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $rule:expr)?;)*) => {
        /// A function of one element; parameters are those of the method of the same name.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[expect(missing_docs, reason = "said above")]
        pub enum Unary {
            $($(#[$doc])* $variant $({ $($field: f64),* })?,)*
        }

        impl Unary {
            /// Name, number at the plugin boundary and whether there is a gradient rule, of every function.
            #[cfg(test)]
            pub(crate) const ALL: &[(&str, u32, bool)] =
                &[$((stringify!($name), $number, given(&[$(stringify!($rule))?])),)*];

            /// The function with this number at the plugin boundary, with parameters from the front of `parameters` (0 where there
            /// are too few), and how many it takes; `None` if no function has the number.
            #[must_use]
            pub fn numbered(number: u32, parameters: &[f64]) -> Option<(Self, usize)> {
                let at = |index: usize| parameters.get(index).copied().unwrap_or(0.0);
                let mut taken = 0..;
                let mut next = || at(taken.next().unwrap_or(usize::MAX));
                $(if number == $number && number != 0 {
                    let op = Self::$variant $({ $($field: next()),* })?;
                    return Some((op, taken.start));
                })*
                None
            }

            /// The name that messages use: that of the method.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant { .. } => stringify!($name),)* }
            }

            /// Whether there is a gradient rule, so that results belong on the tape.
            pub(crate) fn is_differentiable(self) -> bool {
                match self { $(Self::$variant { .. } => given(&[$(stringify!($rule))?]),)* }
            }
        }
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $variant:ident $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $by_a:expr, $by_b:expr)?;)*) => {
        /// A function of two elements.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Binary {
            $($(#[$doc])* $variant,)*
        }

        impl Binary {
            /// Name and whether there is a gradient rule, of every function.
            #[cfg(test)]
            pub(crate) const ALL: &[(&str, bool)] = &[$((stringify!($name), given(&[$(stringify!($by_a))?])),)*];

            /// The function with this number at the plugin boundary, if there is one.
            #[must_use]
            pub fn numbered(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name that messages use: that of the method.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($name),)* }
            }

            /// Whether there is a gradient rule, so that results belong on the tape.
            pub(crate) fn is_differentiable(self) -> bool {
                match self { $(Self::$variant => given(&[$(stringify!($by_a))?]),)* }
            }
        }
    };
}

unary_table!(unary);
binary_table!(binary);
