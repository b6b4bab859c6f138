//! Expression text to tokens.

use std::ops::Range;

use serde_json::{Number, Value};

use crate::text::text_error::TextError;

/// Longest expression in bytes.
const MAX_LENGTH: usize = 2_048;
pub(crate) const SYNTAX: &str = "pddflow::pipeline::expression_syntax";

/// A token with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) range: Range<usize>,
    pub(super) kind: TokenKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Literal(Value),
    /// A name or a keyword.
    Word(String),
    /// An operator, bracket or comma.
    Symbol(&'static str),
    End,
}

/// Longest first, so that `//` is not read as `/` twice.
const SYMBOLS: [&str; 26] = [
    "**", "//", "==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "!", "(", ")", "[", "]", ",",
    ".", "{", "}", "=", "?",
];

/// Splits an expression; the last token is [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Box<TextError>> {
    if text.len() > MAX_LENGTH {
        return Err(TextError::new(
            SYNTAX,
            0..text.len(),
            format!("the expression is longer than {MAX_LENGTH} bytes"),
            "move parts of it into `params`",
        ));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (length, kind) = token(text, at, first)?;
        tokens.push(Token { range: at..at + length, kind });
        at += length;
    }
    tokens.push(Token { range: text.len()..text.len(), kind: TokenKind::End });
    Ok(tokens)
}

fn token(text: &str, at: usize, first: char) -> Result<(usize, TokenKind), Box<TextError>> {
    let rest = text.get(at..).unwrap_or("");
    if first == '\'' || first == '"' {
        return quoted(rest, first, at);
    }
    if first.is_ascii_digit() {
        return number(rest, at);
    }
    if first.is_alphabetic() || first == '_' {
        let length =
            rest.find(|character: char| !(character.is_alphanumeric() || character == '_')).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or("").to_owned();
        return Ok((length, TokenKind::Word(word)));
    }
    let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
    symbol.map(|symbol| (symbol.len(), TokenKind::Symbol(symbol))).ok_or_else(|| {
        TextError::new(
            SYNTAX,
            at..at + first.len_utf8(),
            format!("unexpected character `{first}`"),
            "quote strings: 'like this'",
        )
    })
}

fn quoted(rest: &str, quote: char, at: usize) -> Result<(usize, TokenKind), Box<TextError>> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((offset, character)) = characters.next() {
        if character == quote {
            return Ok((offset + 1, TokenKind::Literal(Value::String(text))));
        }
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some((_, 'n')) => text.push('\n'),
            Some((_, 't')) => text.push('\t'),
            Some((_, escaped @ ('\\' | '\'' | '"'))) => text.push(escaped),
            Some((escape, other)) => {
                return Err(TextError::new(
                    SYNTAX,
                    at + offset..at + escape + other.len_utf8(),
                    format!("unknown escape `\\{other}`"),
                    "escapes are \\n, \\t, \\\\, \\' and \\\"",
                ));
            }
            None => break,
        }
    }
    Err(TextError::new(SYNTAX, at..at + rest.len(), "the string has no closing quote", format!("add {quote}")))
}

/// Digits, an optional fraction, an optional exponent. `1..5` is not a number followed by another.
fn number(rest: &str, at: usize) -> Result<(usize, TokenKind), Box<TextError>> {
    let digits = |from: usize| {
        let text = rest.get(from..).unwrap_or("");
        text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len())
    };
    let mut length = digits(0);
    let mut float = false;
    if rest.get(length..).is_some_and(|rest| rest.starts_with('.')) && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
        float = true;
    }
    if rest.get(length..).is_some_and(|rest| rest.starts_with(['e', 'E'])) {
        let sign = usize::from(rest.get(length + 1..).is_some_and(|rest| rest.starts_with(['+', '-'])));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
            float = true;
        }
    }
    let written = rest.get(..length).unwrap_or("");
    let number = if float {
        written.parse().ok().and_then(Number::from_f64)
    } else {
        written.parse::<u64>().ok().map(Number::from)
    };
    match number {
        Some(number) => Ok((length, TokenKind::Literal(Value::Number(number)))),
        None => Err(TextError::new(
            SYNTAX,
            at..at + length,
            format!("the number {written} is too large"),
            "integers have 64 bits, floats end near 1.8e308",
        )),
    }
}
