//! Keys, freshness, reasons, early cut-off.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{Toy, diamond, jobs, plan_of, planned, planned_with, run_plan, run_with, text_of};
use pddflow_runner::RunEvent;
use pddflow_runner::cache::{Key, RamStore};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn a_second_run_does_nothing_and_replays_what_was_said() {
    let (plan, store) = (diamond("a"), RamStore::new());
    let first = run_plan(&plan, &store);
    assert_eq!(first.counts(), [0, 4, 0, 0]);
    assert_eq!(text_of(&store, &first, "d"), "d[b[a]][c[a]]");
    let second = run_plan(&plan, &store);
    assert_eq!(second.counts(), [4, 0, 0, 0]);
    assert_eq!(second.toy.runs(), 0);
    assert!(second.summary.succeeded());
    let replayed = second.events.iter().find_map(|event| match event {
        RunEvent::NodeFresh { node, record } if node.as_str() == "d" => Some(record.clone()),
        _ => None,
    });
    let record = replayed.unwrap();
    assert_eq!(record.log, ["made 13 bytes"]);
    assert_eq!(record.metrics["length"], 13.0);
    assert_eq!(second.summary.node("d").unwrap().metrics().unwrap()["length"], 13.0);
    assert_eq!(first.summary.node("d").unwrap().key(), second.summary.node("d").unwrap().key());
}

#[test]
fn plan_says_what_run_would_do_and_writes_nothing() {
    let (plan, store) = (diamond("a"), RamStore::new());
    assert_eq!(planned(&plan, &store), ["stale: never ran", "waits: a", "waits: a", "waits: b, c"]);
    assert_eq!(store.steps(), 0);
    run_plan(&plan, &store);
    let steps = store.steps();
    assert_eq!(planned(&plan, &store), ["fresh"; 4]);
    assert_eq!(store.steps(), steps);
}

#[test]
fn a_changed_parameter_is_named_with_old_and_new() {
    let store = RamStore::new();
    run_plan(&diamond("a"), &store);
    let changed = diamond("A");
    assert_eq!(planned(&changed, &store), ["stale: with.text: \"a\" -> \"A\"", "waits: a", "waits: a", "waits: b, c"]);
    let ran = run_plan(&changed, &store);
    assert_eq!(ran.counts(), [0, 4, 0, 0]);
    assert_eq!(ran.reasons("d"), ["input in: the output of b, c changed"]);
    // Going back is instant.
    assert_eq!(run_plan(&diamond("a"), &store).counts(), [4, 0, 0, 0]);
    // What was seen last is what the next change is compared with.
    assert_eq!(planned(&diamond("x"), &store)[0], "stale: with.text: \"a\" -> \"x\"");
}

#[test]
fn a_parameter_that_the_kind_keeps_out_of_the_key_changes_nothing() {
    let store = RamStore::new();
    let plan = |with: Value| plan_of(&[("a", with, vec![])]);
    run_plan(&plan(json!({ "text": "a", "place": "here" })), &store);
    assert_eq!(planned(&plan(json!({ "text": "a", "place": "there" })), &store), ["fresh"]);
    let changed = planned(&plan(json!({ "text": "b", "place": "there" })), &store);
    assert_eq!(changed, ["stale: with.text: \"a\" -> \"b\""]);
}

#[test]
fn a_new_revision_of_the_kind_is_a_reason() {
    let (plan, store) = (diamond("a"), RamStore::new());
    run_plan(&plan, &store);
    let toy = Toy { revision: 7, ..Toy::default() };
    assert_eq!(planned_with(&plan, &store, &toy)[0], "stale: revision: 0 -> 7");
    let ran = run_with(&plan, &store, &jobs(1), toy);
    // Its bytes are the same, so only its own key changed; those after it have a new revision too.
    assert_eq!(ran.counts(), [0, 4, 0, 0]);
    assert_eq!(ran.reasons("d"), ["revision: 0 -> 7"]);
}

#[test]
fn an_unchanged_result_stops_the_rerun() {
    let plan = |note: &str| {
        plan_of(&[
            ("a", json!({"constant": "same", "note": note}), vec![]),
            ("b", json!({"text": "b"}), vec!["a"]),
            ("c", json!({"text": "c"}), vec!["b"]),
        ])
    };
    let store = RamStore::new();
    run_plan(&plan("old"), &store);
    let ran = run_plan(&plan("new"), &store);
    assert_eq!(ran.counts(), [2, 1, 0, 0]);
    assert_eq!(ran.toy.ran("a"), 1);
}

#[test]
fn lost_records_and_artifacts_are_reasons() {
    let (plan, store) = (plan_of(&[("a", json!({"text": "a"}), vec![])]), RamStore::new());
    let first = run_plan(&plan, &store);
    let files = store.files();
    let path = |part: &str| files.iter().find(|(path, _)| path.to_str().unwrap().contains(part)).unwrap().0.clone();
    // An empty file is what a crash of the system leaves.
    store.damage(&path("artifacts"), Vec::new());
    let short = first.summary.node("a").unwrap().output("out").unwrap().short();
    assert_eq!(planned(&plan, &store), [format!("stale: output out (b3:{short}) is missing")]);
    let again = run_plan(&plan, &store);
    assert_eq!(again.counts(), [0, 1, 0, 0]);
    store.damage(&path("records"), b"{}".to_vec());
    let key = first.summary.node("a").unwrap().key().unwrap().short();
    assert_eq!(planned(&plan, &store), [format!("stale: its record k:{key} is missing")]);
    let other = plan_of(&[("a", json!({"text": "b"}), vec![])]);
    assert!(planned(&other, &store)[0].starts_with("stale: changed, but the record of last time (k:"));
    let again = run_plan(&plan, &store);
    assert_eq!(again.counts(), [0, 1, 0, 0]);
    // The damage was found while planning, by the same process; its warning is told by the run.
    assert!(again.warnings().iter().any(|text| text.contains("quarantine")), "{:?}", again.warnings());
}

