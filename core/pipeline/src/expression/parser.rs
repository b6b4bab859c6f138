//! Tokens to a tree, by precedence climbing.

use std::ops::Range;

use serde_json::Value;

use super::function::Function;
use super::lexer::{SYNTAX, Token, TokenKind, tokens};
use super::operator::{COMPARISON, NOT, OPERATORS, Operator, SIGN};
use super::value::MAX_DEPTH;
use crate::text::suggest::suggest;
use crate::text::text_error::TextError;

pub(super) const UNKNOWN_NAME: &str = "pddflow::pipeline::unknown_name";

/// A parsed expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    range: Range<usize>,
    pub(super) form: Form,
}

#[derive(Debug, Clone)]
pub(super) enum Form {
    Literal(Value),
    Name(String),
    Key(Box<Expression>, String),
    Item(Box<Expression>, Box<Expression>),
    List(Vec<Expression>),
    Negate(Box<Expression>),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    If(Box<[Expression; 3]>),
    Call(Function, Vec<Expression>),
}

/// Words that cannot be names.
pub(crate) const KEYWORDS: [&str; 10] = ["if", "then", "else", "and", "or", "not", "in", "true", "false", "null"];

type Parsed = Result<Expression, Box<TextError>>;

/// Parses the text between `${` and `}`.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expression = parser.expression(0)?;
    match parser.peek().kind {
        TokenKind::End => Ok(expression),
        _ => Err(parser.unexpected("an operator or the end of the expression")),
    }
}

