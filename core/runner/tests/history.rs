//! Past runs as their journals tell them, and explanations of nodes.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{Toy, diamond, plan_of, run_plan, run_with};
use pddflow_runner::cache::{CollectRules, Fault, RamStore};
use pddflow_runner::pipeline::{Plan, Retries};
use pddflow_runner::{
    Cancel, Explanation, Freshness, HistoryError, PastState, Resumed, RunEvent, RunState, Settings, differences,
    explain, named_run, node_log, past_run, run, run_head, run_ids, run_outline, uses,
};
use serde_json::{Value, json};
use std::cell::Cell;

fn run_called(run: &str, tags: &[&str]) -> Settings {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Settings { jobs: 1, run: Some(run.to_owned()), tags, ..Settings::default() }
}

#[test]
fn a_past_run_is_what_its_events_were() {
    let store = RamStore::new();
    let mut plan = diamond("a");
    plan.params.insert("seed".to_owned(), json!(3));
    plan.sweep = vec![("seed".to_owned(), vec![json!(3), json!(4)])];
    plan.nodes[3].point = vec![("seed".to_owned(), json!(3))];
    let ran = run_with(&plan, &store, &run_called("r1-0-0", &["base"]), Toy::default());
    let past = past_run(&store, "r1-0-0").unwrap().unwrap();
    assert_eq!((past.state, past.counts, past.head.nodes), (RunState::Succeeded, [0, 4, 0, 0], 4));
    assert_eq!((past.head.pipeline.as_str(), past.head.tags.as_slice()), ("test", &["base".to_owned()][..]));
    assert_eq!((&past.head.params["seed"], &past.head.sweep), (&json!(3), &plan.sweep));
    let node = &past.nodes["d"];
    let summary = ran.summary.node("d").unwrap();
    assert_eq!((node.state, node.key), (PastState::Ran, summary.key()));
    assert_eq!((node.metrics["length"], Some(node.outputs["out"])), (13.0, summary.output("out")));
    assert_eq!(node.reasons[0].to_string(), "never ran");
    assert_eq!(node_log(&store, "r1-0-0", "d").unwrap(), "made 13 bytes\n");
    let planned = &past.plan[past.place("d").unwrap()];
    assert_eq!(
        (planned.kind.as_str(), &planned.with, &planned.point),
        ("toy", &json!({"text": "d"}), &plan.nodes[3].point)
    );
    assert_eq!(planned.inputs["in"], [(1, "out".to_owned()), (2, "out".to_owned())]);

    run_with(&plan, &store, &run_called("r2-0-0", &[]), Toy::default());
    let past = past_run(&store, "r2-0-0").unwrap().unwrap();
    assert_eq!(
        (past.counts, past.nodes["d"].state, past.nodes["d"].key),
        ([4, 0, 0, 0], PastState::Fresh, summary.key())
    );
    assert_eq!(past_run(&store, "absent").unwrap(), None);
}

#[test]
fn fresh_nodes_have_no_line_each() {
    let lines = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("n{at}")).collect();
        let plan = plan_of(&names.iter().map(|name| (name.as_str(), json!({}), vec![])).collect::<Vec<_>>());
        let store = RamStore::new();
        run_plan(&plan, &store);
        run_with(&plan, &store, &run_called("r1-0-0", &[]), Toy::default());
        assert_eq!(past_run(&store, "r1-0-0").unwrap().unwrap().nodes.len(), count);
        store.read_journal("r1-0-0").unwrap().unwrap().lines.len()
    };
    assert_eq!((lines(2), lines(100)), (4, 4));
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
}

#[test]
fn a_run_whose_only_failures_are_allowed_has_succeeded() {
    let mut plan =
        plan_of(&[("n", json!({"act": "fail"}), vec![]), ("m", json!({}), vec!["n"]), ("o", json!({}), vec![])]);
    plan.nodes[0].settings.allow_failure = true;
    let store = RamStore::new();
    let ran = run_with(&plan, &store, &run_called("r1-0-0", &[]), Toy::default());
    let past = past_run(&store, "r1-0-0").unwrap().unwrap();
    assert!(ran.summary.succeeded());
    assert_eq!((past.state, past.counts), (RunState::Succeeded, [0, 1, 1, 1]));
}

