//! How a [`Record`] lies in a file, version 2. Version 1, which has neither `lengths` nor `made_on`, is still
//! read.
//!
//! One JSON object on one line, members in the order of [`RecordFile`], maps sorted, closed by a self digest (see
//! `seal.rs`). Unknown members are refused. A new or changed member needs a new [`VERSION`] and an old sample in
//! `cache/tests/samples`. Numbers that JSON cannot say are the strings `"NaN"`, `"inf"` and `"-inf"`.

use crate::digest::{Digest, Key};
use crate::error::RecordError;
use crate::key::KeyPart;
use crate::made_on::MadeOn;
use crate::record::{Record, RecordHead};
use crate::seal;
use litemap::LiteMap;
use serde::de::{self, DeserializeOwned, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Version of this format.
pub(crate) const VERSION: u32 = 2;
/// The oldest version that is read.
const OLDEST: u32 = 1;

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordFormatError {
    #[error("its digest does not match")]
    Seal,
    #[error("it is not a record of format {VERSION}")]
    Content(#[source] serde_json::Error),
    #[error("it has format {found}, this program reads format {VERSION}")]
    Version { found: u32 },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "Parts: Deserialize<'de>, Place: Deserialize<'de>"))]
struct RecordFile<Parts, Place> {
    format: u32,
    key: Key,
    parts: Parts,
    outputs: LiteMap<String, Digest>,
    #[serde(default)]
    lengths: LiteMap<String, u64>,
    metrics: BTreeMap<String, Float>,
    seconds: Float,
    log: Vec<String>,
    program: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_on: Option<Place>,
    /// Present when reading; `seal` writes it.
    #[serde(skip_serializing)]
    #[expect(
        dead_code,
        reason = "checked on the bytes before parsing; named here because unknown members are refused"
    )]
    digest: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartFile {
    name: String,
    value: Value,
}

/// The bytes of a record's file.
pub(crate) fn to_bytes(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    let part = |part: &KeyPart| PartFile { name: part.name.clone(), value: part.value.clone() };
    let file = RecordFile {
        format: VERSION,
        key: record.key,
        parts: record.parts.iter().map(part).collect::<Vec<_>>(),
        outputs: record.outputs.clone(),
        lengths: record.lengths.clone(),
        metrics: record.metrics.iter().map(|(name, value)| (name.clone(), Float(*value))).collect(),
        seconds: Float(record.seconds),
        log: record.log.clone(),
        program: record.program.clone(),
        made_on: record.made_on.as_ref(),
        digest: None,
    };
    Ok(seal::seal(&serde_json::to_string(&file)?).into_bytes())
}

/// Reads a record's file.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Record, RecordFormatError> {
    let (parts, made_on, head) = read::<Vec<PartFile>, MadeOn>(bytes)?;
    let parts = parts.into_iter().map(|part| KeyPart { name: part.name, value: part.value }).collect();
    Ok(Record { parts, made_on, head })
}

/// Reads a record's file without taking in what the key was made of, and where it was made.
pub(crate) fn head_from_bytes(bytes: &[u8]) -> Result<RecordHead, RecordFormatError> {
    Ok(read::<IgnoredAny, IgnoredAny>(bytes)?.2)
}

impl Record {
    /// The record as a file of a store holds it.
    ///
    /// # Errors
    /// A part of its key has no JSON.
    pub fn to_file(&self) -> Result<Vec<u8>, RecordError> {
        to_bytes(self).map_err(|error| RecordError(error.to_string()))
    }

    /// Reads the file of the record under a key, by the rules by which a store reads its own.
    ///
    /// # Errors
    /// The bytes were changed, are of another format, or are of the record of another key.
    pub fn from_file(bytes: &[u8], key: &Key) -> Result<Self, RecordError> {
        let record = from_bytes(bytes).map_err(|error| RecordError(error.to_string()))?;
        if record.key == *key { Ok(record) } else { Err(RecordError("it belongs to another key".to_owned())) }
    }
}

fn read<Parts: DeserializeOwned, Place: DeserializeOwned>(
    bytes: &[u8],
) -> Result<(Parts, Option<Place>, RecordHead), RecordFormatError> {
    if !seal::is_sealed(bytes) {
        return Err(RecordFormatError::Seal);
    }
    check_version(bytes)?;
    let file: RecordFile<Parts, Place> = serde_json::from_slice(bytes).map_err(RecordFormatError::Content)?;
    let head = RecordHead {
        key: file.key,
        outputs: tight(file.outputs),
        lengths: tight(file.lengths),
        metrics: file.metrics.into_iter().map(|(name, value)| (name, value.0)).collect(),
        seconds: file.seconds.0,
        log: file.log,
        program: file.program,
    };
    Ok((file.parts, file.made_on, head))
}

/// The same map in as much memory as it takes: most records have one output, and a large plan has many records.
fn tight<T>(map: LiteMap<String, T>) -> LiteMap<String, T> {
    let mut entries = map.into_tuple_vec();
    entries.shrink_to_fit();
    LiteMap::from_sorted_store_unchecked(entries)
}

/// Looks at the version alone, so that a newer format is called that and not "unknown member".
fn check_version(bytes: &[u8]) -> Result<(), RecordFormatError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    // The usual case costs a comparison of a few bytes.
    if bytes.starts_with(format!("{{\"format\":{VERSION},").as_bytes()) {
        return Ok(());
    }
    let Head { format: found } = serde_json::from_slice(bytes).map_err(RecordFormatError::Content)?;
    if (OLDEST..=VERSION).contains(&found) { Ok(()) } else { Err(RecordFormatError::Version { found }) }
}

