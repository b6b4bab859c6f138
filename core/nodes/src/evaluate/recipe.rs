//! How nets are trained on a set: the protocols of `methods.md` 13, and the parameters that override them.

use std::borrow::Cow;
use std::fmt;

use pddflow_tensor::augment::Policy;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::nets::Schedule;

/// Augmentation of DSA's evaluation: one operation per batch, drawn per image.
const DSA: &str = "dsa:color_crop_cutout_flip_scale_rotate";
/// IDC's evaluation: cutout gives way to CutMix.
const IDC: &str = "idc:color_crop_flip_scale_rotate";

/// A published way to train on a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Preset {
    /// DC: 300 epochs without augmentation.
    Dc,
    /// DSA: 1000 epochs with DSA augmentation.
    #[default]
    Dsa,
    /// DM: as DSA.
    Dm,
    /// CAFE: 600 epochs without augmentation.
    Cafe,
    /// IDC: 1000 epochs in batches of 64 with IDC's augmentation and CutMix.
    Idc,
    /// MTT and TESLA: 1000 epochs at the learned step size.
    Mtt,
    /// PDD: 500 epochs per stage at the stage's learned step size, momentum kept.
    Pdd,
}

/// A step size: a number, or the one that was learned with the set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StepSize {
    /// This number.
    Fixed(f64),
    /// The set's own.
    Learned,
}

/// All that decides how nets are trained on the sets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recipe {
    pub(super) epochs: u64,
    pub(super) lr: StepSize,
    pub(super) momentum: f64,
    pub(super) weight_decay: f64,
    pub(super) schedule: Schedule,
    pub(super) batch: usize,
    pub(super) augment: &'static str,
    pub(super) cutmix: f64,
    pub(super) carry_momentum: bool,
}

impl Preset {
    /// The preset's numbers.
    pub(super) fn recipe(self) -> Recipe {
        let base = Recipe {
            epochs: 1000,
            lr: StepSize::Fixed(0.01),
            momentum: 0.9,
            weight_decay: 5e-4,
            schedule: Schedule::Dc,
            batch: 256,
            augment: DSA,
            cutmix: 0.0,
            carry_momentum: false,
        };
        match self {
            Self::Dc => Recipe { epochs: 300, augment: "none", ..base },
            Self::Dsa | Self::Dm => base,
            Self::Cafe => Recipe { epochs: 600, augment: "none", ..base },
            Self::Idc => Recipe { schedule: Schedule::Idc, batch: 64, augment: IDC, cutmix: 0.5, ..base },
            Self::Mtt => Recipe { lr: StepSize::Learned, ..base },
            Self::Pdd => {
                Recipe { epochs: 500, lr: StepSize::Learned, schedule: Schedule::Pdd, carry_momentum: true, ..base }
            }
        }
    }
}

/// An augmentation's canonical text, or why it is none.
pub(super) fn canonical_policy(text: &str) -> Result<String, String> {
    Policy::parse(text).map(|policy| policy.canonical()).map_err(|error| error.to_string())
}

impl Serialize for StepSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(value) => serializer.serialize_f64(*value),
            Self::Learned => serializer.serialize_str("learned"),
        }
    }
}

impl<'de> Deserialize<'de> for StepSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = StepSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number above 0, or `learned`")
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<StepSize, E> {
                if value > 0.0 && value.is_finite() {
                    return Ok(StepSize::Fixed(value));
                }
                Err(E::invalid_value(serde::de::Unexpected::Float(value), &self))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<StepSize, E> {
                self.visit_f64(value as f64)
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<StepSize, E> {
                self.visit_f64(value as f64)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<StepSize, E> {
                match text {
                    "learned" => Ok(StepSize::Learned),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for StepSize {
    fn schema_name() -> Cow<'static, str> {
        "StepSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A step size above 0, or `learned` for the one that was learned with the set.",
            "oneOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "const": "learned" }]
        })
    }
}
