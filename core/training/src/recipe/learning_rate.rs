//! The learning rate of each stage.

use std::borrow::Cow;
use std::fmt;

use pddflow_artifact::failure::{NodeResult, fail};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A learning rate: a number, a list with one for each stage, or the ones that were learned with the sets.
#[derive(Clone, Debug, PartialEq)]
pub enum LearningRate {
    /// This number in every stage.
    Fixed(f64),
    /// These numbers, stage by stage.
    Stages(Vec<f64>),
    /// The sets' own.
    Learned,
}

impl LearningRate {
    /// The learning rate of stage `stage` (from 0) of `stages`; `learned` are those of the stage's newest sets with the number
    /// of the set (from 0), several where a stage has a newest set for each phase: then their mean.
    ///
    /// # Errors
    /// The list has another length, or a set has no usable learned one.
    pub fn of_stage(&self, stage: usize, stages: usize, learned: &[(usize, Option<f64>)]) -> NodeResult<f64> {
        if let Some(message) = self.wrong_length(stages) {
            return Err(fail("learning_rates", message).with_help(LENGTH_HELP));
        }
        self.of_early_stage(stage, learned)
    }

    /// As [`Self::of_stage`] where later stages may follow, for which the list may have numbers already.
    ///
    /// # Errors
    /// The list ends before this stage, or a set has no usable learned one.
    pub fn of_early_stage(&self, stage: usize, learned: &[(usize, Option<f64>)]) -> NodeResult<f64> {
        match self {
            Self::Fixed(value) => Ok(*value),
            Self::Stages(values) => values.get(stage).copied().ok_or_else(|| {
                let message = self.too_short(stage + 1).unwrap_or_default();
                fail("learning_rates", message).with_help(LENGTH_HELP)
            }),
            Self::Learned => {
                let mut sum = 0.0;
                for (set, value) in learned {
                    sum += usable(*value, *set)?;
                }
                Ok(sum / learned.len().max(1) as f64)
            }
        }
    }

    /// What is wrong with the list where there are so many stages.
    #[must_use]
    pub fn wrong_length(&self, stages: usize) -> Option<String> {
        match self {
            Self::Stages(values) if values.len() != stages => Some(length_message(values.len(), stages)),
            _ => None,
        }
    }

    /// What is wrong with the list where there are at least so many stages.
    #[must_use]
    pub fn too_short(&self, stages: usize) -> Option<String> {
        match self {
            Self::Stages(values) if values.len() < stages => Some(length_message(values.len(), stages)),
            _ => None,
        }
    }
}

/// What to do about a list of another length than there are stages.
pub const LENGTH_HELP: &str = "give one number for each stage, or one for all";

fn usable(value: Option<f64>, set: usize) -> NodeResult<f64> {
    value.filter(|value| *value > 0.0 && value.is_finite()).ok_or_else(|| {
        let found = value.map_or_else(|| "none".to_owned(), |value| value.to_string());
        fail("no_learning_rate", format!("set {} has no usable learned learning rate: {found}", set + 1))
            .with_help("give a number as `lr`, or use a recipe with a fixed learning rate, such as `recipe: dsa`")
    })
}

fn length_message(listed: usize, stages: usize) -> String {
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!("`lr` lists {} for {}", plural(listed, "learning rate"), plural(stages, "stage"))
}

impl Serialize for LearningRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(value) => serializer.serialize_f64(*value),
            Self::Stages(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| list.serialize_element(value))?;
                list.end()
            }
            Self::Learned => serializer.serialize_str("learned"),
        }
    }
}

impl<'de> Deserialize<'de> for LearningRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = LearningRate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number above 0, a list of them with one for each stage, or `learned`")
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<LearningRate, E> {
        if value > 0.0 && value.is_finite() {
            return Ok(LearningRate::Fixed(value));
        }
        Err(E::invalid_value(serde::de::Unexpected::Float(value), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<LearningRate, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<LearningRate, E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LearningRate, E> {
        match text {
            "learned" => Ok(LearningRate::Learned),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<LearningRate, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element::<f64>()? {
            let unexpected = serde::de::Unexpected::Float(value);
            if value <= 0.0 || !value.is_finite() {
                return Err(serde::de::Error::invalid_value(unexpected, &self));
            }
            values.push(value);
        }
        if values.is_empty() {
            return Err(serde::de::Error::invalid_length(0, &self));
        }
        Ok(LearningRate::Stages(values))
    }
}

impl JsonSchema for LearningRate {
    fn schema_name() -> Cow<'static, str> {
        "LearningRate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A learning rate above 0, a list with one for each stage, or `learned` for those of the sets.",
            "oneOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "array", "items": { "type": "number", "exclusiveMinimum": 0 }, "minItems": 1 },
                { "const": "learned" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn all_forms_come_back_and_nonsense_is_refused() {
        for form in [json!(0.5), json!([0.1, 0.2]), json!("learned")] {
            let read: LearningRate = serde_json::from_value(form.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), form);
        }
        assert_eq!(serde_json::from_value::<LearningRate>(json!(1)).unwrap(), LearningRate::Fixed(1.0));
        for wrong in [json!(0), json!(-0.1), json!([]), json!([0.1, 0.0]), json!("own"), Value::Null] {
            let error = serde_json::from_value::<LearningRate>(wrong.clone()).unwrap_err().to_string();
            assert!(error.contains("a number above 0"), "{wrong}: {error}");
        }
    }

    #[test]
    fn each_stage_has_its_own() {
        let stages = LearningRate::Stages(vec![0.1, 0.2]);
        assert_eq!(stages.of_stage(1, 2, &[]).unwrap(), 0.2);
        let error = stages.of_stage(1, 3, &[]).unwrap_err();
        assert!(error.message.contains("2 learning rates for 3 stages"), "{}", error.message);
        assert!(stages.of_stage(0, 1, &[]).is_err(), "too many are refused where all stages are known");
        assert_eq!(stages.of_early_stage(0, &[]).unwrap(), 0.1);
        assert!(stages.of_early_stage(2, &[]).is_err());
        assert_eq!(LearningRate::Learned.of_stage(0, 1, &[(0, Some(0.25)), (1, Some(0.75))]).unwrap(), 0.5);
        for unusable in [None, Some(-0.1), Some(f64::NAN)] {
            let error = LearningRate::Learned.of_stage(1, 2, &[(0, Some(0.1)), (1, unusable)]).unwrap_err();
            assert!(error.message.contains("set 2"), "{}", error.message);
        }
    }
}
