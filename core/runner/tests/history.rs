//! Past runs as their journals tell them, and explanations of nodes.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{Toy, diamond, plan_of, run_plan, run_with};
use pddflow_runner::cache::{CollectRules, Fault, RamStore};
use pddflow_runner::pipeline::Plan;
use pddflow_runner::{
    Explanation, Freshness, PastState, RunState, Settings, differences, explain, named_run, past_run, run_ids,
    used_keys,
};
use serde_json::json;

fn run_called(run: &str, tags: &[&str]) -> Settings {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Settings { jobs: 1, run: Some(run.to_owned()), tags, ..Settings::default() }
}

#[test]
fn a_past_run_is_what_its_events_were() {
    let store = RamStore::new();
    let mut plan = diamond("a");
    plan.params.insert("seed".to_owned(), json!(3));
    let ran = run_with(&plan, &store, &run_called("r1-0-0", &["base"]), Toy::default());
    let past = past_run(&store, "r1-0-0").unwrap().unwrap();
    assert_eq!((past.state, past.counts, past.planned), (RunState::Succeeded, [0, 4, 0, 0], 4));
    assert_eq!((past.pipeline.as_str(), past.tags.as_slice()), ("test", &["base".to_owned()][..]));
    assert_eq!(past.params["seed"], 3);
    let node = &past.nodes["d"];
    assert_eq!((node.state, node.key), (PastState::Ran, ran.summary.node("d").unwrap().key()));
    assert_eq!(node.metrics["length"], 13.0);
    assert_eq!(node.log, ["made 13 bytes"]);
    assert_eq!(node.reasons[0].to_string(), "never ran");

    run_with(&plan, &store, &run_called("r2-0-0", &[]), Toy::default());
    let past = past_run(&store, "r2-0-0").unwrap().unwrap();
    assert_eq!((past.counts, past.nodes["d"].state), ([4, 0, 0, 0], PastState::Fresh));
    assert_eq!(past_run(&store, "absent").unwrap(), None);
}

