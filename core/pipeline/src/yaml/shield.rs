//! Lets `${...}` stand unquoted inside `{ }` and `[ ]`.
//!
//! `{ k: 1..=${stages} }` is how people write it, yet to YAML the inner braces are syntax. Before parsing, the
//! characters of an expression that YAML could take for syntax are exchanged for private-use characters; a
//! scalar that holds such characters gets the real ones back. Quotes are not exchanged: a quoted text ends where
//! YAML says.

use std::borrow::Cow;

/// Characters exchanged inside `${...}`, and what stands for them. Each substitute takes [`GROWTH`] bytes more.
const EXCHANGES: [(char, char); 7] = [
    ('{', '\u{F8D0}'),
    ('}', '\u{F8D1}'),
    ('[', '\u{F8D2}'),
    (']', '\u{F8D3}'),
    (',', '\u{F8D4}'),
    (':', '\u{F8D5}'),
    ('#', '\u{F8D6}'),
];
/// A substitute is encoded in three bytes, what it stands for in one.
const GROWTH: usize = 2;

/// A text made safe for the YAML parser, and the way back to the original.
#[derive(Debug)]
pub(crate) struct Shielded<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Byte positions of the substitutes in `text`, ascending.
    positions: Vec<usize>,
}

impl Shielded<'_> {
    /// The offset in the original text.
    pub(crate) fn original(&self, offset: usize) -> usize {
        let before = self.positions.partition_point(|at| *at < offset);
        offset - GROWTH * before
    }

    /// Gives a scalar that lies at `start..end` of the shielded text its own characters back.
    pub(crate) fn restore(&self, value: &str, start: usize, end: usize) -> String {
        let first = self.positions.partition_point(|at| *at < start);
        if self.positions.get(first).is_none_or(|at| *at >= end) {
            return value.to_owned();
        }
        let real = |character| EXCHANGES.iter().find(|(_, stand_in)| *stand_in == character);
        value.chars().map(|character| real(character).map_or(character, |(real, _)| *real)).collect()
    }
}

/// Exchanges the special characters in every `${...}` that ends on its line.
pub(crate) fn shield(text: &str) -> Shielded<'_> {
    let used = |(_, stand_in): &(char, char)| text.contains(*stand_in);
    if !text.contains("${") || EXCHANGES.iter().any(used) {
        return Shielded { text: Cow::Borrowed(text), positions: Vec::new() };
    }
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    let mut positions = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at + 1);
        safe.push_str(before);
        let length = expression_length(from).unwrap_or(0);
        let (expression, after) = from.split_at(length);
        for character in expression.chars() {
            match EXCHANGES.iter().find(|(real, _)| *real == character) {
                Some((_, stand_in)) => {
                    positions.push(safe.len());
                    safe.push(*stand_in);
                }
                None => safe.push(character),
            }
        }
        rest = after;
    }
    safe.push_str(rest);
    Shielded { text: Cow::Owned(safe), positions }
}

/// The length of `{...}` at the start of `text`, braces in quotes aside; none if it does not end on the line.
fn expression_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (character, quote) {
            ('\n', _) => return None,
            (_, Some(open)) => quote = (character != open).then_some(open),
            ('\'' | '"', None) => quote = Some(character),
            ('{', None) => depth += 1,
            ('}', None) => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_without_expressions_is_not_copied() {
        assert!(matches!(shield("a: {b: 1}").text, Cow::Borrowed(_)));
    }

    #[test]
    fn expressions_lose_their_syntax_and_get_it_back() {
        let text = "{ k: 1..=${min(a, 3)}, b: \"x ${'}'} y\" }";
        let shielded = shield(text);
        assert!(!shielded.text.contains("${"));
        assert_eq!(shielded.text.matches(['{', '}']).count(), 2, "only the mapping's own");
        let end = shielded.text.len();
        assert_eq!(shielded.restore(&shielded.text, 0, end), text);
    }

    #[test]
    fn an_expression_without_end_is_left_alone() {
        assert_eq!(shield("a: ${b\nc: }").text, "a: ${b\nc: }");
    }

    proptest! {
        #[test]
        fn every_text_and_offset_comes_back(text in "[a-c${}\\[\\],:#'\" \né]{0,60}") {
            let shielded = shield(&text);
            prop_assert_eq!(shielded.restore(&shielded.text, 0, shielded.text.len()), text.clone());
            let originals: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let mapped: Vec<usize> = shielded.text.char_indices().map(|(at, _)| shielded.original(at)).collect();
            prop_assert_eq!(originals, mapped);
        }
    }
}
