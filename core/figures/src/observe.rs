//! Results as table and figure see them: accuracies with labels to arrange them by.
//!
//! A result is one observation, of the reading that is asked for, unless it is arranged by a place in time. Then each point
//! of its curve that ends such a place is one:
//!
//! | name | points |
//! |---|---|
//! | `phase`, `classes_seen` | the end of each phase of class-incremental learning |
//! | `stage` | the end of each stage |
//! | `epoch` | every point; epochs are counted over all stages |
//!
//! Arranged by `reading`, a result is one observation for each reading that is asked for.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params::suggestion;
use pddflow_artifact::{CurvePoint, Phase, Results, TIME_LABELS};
use serde_json::{Value, json};

use pddflow_artifact::JOINT;

mod choices;
mod pool;

pub(crate) use choices::ChoiceLabels;
pub(crate) use pool::PoolRule;

/// The name by which readings are rows or columns.
pub(crate) const READING: &str = "reading";

/// The accuracies of some nets at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Observation<'a> {
    pub(crate) result: &'a Results,
    place: Option<Place>,
    /// Name of the rule that chose the moment.
    pub(crate) rule: &'a str,
    /// Of each net, 0 to 1.
    pub(crate) accuracies: &'a [f64],
}

#[derive(Clone, Copy, Debug)]
struct Place {
    phase: Option<Phase>,
    stage: usize,
    epoch: u64,
}

impl Observation<'_> {
    /// Seed of the evaluation: what tells repetitions of one experiment apart.
    pub(crate) fn seed(&self) -> u64 {
        self.result.label("seed").and_then(|seed| seed.as_u64()).unwrap_or(0)
    }

    /// The value of a label, `None` where the result has no such.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        match (name, self.place) {
            ("phase", place) => place?.phase.map(|phase| json!(phase.number)),
            ("classes_seen", place) => place?.phase.map(|phase| json!(phase.classes_seen)),
            ("stage", Some(place)) => Some(json!(place.stage)),
            ("epoch", Some(place)) => Some(json!(place.epoch)),
            (READING, _) => Some(json!(rule_text(self.rule))),
            _ => self.result.label(name).filter(|value| !value.is_null()),
        }
    }
}

/// The observations in results that are arranged by the named labels, in the order of the results and of time.
pub(crate) fn observe<'a>(
    results: &'a [Results],
    arranged_by: &[&str],
    reading: &str,
) -> NodeResult<Vec<Observation<'a>>> {
    let place = TIME_LABELS.into_iter().rev().find(|place| arranged_by.contains(place));
    let mut all = Vec::new();
    for result in results {
        match place {
            None => all.push(whole(result, reading)?),
            Some(place) => all.extend(taken_apart(result, place, reading)?),
        }
    }
    Ok(all)
}

fn whole<'a>(result: &'a Results, reading: &str) -> NodeResult<Observation<'a>> {
    let (rule, found) = result.reading(reading).ok_or_else(|| {
        fail("no_reading", format!("a result of `{}` has no reading `{reading}`", result.method))
            .with_help(suggestion(reading, &result.reading_names()))
    })?;
    Ok(Observation { result, place: None, rule, accuracies: &found.accuracies })
}

fn taken_apart<'a>(result: &'a Results, place: &str, reading: &str) -> NodeResult<Vec<Observation<'a>>> {
    if !["reported", "last"].contains(&reading) {
        let message = format!("by `{place}` there is the accuracy at each `{place}`, and no reading `{reading}`");
        return Err(fail("no_reading", message).with_help("leave `reading` out, or arrange by something else"));
    }
    let rule = if place == "epoch" { "at_epoch" } else { "last" };
    let mut before = 0;
    let mut found = Vec::new();
    for (at, point) in result.curve.iter().enumerate() {
        let next = result.curve.get(at + 1);
        let ends_phase = next.is_none_or(|next| next.phase != point.phase);
        let ends_stage = ends_phase || next.is_none_or(|next| next.reading.stage != point.reading.stage);
        let counts = match place {
            "epoch" => true,
            "stage" => ends_stage,
            _ => ends_phase,
        };
        if counts {
            found.push(observation(result, point, before, rule));
        }
        if ends_stage {
            before += point.reading.epoch;
        }
    }
    Ok(found)
}

fn observation<'a>(result: &'a Results, point: &'a CurvePoint, before: u64, rule: &'a str) -> Observation<'a> {
    let place = Place { phase: point.phase, stage: point.reading.stage, epoch: before + point.reading.epoch };
    Observation { result, place: Some(place), rule, accuracies: &point.reading.accuracies }
}

