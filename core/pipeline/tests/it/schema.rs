//! The JSON schema for editors.

use pddflow_pipeline::schema;
use serde_json::{Value, json};

use crate::catalog::Kinds;
use crate::example::EXAMPLE;

fn example() -> Value {
    let text = EXAMPLE.replace("1..=${stages}", "\"1..=${stages}\"");
    serde_yaml::from_str::<Value>(&text).unwrap()
}

fn errors(pipeline: &Value) -> Vec<String> {
    let schema = schema(&Kinds::new());
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(pipeline).map(|error| format!("{} {error}", error.instance_path())).collect()
}

#[test]
fn the_example_is_valid() {
    assert_eq!(errors(&example()), Vec::<String>::new());
}

#[test]
fn slips_are_found_where_they_are() {
    let cases = [
        ("/nodes/data/kind", json!("datset")),
        ("/nodes/data/with/normalize", json!("zac")),
        ("/nodes/distill/with/matcher/mtt/syn_steps", json!("ten")),
        ("/nodes/distill/with/ipc", json!(-1)),
        ("/nodes/distill/needs/data", json!(3)),
        ("/nodes/eval/for/model", json!({})),
        ("/format", json!(2)),
        ("/params", json!([1])),
    ];
    for (pointer, value) in cases {
        let mut pipeline = example();
        *pipeline.pointer_mut(pointer).unwrap() = value;
        let found = errors(&pipeline);
        assert!(found.iter().any(|error| error.starts_with(pointer)), "{pointer}: {found:?}");
    }
}

#[test]
fn unknown_keys_are_found() {
    for (pointer, parent) in
        [("/nodes/distill/with", "iteration"), ("/nodes/distill", "wiht"), ("", "param"), ("/nodes/eval/needs", "set")]
    {
        let mut pipeline = example();
        let map = pipeline.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        map.insert(parent.to_owned(), json!(1));
        let found = errors(&pipeline);
        assert!(found.iter().any(|error| error.starts_with(pointer) && error.contains(parent)), "{pointer}: {found:?}");
    }
}

#[test]
fn missing_inputs_are_found() {
    let mut pipeline = example();
    pipeline["nodes"]["eval"]["needs"] = json!({"data": "data"});
    assert!(errors(&pipeline).iter().any(|error| error.contains("\"sets\" is a required property")));
}

#[test]
fn expressions_stand_for_any_parameter() {
    let mut pipeline = example();
    pipeline["nodes"]["distill"]["with"]["iterations"] = json!("${stages * 100}");
    pipeline["nodes"]["distill"]["with"]["matcher"] = json!("${matcher}");
    pipeline["nodes"]["data"]["with"]["normalize"] = json!("${norm}");
    assert_eq!(errors(&pipeline), Vec::<String>::new());
}

#[test]
fn everything_has_a_description() {
    let schema = schema(&Kinds::new());
    for key in ["format", "name", "params", "plugins", "profiles", "nodes"] {
        assert!(schema["properties"][key]["description"].is_string(), "{key}");
    }
    for key in ["kind", "for", "exclude", "needs", "with"] {
        assert!(schema["$defs"]["node"]["properties"][key]["description"].is_string(), "{key}");
    }
    let kinds = schema["$defs"]["node"]["properties"]["kind"]["oneOf"].as_array().unwrap();
    assert!(kinds.iter().all(|kind| kind["description"].is_string()));
}
