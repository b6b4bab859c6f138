//! Where the first number that is not finite comes from.
//!
//! While a thread watches, every operation on it is computed at once and its result looked at: the first that gives NaN, or an infinite
//! number where that is asked for, is an error that names it. Nothing else changes, and off it costs one look at a flag of the thread.
//!
//! ```
//! use pddflow_tensor::{DType, Device, Tensor, watch};
//!
//! # fn main() -> Result<(), pddflow_tensor::TensorError> {
//! let negative = Tensor::full(-1.0, &[2], DType::F64, &Device::Cpu)?;
//! assert!(negative.sqrt().is_ok());
//! let (outcome, found) = watch::first(watch::For::Nan, || negative.sqrt());
//! let said = outcome.unwrap_err().to_string();
//! assert_eq!(found, watch::Found::First);
//! assert!(said.contains("sqrt: the result holds NaN"), "{said}");
//! # Ok(())
//! # }
//! ```

use std::cell::Cell;

use crate::backend::Value;
use crate::error::{Result, TensorError};
use crate::op::Op;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// NaN.
    Nan,
    /// NaN and infinite numbers.
    NotFinite,
}

thread_local! {
    static WATCH: Cell<Option<For>> = const { Cell::new(None) };
    static FOUND: Cell<Found> = const { Cell::new(Found::Nothing) };
    /// The operation whose gradient is being computed.
    static PULLING: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What an operation failed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No operation gave what was looked for.
    Nothing,
    /// One did.
    First,
    /// One gave NaN, but was given infinite numbers, which came before.
    OfInfinite,
}

/// Watches this thread while `body` runs; also says what was found.
pub fn first<T>(what: For, body: impl FnOnce() -> T) -> (T, Found) {
    let _guard = Restore { cell: &WATCH, before: WATCH.replace(Some(what)) };
    FOUND.set(Found::Nothing);
    (body(), FOUND.get())
}

/// Whether this thread watches.
pub(crate) fn is_on() -> bool {
    WATCH.get().is_some()
}

/// Says of the operations of `body` that they are the gradient of `op`.
pub(crate) fn pulling_back<T>(op: &Op, body: impl FnOnce() -> T) -> T {
    let _guard = Restore { cell: &PULLING, before: PULLING.replace(Some(op.name())) };
    body()
}

/// An error if the thread watches and the result holds what it looks for.
pub(crate) fn check(op: &Op, inputs: &[&Value], result: &Value) -> Result<()> {
    let Some(what) = WATCH.get() else { return Ok(()) };
    let holds = |value: &Value| {
        let [nan, infinite] = value.not_finite();
        nan || infinite && what == For::NotFinite
    };
    if !holds(result) {
        return Ok(());
    }
    let name = match what {
        For::Nan => "NaN",
        For::NotFinite => "a number that is not finite",
    };
    let given = inputs.iter().any(|input| holds(input));
    let infinite = !given && inputs.iter().any(|input| input.not_finite()[1]);
    let mut message = match given {
        true => format!("it is given {name}, by data, weights or a learnable"),
        false => format!("the result holds {name}"),
    };
    FOUND.set(if infinite { Found::OfInfinite } else { Found::First });
    if infinite {
        message.push_str("; what it is given is infinite");
    }
    if let Some(pulled) = PULLING.get() {
        message.push_str(&format!("; in the gradient of `{pulled}`"));
    }
    Err(TensorError::NotFinite { op: op.name(), message })
}

/// Sets a cell of the thread back, also when unwinding.
struct Restore<T: Copy + 'static> {
    cell: &'static std::thread::LocalKey<Cell<T>>,
    before: T,
}

impl<T: Copy + 'static> Drop for Restore<T> {
    fn drop(&mut self) {
        self.cell.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Device, Keep, Tensor, grad};

    fn x(values: &[f64]) -> Tensor {
        Tensor::from_f64(values.to_vec(), &[values.len()], &Device::Cpu).unwrap().variable().unwrap()
    }

    fn said<T>(what: For, body: impl FnOnce() -> Result<T>) -> String {
        first(what, body).0.err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn the_operation_that_makes_it_is_named_and_not_a_later_one() {
        let zero = x(&[0.0, 1.0]);
        let text = said(For::Nan, || zero.log()?.mul(&zero)?.add_scalar(1.0)?.sum_all());
        assert!(text.starts_with("mul: the result holds NaN") && text.contains("is infinite"), "{text}");
        let text = said(For::NotFinite, || zero.log()?.mul(&zero)?.sum_all());
        assert!(text.starts_with("log: the result holds a number that is not finite"), "{text}");
        assert_eq!(said(For::Nan, || zero.log()), "");
        assert!(zero.log().and_then(|log| log.mul(&zero)).is_ok(), "nothing is watched any more");
    }

    #[test]
    fn in_a_gradient_it_is_said_of_what() {
        let zero = x(&[0.0]);
        let text = said(For::Nan, || {
            let loss = zero.sqrt()?.mul_scalar(0.0)?.sum_all()?;
            grad(&[loss], std::slice::from_ref(&zero), None, Keep::No)
        });
        assert!(text.contains("in the gradient of `sqrt`"), "{text}");
    }

    #[test]
    fn what_was_there_before_is_no_operation_s_fault() {
        let text = said(For::Nan, || x(&[f64::NAN]).exp());
        assert!(text.starts_with("exp: it is given NaN"), "{text}");
    }

    #[test]
    fn a_lazy_operation_is_named_where_it_is_asked_for() {
        let image = Tensor::full(f64::MAX, &[1, 1, 2, 2], DType::F64, &Device::Cpu).unwrap();
        let text = said(For::NotFinite, || image.standardize(&[2, 3], 1e-5));
        assert!(text.contains("the result holds"), "{text}");
    }
}
