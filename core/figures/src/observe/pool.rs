//! Which results may share a cell of a table or a point of a line.

use std::collections::BTreeSet;

use super::shown;
use pddflow_artifact::Results;
use pddflow_artifact::failure::{NodeResult, fail};
use serde_json::Value;

/// The label that tells repetitions of one experiment apart.
const SEED: &str = "seed";

/// The rule: results of one place differ in the labels that they are arranged by, in their seed, and in what is allowed by
/// name. Anything else would be an average over different experiments.
pub(crate) struct PoolRule<'a> {
    /// Labels by which the results are arranged.
    pub(crate) arranged_by: Vec<&'a str>,
    /// Further labels in which they may differ.
    pub(crate) allowed: &'a [String],
}

impl PoolRule<'_> {
    /// Adds a result to those of a place; gives the allowed labels in which it differs from them, or `None` when it is
    /// there already (a node that is wired twice).
    pub(crate) fn admit<'r>(
        &self,
        seen: &mut Vec<&'r Results>,
        result: &'r Results,
        place: &str,
    ) -> NodeResult<Option<BTreeSet<String>>> {
        if seen.contains(&result) {
            return Ok(None);
        }
        let mut pooled = BTreeSet::new();
        for earlier in seen.iter() {
            pooled.extend(self.allowed_differences(earlier, result, place)?);
        }
        seen.push(result);
        Ok(Some(pooled))
    }

    fn allowed_differences(&self, one: &Results, other: &Results, place: &str) -> NodeResult<BTreeSet<String>> {
        let mut differ = self.differences(one, other);
        if differ.is_empty() {
            let message = format!("two results of {place} differ in no label, not even in the seed");
            let help = "tell them apart with `labels: { ... }` in their nodes, and arrange by that label";
            return Err(fail("pool", message).with_help(help));
        }
        differ.remove(SEED);
        if let Some(name) = differ.iter().find(|name| !self.allowed.contains(name)) {
            let (one, other) = (one.label(name).unwrap_or_default(), other.label(name).unwrap_or_default());
            let (path, one, other) = first_difference(name.clone(), &one, &other);
            let value = |of: &Value| if of.is_null() { "nothing".to_owned() } else { shown(of) };
            let message = format!("the results of {place} differ in `{path}`: {} and {}", value(one), value(other));
            let help = format!("arrange by `{name}`, or add it to `pool` if it may differ within one place");
            return Err(fail("pool", message).with_help(help));
        }
        Ok(differ)
    }

    /// Labels and parameters in which two results differ.
    fn differences(&self, one: &Results, other: &Results) -> BTreeSet<String> {
        let names: BTreeSet<String> = one.label_names().into_iter().chain(other.label_names()).collect();
        // `labels` among the parameters are the labels themselves.
        let counts = |name: &String| name != "labels" && !self.arranged_by.contains(&name.as_str());
        names.into_iter().filter(|name| counts(name) && one.label(name) != other.label(name)).collect()
    }
}

/// Where two different values differ first, and in what.
fn first_difference<'v>(path: String, one: &'v Value, other: &'v Value) -> (String, &'v Value, &'v Value) {
    let deeper = match (one, other) {
        (Value::Object(ours), Value::Object(theirs)) if ours.keys().eq(theirs.keys()) => ours
            .iter()
            .zip(theirs.values())
            .map(|((name, one), other)| (name.clone(), one, other))
            .find(|(_, a, b)| a != b),
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            let pairs = ours.iter().zip(theirs).enumerate();
            pairs.map(|(place, (one, other))| ((place + 1).to_string(), one, other)).find(|(_, a, b)| a != b)
        }
        _ => None,
    };
    match deeper {
        Some((name, one, other)) => first_difference(format!("{path}.{name}"), one, other),
        None => (path, one, other),
    }
}
