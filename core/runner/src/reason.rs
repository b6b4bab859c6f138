//! Why a node is stale: never ran, or what changed since, with the old and the new value.

use crate::key::INPUT_PREFIX;
use pddflow_cache::{Digest, Key, KeyPart};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// More changes of one node than this are counted, not listed.
const MOST_CHANGES: usize = 16;
/// Longer values are cut in texts for people.
const SHOWN_CHARS: usize = 60;
/// Characters of a digest in texts for people, with its prefix.
const SHOWN_DIGEST: usize = 15;

/// One reason why a node is stale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum StaleReason {
    /// Nothing is known under this name, and no other node made the same.
    NeverRan,
    /// A part of the key has another value than when the node last ran.
    Changed {
        /// Name of the part: `with`, `revision`, `plugin mtt`...
        part: String,
        /// JSON pointer into the part; empty for the whole part.
        pointer: String,
        /// The value then; none if it was not there.
        old: Option<Value>,
        /// The value now; none if it is not there.
        new: Option<Value>,
    },
    /// A node before it gave something else, or the wiring of a port changed.
    InputChanged {
        /// The port.
        port: String,
        /// The nodes now at the positions that differ.
        from: Vec<String>,
        /// Digests then.
        old: Vec<String>,
        /// Digests now.
        new: Vec<String>,
    },
    /// More changes than are listed.
    MoreChanges {
        /// How many more.
        count: usize,
    },
    /// It ran with these very inputs, but its record is gone.
    RecordMissing {
        /// Key of the record.
        key: Key,
    },
    /// It ran with other inputs, but the record that would say which is gone.
    HistoryMissing {
        /// Key that it had.
        key: Key,
    },
    /// No reason by itself: it goes on from where a node ended that went less far.
    Extends {
        /// The parameter that says how far a node goes.
        parameter: String,
        /// How far the other one went.
        reached: u64,
        /// How far this one is to go.
        wanted: u64,
    },
    /// It is fresh, and the user asked for another run.
    Forced,
    /// Its record is there, but an artifact is gone.
    OutputMissing {
        /// The output port.
        output: String,
        /// The artifact; none when the record does not know this output.
        digest: Option<Digest>,
    },
    /// Its record is there, but an artifact proved damaged when it was read.
    OutputDamaged {
        /// The output port.
        output: String,
        /// The artifact.
        digest: Digest,
    },
}

impl fmt::Display for StaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRan => f.write_str("never ran"),
            Self::Forced => f.write_str("forced"),
            Self::Changed { part, pointer, old, new } => {
                let at = pointer.trim_start_matches('/').replace('/', ".");
                let dot = if at.is_empty() { "" } else { "." };
                write!(f, "{part}{dot}{at}: {} -> {}", shown(old.as_ref()), shown(new.as_ref()))
            }
            Self::InputChanged { port, from, old, new } if old.len() == new.len() && from.is_empty() => {
                write!(f, "input {port}: {} -> {}", cut_list(old), cut_list(new))
            }
            Self::InputChanged { port, from, old, new } if old.len() == new.len() => {
                write!(f, "input {port}: the output of {} changed", from.join(", "))
            }
            Self::InputChanged { port, old, new, .. } => {
                write!(f, "input {port}: {} -> {} artifacts", old.len(), new.len())
            }
            Self::MoreChanges { count } => write!(f, "and {count} more changes"),
            Self::RecordMissing { key } => write!(f, "its record {}{} is missing", Key::PREFIX, key.short()),
            Self::HistoryMissing { key } => {
                write!(
                    f,
                    "changed, but the record of last time ({}{}) is gone, so what changed is unknown",
                    Key::PREFIX,
                    key.short()
                )
            }
            Self::Extends { parameter, reached, wanted } => {
                write!(f, "extends from {reached} of {wanted} {parameter}")
            }
            Self::OutputMissing { output, digest: None } => write!(f, "output {output} is not in its record"),
            Self::OutputMissing { output, digest: Some(digest) } => {
                write!(f, "output {output} ({}{}) is missing", Digest::PREFIX, digest.short())
            }
            Self::OutputDamaged { output, digest } => {
                write!(f, "output {output} ({}{}) is damaged", Digest::PREFIX, digest.short())
            }
        }
    }
}

/// What differs between the parts of an earlier key and those of the present one. `from` names the nodes at a
/// port, in order.
pub(crate) fn changes(earlier: &[KeyPart], parts: &[KeyPart], from: impl Fn(&str) -> Vec<String>) -> Vec<StaleReason> {
    let mut found = all_changes(earlier, parts, from);
    if found.len() > MOST_CHANGES {
        let count = found.len() - MOST_CHANGES;
        found.truncate(MOST_CHANGES);
        found.push(StaleReason::MoreChanges { count });
    }
    found
}