#[test]
fn failures_stops_and_kills_are_told_apart() {
    let plan = plan_of(&[("n", json!({"act": "fail"}), vec![]), ("m", json!({}), vec!["n"])]);
    let store = RamStore::new();
    run_with(&plan, &store, &run_called("r1-0-0", &[]), Toy::default());
    let past = past_run(&store, "r1-0-0").unwrap().unwrap();
    assert_eq!((past.state, past.counts), (RunState::Failed, [0, 0, 1, 1]));
    assert_eq!(past.nodes["n"].failure.as_ref().unwrap().causes, ["because"]);

    let stopping = plan_of(&[("n", json!({"act": "steps", "stop_after": 4}), vec![])]);
    run_with(&stopping, &store, &run_called("r2-0-0", &[]), Toy::default());
    assert_eq!(past_run(&store, "r2-0-0").unwrap().unwrap().state, RunState::Stopped);

    let dying = RamStore::new();
    run_with(&diamond("a"), &dying, &run_called("r3-0-0", &[]), Toy::default());
    let steps = dying.steps();
    let dying = RamStore::new();
    dying.fault_at(steps * 2 / 3, Fault::Die);
    run_with(&diamond("a"), &dying, &run_called("r3-0-0", &[]), Toy::default());
    let past = past_run(&dying.killed(), "r3-0-0").unwrap().unwrap();
    assert_eq!(past.state, RunState::Killed);
    assert!(past.counts[1] > 0 && past.counts[1] < 4, "{:?}", past.counts);

    // The same lines while the process lives.
    let living = dying.killed();
    let mut journal = living.journal("r4-0-0").unwrap();
    journal.line(r#"{"at":0.0,"event":"run_started","run":"r4-0-0","pipeline":"p","nodes":2}"#).unwrap();
    journal.line(r#"{"at":0.5,"event":"node_started","node":"n","key":"k","reasons":[]}"#).unwrap();
    journal.line(r#"{"at":6.5,"event":"progress","node":"n","done":3,"total":9,"unit":"epochs"}"#).unwrap();
    journal.flush().unwrap();
    let past = past_run(&living, "r4-0-0").unwrap().unwrap();
    assert_eq!((past.state, past.seconds, past.nodes["n"].state), (RunState::Running, 6.5, PastState::Begun));
    assert_eq!(past.nodes["n"].progress, Some((3, 9, "epochs".to_owned())));
}

#[test]
fn runs_are_found_by_id_tag_and_age() {
    let store = RamStore::new();
    for (at, tags) in [(9, &["base", "x"][..]), (10, &["base"]), (11, &[])] {
        run_with(&diamond("a"), &store, &run_called(&format!("r{at}-0-0"), tags), Toy::default());
    }
    let mut other = diamond("b");
    other.name = "other".to_owned();
    run_with(&other, &store, &run_called("r12-0-0", &[]), Toy::default());
    assert_eq!(run_ids(&store).unwrap(), ["r12-0-0", "r11-0-0", "r10-0-0", "r9-0-0"]);
    let find = |name: &str, pipeline| named_run(&store, name, pipeline).unwrap().map(|run| run.id);
    assert_eq!(find("last", None).unwrap(), "r12-0-0");
    assert_eq!(find("last", Some("test")).unwrap(), "r11-0-0");
    assert_eq!(find("last~1", Some("test")).unwrap(), "r10-0-0");
    assert_eq!(find("base", None).unwrap(), "r10-0-0");
    assert_eq!(find("x", None).unwrap(), "r9-0-0");
    assert_eq!(find("r9", None).unwrap(), "r9-0-0");
    assert_eq!(find("r1", None), None, "several begin so");
    assert_eq!(find("last~9", None), None);
}

#[test]
fn what_the_last_runs_of_each_pipeline_used_is_kept() {
    let store = RamStore::new();
    let mut keys = Vec::new();
    for (at, text) in ["a", "b", "c"].iter().enumerate() {
        let ran = run_with(&diamond(text), &store, &run_called(&format!("r{at}-0-0"), &[]), Toy::default());
        keys.push(ran.summary.node("a").unwrap().key().unwrap());
    }
    let mut other = diamond("d");
    other.name = "other".to_owned();
    run_with(&other, &store, &run_called("r9-0-0", &[]), Toy::default());
    let used = used_keys(&store, 2).unwrap();
    assert_eq!(used.len(), 16);
    assert_eq!(keys.iter().map(|key| used[key].kept).collect::<Vec<_>>(), [false, true, true]);
    let rules = CollectRules { most_bytes: 0, ..CollectRules::default() };
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1_000_000);
    let done = store.collect_at(&used, &rules, later).unwrap();
    assert!(!done.removed.is_empty() && done.removed.len() < done.artifacts, "{done:?}");
    // What is kept is there; what went is made again when it is needed.
    assert_eq!(run_plan(&diamond("c"), &store).counts(), [4, 0, 0, 0]);
    let again = run_plan(&diamond("a"), &store);
    assert!(again.summary.succeeded() && again.summary.ran > 0);
    assert!(again.reasons("a")[0].contains("is missing"), "{:?}", again.reasons("a"));
}

fn explained(plan: &Plan, store: &RamStore, name: &str) -> Explanation {
    let at = plan.nodes.iter().position(|node| node.id.as_str() == name).unwrap();
    explain(plan, &Toy::default(), store, at)
}

fn texts(explanation: &Explanation) -> Vec<String> {
    explanation.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_node_is_explained_with_what_changed_and_what_did_not() {
    let store = RamStore::new();
    let never = explained(&diamond("a"), &store, "d");
    assert!(matches!(never.state, Freshness::Unknown { .. }) && never.last.is_none());
    assert_eq!(never.causes.iter().map(|(node, _)| node.as_str()).collect::<Vec<_>>(), ["a"]);

    run_plan(&diamond("a"), &store);
    let fresh = explained(&diamond("a"), &store, "d");
    assert!(matches!(fresh.state, Freshness::Fresh { .. }));
    assert_eq!((texts(&fresh).len(), fresh.unchanged.len()), (0, fresh.parts.len()));

    let mut changed = diamond("A");
    changed.nodes[1].with["text"] = json!("B");
    let stale = explained(&changed, &store, "a");
    assert!(matches!(stale.state, Freshness::Stale { .. }));
    assert_eq!(texts(&stale), ["with.text: \"a\" -> \"A\""]);
    assert_eq!(stale.unchanged, ["key format", "kind", "revision"]);
    // Its own change is known already; its input is not.
    let unknown = explained(&changed, &store, "b");
    assert_eq!(texts(&unknown), ["with.text: \"b\" -> \"B\""]);
    assert!(matches!(unknown.state, Freshness::Unknown { .. }));
    let far = explained(&changed, &store, "d");
    assert_eq!(texts(&far), Vec::<String>::new());
    assert_eq!(far.causes.iter().map(|(node, _)| node.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn only_the_nodes_before_are_looked_at() {
    let mut plan = diamond("a");
    // It has no key; whoever asks about another node never hears of it.
    plan.nodes[2].with["key"] = json!("fail");
    let store = RamStore::new();
    assert!(matches!(explained(&plan, &store, "b").state, Freshness::Unknown { .. }));
    assert_eq!(explained(&plan, &store, "d").causes.len(), 1);
}

#[test]
fn records_of_two_runs_are_compared() {
    let store = RamStore::new();
    let one = run_plan(&diamond("a"), &store);
    let two = run_plan(&diamond("b"), &store);
    let record = |ran: &common::Ran, name: &str| {
        let key = ran.summary.node(name).unwrap().key().unwrap();
        store.record(&key).unwrap().unwrap()
    };
    let words = |name: &str| -> Vec<String> {
        differences(&record(&one, name), &record(&two, name)).iter().map(ToString::to_string).collect()
    };
    assert_eq!(words("a"), ["with.text: \"a\" -> \"b\""]);
    assert!(words("b")[0].starts_with("input in: b3:"), "{:?}", words("b"));
    assert_eq!(differences(&record(&one, "a"), &record(&one, "a")), []);
}
