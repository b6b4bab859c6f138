//! A YAML file as a tree in which every key and every value knows its place.

use std::rc::Rc;

use serde_json::Value;

use crate::text::source::Span;

/// A long text counts as several values.
const TEXT_BYTES_PER_VALUE: u64 = 64;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) tree: Tree,
    /// Values below and with this one, aliases written out.
    pub(crate) values: u64,
    pub(crate) depth: usize,
    /// Whether there is an expression in a text or key of it.
    has_templates: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Tree {
    /// Null, boolean, number or text.
    Scalar(Value),
    List(Vec<Rc<Node>>),
    Map(Vec<Entry>),
}

impl Tree {
    fn value(&self) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(|item| item.tree.value()).collect()),
            Self::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.tree.value())).collect())
            }
        }
    }
}

/// One key of a mapping with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Rc<Node>,
}

impl Node {
    pub(crate) fn new(span: Span, tree: Tree) -> Self {
        let (mut values, mut depth, mut has_templates) = (1_u64, 0, false);
        let mut count = |child: &Self, key: &str| {
            values = values.saturating_add(child.values);
            depth = depth.max(child.depth + 1);
            has_templates |= child.has_templates || is_template(key);
        };
        match &tree {
            Tree::List(items) => items.iter().for_each(|item| count(item, "")),
            Tree::Map(entries) => entries.iter().for_each(|entry| count(&entry.value, &entry.key)),
            Tree::Scalar(Value::String(text)) => {
                values += text.len() as u64 / TEXT_BYTES_PER_VALUE;
                has_templates = is_template(text);
            }
            Tree::Scalar(_) => {}
        }
        Self { span, tree, values, depth, has_templates }
    }

    /// The value as it is written; none if there is an expression in it.
    pub(crate) fn literal(&self) -> Option<Value> {
        (!self.has_templates).then(|| self.tree.value())
    }

    /// What the value is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.tree {
            Tree::Scalar(value) => describe(value),
            Tree::List(_) => "a list",
            Tree::Map(_) => "a mapping",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.tree, Tree::Scalar(Value::Null))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.tree {
            Tree::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }
}

/// What a JSON value is, for messages.
pub(crate) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// Whether a text has an expression in it. Asked of every scalar: a single byte is found quicker than two.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains('$') && text.contains("${")
}
