//! Numbers, values and moments for people.

use chrono::DateTime;
use serde_json::Value;
use std::fmt::Write as _;

/// A moment in words; in UTC, so that the page is the same wherever it is made.
pub(crate) fn moment(unix_milliseconds: u64) -> String {
    let moment = i64::try_from(unix_milliseconds).ok().and_then(DateTime::from_timestamp_millis);
    moment.map_or_else(String::new, |moment| moment.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// A value without the quotes of JSON.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `name=value, name=value`.
pub(crate) fn pairs<'a>(values: impl IntoIterator<Item = &'a (String, Value)>) -> String {
    values.into_iter().map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join(", ")
}

/// Nested values by their paths, as `model.convnet.width`.
pub(crate) fn flat(value: &Value) -> Vec<(String, String)> {
    fn add(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(members) if !members.is_empty() => members.iter().for_each(|(name, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                add(&format!("{path}{dot}{name}"), value, found);
            }),
            value => found.push((path.to_owned(), plain(value))),
        }
    }
    let mut found = Vec::new();
    add("", value, &mut found);
    found.retain(|(path, _)| !path.is_empty());
    found
}

/// An argument as a shell takes it.
pub(crate) fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+%@".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// The beginning of a text of at most so many characters, and whether that is all of it.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `1,024` as `1 024`: digits in groups of three, with thin spaces.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

/// A list as `a, b and c`.
pub(crate) fn listed(words: &[String]) -> String {
    let mut text = String::new();
    for (at, word) in words.iter().enumerate() {
        let between = match at {
            0 => "",
            at if at + 1 == words.len() => " and ",
            _ => ", ",
        };
        let _ = write!(text, "{between}{word}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_short_and_exact() {
        let value = json!({ "model": { "convnet": { "width": 16 } }, "list": [1, "a"], "none": {} });
        let expected = [("list", "[1,\"a\"]"), ("model.convnet.width", "16"), ("none", "{}")];
        assert_eq!(flat(&value), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(quoted("eval[of=dm]"), "'eval[of=dm]'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(grouped(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!((cut("abcdef", 4), cut("abc", 4)), ("abc…".to_owned(), "abc".to_owned()));
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
