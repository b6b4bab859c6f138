//! The expression language of `${...}`: small, total, without side effects.
//!
//! | form | meaning |
//! |---|---|
//! | `3`, `0.5`, `'text'`, `true`, `null`, `[1, 2]` | literals |
//! | `stages`, `train.epochs`, `widths[k - 1]` | a parameter or an axis; a key of a mapping; an item of a list |
//! | `+ - * **` | arithmetic; integers stay integers; `+` also joins two texts or two lists |
//! | `/`, `//`, `%` | true quotient (always a float), floor quotient, remainder with the divisor's sign |
//! | `== != < <= > >=`, `in` | comparison; membership in a list, mapping or text |
//! | `and or not` (also `&& \|\| !`) | logic on booleans |
//! | `if c then a else b` | only the chosen branch is evaluated |
//! | `min max sum abs floor ceil round sqrt len int float str join` | functions, see `function.rs` |
//!
//! There are no loops and no definitions, so evaluation time is linear in the length of the expression; length, depth and
//! the size of values are limited. Errors name a range of the expression's own text.

mod evaluate;
mod function;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

pub(crate) use evaluate::{Scope, equal, evaluate, weigh};
pub(crate) use function::display;
pub(crate) use parser::{Expression, KEYWORDS, parse};

use std::ops::Range;

/// Longest expression in bytes.
const MAX_LENGTH: usize = 2_048;
/// Deepest nesting of parentheses, lists, calls, conditionals and prefix operators.
const MAX_DEPTH: usize = 48;
/// Largest value that an expression may make: items and bytes of texts, see [`weigh`].
const MAX_WEIGHT: usize = 100_000;

/// An error in an expression, with the range of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpressionError {
    pub(crate) range: Range<usize>,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Codes of expression errors.
pub(crate) const SYNTAX: &str = "pddflow::pipeline::expression_syntax";
pub(crate) const UNKNOWN_NAME: &str = "pddflow::pipeline::unknown_name";
pub(crate) const VALUE: &str = "pddflow::pipeline::expression_value";
/// Depends on something whose own error has been reported; never shown.
pub(crate) const POISONED: &str = "pddflow::pipeline::poisoned";

impl ExpressionError {
    fn new(code: &'static str, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Box<Self> {
        Box::new(Self { range, code, message: message.into(), help: help.into() })
    }
}
