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
mod operator;
mod parser;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use evaluate::{POISONED, Scope, evaluate};
pub(crate) use lexer::SYNTAX;
pub(crate) use parser::{Expression, KEYWORDS, parse};
pub(crate) use value::{VALUE, display, equal, weigh};
