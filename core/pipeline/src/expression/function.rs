//! Functions of the expression language: the rows of [`FUNCTIONS`].

use crate::yaml::tree::describe;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::value::{Fault, MAX_WEIGHT, Outcome, display, float, integer, numeric_order, text};

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

/// A function, its name, what it takes, an example of that, and what it gives.
type Row = (Function, &'static str, &'static str, &'static str, &'static str);

const FUNCTIONS: [Row; 13] = [
    (Function::Min, "min", "numbers or one list of numbers", "(a, b)", "the smallest"),
    (Function::Max, "max", "numbers or one list of numbers", "(a, b)", "the largest"),
    (Function::Sum, "sum", "numbers or one list of numbers", "(a, b)", "their sum"),
    (Function::Abs, "abs", "one number", "(x)", "its magnitude"),
    (Function::Sqrt, "sqrt", "one number", "(x)", "its square root, a float"),
    (Function::Floor, "floor", "one number", "(x)", "the next integer below"),
    (Function::Ceil, "ceil", "one number", "(x)", "the next integer above"),
    (Function::Round, "round", "one number", "(x)", "the nearest integer; of halves the even neighbour"),
    (Function::Int, "int", "one number or string", "(k)", "an integer; of a fraction an error"),
    (Function::Float, "float", "one number or string", "(k)", "a float"),
    (Function::Str, "str", "one value", "(k)", "a string"),
    (Function::Len, "len", "a string, a list or a mapping", "(models)", "its number of characters, items or keys"),
    (
        Function::Join,
        "join",
        "a list and a string",
        "(models, '-')",
        "the items as one string, with the string between them",
    ),
];

/// The functions as a table in Markdown.
pub(super) fn functions_table() -> String {
    let row = |(_, name, usage, example, value): &Row| format!("| `{name}{example}` | {usage} | {value} |\n");
    format!("| function | takes | gives |\n|---|---|---|\n{}", FUNCTIONS.iter().map(row).collect::<String>())
}

impl Function {
    pub(super) fn find(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|(_, known, ..)| *known == name).map(|(function, ..)| *function)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|(_, name, ..)| *name)
    }

    pub(super) fn call(self, arguments: &[Value]) -> Outcome {
        match (self, arguments) {
            (Self::Min | Self::Max | Self::Sum, [Value::Array(items)]) => self.fold(items),
            (Self::Min | Self::Max | Self::Sum, _) => self.fold(arguments),
            (Self::Len, [Value::String(text)]) => Ok(text.chars().count().into()),
            (Self::Len, [Value::Array(items)]) => Ok(items.len().into()),
            (Self::Len, [Value::Object(map)]) => Ok(map.len().into()),
            (Self::Str, [value]) => text(written(value)?),
            (Self::Join, [Value::Array(items), Value::String(separator)]) => join(items, separator),
            (Self::Int | Self::Float, [Value::String(text)]) => match crate::text::scalar::resolve(text.trim()) {
                Ok(Value::Number(number)) => self.of_number(&number),
                _ => {
                    let help = "write the value without quotes if it is a number";
                    Err(Fault::new(format!("the string `{text}` is not a number"), help))
                }
            },
            (Self::Len | Self::Join, _) => Err(self.misuse(arguments)),
            (_, [Value::Number(number)]) => self.of_number(number),
            _ => Err(self.misuse(arguments)),
        }
    }

    fn fold(self, items: &[Value]) -> Outcome {
        let numbers: Option<Vec<&Number>> = items.iter().map(Value::as_number).collect();
        let numbers = numbers.ok_or_else(|| self.misuse(items))?;
        let order = |a: &&Number, b: &&Number| numeric_order(a, b).unwrap_or(Ordering::Equal);
        let best = match self {
            Self::Sum => return sum(&numbers),
            // The first of several that are equal, such as 1 and 1.0.
            Self::Min => numbers.into_iter().min_by(order),
            _ => numbers.into_iter().rev().max_by(order),
        };
        best.map(|number| Value::Number(number.clone())).ok_or_else(|| {
            Fault::new(format!("`{}` of no numbers has no value", self.row().1), "give it at least one number")
        })
    }

    fn row(self) -> Row {
        // The table names every function.
        FUNCTIONS.iter().find(|(function, ..)| *function == self).copied().unwrap_or(FUNCTIONS[0])
    }

    fn of_number(self, number: &Number) -> Outcome {
        let value = number.as_f64().unwrap_or(0.0);
        match (self, number.as_i128()) {
            (Self::Abs, Some(whole)) => integer(whole.abs()),
            (Self::Abs, None) => float(value.abs()),
            (Self::Sqrt, _) => float(value.sqrt()),
            (Self::Float, _) => float(value),
            (_, Some(_)) => Ok(Value::Number(number.clone())),
            // The casts saturate, and a saturated value does not fit into 64 bits.
            (Self::Floor, None) => integer(value.floor() as i128),
            (Self::Ceil, None) => integer(value.ceil() as i128),
            (Self::Round, None) => integer(value.round_ties_even() as i128),
            (_, None) if value.fract() == 0.0 => integer(value as i128),
            (_, None) => {
                let help = "use floor(...), ceil(...) or round(...)";
                Err(Fault::new(format!("{number} is not an integer"), help))
            }
        }
    }

    fn misuse(self, arguments: &[Value]) -> Fault {
        let (_, name, usage, example, _) = self.row();
        let found: Vec<&str> = arguments.iter().map(describe).collect();
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        Fault::new(format!("`{name}` takes {usage}, not {found}"), format!("for example `{name}{example}`"))
    }
}

fn sum(numbers: &[&Number]) -> Outcome {
    let integers: Option<Vec<i128>> = numbers.iter().map(|number| number.as_i128()).collect();
    match integers {
        // Each has at most 64 bits and there are fewer than 2^63, so that 128 bits hold the sum.
        Some(integers) => integer(integers.iter().sum()),
        None => float(numbers.iter().filter_map(|number| number.as_f64()).sum()),
    }
}

fn join(items: &[Value], separator: &str) -> Outcome {
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&written(item)?);
        if joined.len() > MAX_WEIGHT {
            break;
        }
    }
    text(joined)
}

/// A value inside a text.
fn written(value: &Value) -> Result<String, Fault> {
    display(value).ok_or_else(|| {
        let help = "strings, numbers and booleans can be interpolated; join a list with join(list, ',')";
        Fault::new(format!("{} cannot be converted to a string", describe(value)), help)
    })
}
