//! What tells results of different experiments apart, besides the parameters of the evaluation.

use pddflow_artifact::Side;
use serde_json::{Value, json};

use crate::splits::Prepared;

/// Its name among the parameters that results record.
pub const MADE_OF: &str = "made_of";

/// What a repetition with another seed may have of its own: these say nothing of which experiment it is.
const BY_SEED: [&str; 4] = ["seed", "rows", "kept", "import"];

/// How the data are read and what made the sets, without what differs between seeds. Results that differ in it are of different
/// experiments, whose mean would say nothing.
pub fn made_of<'a>(data: &Prepared, sets: impl IntoIterator<Item = &'a Value>) -> Value {
    let mut sets: Value = sets.into_iter().cloned().collect();
    forget_seeds(&mut sets);
    let normalize = json!(data.dataset.preprocessing().note())["normalize"].take();
    let mut made = json!({ "test_images": data.dataset.labels(Side::Test).len(), "normalize": normalize });
    match sets.as_array().is_some_and(Vec::is_empty) {
        true => made["train_images"] = json!(data.train.rows()),
        false => made["sets"] = sets,
    }
    made
}

fn forget_seeds(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !BY_SEED.contains(&name.as_str()));
            map.values_mut().for_each(forget_seeds);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_seeds),
        _ => {}
    }
}
