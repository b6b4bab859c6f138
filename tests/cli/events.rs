//! Events as programs read them: each line is as the schema says.

use pddflow_tests::{Place, workspace_root};
use serde_json::Value;
use std::collections::BTreeSet;

/// A node that says something and is tried again, and one that needs it.
const FAILING: &str = "\
format: 1
name: failing
nodes:
  n:
    kind: command
    retries: { times: 1, wait: 10ms }
    with: { run: [sh, -c, \"echo said; exit 3\"], outputs: [out] }
  m:
    kind: command
    needs: { inputs: n }
    with: { run: [sh, -c, \"echo x > out\"], outputs: [out] }
";

#[test]
fn every_event_is_as_the_schema_says() {
    let place = Place::new();
    place.write("failing.yaml", FAILING);
    let schema = place.run(&["schema", "events"]).succeeds().json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut seen = BTreeSet::new();
    let mut check = |events: Vec<Value>| {
        assert_eq!((&events[0]["event"], &events[0]["version"]), (&"run_started".into(), &1.into()));
        for event in events {
            let wrong: Vec<String> = validator.iter_errors(&event).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{event}: {wrong:?}");
            seen.insert(event["event"].as_str().unwrap().to_owned());
        }
    };
    check(place.run(&["run", "smoke.yaml", "--json"]).succeeds().events());
    check(place.run(&["run", "smoke.yaml", "--json", "--set", "seed=1"]).succeeds().events());
    check(place.run(&["run", "smoke.yaml", "--json"]).succeeds().events());
    check(place.run(&["run", "failing.yaml", "--json", "--keep-going"]).ends_with(1).events());
    for event in ["node_fresh", "node_started", "progress", "metric", "log", "node_finished", "node_retrying"] {
        assert!(seen.contains(event), "{event}: {seen:?}");
    }
    for event in ["node_failed", "node_skipped", "run_finished", "results", "report", "node_in_plugin"] {
        assert!(seen.contains(event), "{event}: {seen:?}");
    }
    // What no event is, is none by the schema.
    for wrong in [r#"{"event": "log", "node": "n"}"#, r#"{"event": "other"}"#, "{}"] {
        assert!(!validator.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
    }
}

/// Those that no test above sees are in the schema too.
#[test]
fn the_schema_names_every_event() {
    let source = fs_err::read_to_string(workspace_root().join("core/runner/src/event.rs")).unwrap();
    let events = source.split("pub enum RunEvent {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let names = events.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
    let snake = |name: &str| {
        let letter = |letter: char| match letter.is_uppercase() {
            true => format!("_{}", letter.to_lowercase()),
            false => letter.to_string(),
        };
        name.chars().map(letter).collect::<String>().trim_start_matches('_').to_owned()
    };
    let names: BTreeSet<String> = names.filter(|name| name.starts_with(char::is_uppercase)).map(snake).collect();
    assert!(names.len() > 10 && names.contains("node_finished"), "{names:?}");
    let schema = Place::new().run(&["schema", "events"]).succeeds().json();
    let told: BTreeSet<String> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["properties"]["event"]["const"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new());
}
