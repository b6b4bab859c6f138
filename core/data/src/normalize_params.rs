//! What a pipeline file can say of the normalisation.

use std::borrow::Cow;
use std::fmt;

use pddflow_artifact::params::{problem, suggestion};
use pddflow_runner::pipeline::ParamProblem;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::published::{PUBLISHED, published};

/// `methods.md` 0.2.
const ZCA_EPSILON: f64 = 0.1;
const NORMALIZE_HELP: &str = "`standard`, `computed`, `none`, `zca`, `{ standard: cifar10 }`, `{ standard: { mean: [...], std: [...] } }` or \
     `{ zca: { epsilon: 0.1 } }`";

/// What is done to pixels.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Normalize {
    /// Mean and standard deviation as the field's papers use them, else computed.
    #[default]
    Standard,
    /// Mean and standard deviation of the training images.
    Computed,
    /// These, also those of another data set by its name.
    Given {
        /// Of each channel.
        mean: Vec<f64>,
        /// Of each channel.
        std: Vec<f64>,
    },
    /// Nothing.
    None,
    /// Whitening.
    Zca {
        /// Added to each variance.
        epsilon: f64,
    },
}

impl Normalize {
    /// What is wrong with its numbers, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<ParamProblem> {
        match self {
            Self::Given { mean, std } => {
                let message = if mean.len() != std.len() || !matches!(mean.len(), 1 | 3) {
                    "mean and std must each have 1 number (grey) or 3 (red, green, blue)"
                } else if !std.iter().all(|std| *std > 0.0 && std.is_finite()) {
                    "every std must be greater than 0"
                } else if !mean.iter().all(|mean| mean.is_finite()) {
                    "every mean must be finite"
                } else {
                    return None;
                };
                Some(problem("/normalize/standard", message, Some("pixels are in [0, 1]".into())))
            }
            Self::Zca { epsilon } if !(*epsilon > 0.0 && epsilon.is_finite()) => {
                Some(problem("/normalize", "epsilon must be greater than 0", Some("the papers use 0.1".into())))
            }
            _ => None,
        }
    }
}

struct MeanStd {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl<'de> Deserialize<'de> for MeanStd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MeanStdVisitor)
    }
}

struct MeanStdVisitor;

impl<'de> Visitor<'de> for MeanStdVisitor {
    type Value = MeanStd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`{ mean: [...], std: [...] }` or the name of a published pair")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<MeanStd, E> {
        let names = || PUBLISHED.iter().map(|published| published.name).collect::<Vec<_>>();
        let found = published(name).ok_or_else(|| {
            E::custom(format!("no mean and std are published as `{name}`: {}", suggestion(name, &names())))
        })?;
        Ok(MeanStd { mean: found.mean.to_vec(), std: found.std.to_vec() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MeanStd, A::Error> {
        let (mut mean, mut std) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "mean" => mean = Some(map.next_value()?),
                "std" => std = Some(map.next_value()?),
                other => return Err(A::Error::unknown_field(other, &["mean", "std"])),
            }
        }
        let mean = mean.ok_or_else(|| A::Error::missing_field("mean"))?;
        Ok(MeanStd { mean, std: std.ok_or_else(|| A::Error::missing_field("std"))? })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Epsilon {
    #[serde(default = "zca_epsilon")]
    epsilon: f64,
}

fn zca_epsilon() -> f64 {
    ZCA_EPSILON
}

impl Serialize for Normalize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, value) = match self {
            Self::Standard => return serializer.serialize_str("standard"),
            Self::Computed => return serializer.serialize_str("computed"),
            Self::None => return serializer.serialize_str("none"),
            Self::Given { mean, std } => ("standard", serde_json::json!({ "mean": mean, "std": std })),
            Self::Zca { epsilon } => ("zca", serde_json::json!({ "epsilon": epsilon })),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, &value)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Normalize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NormalizeVisitor)
    }
}

struct NormalizeVisitor;

impl<'de> Visitor<'de> for NormalizeVisitor {
    type Value = Normalize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NORMALIZE_HELP)
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Normalize, E> {
        match name {
            "standard" => Ok(Normalize::Standard),
            "computed" => Ok(Normalize::Computed),
            "none" => Ok(Normalize::None),
            "zca" => Ok(Normalize::Zca { epsilon: ZCA_EPSILON }),
            other => Err(E::custom(format!("there is no normalisation `{other}`: write {NORMALIZE_HELP}"))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Normalize, A::Error> {
        let normalize = match map.next_key::<String>()?.as_deref() {
            Some("standard") => {
                let MeanStd { mean, std } = map.next_value()?;
                Normalize::Given { mean, std }
            }
            Some("zca") => Normalize::Zca { epsilon: map.next_value::<Epsilon>()?.epsilon },
            _ => return Err(A::Error::custom(format!("write {NORMALIZE_HELP}"))),
        };
        match map.next_key::<String>()? {
            None => Ok(normalize),
            Some(other) => Err(A::Error::custom(format!("`{other}` is too much: write {NORMALIZE_HELP}"))),
        }
    }
}

impl JsonSchema for Normalize {
    fn schema_name() -> Cow<'static, str> {
        "Normalize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let numbers =
            serde_json::json!({ "type": "array", "items": { "type": "number" }, "minItems": 1, "maxItems": 3 });
        json_schema!({
            "description": "What is done to pixels (in [0, 1]) before a net sees them. `standard`: mean and standard \
                            deviation of each channel as the field's papers use them for this source, else computed; \
                            with a name those published for another (`cifar10` is what the scripts of MTT, TESLA, PDD \
                            and IDC use for CIFAR-100; `cifar100-continual`: IDC's continual learning; \
                            `tiny-imagenet-idc`: PDD's copy of IDC); `computed`: those of the training images; `none`; \
                            `zca`: whitening.",
            "oneOf": [
                { "enum": ["standard", "computed", "none", "zca"] },
                {
                    "type": "object", "additionalProperties": false, "required": ["standard"],
                    "properties": { "standard": { "oneOf": [
                        { "enum": PUBLISHED.iter().map(|published| published.name).collect::<Vec<_>>() },
                        {
                            "type": "object", "additionalProperties": false, "required": ["mean", "std"],
                            "properties": { "mean": numbers, "std": numbers }
                        }
                    ] } }
                },
                {
                    "type": "object", "additionalProperties": false, "required": ["zca"],
                    "properties": { "zca": {
                        "type": "object", "additionalProperties": false,
                        "properties": { "epsilon": { "type": "number", "exclusiveMinimum": 0, "default": ZCA_EPSILON } }
                    } }
                }
            ]
        })
    }
}
