//! Values of expressions: their limits, how they are compared and written, and what is wrong with them.

use std::cmp::Ordering;
use std::ops::Range;

use serde_json::{Number, Value};

use crate::text::text_error::TextError;

/// Deepest nesting of parentheses, lists, calls, conditionals and prefix operators, and of values.
pub(super) const MAX_DEPTH: usize = 48;
/// Largest value that an expression may make: items and bytes of texts, see [`weigh`].
pub(super) const MAX_WEIGHT: usize = 100_000;
pub(crate) const VALUE: &str = "pddflow::pipeline::expression_value";

/// Why an operation has no value.
#[derive(Debug)]
pub(super) struct Fault {
    message: String,
    help: String,
    /// The operand that is wrong; none for the operation as such.
    pub(super) operand: Option<usize>,
}

pub(super) type Outcome = Result<Value, Fault>;

impl Fault {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), operand: None }
    }

    pub(super) fn of_operand(self, operand: usize) -> Self {
        Self { operand: Some(operand), ..self }
    }

    pub(super) fn at(self, range: Range<usize>) -> Box<TextError> {
        TextError::new(VALUE, range, self.message, self.help)
    }

    pub(super) fn too_large() -> Self {
        Self::new("the integer does not fit into 64 bits", "use a float, for example `2.0 ** 80`")
    }
}

/// An integer as JSON; an error if 64 bits do not hold it.
pub(super) fn integer(value: i128) -> Outcome {
    let signed = i64::try_from(value).ok().map(Value::from);
    signed.or_else(|| u64::try_from(value).ok().map(Value::from)).ok_or_else(Fault::too_large)
}

/// A float as JSON; an error if it is infinite or undefined.
pub(super) fn float(value: f64) -> Outcome {
    Number::from_f64(value).map(Value::Number).ok_or_else(|| {
        Fault::new("the result is not a finite number", "keep values below 1.8e308 and roots of positive numbers")
    })
}

/// A text as JSON; an error if it is too long.
pub(super) fn text(text: String) -> Outcome {
    limit(text.len())?;
    Ok(Value::String(text))
}

pub(super) fn limit(weight: usize) -> Result<(), Fault> {
    if weight <= MAX_WEIGHT {
        return Ok(());
    }
    let message = format!("the value has more than {MAX_WEIGHT} items and bytes, or more than {MAX_DEPTH} levels");
    Err(Fault::new(message, "use expressions for small values only"))
}

/// The size of a value: its items and the bytes of its texts. A value nested deeper than expressions may be is
/// beyond every limit, so that lists of lists cannot grow through a chain of parameters.
pub(crate) fn weigh(value: &Value) -> usize {
    fn inner(value: &Value, depth: usize) -> usize {
        let children = |sum: usize, child: usize| sum.saturating_add(child);
        match value {
            _ if depth > MAX_DEPTH => usize::MAX,
            Value::String(text) => 1 + text.len(),
            Value::Array(items) => items.iter().map(|item| inner(item, depth + 1)).fold(1, children),
            Value::Object(map) => {
                map.iter().map(|(key, item)| inner(item, depth + 1).saturating_add(key.len())).fold(1, children)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        }
    }
    inner(value, 0)
}

/// How a scalar is written inside a text; none for lists, mappings and null.
pub(crate) fn display(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Equality of values; `1 == 1.0` holds, as for people.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => numeric_order(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        _ => left == right,
    }
}

pub(super) fn numeric_order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