/// A journal that is being written, with these entries after its head.
fn journal(store: &RamStore, run: &str, began: u64, entries: &[(f64, Value)]) -> impl Sized + use<> {
    let head = json!({ "version": 2, "run": run, "pipeline": "p", "file": "p.yaml", "params": {}, "program": "x",
                       "nodes": 2, "jobs": 1, "unix_milliseconds": began });
    let mut journal = store.journal(run).unwrap();
    for (at, entry) in std::iter::once(&(0.0, json!({ "run": head }))).chain(entries) {
        journal.line(&json!({ "at": at, "entry": entry }).to_string()).unwrap();
    }
    journal.flush().unwrap();
    journal
}

fn key() -> Value {
    json!(format!("k:{}", "1".repeat(64)))
}

#[test]
fn a_run_that_goes_on_is_timed_by_the_clock_and_says_what_runs() {
    let store = RamStore::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let failure = json!({ "code": "c", "message": "no" });
    let entries = [
        (0.5, json!({ "started": { "node": "n", "key": key(), "reasons": [] } })),
        (0.6, json!({ "waiting": { "node": "w", "key": key() } })),
        (0.7, json!({ "warning": { "node": "v", "text": "odd" } })),
        (0.7, json!({ "started": { "node": "r", "key": key(), "reasons": [] } })),
        (0.8, json!({ "retrying": { "node": "r", "attempt": 1, "of": 2, "seconds": 9.0, "error": failure } })),
        (6.5, json!({ "progress": { "node": "n", "done": 3, "total": 9, "unit": "epochs" } })),
    ];
    let _writer = journal(&store, "r4-0-0", now - 1_000_000, &entries);
    let past = past_run(&store, "r4-0-0").unwrap().unwrap();
    assert_eq!(past.state, RunState::Running);
    assert!((1_000.0..2_000.0).contains(&past.seconds), "{}", past.seconds);
    let states = ["n", "w", "v", "r"].map(|node| past.nodes[node].state);
    assert_eq!(states, [PastState::Running, PastState::Waiting, PastState::Waiting, PastState::Waiting]);
    assert_eq!(past.nodes["n"].progress, Some((3, 9, "epochs".to_owned())));
    // Once its process is gone, the last that is known is all that is known.
    let past = past_run(&store.killed(), "r4-0-0").unwrap().unwrap();
    assert_eq!((past.state, past.seconds), (RunState::Killed, 6.5));
}

#[test]
fn lists_read_the_first_and_the_last_line_only() {
    let store = RamStore::new();
    let end = json!({ "end": { "fresh": 1, "ran": 2, "failed": 0, "skipped": 0, "tolerated": 0, "cancelled": false,
                               "seconds": 7.5 } });
    let nonsense = json!({ "nonsense": {} });
    drop(journal(&store, "r1-0-0", 5, &[(0.1, nonsense.clone()), (7.5, end)]));
    let run = run_outline(&store, "r1-0-0").unwrap().unwrap();
    assert_eq!((run.state, run.counts, run.seconds), (RunState::Succeeded, [1, 2, 0, 0], 7.5));
    assert!(matches!(past_run(&store, "r1-0-0"), Err(HistoryError::Damaged { line: 2, .. })));
    // Without an end, all of it is read.
    drop(journal(&store, "r2-0-0", 5, &[(0.1, nonsense)]));
    assert!(run_outline(&store, "r2-0-0").is_err());
    assert_eq!(run_head(&store, "r2-0-0").unwrap().unwrap().pipeline, "p");
}

#[test]
fn fields_that_no_line_has_are_refused() {
    let line = |entry: Value| {
        let store = RamStore::new();
        drop(journal(&store, "r1-0-0", 5, &[(0.5, entry)]));
        past_run(&store, "r1-0-0").is_ok()
    };
    assert!(line(json!({ "waiting": { "node": "n", "key": key() } })));
    assert!(!line(json!({ "waiting": { "node": "n", "key": key(), "more": 1 } })));
    assert!(!line(json!({ "started": { "node": "n", "key": key(), "reasons": [{ "reason": "changed" }] } })));
    assert!(!line(json!({ "end": {} })));
}

