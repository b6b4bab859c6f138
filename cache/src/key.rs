//! How a [`Key`] is made.
//!
//! A key is the BLAKE3 derived-key hash (context [`KEY_CONTEXT`]) of the canonical encoding of named parts:
//!
//! ```text
//! key   = blake3::derive_key(KEY_CONTEXT, KEY_FORMAT as u32 little endian, number of parts, part...)
//! part  = name as string, value   (strings and values: the table in encode.rs; parts sorted by the name's bytes)
//! ```
//!
//! What enters is decided by the caller (the runner: its `key` module), and only this:
//!
//! | part | value | why |
//! |---|---|---|
//! | (format) | [`KEY_FORMAT`] | a change of this encoding must never meet old records |
//! | `kind` | name of the node kind | other kinds compute other things |
//! | the kind's own parts | revisions of kind and plugins, device, instructions, precision, digests of files outside the store | the code and data that the parameters do not name |
//! | `with` | resolved parameters, defaults filled in, seed included | what the user asked for |
//! | `input <port>` | the digests of the artifacts at that port, in order | content, not origin: this is what makes early cut-off work |
//!
//! What must not enter, with the reason:
//!
//! | not in a key | why |
//! |---|---|
//! | a node's or pipeline's name, its place in the file, a run's id | renaming or adding an axis must not make results stale |
//! | paths, modification times, host and user names | the same work elsewhere is the same work |
//! | threads, jobs, log level, checkpoint interval, number of the attempt | settings do not change results |
//! | keys of the nodes before it | an unchanged artifact stops the rerun |
//!
//! ```
//! use pddflow_cache::KeyBuilder;
//! use serde_json::json;
//!
//! let (key, parts) = KeyBuilder::new()
//!     .part("kind", json!("dataset"))
//!     .part("with", json!({"source": "fashion-mini"}))
//!     .finish()?;
//! assert!(key.to_string().starts_with("k:"));
//! assert_eq!(parts.len(), 2);
//! # Ok::<(), pddflow_cache::KeyError>(())
//! ```

use crate::digest::Key;
use crate::encode::{encode_length, encode_text, encode_value};
use crate::error::KeyError;
use serde_json::Value;
use std::sync::LazyLock;

/// Version of the canonical encoding. Raised when the encoding of any value changes; old records are then not found
/// any more and their nodes run again.
pub const KEY_FORMAT: u32 = 1;

/// Separates keys from every other use of BLAKE3.
pub const KEY_CONTEXT: &str = "pddflow 2026-11-21 node key";

/// One named ingredient of a key. Kept in the record, so that a difference between two keys can be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyPart {
    /// What it is, for people: `kind`, `with`, `input data`, `revision`, `plugin mtt`...
    pub name: String,
    /// Its value.
    pub value: Value,
}

impl KeyPart {
    /// A part with this name and value.
    pub fn new(name: impl Into<String>, value: Value) -> Self {
        Self { name: name.into(), value }
    }
}

/// Collects the parts of a key. The order in which they are added does not matter.
#[derive(Debug, Default)]
pub struct KeyBuilder {
    parts: Vec<KeyPart>,
    failure: Option<KeyError>,
}

impl KeyBuilder {
    /// A builder without parts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part. JSON has no NaN (`json!(f64::NAN)` is null): floats of unknown origin go through [`Self::float`].
    #[must_use]
    pub fn part(mut self, name: impl Into<String>, value: Value) -> Self {
        self.parts.push(KeyPart::new(name, value));
        self
    }

    /// Adds several parts.
    #[must_use]
    pub fn parts(mut self, parts: impl IntoIterator<Item = KeyPart>) -> Self {
        self.parts.extend(parts);
        self
    }

    /// Adds a float; NaN and infinities make [`Self::finish`] fail.
    #[must_use]
    pub fn float(mut self, name: impl Into<String>, value: f64) -> Self {
        let name = name.into();
        match serde_json::Number::from_f64(value) {
            Some(number) => self.parts.push(KeyPart::new(name, Value::Number(number))),
            None => self.failure = self.failure.or(Some(KeyError::NotFinite { part: name })),
        }
        self
    }

    /// The key, and its parts sorted by name.
    ///
    /// # Errors
    /// Two parts of one name, a number that is not finite, a value nested too deeply.
    pub fn finish(self) -> Result<(Key, Vec<KeyPart>), KeyError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut parts = self.parts;
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        let named: Vec<(&str, &Value)> = parts.iter().map(|part| (part.name.as_str(), &part.value)).collect();
        Ok((Key::of(&named)?, parts))
    }
}

