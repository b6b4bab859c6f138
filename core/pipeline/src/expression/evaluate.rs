//! Expression trees to JSON values.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::parser::{Expression, Form, Operator};
use super::{ExpressionError, MAX_DEPTH, MAX_WEIGHT, POISONED, UNKNOWN_NAME, VALUE};
use crate::suggest::suggest;
use crate::syntax::describe;

/// The names an expression may use: axes first, then parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) axes: &'a [(String, Value)],
    pub(crate) params: &'a Map<String, Value>,
    /// Names whose own definition has an error; using one is not a second error.
    pub(crate) broken: &'a HashSet<String>,
}

pub(super) type Evaluated = Result<Value, Box<ExpressionError>>;

/// The value of an expression.
pub(crate) fn evaluate(expression: &Expression, scope: &Scope<'_>) -> Evaluated {
    match &expression.form {
        Form::Literal(value) => Ok(value.clone()),
        Form::Name(name) => lookup(name, expression, scope).cloned(),
        Form::Key(inner, key) => key_of(inner, key, expression, scope),
        Form::Item(list, index) => item(list, index, expression, scope),
        Form::List(items) => {
            let mut values = Vec::with_capacity(items.len());
            let mut weight = 0;
            for item in items {
                values.push(evaluate(item, scope)?);
                weight = values.last().map_or(0, weigh).saturating_add(weight);
                limit(weight, expression)?;
            }
            Ok(Value::Array(values))
        }
        Form::Negate(inner) => {
            let value = evaluate(inner, scope)?;
            let zero = Value::from(0);
            let sides = [(&**inner, &zero), (&**inner, &value)];
            match value.as_f64().filter(|_| value.is_f64()) {
                Some(float) => finite(-float, expression),
                None => arithmetic(Operator::Subtract, sides, expression),
            }
        }
        Form::Not(inner) => Ok(Value::Bool(!truth(inner, scope)?)),
        Form::If(parts) => {
            let [condition, chosen, other] = &**parts;
            evaluate(if truth(condition, scope)? { chosen } else { other }, scope)
        }
        Form::Binary(Operator::And, left, right) => Ok(Value::Bool(truth(left, scope)? && truth(right, scope)?)),
        Form::Binary(Operator::Or, left, right) => Ok(Value::Bool(truth(left, scope)? || truth(right, scope)?)),
        Form::Binary(operator, left, right) => {
            let (a, b) = (evaluate(left, scope)?, evaluate(right, scope)?);
            binary(*operator, [(left, &a), (right, &b)], expression)
        }
        Form::Call(function, arguments) => {
            let values: Result<Vec<Value>, _> = arguments.iter().map(|argument| evaluate(argument, scope)).collect();
            function.call(&values?, expression)
        }
    }
}

/// An error of the value kind at an expression.
pub(super) fn wrong(
    expression: &Expression,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Box<ExpressionError> {
    ExpressionError::new(VALUE, expression.range.clone(), message, help)
}

fn lookup<'a>(name: &str, expression: &Expression, scope: &Scope<'a>) -> Result<&'a Value, Box<ExpressionError>> {
    let axis = scope.axes.iter().find(|(axis, _)| axis == name);
    if let Some((_, value)) = axis {
        return Ok(value);
    }
    if let Some(value) = scope.params.get(name) {
        return Ok(value);
    }
    if scope.broken.contains(name) {
        return Err(ExpressionError::new(POISONED, expression.range.clone(), "", ""));
    }
    let axes = scope.axes.iter().map(|(axis, _)| axis.as_str());
    let known = axes.chain(scope.params.keys().map(String::as_str));
    let help = match suggest(name, "names", known) {
        help if help.starts_with("there are no") => {
            "define it under `params:`, or quote it if a text is meant".to_owned()
        }
        help => help,
    };
    Err(ExpressionError::new(
        UNKNOWN_NAME,
        expression.range.clone(),
        format!("there is no parameter or axis `{name}`"),
        help,
    ))
}