/// Journals as earlier and present versions wrote them.
#[test]
fn journals_of_other_versions_are_told_apart() {
    let store = RamStore::new();
    let fill = |run: &str, text: &str| {
        let mut journal = store.journal(run).unwrap();
        text.lines().for_each(|line| journal.line(line).unwrap());
    };
    fill("r1-0-0", include_str!("samples/journal-v1.jsonl"));
    fill("r2-0-0", include_str!("samples/journal-v2.jsonl"));
    fill("r3-0-0", r#"{"at":0.0,"entry":{"run":{"version":3}}}"#);
    fill("r4-0-0", r#"{"at":0.0}"#);
    let error = |run: &str| past_run(&store, run).unwrap_err().to_string();
    assert_eq!(error("r1-0-0"), "the journal of run r1-0-0 has format 1; this program reads format 2");
    assert_eq!(error("r3-0-0"), "the journal of run r3-0-0 has format 3; this program reads format 2");
    assert_eq!(error("r4-0-0"), "the journal of run r4-0-0 is damaged at line 1");
    let past = past_run(&store, "r2-0-0").unwrap().unwrap();
    assert_eq!((past.state, past.counts, past.plan.len()), (RunState::Failed, [1, 1, 1, 1], 4));
    // Those that cannot be read are passed over, and found by their ids only.
    assert_eq!(named_run(&store, "last", None).unwrap().unwrap(), "r2-0-0");
    assert_eq!(named_run(&store, "r1", None).unwrap().unwrap(), "r1-0-0");
    assert_eq!(uses(&store, 3).unwrap().keys.len(), 3);
}

#[test]
fn what_a_node_continued_from_is_told() {
    let store = RamStore::new();
    let stopping = plan_of(&[("n", json!({"act": "steps", "stop_after": 4}), vec![])]);
    run_with(&stopping, &store, &run_called("r1-0-0", &[]), Toy::default());
    run_with(&stopping, &store, &run_called("r2-0-0", &[]), Toy::default());
    let resumed = |run: &str, node: &str| past_run(&store, run).unwrap().unwrap().nodes[node].resumed.clone();
    assert_eq!((resumed("r1-0-0", "n"), resumed("r2-0-0", "n")), (None, Some(Resumed::Checkpoint)));

    for (run, goal) in [("r3-0-0", 5), ("r4-0-0", 8)] {
        let growing = plan_of(&[("g", json!({"act": "grow", "goal": goal}), vec![])]);
        run_with(&growing, &store, &run_called(run, &[]), Toy::default());
    }
    assert_eq!(resumed("r4-0-0", "g").unwrap().to_string(), "continues from 5 of 8 goal");
}

#[test]
fn the_plugin_that_was_at_work_when_the_process_died_is_known() {
    let store = RamStore::new();
    let dies = Cell::new(None);
    let plan = plan_of(&[("n", json!({"plugin": "matcher dm"}), vec![])]);
    // What lies on the disk while the node is in the plugin is what a dead process leaves.
    let tell = |event| {
        if let RunEvent::NodeFinished { .. } = event {
            dies.set(Some(past_run(&store.killed(), "r1-0-0").unwrap().unwrap()));
        }
    };
    run(&plan, &Toy::default(), &store, &run_called("r1-0-0", &[]), &Cancel::new(), &tell).unwrap();
    let past = dies.take().unwrap();
    assert_eq!((past.state, past.nodes["n"].state), (RunState::Killed, PastState::Running));
    assert_eq!(past.nodes["n"].plugins, ["matcher dm"]);
}

#[test]
fn a_failed_node_s_log_is_kept_with_its_attempts() {
    let store = RamStore::new();
    let mut plan = plan_of(&[("n", json!({"act": "fail", "says": "before the failure"}), vec![])]);
    let mut retries = Retries::default();
    (retries.times, retries.wait) = (1, std::time::Duration::ZERO);
    plan.nodes[0].settings.retries = Some(retries);
    run_with(&plan, &store, &run_called("r1-0-0", &[]), Toy::default());
    let log = node_log(&store, "r1-0-0", "n").unwrap();
    assert_eq!(
        log,
        "before the failure\nfailed, retry 1 of 1 follows: `n` was told to fail: because\nbefore the failure\n"
    );
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
    let find = |name: &str, pipeline| named_run(&store, name, pipeline).unwrap();
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
    let used = uses(&store, 2).unwrap();
    assert_eq!(used.keys.len(), 16);
    assert_eq!(keys.iter().map(|key| used.keys[key].kept).collect::<Vec<_>>(), [false, true, true]);
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
