//! Expression trees to JSON values.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::operator::Operator;
use super::parser::{Expression, Form, UNKNOWN_NAME};
use super::value::{Fault, limit, weigh};
use crate::text::suggest::suggest;
use crate::text::text_error::TextError;
use crate::yaml::tree::describe;

/// Depends on something whose own error has been reported; never shown.
pub(crate) const POISONED: &str = "pddflow::pipeline::poisoned";

/// The names an expression may use: axes first, then parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) axes: &'a [(String, Value)],
    pub(crate) params: &'a Map<String, Value>,
    /// Names whose own definition has an error; using one is not a second error.
    pub(crate) broken: &'a HashSet<String>,
}

type Evaluated = Result<Value, Box<TextError>>;

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
                limit(weight).map_err(|fault| fault.at(expression.range()))?;
            }
            Ok(Value::Array(values))
        }
        Form::Negate(inner) => {
            let value = evaluate(inner, scope)?;
            // -0.0 - 0.0 is -0.0, as it should be.
            let zero = if value.is_f64() { Value::from(-0.0) } else { Value::from(0) };
            binary(Operator::Subtract, [(inner, &zero), (inner, &value)], expression)
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
            function.call(&values?).map_err(|fault| fault.at(expression.range()))
        }
    }
}

/// The value of an operator; the operands come with their expressions.
fn binary(operator: Operator, sides: [(&Expression, &Value); 2], whole: &Expression) -> Evaluated {
    let [(_, left), (_, right)] = sides;
    operator.apply(left, right).map_err(|fault| {
        let culprit = fault.operand.and_then(|at| sides.get(at)).map_or(whole, |(operand, _)| operand);
        fault.at(culprit.range())
    })
}

/// An error of the value kind at an expression.
fn wrong(expression: &Expression, message: impl Into<String>, help: impl Into<String>) -> Box<TextError> {
    Fault::new(message, help).at(expression.range())
}

fn lookup<'a>(name: &str, expression: &Expression, scope: &Scope<'a>) -> Result<&'a Value, Box<TextError>> {
    let axis = scope.axes.iter().find(|(axis, _)| axis == name);
    if let Some((_, value)) = axis {
        return Ok(value);
    }
    if let Some(value) = scope.params.get(name) {
        return Ok(value);
    }
    if scope.broken.contains(name) {
        return Err(TextError::new(POISONED, expression.range(), "", ""));
    }
    let axes = scope.axes.iter().map(|(axis, _)| axis.as_str());
    let known = axes.chain(scope.params.keys().map(String::as_str));
    let help = match suggest(name, "names", known) {
        help if help.starts_with("there are no") => {
            "define it under `params:`, or quote it if you mean a string".to_owned()
        }
        help => help,
    };
    Err(TextError::new(UNKNOWN_NAME, expression.range(), format!("there is no parameter or axis `{name}`"), help))
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
        TextError::new(UNKNOWN_NAME, whole.range(), message, help)
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
            Err(wrong(whole, message, "index lists with an integer, mappings with a string"))
        }
    }
}

fn truth(expression: &Expression, scope: &Scope<'_>) -> Result<bool, Box<TextError>> {
    match evaluate(expression, scope)? {
        Value::Bool(truth) => Ok(truth),
        other => {
            let message = format!("a condition must be true or false, not {}", describe(&other));
            Err(wrong(expression, message, "compare it, for example `k > 0`"))
        }
    }
}
