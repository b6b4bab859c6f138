//! References to artifacts: `data`, `data.port`, `distill[3]`, `distill[..3]`, `eval[model=resnet18]`, `distill[*]`.
//!
//! | selector | instances |
//! |---|---|
//! | `[3]`, `[resnet18]` | the one with that value; only for a family with one axis |
//! | `[model=resnet18, k=3]` | those with these values; axes that are not named are free |
//! | `[1..3]`, `[1..=3]`, `[..3]`, `[2..]` | a slice of an axis of integers, also `[k=1..3]` |
//! | `[*]` | all |

use std::ops::{Bound, Range};

use serde_json::Value;

use crate::text::scalar;
use crate::text::text_error::TextError;

pub(crate) const INVALID_REFERENCE: &str = "pddflow::pipeline::invalid_reference";

/// A reference, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) family: (String, Range<usize>),
    pub(crate) selectors: Option<Vec<Selector>>,
    pub(crate) output: Option<(String, Range<usize>)>,
}

/// One part between the commas of `[...]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) axis: Option<String>,
    pub(crate) pick: Pick,
    pub(crate) range: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pick {
    All,
    /// The text of a value, in the form in which values are shown.
    Value(String),
    Slice(Bound<i64>, Bound<i64>),
}

/// Takes a reference apart.
pub(crate) fn parse(text: &str) -> Result<Reference, Box<TextError>> {
    let name_end = text.find(['[', '.']).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    if name.trim().is_empty() {
        return Err(error(0..text.len(), "a reference begins with the name of a node"));
    }
    let lead = name.len() - name.trim_start().len();
    let family = (name.trim().to_owned(), lead..lead + name.trim().len());
    let (selectors, rest_start) = match rest.strip_prefix('[') {
        Some(inside) => {
            let start = name_end + 1;
            let length = closing(inside).ok_or_else(|| error(name_end..text.len(), "`[` has no closing `]`"))?;
            let inside = inside.get(..length).unwrap_or("");
            (Some(parse_selectors(inside, start)?), start + length + 1)
        }
        None => (None, name_end),
    };
    let rest = text.get(rest_start..).unwrap_or("").trim_end();
    let output = match rest.strip_prefix('.') {
        Some(port) if !port.is_empty() && !port.contains(['.', '[', ' ']) => {
            Some((port.to_owned(), rest_start + 1..rest_start + rest.len()))
        }
        None if rest.is_empty() => None,
        _ => {
            let range = rest_start..rest_start + rest.len();
            return Err(error(range, "expected `.PORT` or the end of the reference"));
        }
    };
    Ok(Reference { family, selectors, output })
}

fn error(range: Range<usize>, message: impl Into<String>) -> Box<TextError> {
    let help = "references are `data`, `data.PORT`, `distill[3]`, `distill[..3]`, `eval[model=x]`, `distill[*]`";
    TextError::new(INVALID_REFERENCE, range, message, help)
}

/// The offset of the `]` that is not in quotes.
fn closing(text: &str) -> Option<usize> {
    unquoted(text).find(|(_, character)| *character == ']').map(|(at, _)| at)
}

/// The characters of a text that are not in double quotes.
fn unquoted(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quoted = false;
    text.char_indices().filter(move |(_, character)| {
        quoted ^= *character == '"';
        !quoted && *character != '"'
    })
}

fn parse_selectors(text: &str, start: usize) -> Result<Vec<Selector>, Box<TextError>> {
    let commas = unquoted(text).filter(|(_, character)| *character == ',').map(|(at, _)| at);
    let mut selectors: Vec<Selector> = Vec::new();
    let mut from = 0;
    for end in commas.chain([text.len()]) {
        let part = text.get(from..end).unwrap_or("");
        let lead = part.len() - part.trim_start().len();
        let range = start + from + lead..start + from + lead + part.trim().len();
        let selector = parse_selector(part.trim(), range.clone())?;
        let repeated = selectors.iter().any(|known| known.axis == selector.axis);
        if repeated {
            let message = match &selector.axis {
                Some(axis) => format!("the axis `{axis}` is named twice"),
                None => "several values need the names of their axes".to_owned(),
            };
            return Err(error(range, message));
        }
        selectors.push(selector);
        from = end + 1;
    }
    Ok(selectors)
}