/// What a reading is called where people read it.
pub(crate) fn rule_text(rule: &str) -> &str {
    match rule {
        "last" => "last epoch",
        "best_on_held_out" => "best on held-out",
        "best_on_test" => "best on test",
        "at_epoch" => "that epoch",
        "hlr" => "HLR",
        "ior" => "IOR",
        "lrs" => "LRS",
        "ars" => "ARS",
        other => other,
    }
}

/// A value as people read it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // A plugin choice, `{ convnet: { ... } }`, by its name; `ChoiceLabels` tells choices of one plugin apart.
        Value::Object(map) if map.len() == 1 => map.keys().next().cloned().unwrap_or_default(),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(JOINT),
        other => other.to_string(),
    }
}

/// Names in the order in which they are shown: numbers ascending, then the others in the order given.
pub(crate) fn numbers_first(names: &mut [String]) {
    // A stable sort; what is no number is larger than every number and equal to its like.
    let number = |name: &String| name.parse::<f64>().unwrap_or(f64::INFINITY);
    names.sort_by(|a, b| number(a).total_cmp(&number(b)));
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use pddflow_artifact::Reading;

    use pddflow_artifact::Names;

    /// A result of two nets with a curve of the given (phase, stage, epoch).
    pub(crate) fn result(method: &str, labels: Value, accuracies: &[f64], curve: &[(usize, usize, u64)]) -> Results {
        let point = |(number, (phase, stage, epoch)): (usize, &(usize, usize, u64))| CurvePoint {
            reading: Reading { stage: *stage, epoch: *epoch, accuracies: vec![0.1 * number as f64; accuracies.len()] },
            held_out: None,
            phase: (*phase > 0).then_some(Phase { number: *phase, classes_seen: 20 * phase }),
        };
        Results {
            method: method.into(),
            labels: serde_json::from_value(labels).unwrap(),
            rule: "last".into(),
            reported: Reading { stage: 1, epoch: 3, accuracies: accuracies.to_vec() },
            others: BTreeMap::from([(
                "best_on_test".into(),
                Reading { stage: 1, epoch: 2, accuracies: vec![1.0; accuracies.len()] },
            )]),
            curve: curve.iter().enumerate().map(point).collect(),
            protocol: json!({ "seed": 0 }),
        }
    }

    fn values(result: &Results, by: &str) -> Vec<(Option<u64>, f64)> {
        let results = [result.clone()];
        let found = observe(&results, &["method", by], "reported").unwrap();
        found.iter().map(|one| (one.value(by).and_then(|value| value.as_u64()), one.accuracies[0])).collect()
    }

    #[test]
    fn a_curve_is_taken_apart_by_places_in_time() {
        let curve = [(1, 1, 5), (1, 1, 10), (1, 2, 10), (2, 1, 10)];
        let result = result("dm", json!({ "ipc": 10 }), &[0.5], &curve);
        assert_eq!(values(&result, "phase"), [(Some(1), 0.2), (Some(2), 0.1 * 3.0)]);
        assert_eq!(values(&result, "classes_seen"), [(Some(20), 0.2), (Some(40), 0.1 * 3.0)]);
        assert_eq!(values(&result, "stage"), [(Some(1), 0.1), (Some(2), 0.2), (Some(1), 0.1 * 3.0)]);
        let epochs: Vec<Option<u64>> = values(&result, "epoch").into_iter().map(|(epoch, _)| epoch).collect();
        assert_eq!(epochs, [Some(5), Some(10), Some(20), Some(30)]);
        assert_eq!(values(&result, "ipc"), [(Some(10), 0.5)]);
    }

    #[test]
    fn there_is_no_best_by_place() {
        let results = [result("dm", json!({}), &[0.5], &[(0, 1, 5)])];
        assert_eq!(observe(&results, &["stage"], "best_on_test").unwrap_err().code, "pddflow::nodes::no_reading");
        assert_eq!(observe(&results, &["method"], "best_on_test").unwrap()[0].accuracies, [1.0]);
        let error = observe(&results, &["method"], "best").unwrap_err();
        assert!(error.help.unwrap().contains("best_on_test"));
    }

    #[test]
    fn labels_are_joined_and_missing_ones_named() {
        let results = [result("dm", json!({ "ipc": 10 }), &[0.5], &[])];
        let one = &observe(&results, &[], "last").unwrap()[0];
        assert_eq!(one.text(&Names(vec!["method".into(), "ipc".into()]), &ChoiceLabels::default()).unwrap(), "dm / 10");
        let error = one.text(&Names::one("methods"), &ChoiceLabels::default()).unwrap_err();
        assert!(error.help.unwrap().contains("did you mean `method`"), "{}", error.message);
    }

    #[test]
    fn numbers_come_in_order_and_before_words() {
        let mut names = ["full", "10", "2", "all"].map(str::to_owned);
        numbers_first(&mut names);
        assert_eq!(names, ["2", "10", "full", "all"]);
    }
}
