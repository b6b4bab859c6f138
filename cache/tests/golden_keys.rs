//! Keys never change by accident: a committed list of inputs with their keys. A change here makes every result of
//! every user stale; it needs a new `KEY_FORMAT` and a reason.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

use pddflow_cache::{KeyBuilder, KeyPart};
use serde_json::{Value, json};

fn parts_of(object: &Value) -> Vec<KeyPart> {
    let members = object.as_object().unwrap();
    members.iter().map(|(name, value)| KeyPart::new(name.clone(), value.clone())).collect()
}

#[test]
fn keys_are_those_of_the_committed_list() {
    let text = include_str!("samples/keys-v1.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 8);
    let computed: Vec<Value> = cases
        .iter()
        .map(|case| {
            let key = KeyBuilder::new().parts(parts_of(&case["parts"])).finish().unwrap().0;
            json!({"name": case["name"], "parts": case["parts"], "key": key.to_string()})
        })
        .collect();
    assert_eq!(computed, cases, "computed:\n{}", serde_json::to_string_pretty(&computed).unwrap());
}