fn parse_selector(text: &str, range: Range<usize>) -> Result<Selector, Box<TextError>> {
    let equals = unquoted(text).find(|(at, character)| {
        // The `=` of `1..=3` is part of a slice.
        *character == '=' && !text.get(..*at).unwrap_or("").ends_with("..")
    });
    let (axis, value) = match equals {
        Some((at, _)) => (text.get(..at).map(str::trim), text.get(at + 1..).unwrap_or("").trim()),
        None => (None, text),
    };
    if value.is_empty() || axis.is_some_and(str::is_empty) {
        return Err(error(range, "a value is missing between the brackets"));
    }
    let axis = axis.map(str::to_owned);
    let pick = if value == "*" {
        Pick::All
    } else if let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Pick::Value(inner.to_owned())
    } else if let Some((from, to)) = value.split_once("..") {
        slice(from.trim(), to.trim(), range.clone())?
    } else {
        Pick::Value(normal(value))
    };
    Ok(Selector { axis, pick, range })
}

/// A value as it is shown: `1e-3` and `0.001` name the same instance.
fn normal(text: &str) -> String {
    match scalar::resolve(text) {
        Ok(Value::Number(number)) => number.to_string(),
        _ => text.to_owned(),
    }
}

fn slice(from: &str, to: &str, range: Range<usize>) -> Result<Pick, Box<TextError>> {
    let bound = |text: &str| match scalar::resolve(text) {
        Ok(Value::Number(number)) if number.is_i64() || number.is_u64() => number.as_i64(),
        _ => None,
    };
    let (to, inclusive) = to.strip_prefix('=').map_or((to, false), |to| (to.trim(), true));
    let start = match from {
        "" => Some(Bound::Unbounded),
        text => bound(text).map(Bound::Included),
    };
    let end = match (to, inclusive) {
        ("", false) => Some(Bound::Unbounded),
        ("", true) => None,
        (text, true) => bound(text).map(Bound::Included),
        (text, false) => bound(text).map(Bound::Excluded),
    };
    match (start, end) {
        (Some(start), Some(end)) => Ok(Pick::Slice(start, end)),
        _ => Err(error(range, "the bounds of a slice are integers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Err(error) => format!("{:?} {}", text.get(error.range).unwrap(), error.message),
            Ok(reference) => {
                let picks: Vec<String> = reference
                    .selectors
                    .iter()
                    .flatten()
                    .map(|selector| format!("{}:{:?}", selector.axis.as_deref().unwrap_or(""), selector.pick))
                    .collect();
                let output = reference.output.map(|(name, _)| format!(" -> {name}")).unwrap_or_default();
                format!("{} {}{output}", reference.family.0, picks.join(" "))
            }
        }
    }

    #[test]
    fn references_are_taken_apart() {
        let cases = [
            ("data", "data "),
            ("data.test", "data  -> test"),
            ("distill[3]", r#"distill :Value("3")"#),
            ("distill[3].images", r#"distill :Value("3") -> images"#),
            ("d[*]", "d :All"),
            ("d[..3]", "d :Slice(Unbounded, Excluded(3))"),
            ("d[ 1 ..= 3 ]", "d :Slice(Included(1), Included(3))"),
            ("d[-2..]", "d :Slice(Included(-2), Unbounded)"),
            ("e[model=resnet18]", r#"e model:Value("resnet18")"#),
            ("e[m=a, k=..=3]", r#"e m:Value("a") k:Slice(Unbounded, Included(3))"#),
            ("e[lr=1e-3]", r#"e lr:Value("0.001")"#),
            (r#"e[m="a,]=1..2"]"#, r#"e m:Value("a,]=1..2")"#),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn broken_references_say_where() {
        let cases = [
            ("", r#""" a reference begins with the name of a node"#),
            ("[3]", r#""[3]" a reference begins with the name of a node"#),
            ("d[3", r#""[3" `[` has no closing `]`"#),
            ("d[]", r#""" a value is missing between the brackets"#),
            ("d[k=]", r#""k=" a value is missing between the brackets"#),
            ("d[1,2]", r#""2" several values need the names of their axes"#),
            ("d[k=1,k=2]", r#""k=2" the axis `k` is named twice"#),
            ("d[a..b]", r#""a..b" the bounds of a slice are integers"#),
            ("d[..=]", r#""..=" the bounds of a slice are integers"#),
            ("d[3]x", r#""x" expected `.PORT` or the end of the reference"#),
            ("d.", r#""." expected `.PORT` or the end of the reference"#),
            ("d.a.b", r#"".a.b" expected `.PORT` or the end of the reference"#),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
