//! YAML values with `${...}` in them: compiled once, evaluated for each instance.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::diagnostic::problem::{Problem, Report};
use crate::expression::{self, Expression, POISONED, Scope};
use crate::text::source::{Sources, Span};
use crate::text::text_error::TextError;
use crate::yaml::tree::{Node, Tree, describe, is_template};

/// Most items and bytes of all values of a plan together; a plan is held in memory.
const MAX_PLAN_WEIGHT: usize = 512 << 20;

/// A value whose texts may contain expressions.
#[derive(Debug, Clone)]
pub(crate) enum Compiled {
    Constant(Value, usize),
    Template(Rc<Template>),
    List(Vec<Compiled>),
    Map(Vec<(Key, Compiled)>),
}

#[derive(Debug, Clone)]
pub(crate) enum Key {
    Constant(String),
    Template(Rc<Template>),
}

/// A text with at least one `${...}`.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) span: Span,
    pub(crate) text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Expression {
        parsed: Expression,
        /// Where the expression's own text begins in the template.
        start: usize,
    },
}

/// What evaluation may use up, shared by all values of a plan.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_PLAN_WEIGHT))
    }
}

/// Why a value could not be evaluated: a problem to report, or nothing new.
#[derive(Debug)]
pub(crate) enum Failure {
    Problem(Box<Problem>),
    /// It depends on something whose own error has been reported.
    Poisoned,
}

impl Failure {
    pub(crate) fn new(code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Problem(Box::new(Problem::new(code, span, message).help(help)))
    }

    /// A problem with a part of a scalar that is read as `text`.
    pub(crate) fn in_text(sources: &Sources, scalar: Span, text: &str, error: TextError) -> Self {
        Self::new(error.code, sources.locate(scalar, text, error.range), error.message, error.help)
    }
}

/// Evaluates compiled values; errors know their places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluator<'a> {
    pub(crate) scope: Scope<'a>,
    pub(crate) sources: &'a Sources,
    pub(crate) budget: &'a Budget,
}

/// Compiles a value. Errors in expressions go to the report; `None` means there were some.
pub(crate) fn compile(report: &mut Report, node: &Node) -> Option<Compiled> {
    // Most values are that; they are weighed once and not on each level.
    if let Some(value) = node.literal() {
        return Some(constant(value));
    }
    Some(match &node.tree {
        Tree::Scalar(Value::String(text)) if is_template(text) => match compile_text(report, node.span, text)? {
            Ok(template) => Compiled::Template(Rc::new(template)),
            Err(literal) => constant(Value::String(literal)),
        },
        Tree::Scalar(value) => constant(value.clone()),
        Tree::List(items) => {
            // Every item is compiled even after an error, so that all errors are reported.
            let items: Vec<Option<Compiled>> = items.iter().map(|item| compile(report, item)).collect();
            let items: Vec<Compiled> = items.into_iter().collect::<Option<_>>()?;
            fold_list(items)
        }
        Tree::Map(entries) => {
            let mut compiled = Vec::with_capacity(entries.len());
            for entry in entries {
                let key = compile_key(report, entry.key_span, &entry.key);
                compiled.push(key.zip(compile(report, &entry.value)));
            }
            fold_map(compiled.into_iter().collect::<Option<_>>()?)
        }
    })
}

impl Compiled {
    /// Whether the value is the same in every scope.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(..))
    }

    /// Calls `visit` with every name that an expression in the value reads.
    pub(crate) fn names(&self, visit: &mut impl FnMut(&str)) {
        match self {
            Self::Constant(..) => {}
            Self::Template(template) => template.names(visit),
            Self::List(items) => items.iter().for_each(|item| item.names(visit)),
            Self::Map(entries) => {
                for (key, value) in entries {
                    if let Key::Template(template) = key {
                        template.names(visit);
                    }
                    value.names(visit);
                }
            }
        }
    }
}