/// An f64 of which every value has a text.
#[derive(Clone, Copy)]
struct Float(f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { serializer.serialize_f64(self.0) } else { serializer.collect_str(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Float;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"NaN\", \"inf\" or \"-inf\"")
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Float, E> {
                Ok(Float(value))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Float, E> {
                match text {
                    "NaN" => Ok(Float(f64::NAN)),
                    "inf" => Ok(Float(f64::INFINITY)),
                    "-inf" => Ok(Float(f64::NEG_INFINITY)),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Record {
        let head = RecordHead {
            key: Key::from_bytes([7; 32]),
            outputs: [("set".to_owned(), Digest::of(b"set"))].into_iter().collect(),
            lengths: [("set".to_owned(), 3)].into_iter().collect(),
            metrics: BTreeMap::from([
                ("accuracy".into(), 0.1 + 0.2),
                ("none".into(), -0.0),
                ("down".into(), f64::NEG_INFINITY),
            ]),
            seconds: 1.25,
            log: vec!["one".into(), "two".into()],
            program: "pddflow 0.1.0".into(),
        };
        let parts = vec![
            KeyPart::new("kind", json!("distill")),
            KeyPart::new("with", json!({"lr": 0.1, "ipc": 10, "tag": "é\n"})),
        ];
        Record { parts, made_on: None, head }
    }

    #[test]
    fn a_record_round_trips() {
        let record = sample();
        assert_eq!(from_bytes(&to_bytes(&record).unwrap()).unwrap(), record);
        assert_eq!(head_from_bytes(&to_bytes(&record).unwrap()).unwrap(), record.head);
        let mut odd = sample();
        odd.head.metrics.insert("nan".into(), f64::NAN);
        let back = from_bytes(&to_bytes(&odd).unwrap()).unwrap();
        assert!(back.metrics["nan"].is_nan());
        assert_eq!(back.metrics["none"].to_bits(), (-0.0_f64).to_bits());
    }

    #[test]
    fn where_it_was_made_round_trips_and_costs_a_head_nothing() {
        let mut record = sample();
        record.made_on = Some(MadeOn {
            host: "kepler".into(),
            instructions: "avx2".into(),
            device: "cpu".into(),
            threads: 8,
            plugins: BTreeMap::from([("matcher dm".into(), "0.1.0 b3:00".into())]),
        });
        let bytes = to_bytes(&record).unwrap();
        assert_eq!(from_bytes(&bytes).unwrap(), record);
        assert_eq!(head_from_bytes(&bytes).unwrap(), record.head);
    }

    #[test]
    fn the_samples_of_both_versions_are_still_read_and_the_last_is_written() {
        let text = include_str!("../tests/samples/record-v2.json");
        assert_eq!(from_bytes(text.as_bytes()).unwrap(), sample());
        assert_eq!(String::from_utf8(to_bytes(&sample()).unwrap()).unwrap(), text);
        let mut old = sample();
        old.head.lengths = LiteMap::new();
        assert_eq!(from_bytes(include_bytes!("../tests/samples/record-v1.json")).unwrap(), old);
    }

    #[test]
    fn a_record_of_another_key_or_with_another_byte_is_refused() {
        let record = sample();
        let file = record.to_file().unwrap();
        assert_eq!(Record::from_file(&file, &record.key).unwrap().outputs, record.outputs);
        let refused = |file: &[u8], key| Record::from_file(file, &key).unwrap_err().to_string();
        assert_eq!(refused(&file, Key::from_bytes([8; 32])), "it belongs to another key");
        let mut damaged = file;
        damaged[20] ^= 1;
        assert_eq!(refused(&damaged, record.key), "its digest does not match");
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let bytes = to_bytes(&sample()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(from_bytes(&damaged).is_err() && head_from_bytes(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(from_bytes(&bytes[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn another_version_and_unknown_members_are_refused_by_name() {
        let newer = seal::seal(r#"{"format":3,"anything":[]}"#);
        assert!(matches!(from_bytes(newer.as_bytes()), Err(RecordFormatError::Version { found: 3 })));
        let open = String::from_utf8(to_bytes(&sample()).unwrap()).unwrap();
        let body = open.split(",\"digest\"").next().unwrap();
        let unknown = seal::seal(&format!("{body},\"extra\":1}}"));
        let error = from_bytes(unknown.as_bytes()).unwrap_err();
        assert!(
            matches!(&error, RecordFormatError::Content(source) if source.to_string().contains("extra")),
            "{error:?}"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            assert!(from_bytes(&bytes).is_err());
            assert!(crate::checkpoint_format::payload(bytes.clone()).is_err());
            assert!(crate::journals::read(&bytes).lines.is_empty());
            assert!(crate::names::from_bytes(&bytes).is_empty());
        }

        #[test]
        fn a_sealed_text_that_is_no_record_is_refused(text in "[ -~]{0,60}") {
            let sealed = seal::seal(&format!("{{\"format\":2,{text}}}"));
            assert!(matches!(from_bytes(sealed.as_bytes()), Err(RecordFormatError::Content(_))));
        }
    }
}
