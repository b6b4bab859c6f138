//! The expression language of `${...}`: small, total, without side effects.
//!
//! What can be written is in [`FORMS`] and `function.rs`.
//!
//! There are no loops and no definitions, so evaluation time is linear in the length of the expression; length, depth and
//! the size of values are limited. Errors name a range of the expression's own text.

mod evaluate;
mod function;
mod lexer;
mod operator;
mod parser;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use evaluate::{POISONED, Scope, evaluate};
pub(crate) use lexer::SYNTAX;
pub(crate) use parser::{Expression, KEYWORDS, parse};
pub(crate) use value::{VALUE, display, equal, weigh};

/// What can be written, and what it means.
const FORMS: [(&str, &str); 8] = [
    ("`3`, `0.5`, `'text'`, `true`, `null`, `[1, 2]`", "values"),
    ("`stages`, `train.epochs`, `widths[k - 1]`", "a parameter or an axis; a key of a mapping; an item of a list"),
    ("`+`, `-`, `*`, `**`", "arithmetic; integers stay integers; `+` also joins two strings or two lists"),
    ("`/`, `//`, `%`", "quotient (always a float), quotient rounded down, remainder with the sign of the divisor"),
    ("`==`, `!=`, `<`, `<=`, `>`, `>=`", "comparison"),
    ("`in`", "membership in a list, a mapping or a string"),
    ("`and`, `or`, `not`, or `&&`, `\\|\\|`, `!`", "logic on booleans"),
    ("`if c then a else b`", "one of two values; only that one is evaluated"),
];

/// The expression language as tables in Markdown: what can be written, and the functions.
#[must_use]
pub fn expressions_table() -> String {
    let row = |(form, meaning): &(&str, &str)| format!("| {form} | {meaning} |\n");
    let forms: String = FORMS.iter().map(row).collect();
    format!("| form | meaning |\n|---|---|\n{forms}\n{}", function::functions_table())
}
