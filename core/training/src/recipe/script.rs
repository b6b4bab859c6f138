//! Sets that are of use in one order only: a script of steps, each with the rows that it sees and its learning rate.
//!
//! A recipe has `script: { groups: [[row, ..], ..], rates: NAME }`: the learnable NAME of the set has the learning rate of each step, and step t
//! sees the rows of group `t mod groups`, all at once.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value;

use super::params::ProtocolParams;
use super::preset::Preset;

/// The steps of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// In their order.
    pub steps: Vec<Step>,
}

/// A step on some rows of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The rows.
    pub rows: Vec<usize>,
    /// Its learning rate.
    pub lr: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Noted {
    groups: Vec<Vec<usize>>,
    rates: String,
}

impl Script {
    /// The script in the recipe of a set with these learnables and so many rows, if it has one.
    ///
    /// # Errors
    /// It names rows or a learnable that the set does not have, or a learning rate is not above 0.
    pub fn of(recipe: &Value, learnables: &BTreeMap<String, Tensor>, rows: usize) -> NodeResult<Option<Self>> {
        let Some(noted) = recipe.get("script").filter(|script| !script.is_null()) else { return Ok(None) };
        let wrong = |what: String| {
            fail("set_recipe", format!("the script in the recipe that a set carries cannot be used: {what}"))
                .with_help("name a recipe, such as `recipe: dsa`, or make the set again")
        };
        let Noted { groups, rates } = Noted::deserialize(noted).map_err(|error| wrong(error.to_string()))?;
        let learned = learnables.get(&rates).ok_or_else(|| wrong(format!("the set has no learnable `{rates}`")))?;
        let learned = learned.to_f64_vec().during("reading learning rates")?;
        if groups.iter().any(Vec::is_empty) || groups.is_empty() || learned.is_empty() {
            return Err(wrong("it has a group without rows, or no step".to_owned()));
        }
        if let Some(row) = groups.iter().flatten().find(|row| **row >= rows) {
            return Err(wrong(format!("row {row} is none of the set's {rows}")));
        }
        if let Some(lr) = learned.iter().find(|lr| !(lr.is_finite() && **lr > 0.0)) {
            return Err(wrong(format!("a learning rate is {lr}")));
        }
        let steps = learned.into_iter().zip(groups.iter().cycle()).map(|(lr, rows)| Step { rows: rows.clone(), lr });
        Ok(Some(Self { steps: steps.collect() }))
    }

    /// The script of a set that is trained on with others which carry one.
    ///
    /// # Errors
    /// It has none.
    pub fn needed<T>(found: Option<T>, method: &str) -> NodeResult<T> {
        found.ok_or_else(|| {
            let message = format!("other sets are trained on step by step, and the set of `{method}` does not say how");
            fail("no_script", message).with_help("use it by itself, or name a recipe for all, such as `recipe: dsa`")
        })
    }
}

/// Whether a set with this recipe is of use step by step.
#[must_use]
pub fn has_script(recipe: &Value) -> bool {
    recipe["script"].is_object()
}

/// Whether the sets' own scripts say how nets are trained on them: a set carries one, and the pipeline neither names a recipe nor says how
/// long or at which learning rate.
#[must_use]
pub fn follows_script(given: &ProtocolParams, carried: &[&Value]) -> bool {
    let says = given.epochs.is_some() || given.steps.is_some() || given.presented.is_some() || given.lr.is_some();
    given.recipe == Preset::Own && !says && carried.iter().any(|recipe| has_script(recipe))
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::Device;
    use serde_json::json;

    use super::*;

    fn script(groups: &Value, rates: &[f64]) -> NodeResult<Option<Script>> {
        let rates = Tensor::from_f64(rates.to_vec(), &[rates.len()], &Device::Cpu).unwrap();
        let learnables = BTreeMap::from([("rates".to_owned(), rates)]);
        Script::of(&json!({ "script": { "groups": groups, "rates": "rates" } }), &learnables, 4)
    }

    #[test]
    fn steps_go_round_the_groups() {
        let found = script(&json!([[0, 2], [1, 3]]), &[0.1, 0.2, 0.3]).unwrap().unwrap();
        let expected = [(vec![0, 2], 0.1), (vec![1, 3], 0.2), (vec![0, 2], 0.3)];
        assert_eq!(found.steps, expected.map(|(rows, lr)| Step { rows, lr }));
        assert_eq!(Script::of(&json!({}), &BTreeMap::new(), 4).unwrap(), None);
    }

    #[test]
    fn a_script_that_does_not_fit_the_set_is_refused() {
        for (groups, rates, expected) in [
            (json!([[4]]), [0.1], "row 4"),
            (json!([[]]), [0.1], "without rows"),
            (json!([[0]]), [0.0], "a learning rate is 0"),
            (json!([[0]]), [f64::NAN], "a learning rate is NaN"),
            (json!("all"), [0.1], "invalid type"),
        ] {
            let error = script(&groups, &rates).unwrap_err();
            assert!(error.message.contains(expected), "{}", error.message);
        }
    }

    #[test]
    fn a_script_is_followed_unless_the_pipeline_says_otherwise() {
        let (with, without) = (json!({ "script": {} }), json!({}));
        let given = |given: Value| serde_json::from_value::<ProtocolParams>(given).unwrap();
        assert!(follows_script(&given(json!({})), &[&without, &with]));
        assert!(!follows_script(&given(json!({})), &[&without]));
        for other in [json!({ "recipe": "dsa" }), json!({ "epochs": 3 }), json!({ "lr": 0.1 }), json!({ "steps": 3 })] {
            assert!(!follows_script(&given(other), &[&with]));
        }
    }
}
