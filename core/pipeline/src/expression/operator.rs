//! Binary operators and what they give.

use std::cmp::Ordering;

use serde_json::Value;

use super::value::{Fault, Outcome, equal, float, integer, limit, numeric_order, text, weigh};
use crate::yaml::tree::describe;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

/// Operators with how tightly they bind; comparison does not chain.
pub(super) const OPERATORS: [(&str, Operator, u8); 18] = [
    ("or", Operator::Or, 1),
    ("||", Operator::Or, 1),
    ("and", Operator::And, 2),
    ("&&", Operator::And, 2),
    ("==", Operator::Equal, COMPARISON),
    ("!=", Operator::NotEqual, COMPARISON),
    ("<", Operator::Less, COMPARISON),
    ("<=", Operator::LessEqual, COMPARISON),
    (">", Operator::Greater, COMPARISON),
    (">=", Operator::GreaterEqual, COMPARISON),
    ("in", Operator::In, COMPARISON),
    ("+", Operator::Add, 5),
    ("-", Operator::Subtract, 5),
    ("*", Operator::Multiply, 6),
    ("/", Operator::Divide, 6),
    ("//", Operator::FloorDivide, 6),
    ("%", Operator::Remainder, 6),
    ("**", Operator::Power, POWER),
];
pub(super) const NOT: u8 = 3;
pub(super) const COMPARISON: u8 = 4;
pub(super) const SIGN: u8 = 7;
/// Binds tighter than a sign on its left, and to the right: `-2 ** 2` is -4, `2 ** 3 ** 2` is 512.
const POWER: u8 = 8;

impl Operator {
    /// The value for two operands; `and` and `or` are left to the caller, who may not evaluate the second one.
    pub(super) fn apply(self, left: &Value, right: &Value) -> Outcome {
        match self {
            Self::Equal => Ok(equal(left, right).into()),
            Self::NotEqual => Ok((!equal(left, right)).into()),
            Self::Less => compare(left, right).map(|order| order.is_lt().into()),
            Self::LessEqual => compare(left, right).map(|order| order.is_le().into()),
            Self::Greater => compare(left, right).map(|order| order.is_gt().into()),
            Self::GreaterEqual => compare(left, right).map(|order| order.is_ge().into()),
            Self::In => member(left, right),
            _ => match (self, left, right) {
                (Self::Add, Value::String(a), Value::String(b)) => text(format!("{a}{b}")),
                (Self::Add, Value::Array(a), Value::Array(b)) => {
                    limit(weigh(left).saturating_add(weigh(right)))?;
                    Ok(a.iter().chain(b).cloned().collect())
                }
                _ => self.arithmetic(left, right),
            },
        }
    }

    /// Integers stay integers except under `/`; one float makes the result a float.
    fn arithmetic(self, left: &Value, right: &Value) -> Outcome {
        let (Value::Number(a), Value::Number(b)) = (left, right) else {
            let (at, value) = if left.is_number() { (1, right) } else { (0, left) };
            let message = format!("arithmetic needs numbers, not {}", describe(value));
            let help = "join strings by interpolation, \"a${b}\", or with str(...)";
            return Err(Fault::new(message, help).of_operand(at));
        };
        let division = matches!(self, Self::Divide | Self::FloorDivide | Self::Remainder);
        if division && b.as_f64() == Some(0.0) {
            return Err(Fault::new("division by zero", "guard it: `if n == 0 then 0 else a / n`").of_operand(1));
        }
        match (a.as_i128(), b.as_i128()) {
            (Some(a), Some(b)) if self != Self::Divide => self.integers(a, b),
            _ => match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => self.floats(a, b),
                _ => Err(Fault::too_large()),
            },
        }
    }

    fn integers(self, a: i128, b: i128) -> Outcome {
        // Operands have at most 64 bits, so that 128 bits hold all results but powers.
        let result = match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::FloorDivide => Some(a.div_euclid(b) - i128::from(b < 0 && a.rem_euclid(b) != 0)),
            Self::Remainder => {
                let rest = a.rem_euclid(b);
                Some(if b < 0 && rest != 0 { rest + b } else { rest })
            }
            // 64-bit integers lose at most their last digits here, as in every float quotient.
            Self::Power if b < 0 => return self.floats(a as f64, b as f64),
            Self::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
            _ => None,
        };
        result.ok_or_else(Fault::too_large).and_then(integer)
    }

    fn floats(self, a: f64, b: f64) -> Outcome {
        float(match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::FloorDivide => (a / b).floor(),
            Self::Remainder => a - b * (a / b).floor(),
            // The library function, because the platform's differs in the last bit and the result enters keys.
            Self::Power => libm::pow(a, b),
            _ => f64::NAN,
        })
    }
}

fn compare(left: &Value, right: &Value) -> Result<Ordering, Fault> {
    let order = match (left, right) {
        (Value::Number(a), Value::Number(b)) => numeric_order(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    order.ok_or_else(|| {
        let message = format!("{} cannot be compared with {}", describe(left), describe(right));
        Fault::new(message, "compare two numbers or two strings")
    })
}

fn member(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (_, Value::Array(items)) => Ok(items.iter().any(|item| equal(item, left)).into()),
        (Value::String(part), Value::String(text)) => Ok(text.contains(part).into()),
        (Value::String(key), Value::Object(map)) => Ok(map.contains_key(key).into()),
        _ => {
            let message = format!("{} cannot be in {}", describe(left), describe(right));
            Err(Fault::new(message, "the right side must be a list, a mapping or a string"))
        }
    }
}