impl Template {
    fn names(&self, visit: &mut impl FnMut(&str)) {
        for piece in &self.pieces {
            if let Piece::Expression { parsed, .. } = piece {
                parsed.names(visit);
            }
        }
    }
}

impl Evaluator<'_> {
    /// The value in this scope.
    pub(crate) fn value(&self, compiled: &Compiled) -> Result<Value, Failure> {
        self.shared_value(compiled).map(Cow::into_owned)
    }

    /// The same, not copied if it is constant.
    pub(crate) fn shared_value<'c>(&self, compiled: &'c Compiled) -> Result<Cow<'c, Value>, Failure> {
        match compiled {
            Compiled::Constant(value, weight) => {
                self.charge(*weight, None)?;
                Ok(Cow::Borrowed(value))
            }
            Compiled::Template(template) => self.template(template).map(Cow::Owned),
            Compiled::List(items) => {
                let items: Result<Vec<Value>, Failure> = items.iter().map(|item| self.value(item)).collect();
                Ok(Cow::Owned(Value::Array(items?)))
            }
            Compiled::Map(entries) => Ok(Cow::Owned(Value::Object(self.map(entries)?))),
        }
    }

    fn map(&self, entries: &[(Key, Compiled)]) -> Result<Map<String, Value>, Failure> {
        let mut map = Map::new();
        for (key, value) in entries {
            let (key, span) = self.key(key)?;
            let value = self.value(value)?;
            if map.insert(key.clone(), value).is_some() {
                let message = format!("the key `{key}` comes up twice");
                let help = "remove or rename one of them";
                return Err(Failure::new("pddflow::pipeline::duplicate_key", span, message, help));
            }
        }
        Ok(map)
    }

    /// The value of a text: the expression's own type if the text is exactly one `${...}`.
    pub(crate) fn template(&self, template: &Template) -> Result<Value, Failure> {
        if let [Piece::Expression { parsed, start }] = template.pieces.as_slice() {
            let value = self.expression(template, parsed, *start)?;
            self.charge(expression::weigh(&value), Some(template.span))?;
            return Ok(value);
        }
        let mut text = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Expression { parsed, start } => {
                    let value = self.expression(template, parsed, *start)?;
                    text.push_str(&self.written(template, (parsed, *start), &value)?);
                }
            }
        }
        self.charge(text.len() + 1, Some(template.span))?;
        Ok(Value::String(text))
    }

    fn key(&self, key: &Key) -> Result<(String, Span), Failure> {
        match key {
            Key::Constant(key) => Ok((key.clone(), Span::new(0, 0..0))),
            Key::Template(template) => match self.template(template)? {
                Value::String(key) => Ok((key, template.span)),
                other => {
                    let message = format!("a key must be a string, not {}", describe(&other));
                    Err(Failure::new(expression::VALUE, template.span, message, "use str(...)"))
                }
            },
        }
    }

    fn expression(&self, template: &Template, parsed: &Expression, start: usize) -> Result<Value, Failure> {
        expression::evaluate(parsed, &self.scope).map_err(|error| {
            if error.code == POISONED {
                return Failure::Poisoned;
            }
            let span = span_of(self.sources, template.span, &template.text, start, &error);
            Failure::new(error.code, span, error.message, error.help)
        })
    }

    /// A value as it stands inside a text.
    fn written(
        &self,
        template: &Template,
        (parsed, start): (&Expression, usize),
        value: &Value,
    ) -> Result<String, Failure> {
        expression::display(value).ok_or_else(|| {
            let range = parsed.range();
            let range = start + range.start..start + range.end;
            let span = self.sources.locate(template.span, &template.text, range);
            Failure::new(
                expression::VALUE,
                span,
                format!("{} cannot be interpolated into a string", describe(value)),
                "join a list with join(list, ','); a string that is only `${...}` may have any value",
            )
        })
    }

    fn charge(&self, weight: usize, span: Option<Span>) -> Result<(), Failure> {
        let Some(left) = self.budget.0.get().checked_sub(weight) else {
            let message = format!("the values of all nodes together have more than {MAX_PLAN_WEIGHT} bytes");
            let span = span.unwrap_or(Span::new(0, 0..0));
            return Err(Failure::new(
                "pddflow::pipeline::plan_limit",
                span,
                message,
                "make fewer instances or smaller parameters",
            ));
        };
        self.budget.0.set(left);
        Ok(())
    }
}

