//! Which nets a node trains: `10`, or `{ first: 20, count: 10 }` for a shard of them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// Nets by number; written back always in the long form, so that both forms have one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NetRange {
    /// Number of the first one.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl NetRange {
    /// The first `count` nets.
    pub fn first(count: usize) -> Self {
        Self { first: 0, count }
    }

    /// Their numbers.
    pub fn numbers(self) -> std::ops::Range<usize> {
        self.first..self.first.saturating_add(self.count)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    #[serde(default)]
    first: usize,
    count: usize,
}

impl<'de> Deserialize<'de> for NetRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = NetRange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of nets, or `{ first: ..., count: ... }`")
    }

    fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<NetRange, E> {
        let too_many = |_| E::invalid_value(serde::de::Unexpected::Unsigned(count), &self);
        Ok(NetRange::first(usize::try_from(count).map_err(too_many)?))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NetRange, A::Error> {
        let Long { first, count } = Long::deserialize(MapAccessDeserializer::new(map))?;
        Ok(NetRange { first, count })
    }
}

impl JsonSchema for NetRange {
    fn schema_name() -> Cow<'static, str> {
        "NetRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many nets; or the first one's number (from 0) and how many, for a shard of them.",
            "oneOf": [
                { "type": "integer", "minimum": 1 },
                {
                    "type": "object",
                    "properties": {
                        "first": { "type": "integer", "minimum": 0 },
                        "count": { "type": "integer", "minimum": 1 }
                    },
                    "required": ["count"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<Value, String> {
        let range: Result<NetRange, _> = serde_json::from_value(value);
        range.map(|range| json!(range)).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_are_written_back_alike() {
        for form in [json!(3), json!({ "count": 3 }), json!({ "first": 0, "count": 3 })] {
            assert_eq!(read(form).unwrap(), json!({ "first": 0, "count": 3 }));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for form in [json!(-1), json!("3"), json!({ "first": 1 }), json!({ "count": 1, "last": 2 })] {
            assert!(read(form.clone()).is_err(), "{form}");
        }
    }
}