impl Key {
    /// The key of these parts, for callers that need not keep them; their order does not matter.
    ///
    /// # Errors
    /// As [`KeyBuilder::finish`].
    pub fn of(parts: &[(&str, &Value)]) -> Result<Self, KeyError> {
        let mut sorted: Vec<&(&str, &Value)> = parts.iter().collect();
        sorted.sort_unstable_by_key(|(name, _)| *name);
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(KeyError::Duplicate { part: pair[0].0.to_owned() });
        }
        let mut bytes = Vec::with_capacity(1024);
        bytes.extend_from_slice(&KEY_FORMAT.to_le_bytes());
        encode_length(&mut bytes, sorted.len());
        for (name, value) in sorted {
            encode_text(&mut bytes, name);
            encode_value(&mut bytes, name, value)?;
        }
        // Preparing the context costs as much as hashing a short key.
        static CONTEXT: LazyLock<blake3::Hasher> = LazyLock::new(|| blake3::Hasher::new_derive_key(KEY_CONTEXT));
        Ok(Self::from_bytes(*CONTEXT.clone().update(&bytes).finalize().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn key(value: Value) -> Key {
        KeyBuilder::new().part("with", value).finish().unwrap().0
    }

    #[test]
    fn values_that_look_alike_have_different_keys() {
        let values = [
            json!(null),
            json!(false),
            json!(true),
            json!(0),
            json!(1),
            json!(-1),
            json!(1.0),
            json!(0.0),
            json!(-0.0),
            json!(u64::MAX),
            json!(i64::MIN),
            json!("1"),
            json!(""),
            json!("null"),
            json!([]),
            json!([[]]),
            json!(["a", "b"]),
            json!(["ab"]),
            json!({}),
            json!({"a": null}),
            json!({"a": {"b": 1}}),
            json!({"a": 1, "b": 1}),
        ];
        let keys: std::collections::BTreeSet<Key> = values.iter().map(|value| key(value.clone())).collect();
        assert_eq!(keys.len(), values.len());
    }

    #[test]
    fn names_and_values_do_not_run_into_each_other() {
        let one = KeyBuilder::new().part("ab", json!("c")).finish().unwrap().0;
        let two = KeyBuilder::new().part("a", json!("bc")).finish().unwrap().0;
        assert_ne!(one, two);
    }

    #[test]
    fn what_cannot_enter_is_an_error() {
        let not_finite = KeyBuilder::new().float("lr", f64::NAN).part("b", json!(1)).finish().unwrap_err();
        assert_eq!(not_finite, KeyError::NotFinite { part: "lr".into() });
        assert!(KeyBuilder::new().float("lr", f64::INFINITY).finish().is_err());
        let twice = KeyBuilder::new().part("a", json!(1)).part("a", json!(1)).finish().unwrap_err();
        assert_eq!(twice, KeyError::Duplicate { part: "a".into() });
        let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
        assert!(matches!(KeyBuilder::new().part("d", deep).finish(), Err(KeyError::TooDeep { .. })));
    }

    #[test]
    fn float_and_part_agree() {
        let float = KeyBuilder::new().float("lr", 0.1).finish().unwrap().0;
        assert_eq!(float, KeyBuilder::new().part("lr", json!(0.1)).finish().unwrap().0);
    }

    /// Any JSON value of moderate size.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
            "[a-z]{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The same value with every map built in the opposite order.
    fn reversed(value: &Value) -> Value {
        match value {
            Value::Array(values) => values.iter().map(reversed).collect(),
            Value::Object(map) => {
                let members: Vec<_> = map.iter().map(|(name, value)| (name.clone(), reversed(value))).collect();
                Value::Object(members.into_iter().rev().collect())
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn key_ignores_the_order_of_maps_and_parts(values in prop::collection::vec(any_value(), 1..5)) {
            let named = |(at, value): (usize, Value)| KeyPart::new(format!("part {at}"), value);
            let forward: Vec<_> = values.iter().cloned().enumerate().map(named).collect();
            let backward = values.iter().map(reversed).enumerate().map(named).rev();
            let (one, parts) = KeyBuilder::new().parts(forward).finish().unwrap();
            let (two, same) = KeyBuilder::new().parts(backward).finish().unwrap();
            prop_assert_eq!(one, two);
            prop_assert_eq!(parts, same);
        }

        #[test]
        fn key_changes_with_the_value(one in any_value(), two in any_value()) {
            prop_assert_eq!(key(one.clone()) == key(two.clone()), bits(&one) == bits(&two));
        }

        #[test]
        fn key_survives_a_round_trip_through_text(value in any_value()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(key(serde_json::from_str(&text).unwrap()), key(value));
        }
    }

    /// Text in which 0.0 and -0.0 differ, as they do in keys but not under `==`.
    fn bits(value: &Value) -> String {
        serde_json::to_string(value).unwrap()
    }
}