fn constant(value: Value) -> Compiled {
    let weight = expression::weigh(&value);
    Compiled::Constant(value, weight)
}

fn fold_list(items: Vec<Compiled>) -> Compiled {
    if !items.iter().all(Compiled::is_constant) {
        return Compiled::List(items);
    }
    let values = items.into_iter().filter_map(|item| match item {
        Compiled::Constant(value, _) => Some(value),
        _ => None,
    });
    constant(Value::Array(values.collect()))
}

fn fold_map(entries: Vec<(Key, Compiled)>) -> Compiled {
    let all_constant = entries.iter().all(|(key, value)| matches!(key, Key::Constant(_)) && value.is_constant());
    if !all_constant {
        return Compiled::Map(entries);
    }
    let values = entries.into_iter().filter_map(|entry| match entry {
        (Key::Constant(key), Compiled::Constant(value, _)) => Some((key, value)),
        _ => None,
    });
    constant(Value::Object(values.collect()))
}

fn compile_key(report: &mut Report, span: Span, key: &str) -> Option<Key> {
    if !is_template(key) {
        return Some(Key::Constant(key.to_owned()));
    }
    Some(match compile_text(report, span, key)? {
        Ok(template) => Key::Template(Rc::new(template)),
        Err(literal) => Key::Constant(literal),
    })
}

/// A template, or the literal text when every `${` was escaped as `$${`.
fn compile_text(report: &mut Report, span: Span, text: &str) -> Option<Result<Template, String>> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("${")) {
        let opening = at + found;
        literal.push_str(text.get(at..opening).unwrap_or(""));
        if literal.ends_with('$') && found > 0 {
            literal.push('{');
            at = opening + 2;
            continue;
        }
        let start = opening + 2;
        let Some(length) = text.get(start..).and_then(expression_end) else {
            let span = report.sources.locate(span, text, opening..start);
            report.add(
                Problem::new(expression::SYNTAX, span, "`${` has no closing `}`")
                    .help("close it with `}`, or write `$${` for the characters `${`"),
            );
            return None;
        };
        let inner = text.get(start..start + length).unwrap_or("");
        let parsed = parse(report, span, text, start, inner)?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Expression { parsed, start });
        at = start + length + 1;
    }
    literal.push_str(text.get(at..).unwrap_or(""));
    if pieces.is_empty() {
        return Some(Err(literal));
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Some(Ok(Template { span, text: text.to_owned(), pieces }))
}

fn parse(report: &mut Report, span: Span, text: &str, start: usize, inner: &str) -> Option<Expression> {
    expression::parse(inner)
        .map_err(|error| {
            let span = span_of(&report.sources, span, text, start, &error);
            report.add(Problem::new(error.code, span, error.message).help(error.help));
        })
        .ok()
}

/// The length of the text before the closing brace, braces in quotes aside.
fn expression_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match (character, quote) {
            _ if escaped => escaped = false,
            ('\\', Some(_)) => escaped = true,
            (_, Some(open)) => quote = (character != open).then_some(open),
            ('\'' | '"', None) => quote = Some(character),
            ('}', None) => return Some(at),
            _ => {}
        }
    }
    None
}

fn span_of(sources: &Sources, span: Span, text: &str, start: usize, error: &TextError) -> Span {
    let Range { start: from, end } = error.range;
    let end =
        end.max(from + usize::from(from == end && text.get(start + from..).is_some_and(|rest| rest.starts_with('}'))));
    sources.locate(span, text, start + from..start + end)
}
