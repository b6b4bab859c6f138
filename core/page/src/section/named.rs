//! Results with names as short as they can be told apart by.

use crate::gather::{Gathered, seed_of};
use crate::words::plain;
use pddflow_artifact::Results;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Labels that names are made of first, where they tell results apart.
const FIRST: [&str; 3] = ["training", "sets", "model"];
/// Never part of a name: repetitions differ in them, or they have a place of their own.
const NEVER: [&str; 4] = ["seed", "ipc", "order", "phases"];

/// A result with its name.
pub(crate) struct Named {
    /// Method and what else tells it from others; results that differ in their seeds alone share it.
    pub(crate) name: String,
    pub(crate) seed: Option<Value>,
    pub(crate) results: Results,
}

impl Named {
    /// The seed as a number; different texts give different ones.
    pub(crate) fn seed_number(&self) -> u64 {
        match &self.seed {
            Some(Value::Number(number)) => number.as_u64().unwrap_or(0),
            Some(other) => other.to_string().bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte)),
            None => 0,
        }
    }
}

/// All results of a run.
pub(crate) fn all_results(gathered: &Gathered<'_>) -> Vec<Named> {
    let mut found = Vec::new();
    for node in &gathered.nodes {
        for output in node.outputs.iter().filter(|output| output.artifact == "results") {
            let Some(results) = gathered.results(output) else { continue };
            let seed = results.protocol.get("seed").cloned().or_else(|| seed_of(node.planned));
            found.push(Named { name: results.method.clone(), seed, results });
        }
    }
    name_apart(&mut found);
    found
}

/// Adds labels to the names of those that are not repetitions of each other and yet have one name.
fn name_apart(all: &mut [Named]) {
    let labels: BTreeSet<String> = all.iter().flat_map(|named| named.results.labels.keys().cloned()).collect();
    let first = FIRST.iter().map(|name| (*name).to_owned());
    let rest = labels.iter().filter(|name| !FIRST.contains(&name.as_str()) && !NEVER.contains(&name.as_str())).cloned();
    for label in first.chain(rest).collect::<Vec<_>>() {
        let mut values: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for named in all.iter() {
            let value = named.results.labels.get(&label).map(plain).unwrap_or_default();
            values.entry(place(named)).or_default().insert(value);
        }
        let splits: BTreeSet<String> =
            values.into_iter().filter(|(_, values)| values.len() > 1).map(|((name, _), _)| name).collect();
        for named in all.iter_mut().filter(|named| splits.contains(&named.name)) {
            if let Some(value) = named.results.labels.get(&label) {
                let shown = match (label.as_str(), value) {
                    ("training", value) => plain(value),
                    ("model", Value::Object(model)) if model.len() == 1 => {
                        format!("{}{}", model.keys().next().map_or("", String::as_str), inner(value))
                    }
                    (_, value) => format!("{label} {}", plain(value)),
                };
                named.name = format!("{}, {shown}", named.name);
            }
        }
    }
}

/// Where a result stands: its name and its images per class.
fn place(named: &Named) -> (String, String) {
    (named.name.clone(), named.results.labels.get("ipc").map(plain).unwrap_or_default())
}

fn inner(model: &Value) -> String {
    let values = crate::words::flat(model);
    let words: Vec<String> =
        values.iter().map(|(path, value)| format!("{} {value}", path.rsplit('.').next().unwrap_or_default())).collect();
    if words.is_empty() { String::new() } else { format!(" {}", words.join(" ")) }
}