impl Expression {
    /// Where the expression stands in its text.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Calls `visit` for every parameter or axis the expression reads.
    pub(crate) fn names(&self, visit: &mut impl FnMut(&str)) {
        match &self.form {
            Form::Literal(_) => {}
            Form::Name(name) => visit(name),
            Form::Key(inner, _) | Form::Negate(inner) | Form::Not(inner) => inner.names(visit),
            Form::Item(left, right) | Form::Binary(_, left, right) => {
                left.names(visit);
                right.names(visit);
            }
            Form::List(items) | Form::Call(_, items) => {
                items.iter().for_each(|item| item.names(visit));
            }
            Form::If(parts) => parts.iter().for_each(|part| part.names(visit)),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    /// The next token; the last one, an end, is never passed.
    fn peek(&self) -> &Token {
        static END: Token = Token { range: 0..0, kind: TokenKind::End };
        self.tokens.get(self.at).unwrap_or(&END)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    fn is(&self, text: &str) -> bool {
        match &self.peek().kind {
            TokenKind::Word(word) => word == text,
            TokenKind::Symbol(symbol) => *symbol == text,
            TokenKind::Literal(_) | TokenKind::End => false,
        }
    }

    fn expect(&mut self, text: &str) -> Result<Token, Box<TextError>> {
        if self.is(text) {
            return Ok(self.advance());
        }
        Err(self.unexpected(&format!("`{text}`")))
    }

    fn unexpected(&self, wanted: &str) -> Box<TextError> {
        let token = self.peek();
        let found = match &token.kind {
            TokenKind::End => "the expression ends".to_owned(),
            TokenKind::Word(word) => format!("found `{word}`"),
            TokenKind::Symbol(symbol) => format!("found `{symbol}`"),
            TokenKind::Literal(value) => format!("found {value}"),
        };
        let help = match &token.kind {
            TokenKind::Symbol("=") => "compare with `==`".to_owned(),
            TokenKind::Symbol("?") => "write `if c then a else b`".to_owned(),
            _ => "for example `stages - 1`, `if k == 1 then 0 else 5`, `min(k, 3)`".to_owned(),
        };
        TextError::new(SYNTAX, token.range.clone(), format!("expected {wanted}, but {found}"), help)
    }

    fn expression(&mut self, lowest: u8) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TextError::new(
                SYNTAX,
                self.peek().range.clone(),
                format!("the expression is nested more than {MAX_DEPTH} levels deep"),
                "move parts of it into `params`",
            ));
        }
        let mut left = self.prefix()?;
        while let Some((operator, binding)) = self.operator().filter(|(_, binding)| *binding >= lowest) {
            self.advance();
            let right = self.expression(if operator == Operator::Power { SIGN } else { binding + 1 })?;
            left = Expression {
                range: left.range.start..right.range.end,
                form: Form::Binary(operator, Box::new(left), Box::new(right)),
            };
            let chained = binding == COMPARISON && self.operator().is_some_and(|(_, next)| next == COMPARISON);
            if chained {
                return Err(TextError::new(
                    SYNTAX,
                    self.peek().range.clone(),
                    "comparisons cannot be chained",
                    "join them with `and`: `1 < k and k < 5`",
                ));
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operator(&self) -> Option<(Operator, u8)> {
        let found = OPERATORS.iter().find(|(text, ..)| self.is(text));
        found.map(|(_, operator, binding)| (*operator, *binding))
    }

    fn prefix(&mut self) -> Parsed {
        let start = self.peek().range.start;
        let wrap = |inner: Expression, form: fn(Box<Expression>) -> Form| Expression {
            range: start..inner.range.end,
            form: form(Box::new(inner)),
        };
        if self.is("-") {
            self.advance();
            return Ok(wrap(self.expression(SIGN)?, Form::Negate));
        }
        if self.is("not") || self.is("!") {
            self.advance();
            return Ok(wrap(self.expression(NOT)?, Form::Not));
        }
        if self.is("if") {
            return self.conditional();
        }
        let primary = self.primary()?;
        self.suffixes(primary)
    }

    fn conditional(&mut self) -> Parsed {
        let start = self.advance().range.start;
        let condition = self.expression(0)?;
        self.expect("then")?;
        let chosen = self.expression(0)?;
        self.expect("else")?;
        let other = self.expression(0)?;
        Ok(Expression { range: start..other.range.end, form: Form::If(Box::new([condition, chosen, other])) })
    }

    fn primary(&mut self) -> Parsed {
        let token = self.peek().clone();
        let form = match token.kind {
            TokenKind::Literal(value) => Form::Literal(value),
            TokenKind::Word(word) => match word.as_str() {
                "true" => Form::Literal(Value::Bool(true)),
                "false" => Form::Literal(Value::Bool(false)),
                "null" => Form::Literal(Value::Null),
                keyword if KEYWORDS.contains(&keyword) => return Err(self.unexpected("a value")),
                _ => {
                    self.advance();
                    return self.name_or_call(word, token.range);
                }
            },
            TokenKind::Symbol("(") => {
                self.advance();
                let inner = self.expression(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            TokenKind::Symbol("[") => {
                self.advance();
                let (items, end) = self.list("]")?;
                return Ok(Expression { range: token.range.start..end, form: Form::List(items) });
            }
            TokenKind::Symbol(_) | TokenKind::End => return Err(self.unexpected("a value")),
        };
        self.advance();
        Ok(Expression { range: token.range, form })
    }

    fn name_or_call(&mut self, word: String, range: Range<usize>) -> Parsed {
        if !self.is("(") {
            return Ok(Expression { range, form: Form::Name(word) });
        }
        let Some(function) = Function::find(&word) else {
            let help = suggest(&word, "functions", Function::names());
            return Err(TextError::new(UNKNOWN_NAME, range, format!("there is no function `{word}`"), help));
        };
        self.advance();
        let (arguments, end) = self.list(")")?;
        Ok(Expression { range: range.start..end, form: Form::Call(function, arguments) })
    }

    /// Expressions between commas up to a closing bracket; a comma may follow the last.
    fn list(&mut self, close: &str) -> Result<(Vec<Expression>, usize), Box<TextError>> {
        let mut items = Vec::new();
        while !self.is(close) {
            items.push(self.expression(0)?);
            if !self.is(close) {
                self.expect(",")?;
            }
        }
        Ok((items, self.advance().range.end))
    }

    /// `.key` and `[index]`, any number of them.
    fn suffixes(&mut self, mut inner: Expression) -> Parsed {
        loop {
            if self.is(".") {
                self.advance();
                let token = self.advance();
                let TokenKind::Word(key) = token.kind else {
                    self.at -= usize::from(token.kind != TokenKind::End);
                    return Err(self.unexpected("a key after `.`"));
                };
                inner = Expression { range: inner.range.start..token.range.end, form: Form::Key(Box::new(inner), key) };
            } else if self.is("[") {
                self.advance();
                let index = self.expression(0)?;
                let end = self.expect("]")?.range.end;
                inner =
                    Expression { range: inner.range.start..end, form: Form::Item(Box::new(inner), Box::new(index)) };
            } else {
                return Ok(inner);
            }
        }
    }
}