fn key_of(inner: &Expression, key: &str, whole: &Expression, scope: &Scope<'_>) -> Evaluated {
    let value = evaluate(inner, scope)?;
    let Value::Object(map) = &value else {
        let message = format!("{} has no keys", describe(&value));
        return Err(wrong(inner, message, "`.` reads a key of a mapping under `params`"));
    };
    map.get(key).cloned().ok_or_else(|| {
        let help = suggest(key, "keys", map.keys().map(String::as_str));
        let message = format!("there is no key `{key}`");
        ExpressionError::new(UNKNOWN_NAME, whole.range.clone(), message, help)
    })
}

fn item(list: &Expression, index: &Expression, whole: &Expression, scope: &Scope<'_>) -> Evaluated {
    let (value, at) = (evaluate(list, scope)?, evaluate(index, scope)?);
    match (&value, &at) {
        (Value::Array(items), Value::Number(number)) => {
            let position = number.as_u64().and_then(|at| usize::try_from(at).ok());
            let found = position.and_then(|at| items.get(at)).cloned();
            found.ok_or_else(|| {
                let message = format!("index {number} is outside a list of {} items", items.len());
                wrong(whole, message, "the first item has index 0: `widths[k - 1]` for k from 1")
            })
        }
        (Value::Object(map), Value::String(key)) => map.get(key).cloned().ok_or_else(|| {
            let help = suggest(key, "keys", map.keys().map(String::as_str));
            wrong(whole, format!("there is no key `{key}`"), help)
        }),
        _ => {
            let message = format!("{} cannot be indexed with {}", describe(&value), describe(&at));
            Err(wrong(whole, message, "lists take an integer, mappings a text"))
        }
    }
}

fn truth(expression: &Expression, scope: &Scope<'_>) -> Result<bool, Box<ExpressionError>> {
    match evaluate(expression, scope)? {
        Value::Bool(truth) => Ok(truth),
        other => {
            let message = format!("a condition must be true or false, not {}", describe(&other));
            Err(wrong(expression, message, "compare it, for example `k > 0`"))
        }
    }
}

type Sides<'a> = [(&'a Expression, &'a Value); 2];

