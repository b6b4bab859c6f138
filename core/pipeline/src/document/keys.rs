//! Mappings with known keys: tables of keys, entries, the types of values, names.

use serde_json::{Value, json};

use crate::catalog::KindSpec;
use crate::diagnostic::problem::{Problem, Report};
use crate::expression::KEYWORDS;
use crate::text::source::Span;
use crate::text::suggest::{nearest, suggest};
use crate::yaml::tree::{Entry, Node, Tree};

pub(crate) const WRONG_TYPE: &str = "pddflow::pipeline::wrong_type";
pub(crate) const UNKNOWN_KEY: &str = "pddflow::pipeline::unknown_key";
pub(crate) const MISSING_KEY: &str = "pddflow::pipeline::missing_key";
pub(crate) const INVALID_NAME: &str = "pddflow::pipeline::invalid_name";

/// A key of a mapping: what it is called, what editors are told of it, and how its value is read.
#[derive(Clone, Copy)]
pub(crate) struct Key<R> {
    pub(crate) name: &'static str,
    /// Makes the JSON schema of the value for a program with these kinds.
    pub(crate) schema: fn(&[&KindSpec]) -> Value,
    pub(crate) read: R,
}

/// The names in a table of keys.
pub(crate) const fn names<R, const N: usize>(keys: &[Key<R>; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = keys[at].name;
        at += 1;
    }
    names
}

/// A schema with a description; an expression may stand for the value.
pub(crate) fn or_expression(about: &str, schema: Value) -> Value {
    json!({"description": about, "anyOf": vec![schema, json!({"$ref": "#/$defs/expression"})]})
}

/// The entries of a mapping; an empty value is an empty mapping.
pub(crate) fn mapping<'a>(report: &mut Report, node: &'a Node, what: &str) -> Option<&'a [Entry]> {
    match &node.tree {
        Tree::Map(entries) => Some(entries),
        Tree::Scalar(Value::Null) => Some(&[]),
        _ => {
            let message = format!("{what} must be a mapping, not {}", node.describe());
            report.add(
                Problem::new(WRONG_TYPE, node.span, message).help("write `key: value` lines, indented by two spaces"),
            );
            None
        }
    }
}

/// The key that a misspelled one stands for, so that one slip is one problem; the key itself where it is right.
pub(crate) fn meant<'a>(entry: &'a Entry, entries: &[Entry], known: &[&'a str]) -> &'a str {
    let key = entry.key.as_str();
    if known.contains(&key) {
        return key;
    }
    let near = nearest(key, known.iter().copied());
    let free = |near: &&str| !entries.iter().any(|other| other.key == **near);
    near.filter(free).unwrap_or(key)
}

pub(crate) fn check_keys(report: &mut Report, entries: &[Entry], known: &[&str], what: &str) {
    for entry in entries {
        if !known.contains(&entry.key.as_str()) {
            report.add(
                Problem::new(UNKNOWN_KEY, entry.key_span, format!("unknown key `{}`", entry.key)).help(suggest(
                    &entry.key,
                    what,
                    known.iter().copied(),
                )),
            );
        }
    }
}

pub(crate) fn text(report: &mut Report, entry: &Entry) -> Option<String> {
    let text = entry.value.as_text().map(str::to_owned);
    if text.is_none() {
        let message = format!("`{}` must be a string, not {}", entry.key, entry.value.describe());
        report.add(Problem::new(WRONG_TYPE, entry.value.span, message).help("quote the value if you mean a string"));
    }
    text
}

/// Names that expressions use: letters, digits and `_`, and no keyword.
pub(crate) fn check_variable(report: &mut Report, entry: &Entry, what: &str) -> bool {
    let name = entry.key.as_str();
    let first = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let rest = name.chars().all(|character| character.is_alphanumeric() || character == '_');
    if first && rest && !KEYWORDS.contains(&name) {
        return true;
    }
    let help = if KEYWORDS.contains(&name) {
        format!("`{name}` is a keyword of expressions; choose another name")
    } else {
        format!("use letters, digits and `_`, for example `{}`", as_variable(name))
    };
    report.add(Problem::new(INVALID_NAME, entry.key_span, format!("`{name}` cannot name {what}")).help(help));
    false
}

pub(crate) fn as_variable(name: &str) -> String {
    let allowed = |character: char| if character.is_alphanumeric() { character } else { '_' };
    let mut name: String = name.chars().map(allowed).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// Longer names do not fit into file names with what is added to them.
const MOST_NAME_BYTES: usize = 100;

/// Reports a name that cannot be part of a file name.
pub(super) fn is_too_long(report: &mut Report, span: Span, name: &str) -> bool {
    let too_long = name.len() > MOST_NAME_BYTES;
    if too_long {
        let message = format!("a name of {} bytes cannot stand in the names of files", name.len());
        report.add(Problem::new(INVALID_NAME, span, message).help(format!("use at most {MOST_NAME_BYTES}")));
    }
    too_long
}
