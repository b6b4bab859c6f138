//! Functions of the expression language.
//!
//! | call | value |
//! |---|---|
//! | `min(a, b, ...)`, `max(...)`, `sum(...)` | over the arguments, or over one list |
//! | `abs(x)`, `sqrt(x)` | magnitude; square root (a float) |
//! | `floor(x)`, `ceil(x)`, `round(x)` | an integer; `round` takes halves to the even neighbour |
//! | `int(x)`, `float(x)`, `str(x)` | conversion; `int` of a fraction is an error |
//! | `len(x)` | characters of a text, items of a list, keys of a mapping |
//! | `join(list, separator)` | a text |

use serde_json::{Number, Value};

use super::evaluate::{Evaluated, finite, integer_value, text, too_large, wrong};
use super::parser::Expression;
use crate::syntax::describe;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Min,
    Max,
    Sum,
    Abs,
    Sqrt,
    Floor,
    Ceil,
    Round,
    Int,
    Float,
    Str,
    Len,
    Join,
}

const FUNCTIONS: [(&str, Function); 13] = [
    ("min", Function::Min),
    ("max", Function::Max),
    ("sum", Function::Sum),
    ("abs", Function::Abs),
    ("sqrt", Function::Sqrt),
    ("floor", Function::Floor),
    ("ceil", Function::Ceil),
    ("round", Function::Round),
    ("int", Function::Int),
    ("float", Function::Float),
    ("str", Function::Str),
    ("len", Function::Len),
    ("join", Function::Join),
];

impl Function {
    pub(super) fn find(name: &str) -> Option<Self> {
        let found = FUNCTIONS.iter().find(|(known, _)| *known == name);
        found.map(|(_, function)| *function)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|(name, _)| *name)
    }

    fn name(self) -> &'static str {
        let found = FUNCTIONS.iter().find(|(_, function)| *function == self);
        found.map_or("", |(name, _)| name)
    }

    pub(super) fn call(self, arguments: &[Value], whole: &Expression) -> Evaluated {
        match (self, arguments) {
            (Self::Min | Self::Max | Self::Sum, [Value::Array(items)]) => self.fold(items, whole),
            (Self::Min | Self::Max | Self::Sum, _) => self.fold(arguments, whole),
            (Self::Len, [Value::String(text)]) => Ok(text.chars().count().into()),
            (Self::Len, [Value::Array(items)]) => Ok(items.len().into()),
            (Self::Len, [Value::Object(map)]) => Ok(map.len().into()),
            (Self::Str, [value]) => text(display(value).ok_or_else(|| no_text(value, whole))?, whole),
            (Self::Join, [Value::Array(items), Value::String(separator)]) => join(items, separator, whole),
            (Self::Int | Self::Float, [Value::String(text)]) => parse(self, text, whole),
            (Self::Len | Self::Join, _) => Err(self.misuse(arguments, whole)),
            (_, [Value::Number(number)]) => self.of_number(number, whole),
            _ => Err(self.misuse(arguments, whole)),
        }
    }

    fn fold(self, items: &[Value], whole: &Expression) -> Evaluated {
        let mut numbers = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Value::Number(number) => numbers.push(number),
                _ => return Err(self.misuse(items, whole)),
            }
        }
        if self == Self::Sum {
            return sum(&numbers, whole);
        }
        let sign = if self == Self::Min { 1.0 } else { -1.0 };
        let mut best: Option<&Number> = None;
        for number in numbers {
            let better = best.is_none_or(|best| match (number.as_i128(), best.as_i128()) {
                (Some(a), Some(b)) if self == Self::Min => a < b,
                (Some(a), Some(b)) => a > b,
                _ => sign * number.as_f64().unwrap_or(0.0) < sign * best.as_f64().unwrap_or(0.0),
            });
            if better {
                best = Some(number);
            }
        }
        best.map(|number| Value::Number(number.clone())).ok_or_else(|| {
            wrong(whole, format!("`{}` of nothing has no value", self.name()), "give it at least one number")
        })
    }

    fn of_number(self, number: &Number, whole: &Expression) -> Evaluated {
        let float = number.as_f64().unwrap_or(0.0);
        let integer = number.as_i128();
        match (self, integer) {
            (Self::Abs, Some(integer)) => integer_value(integer.abs()).ok_or_else(|| too_large(whole)),
            (Self::Abs, None) => finite(float.abs(), whole),
            (Self::Sqrt, _) => finite(float.sqrt(), whole),
            (Self::Float, _) => finite(float, whole),
            (_, Some(_)) => Ok(Value::Number(number.clone())),
            (Self::Floor, None) => integer_of(float.floor(), whole),
            (Self::Ceil, None) => integer_of(float.ceil(), whole),
            (Self::Round, None) => integer_of(float.round_ties_even(), whole),
            (_, None) if float.fract() == 0.0 => integer_of(float, whole),
            (_, None) => Err(wrong(
                whole,
                format!("{number} is not a whole number"),
                "choose floor(...), ceil(...) or round(...)",
            )),
        }
    }

    fn misuse(self, arguments: &[Value], whole: &Expression) -> Box<super::ExpressionError> {
        let (usage, example) = match self {
            Self::Min | Self::Max | Self::Sum => ("numbers or one list of numbers", "(a, b)"),
            Self::Len => ("a text, a list or a mapping", "(models)"),
            Self::Join => ("a list and a text", "(models, '-')"),
            Self::Str => ("one value", "(k)"),
            Self::Int | Self::Float => ("one number or text", "(k)"),
            _ => ("one number", "(x)"),
        };
        let found: Vec<&str> = arguments.iter().map(describe).collect();
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        wrong(
            whole,
            format!("`{}` takes {usage}, not {found}", self.name()),
            format!("for example `{}{example}`", self.name()),
        )
    }
}

fn sum(numbers: &[&Number], whole: &Expression) -> Evaluated {
    let integers: Option<Vec<i128>> = numbers.iter().map(|number| number.as_i128()).collect();
    match integers {
        // Each has at most 64 bits and there are fewer than 2^63, so that 128 bits hold the sum.
        Some(integers) => integer_value(integers.iter().sum()).ok_or_else(|| too_large(whole)),
        None => finite(numbers.iter().filter_map(|number| number.as_f64()).sum(), whole),
    }
}

fn join(items: &[Value], separator: &str, whole: &Expression) -> Evaluated {
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&display(item).ok_or_else(|| no_text(item, whole))?);
        if joined.len() > super::MAX_WEIGHT {
            return text(joined, whole);
        }
    }
    text(joined, whole)
}

fn parse(function: Function, written: &str, whole: &Expression) -> Evaluated {
    match crate::scalar::resolve(written.trim()) {
        Ok(Value::Number(number)) => function.of_number(&number, whole),
        _ => Err(wrong(
            whole,
            format!("the text `{written}` is not a number"),
            "write the value without quotes if it is a number",
        )),
    }
}

fn integer_of(float: f64, whole: &Expression) -> Evaluated {
    // The cast saturates, and a saturated value does not fit into 64 bits.
    integer_value(float as i128).ok_or_else(|| too_large(whole))
}

fn no_text(value: &Value, whole: &Expression) -> Box<super::ExpressionError> {
    wrong(
        whole,
        format!("{} has no text form", describe(value)),
        "texts, numbers and booleans can be written into a text; a list with join(list, ',')",
    )
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