fn binary(operator: Operator, sides: Sides<'_>, whole: &Expression) -> Evaluated {
    let [(_, left), (_, right)] = sides;
    match operator {
        Operator::Equal => Ok(Value::Bool(equal(left, right))),
        Operator::NotEqual => Ok(Value::Bool(!equal(left, right))),
        Operator::Less => compare(sides, whole).map(|order| order.is_lt().into()),
        Operator::LessEqual => compare(sides, whole).map(|order| order.is_le().into()),
        Operator::Greater => compare(sides, whole).map(|order| order.is_gt().into()),
        Operator::GreaterEqual => compare(sides, whole).map(|order| order.is_ge().into()),
        Operator::In => member(sides, whole),
        Operator::Add => match (left, right) {
            (Value::String(a), Value::String(b)) => text(format!("{a}{b}"), whole),
            (Value::Array(a), Value::Array(b)) => {
                limit(weigh(left).saturating_add(weigh(right)), whole)?;
                Ok(Value::Array(a.iter().chain(b).cloned().collect()))
            }
            _ => arithmetic(operator, sides, whole),
        },
        _ => arithmetic(operator, sides, whole),
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

fn numeric_order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn compare(sides: Sides<'_>, whole: &Expression) -> Result<Ordering, Box<ExpressionError>> {
    let [(_, left), (_, right)] = sides;
    let order = match (left, right) {
        (Value::Number(a), Value::Number(b)) => numeric_order(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    order.ok_or_else(|| {
        let message = format!("{} has no order to {}", describe(left), describe(right));
        wrong(whole, message, "compare two numbers or two texts")
    })
}

fn member(sides: Sides<'_>, whole: &Expression) -> Evaluated {
    let [(_, left), (_, right)] = sides;
    match (left, right) {
        (_, Value::Array(items)) => Ok(items.iter().any(|item| equal(item, left)).into()),
        (Value::String(part), Value::String(text)) => Ok(text.contains(part).into()),
        (Value::String(key), Value::Object(map)) => Ok(map.contains_key(key).into()),
        _ => {
            let message = format!("{} cannot be in {}", describe(left), describe(right));
            Err(wrong(whole, message, "the right side is a list, a mapping or a text"))
        }
    }
}

/// Integers stay integers except under `/`; one float makes the result a float.
fn arithmetic(operator: Operator, sides: Sides<'_>, whole: &Expression) -> Evaluated {
    let numbers = sides.map(|(_, value)| match value {
        Value::Number(number) => Some(number),
        _ => None,
    });
    let [Some(left), Some(right)] = numbers else {
        let culprit = sides.into_iter().find(|(_, value)| !value.is_number());
        let (expression, value) = culprit.unwrap_or(sides[0]);
        let message = format!("arithmetic needs numbers, this is {}", describe(value));
        return Err(wrong(expression, message, "texts are joined by interpolation, \"a${b}\", or with str(...)"));
    };
    let division = matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Remainder);
    if division && right.as_f64() == Some(0.0) {
        let [_, (divisor, _)] = sides;
        return Err(wrong(divisor, "division by zero", "guard it: `if n == 0 then 0 else a / n`"));
    }
    match (left.as_i128(), right.as_i128()) {
        (Some(a), Some(b)) if operator != Operator::Divide => integer_arithmetic(operator, a, b, whole),
        _ => match (left.as_f64(), right.as_f64()) {
            (Some(a), Some(b)) => float_arithmetic(operator, a, b, whole),
            _ => Err(too_large(whole)),
        },
    }
}

fn integer_arithmetic(operator: Operator, a: i128, b: i128, whole: &Expression) -> Evaluated {
    // Operands have at most 64 bits, so that 128 bits hold all results but powers.
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::FloorDivide => Some(a.div_euclid(b) - i128::from(b < 0 && a.rem_euclid(b) != 0)),
        Operator::Remainder => {
            let rest = a.rem_euclid(b);
            Some(if b < 0 && rest != 0 { rest + b } else { rest })
        }
        Operator::Power if b < 0 => {
            // 64-bit integers lose at most their last digits here, as in every float quotient.
            return float_arithmetic(operator, a as f64, b as f64, whole);
        }
        Operator::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        _ => None,
    };
    result.and_then(integer_value).ok_or_else(|| too_large(whole))
}

fn float_arithmetic(operator: Operator, a: f64, b: f64, whole: &Expression) -> Evaluated {
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::FloorDivide => (a / b).floor(),
        Operator::Remainder => a - b * (a / b).floor(),
        // The library function, because the platform's differs in the last bit and the result enters keys.
        Operator::Power => libm::pow(a, b),
        _ => f64::NAN,
    };
    finite(result, whole)
}

/// An integer as JSON, if 64 bits hold it.
pub(super) fn integer_value(value: i128) -> Option<Value> {
    let signed = i64::try_from(value).ok().map(Value::from);
    signed.or_else(|| u64::try_from(value).ok().map(Value::from))
}

/// A float as JSON; an error if it is infinite or undefined.
pub(super) fn finite(value: f64, whole: &Expression) -> Evaluated {
    Number::from_f64(value).map(Value::Number).ok_or_else(|| {
        wrong(whole, "the result is not a finite number", "keep values below 1.8e308 and roots of positive numbers")
    })
}

/// A text as JSON; an error if it is too long.
pub(super) fn text(text: String, whole: &Expression) -> Evaluated {
    limit(text.len(), whole)?;
    Ok(Value::String(text))
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

fn limit(weight: usize, whole: &Expression) -> Result<(), Box<ExpressionError>> {
    if weight <= MAX_WEIGHT {
        return Ok(());
    }
    let message = format!("the value has more than {MAX_WEIGHT} items and bytes, or more than {MAX_DEPTH} levels");
    Err(wrong(whole, message, "expressions are for small values"))
}

pub(super) fn too_large(whole: &Expression) -> Box<ExpressionError> {
    wrong(whole, "the integer does not fit into 64 bits", "use a float, for example `2.0 ** 80`")
}