#[test]
fn names_and_places_do_not_enter_keys() {
    let store = RamStore::new();
    run_plan(&diamond("a"), &store);
    let mut renamed = plan_of(&[
        ("new", json!({"text": "other"}), vec![]),
        ("x", json!({"text": "a"}), vec![]),
        ("z", json!({"text": "c"}), vec!["x"]),
        ("y", json!({"text": "b"}), vec!["x"]),
        ("w", json!({"text": "d"}), vec!["y", "z"]),
    ]);
    renamed.name = "another".to_owned();
    assert_eq!(planned(&renamed, &store), ["stale: never ran", "fresh", "fresh", "fresh", "fresh"]);
}

#[test]
fn settings_do_not_enter_keys() {
    let (plan, store) = (diamond("a"), RamStore::new());
    run_with(&plan, &store, &jobs(1), Toy::default());
    let mut other = jobs(4);
    (other.keep_going, other.checkpoint_seconds, other.program) = (true, 0.0, "other 2".to_owned());
    assert_eq!(run_with(&plan, &store, &other, Toy::default()).counts(), [4, 0, 0, 0]);
}

#[test]
fn the_order_of_inputs_matters_and_an_empty_port_does_not() {
    let with = |needs: Vec<&'static str>| {
        plan_of(&[("a", json!({"text": "a"}), vec![]), ("b", json!({"text": "b"}), vec![]), ("c", json!({}), needs)])
    };
    let store = RamStore::new();
    run_plan(&with(vec!["a", "b"]), &store);
    assert!(planned(&with(vec!["b", "a"]), &store)[2].starts_with("stale: input in: the output of b, a changed"));
    assert_eq!(planned(&with(vec!["a"]), &store)[2], "stale: input in: 2 -> 1 artifacts");
    run_plan(&with(vec![]), &store);
    let mut no_port = with(vec![]);
    no_port.nodes[2].inputs.clear();
    assert_eq!(planned(&no_port, &store), ["fresh"; 3]);
}

#[test]
fn what_cannot_have_a_key_is_invalid() {
    let store = RamStore::new();
    let plan = plan_of(&[
        ("a", json!({"key": "fail"}), vec![]),
        ("b", json!({"key": "reserved"}), vec![]),
        ("c", json!({}), vec!["a"]),
    ]);
    let words = planned(&plan, &store);
    assert_eq!(words[0], "invalid: the file x.bin is missing");
    assert!(words[1].contains("reserved key part"), "{}", words[1]);
    assert_eq!(words[2], "waits: a");
    let mut settings = jobs(2);
    settings.keep_going = true;
    let ran = run_with(&plan, &store, &settings, Toy::default());
    assert_eq!(ran.counts(), [0, 0, 2, 1]);
    assert_eq!(ran.toy.runs(), 0);
}

/// Keys of whole plans never change by accident: see `samples/keys-v1.json`.
#[test]
fn keys_are_those_of_the_committed_list() {
    let plan = plan_of(&[
        ("data", json!({"text": "data", "normalize": "standard", "scale": 0.5}), vec![]),
        ("distill[1]", json!({"text": "set", "ipc": 2, "seed": 0, "matcher": {"dm": {"lr": 1.0}}}), vec!["data"]),
        ("distill[2]", json!({"text": "set", "ipc": 2, "seed": 1, "matcher": {"dm": {"lr": 1.0}}}), vec!["data"]),
        ("eval", json!({"text": "eval", "model": "convnet"}), vec!["data", "distill[1]", "distill[2]"]),
    ]);
    let ran = run_plan(&plan, &RamStore::new());
    let keys: Value =
        ran.summary.nodes.iter().map(|node| (node.node.to_string(), json!(node.key().unwrap()))).collect();
    let expected: Value = serde_json::from_str(include_str!("samples/keys-v1.json")).unwrap();
    assert_eq!(keys, expected, "computed:\n{}", serde_json::to_string_pretty(&keys).unwrap());
}

fn key_of(with: Value) -> Key {
    let ran = run_with(&plan_of(&[("n", with, vec![])]), &RamStore::new(), &jobs(1), Toy::default());
    ran.summary.node("n").unwrap().key().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn key_changes_with_every_parameter(
        values in prop::collection::btree_map("[a-z]{1,4}", -5_i64..5, 1..6), at in any::<prop::sample::Index>(),
    ) {
        let before: Value = values.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let name = values.keys().nth(at.index(values.len())).unwrap();
        let mut changed = before.clone();
        changed[name] = json!(values[name] + 100);
        let mut removed = before.clone();
        removed.as_object_mut().unwrap().remove(name);
        let mut added = before.clone();
        added["added"] = json!(null);
        let reordered: Value = before.as_object().unwrap().iter().rev().map(|(n, v)| (n.clone(), v.clone())).collect();
        let key = key_of(before);
        prop_assert_eq!(key_of(reordered), key);
        for other in [changed, removed, added] {
            prop_assert_ne!(key_of(other), key);
        }
    }
}

#[test]
fn remembered_keys_survive_the_process() {
    let store = RamStore::new();
    run_plan(&diamond("a"), &store);
    let next = store.killed();
    assert_eq!(planned(&diamond("b"), &next)[0], "stale: with.text: \"a\" -> \"b\"");
    assert!(next.last_key_of("test", "d").is_some_and(|key| next.record(&key).unwrap().is_some()));
}