/// Whether a part of a key is what came in at a port.
pub(crate) fn is_input(part: &KeyPart) -> bool {
    part.name.starts_with(INPUT_PREFIX)
}

/// The same for two lists of parts, and however many there are.
pub(crate) fn all_changes(
    earlier: &[KeyPart],
    parts: &[KeyPart],
    from: impl Fn(&str) -> Vec<String>,
) -> Vec<StaleReason> {
    let mut found = Vec::new();
    let find =
        |parts: &[KeyPart], name: &str| parts.iter().find(|part| part.name == name).map(|part| part.value.clone());
    let mut names: Vec<&str> = earlier.iter().chain(parts).map(|part| part.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (old, new) = (find(earlier, name), find(parts, name));
        match name.strip_prefix(INPUT_PREFIX) {
            _ if old == new => {}
            Some(port) => found.push(input_change(port, old.as_ref(), new.as_ref(), &from(port))),
            None => value_changes(name, String::new(), old.as_ref(), new.as_ref(), &mut found),
        }
    }
    found
}

fn input_change(port: &str, old: Option<&Value>, new: Option<&Value>, from: &[String]) -> StaleReason {
    let (old, new) = (texts(old), texts(new));
    let differs = |at: &usize| old.get(*at) != new.get(*at);
    let from = (0..new.len()).filter(differs).filter_map(|at| from.get(at).cloned()).collect();
    StaleReason::InputChanged { port: port.to_owned(), from, old, new }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let values = value.and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Goes down to the members that differ.
fn value_changes(part: &str, pointer: String, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<StaleReason>) {
    if old == new {
        return;
    }
    if let (Some(Value::Object(before)), Some(Value::Object(now))) = (old, new) {
        let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            value_changes(part, format!("{pointer}/{escaped}"), before.get(name), now.get(name), found);
        }
        return;
    }
    found.push(StaleReason::Changed { part: part.to_owned(), pointer, old: old.cloned(), new: new.cloned() });
}

/// The first digest of a list, and how many more there are.
fn cut_list(digests: &[String]) -> String {
    let first = digests.first().map_or("", |digest| digest.get(..SHOWN_DIGEST).unwrap_or(digest));
    if digests.len() > 1 { format!("{first} and {} more", digests.len() - 1) } else { first.to_owned() }
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else { return "(absent)".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parts(with: Value, data: &[&str]) -> Vec<KeyPart> {
        vec![KeyPart::new("input data", json!(data)), KeyPart::new("revision", json!(1)), KeyPart::new("with", with)]
    }

    fn check(old: &[KeyPart], new: &[KeyPart], expected: &[&str]) {
        let found = changes(old, new, |_| vec!["a".to_owned(), "b".to_owned()]);
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn changes_name_the_member_with_old_and_new() {
        let before = json!({"lr": 0.1, "matcher": {"dm": {"steps": 1}}, "gone": true});
        let now = json!({"lr": 0.1, "matcher": {"dm": {"steps": 2}}, "new": [1]});
        check(
            &parts(before, &["x"]),
            &parts(now, &["x"]),
            &["with.gone: true -> (absent)", "with.matcher.dm.steps: 1 -> 2", "with.new: (absent) -> [1]"],
        );
    }

    #[test]
    fn changed_inputs_name_the_nodes_that_gave_them() {
        check(&parts(json!({}), &["x", "y"]), &parts(json!({}), &["x", "z"]), &["input data: the output of b changed"]);
        check(&parts(json!({}), &["x"]), &parts(json!({}), &["x", "z"]), &["input data: 1 -> 2 artifacts"]);
        check(&parts(json!({}), &["x"]), &parts(json!({}), &["x"]), &[]);
    }

    #[test]
    fn long_values_and_long_lists_are_cut() {
        let many = |value: u32| (0..30).map(|at| (format!("p{at:02}"), json!(value))).collect::<Value>();
        let record = parts(many(1), &[]);
        let mut expected: Vec<String> = (0..16).map(|at| format!("with.p{at:02}: 1 -> 2")).collect();
        expected.push("and 14 more changes".to_owned());
        check(&record, &parts(many(2), &[]), &expected.iter().map(String::as_str).collect::<Vec<_>>());
        let long = StaleReason::Changed {
            part: "with".into(),
            pointer: String::new(),
            old: None,
            new: Some(json!("é".repeat(1_000))),
        };
        assert!(long.to_string().len() < 200);
    }
}
