//! Scheduling, failures, cancellation, repair.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{Ran, Toy, diamond, jobs, plan_of, planned, run_plan, run_with, text_of};
use pddflow_runner::cache::RamStore;
use pddflow_runner::pipeline::Plan;
use pddflow_runner::{Cancel, Outcome, RunError, RunEvent, Settings, SkipReason};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

fn skipped(ran: &Ran, name: &str) -> SkipReason {
    let because = |event: &RunEvent| match event {
        RunEvent::NodeSkipped { node, because } if node.as_str() == name => Some(because.clone()),
        _ => None,
    };
    ran.events.iter().find_map(because).unwrap()
}

/// `bad` fails, `after` needs it, `other` and `last` do not.
fn with_failure(act: &str) -> Plan {
    plan_of(&[
        ("bad", json!({"act": act}), vec![]),
        ("after", json!({"text": "x"}), vec!["bad"]),
        ("far", json!({"text": "y"}), vec!["after"]),
        ("other", json!({"text": "other"}), vec![]),
        ("last", json!({"text": "last"}), vec!["other"]),
    ])
}

#[test]
fn keep_going_finishes_what_does_not_depend_on_the_failure() {
    let mut settings = jobs(1);
    settings.keep_going = true;
    let ran = run_with(&with_failure("fail"), &RamStore::new(), &settings, Toy::default());
    assert_eq!(ran.counts(), [0, 2, 1, 2]);
    assert!(!ran.summary.succeeded() && !ran.summary.cancelled);
    assert_eq!(ran.failure("bad"), "`bad` was told to fail: because");
    assert_eq!(skipped(&ran, "far"), SkipReason::NeedsFailed { node: "bad".into() });
}

#[test]
fn without_keep_going_nothing_starts_after_a_failure() {
    let ran = run_with(&with_failure("fail"), &RamStore::new(), &jobs(1), Toy::default());
    assert_eq!(ran.counts(), [0, 0, 1, 4]);
    assert_eq!(skipped(&ran, "after"), SkipReason::NeedsFailed { node: "bad".into() });
    assert_eq!(skipped(&ran, "other"), SkipReason::StoppedAfter { node: "bad".into() });
    let names: Vec<&str> = ran.summary.nodes.iter().map(|node| node.node.as_str()).collect();
    assert_eq!(names, ["bad", "after", "far", "other", "last"]);
    assert_eq!(ran.summary.node("other").unwrap().outcome, Outcome::Skipped);
}

#[test]
fn a_panic_of_a_node_is_an_error_that_names_it() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let ran = run_with(&with_failure("panic"), &RamStore::new(), &jobs(2), Toy::default());
    std::panic::set_hook(hook);
    let error = ran.summary.node("bad").unwrap().error.clone().unwrap();
    assert_eq!(error.code, "pddflow::runner::panicked");
    assert_eq!(error.message, "`bad` (kind `toy`) panicked: told to panic");
    assert!(error.help.unwrap().contains("report"));
}

#[test]
fn a_kind_that_breaks_its_promises_is_told_so() {
    let check = |with: serde_json::Value, expected: &str| {
        let plan = plan_of(&[("n", with, vec![]), ("m", json!({}), vec!["n"])]);
        let store = RamStore::new();
        let ran = run_plan(&plan, &store);
        assert_eq!(ran.counts(), [0, 0, 1, 1]);
        assert!(ran.failure("n").contains(expected), "{}", ran.failure("n"));
        assert!(planned(&plan, &store)[0].starts_with("stale"), "nothing was recorded");
    };
    check(json!({"act": "forget"}), "did not give its output `out`");
    check(json!({"act": "lie"}), "did not store its output `out`");
    check(json!({"key": "unsteady"}), "`file x.bin` of `n` changed while the node ran");
}

#[test]
fn partial_inputs_are_gone_on_with() {
    let plan = |act: &str| {
        plan_of(&[
            ("bad", json!({"text": "bad", "act": act}), vec![]),
            ("needs", json!({"text": "needs"}), vec!["bad"]),
            ("good", json!({"text": "good"}), vec![]),
            ("table", json!({"text": "table"}), vec!["good", "bad", "needs"]),
            ("end", json!({"text": "end"}), vec!["table"]),
        ])
    };
    let mut settings = jobs(2);
    (settings.keep_going, settings.partial_inputs) = (true, true);
    let store = RamStore::new();
    let ran = run_with(&plan("fail"), &store, &settings, Toy::default());
    assert_eq!(ran.counts(), [0, 3, 1, 1]);
    assert_eq!(text_of(&store, &ran, "end"), "end[table[good]]");
    assert_eq!(skipped(&ran, "needs"), SkipReason::NeedsFailed { node: "bad".into() });
    assert!(ran.warnings().iter().any(|text| text.contains("without bad, needs")), "{:?}", ran.warnings());
    assert!(!ran.summary.succeeded());
    // With everything there, the table is another one.
    let ran = run_with(&plan("none"), &store, &settings, Toy::default());
    assert_eq!(ran.counts(), [1, 4, 0, 0]);
    assert_eq!(text_of(&store, &ran, "table"), "table[good][bad][needs[bad]]");
}

#[test]
fn nodes_with_one_key_run_once() {
    let same = json!({"text": "same"});
    let plan = plan_of(&[
        ("a", same.clone(), vec![]),
        ("b", same.clone(), vec![]),
        ("c", same, vec![]),
        ("x", json!({"text": "x"}), vec!["a"]),
        ("y", json!({"text": "x"}), vec!["c"]),
        // Comes to be known only after `a` is done.
        ("late", json!({"constant": "late"}), vec!["x"]),
    ]);
    let store = RamStore::new();
    let ran = run_with(&plan, &store, &jobs(4), Toy::default());
    assert_eq!(ran.counts(), [3, 3, 0, 0]);
    assert_eq!(ran.toy.runs(), 3);
    assert_eq!(text_of(&store, &ran, "b"), "same");
    assert_eq!(text_of(&store, &ran, "y"), "x[same]");

    let bad = json!({"act": "fail"});
    let plan = plan_of(&[("a", bad.clone(), vec![]), ("b", bad, vec![])]);
    let mut settings = jobs(2);
    settings.keep_going = true;
    let ran = run_with(&plan, &store, &settings, Toy::default());
    assert_eq!((ran.counts(), ran.toy.runs()), ([0, 0, 2, 0], 1));
}

#[test]
fn a_key_that_this_run_made_is_not_made_again() {
    // `y` has the key of `x`, and is only reached when `x` is done.
    let plan = plan_of(&[
        ("p", json!({"constant": "c"}), vec![]),
        ("x", json!({"text": "same"}), vec!["p"]),
        ("q", json!({"constant": "c", "note": "other"}), vec!["x"]),
        ("y", json!({"text": "same"}), vec!["q"]),
    ]);
    let store = RamStore::new();
    let first = run_plan(&plan, &store);
    assert_eq!(first.counts(), [1, 3, 0, 0]);
    let hex = first.summary.node("x").unwrap().key().unwrap().hex();
    let (path, _) = store.files().into_iter().find(|(path, _)| path.to_str().unwrap().contains(&hex)).unwrap();
    store.damage(&path, Vec::new());
    let again = run_plan(&plan, &store.killed());
    assert_eq!((again.counts(), again.toy.ran("x")), ([3, 1, 0, 0], 1));
}

#[test]
fn a_stop_writes_a_checkpoint_and_the_next_run_continues_to_the_same_result() {
    let plan = plan_of(&[
        ("n", json!({"text": "n", "act": "steps", "stop_after": 4}), vec![]),
        ("m", json!({"text": "m"}), vec!["n"]),
    ]);
    let store = RamStore::new();
    let ran = run_with(&plan, &store, &jobs(1), Toy::default());
    assert_eq!(ran.counts(), [0, 0, 0, 2]);
    assert!(ran.summary.cancelled);
    assert_eq!(skipped(&ran, "n"), SkipReason::Cancelled { begun: true });
    assert_eq!(skipped(&ran, "m"), SkipReason::Cancelled { begun: false });
    assert_eq!(*ran.toy.steps.lock().unwrap(), 4);

    let next = store.killed();
    let ran = run_with(&plan, &next, &jobs(1), Toy::default());
    assert_eq!(ran.counts(), [0, 2, 0, 0]);
    assert_eq!(*ran.toy.steps.lock().unwrap(), 6, "it went on where it had stopped");
    let undisturbed = RamStore::new();
    let plain = run_with(&plan, &undisturbed, &jobs(1), Toy::default());
    drop(plain);
    assert_eq!(text_of(&next, &ran, "m"), "m[n]");
    assert!(!next.files().iter().any(|(path, _)| path.to_str().unwrap().contains("partial")), "cleared");
}

#[test]
fn a_stop_at_once_writes_no_checkpoint() {
    let plan = plan_of(&[("n", json!({"act": "steps", "stop_after": 4}), vec![])]);
    let store = RamStore::new();
    let toy = Toy::default();
    let cancel: Cancel = toy.cancel.clone();
    cancel.stop();
    // Already asked to stop: nothing starts.
    assert_eq!(run_with(&plan, &store, &jobs(1), toy).counts(), [0, 0, 0, 1]);
    assert_eq!(cancel.raise(), pddflow_runner::CancelLevel::Now);
    assert_eq!(store.files().len(), 0);
}

#[test]
fn a_node_that_ends_in_spite_of_a_stop_is_kept() {
    let plan = plan_of(&[("n", json!({"act": "stop", "text": "n"}), vec![]), ("m", json!({}), vec!["n"])]);
    let store = RamStore::new();
    let ran = run_with(&plan, &store, &jobs(1), Toy::default());
    assert_eq!(ran.counts(), [0, 1, 0, 1]);
    assert_eq!(planned(&plan, &store)[0], "fresh");
}

/// Damages the artifact that a node made.
fn damage(store: &RamStore, ran: &Ran, name: &str) {
    let hex = ran.summary.node(name).unwrap().output("out").unwrap().hex();
    let file = store.files().into_iter().find(|(path, _)| path.ends_with(&hex)).unwrap();
    let mut bytes = file.1;
    bytes[0] ^= 1;
    assert!(store.damage(&file.0, bytes));
}

#[test]
fn a_damaged_input_is_made_again() {
    for jobs_at_once in 1..=4 {
        let store = RamStore::new();
        let first = run_plan(&diamond("a"), &store);
        damage(&store, &first, "b");
        damage(&store, &first, "a");
        let mut plan = diamond("a");
        plan.nodes[3].with["text"] = json!("D");
        let ran = run_with(&plan, &store.killed(), &jobs(jobs_at_once), Toy::default());
        // `d` meets the damaged `b`, whose new run meets the damaged `a`.
        assert_eq!(ran.counts(), [1, 3, 0, 0], "{:?}", ran.warnings());
        assert_eq!(ran.toy.ran("a"), 1);
        assert_eq!(ran.toy.ran("b"), 1);
        assert!(ran.reasons("b")[0].contains("is damaged"), "{:?}", ran.reasons("b"));
        assert_eq!(ran.warnings().iter().filter(|text| text.contains("made again")).count(), 2);
        assert_eq!(ran.summary.node("b").unwrap().output("out"), first.summary.node("b").unwrap().output("out"));
    }
}

#[test]
fn several_readers_of_a_damaged_artifact_wait_for_one_repair() {
    for jobs_at_once in 1..=4 {
        let store = RamStore::new();
        let lines = |word: &'static str| {
            let mut lines = vec![("a", json!({"text": "a"}), vec![])];
            lines.extend(["r1", "r2", "r3", "r4"].map(|name| (name, json!({"text": name, "word": word}), vec!["a"])));
            lines.push(("end", json!({"text": "end"}), vec!["r1", "r2", "r3", "r4"]));
            plan_of(&lines)
        };
        let first = run_plan(&lines("old"), &store);
        damage(&store, &first, "a");
        let ran = run_with(&lines("new"), &store.killed(), &jobs(jobs_at_once), Toy::default());
        let told = ran.warnings().iter().filter(|text| text.contains("made again")).count();
        assert!(told <= jobs_at_once, "readers that had not begun do not begin in vain: {:?}", ran.warnings());
        // The readers give the same bytes as before, so the end stays fresh.
        assert_eq!(ran.counts(), [1, 5, 0, 0], "{:?}", ran.warnings());
        assert_eq!(ran.toy.ran("a"), 1);
    }
}

#[test]
fn an_artifact_that_stays_damaged_ends_in_an_error() {
    /// A store whose disk ruins every artifact.
    struct Rotten(RamStore);
    let store = Rotten(RamStore::new());
    let plan = plan_of(&[("a", json!({"text": "a"}), vec![]), ("b", json!({"text": "b", "act": "rot"}), vec!["a"])]);
    struct Rotting<'a>(Toy, &'a RamStore);
    impl pddflow_runner::Kinds for Rotting<'_> {
        fn key_parts(
            &self,
            node: pddflow_runner::Task<'_>,
        ) -> Result<Vec<pddflow_runner::cache::KeyPart>, pddflow_runner::NodeError> {
            self.0.key_parts(node)
        }
        fn run(
            &self,
            node: pddflow_runner::Task<'_>,
            inputs: &pddflow_runner::Inputs,
            context: &pddflow_runner::NodeContext<'_>,
        ) -> Result<pddflow_runner::Outputs, pddflow_runner::NodeError> {
            if node.with["act"] == "rot" {
                for (path, _) in self.1.files().iter().filter(|(path, _)| path.to_str().unwrap().contains("artifacts"))
                {
                    self.1.damage(path, b"rot".to_vec());
                }
            }
            self.0.run(node, inputs, context)
        }
    }
    let kinds = Rotting(Toy::default(), &store.0);
    let summary = pddflow_runner::run(&plan, &kinds, &store.0, &jobs(2), &Cancel::new(), &|_| {}).unwrap();
    let error = summary.node("b").unwrap().error.clone().unwrap();
    assert_eq!(error.code, "pddflow::cache::damaged");
    assert_eq!(kinds.0.ran("a"), 3, "once, and two repairs");
}

#[test]
fn the_longest_path_starts_first_and_ties_keep_the_plan_s_order() {
    let plan = plan_of(&[
        ("s1", json!({"text": "1"}), vec![]),
        ("s2", json!({"text": "2"}), vec![]),
        ("l1", json!({"text": "3"}), vec![]),
        ("l2", json!({"text": "4"}), vec!["l1"]),
        ("l3", json!({"text": "5"}), vec!["l2"]),
    ]);
    let ran = run_with(&plan, &RamStore::new(), &jobs(1), Toy::default());
    assert_eq!(*ran.toy.began.lock().unwrap(), ["l1", "l2", "s1", "s2", "l3"]);
}

#[test]
fn what_changed_since_the_run_was_planned_is_noticed_before_the_work() {
    let plan = plan_of(&[("a", json!({"text": "a"}), vec![]), ("n", json!({"text": "n", "key": "unsteady"}), vec![])]);
    let ran = run_with(&plan, &RamStore::new(), &jobs(1), Toy::default());
    let error = ran.summary.node("n").unwrap().error.clone().unwrap();
    assert_eq!(error.message, "`file x.bin` of `n` changed since the run was planned");
    assert_eq!(*ran.toy.began.lock().unwrap(), ["a"]);
}

#[test]
fn runs_that_cannot_take_place_are_errors() {
    let (plan, store) = (diamond("a"), RamStore::new());
    let run = |plan: &Plan, settings: &Settings| {
        pddflow_runner::run(plan, &Toy::default(), &store, settings, &Cancel::new(), &|_| {}).err().unwrap()
    };
    assert!(matches!(run(&plan, &jobs(0)), RunError::NoJobs));
    let named = Settings { run: Some("../x".to_owned()), ..Settings::default() };
    assert!(matches!(run(&plan, &named), RunError::InvalidRunId { .. }));
    let mut circle = diamond("a");
    circle.nodes[0].inputs = circle.nodes[3].inputs.clone();
    assert!(matches!(run(&circle, &jobs(1)), RunError::Internal(_)));
    assert_eq!(run_plan(&plan_of(&[]), &store).counts(), [0; 4]);
}

#[test]
fn the_journal_tells_the_run() {
    let (plan, store) = (diamond("a"), RamStore::new());
    let settings = |run: &str| Settings { jobs: 2, run: Some(run.to_owned()), ..Settings::default() };
    run_with(&plan, &store, &settings("one"), Toy::default());
    run_with(&plan, &store, &settings("two"), Toy::default());
    assert_eq!(store.runs().unwrap(), ["one", "two"]);
    let names = |run: &str| {
        let journal = store.read_journal(run).unwrap().unwrap();
        assert!(!journal.broken);
        let name = |line: &String| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["at"].is_number());
            line["entry"].as_object().unwrap().keys().next().unwrap().to_owned()
        };
        journal.lines.iter().map(name).fold(BTreeMap::<String, usize>::new(), |mut counts, name| {
            *counts.entry(name).or_default() += 1;
            counts
        })
    };
    let counts =
        |pairs: &[(&str, usize)]| pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<BTreeMap<_, _>>();
    assert_eq!(names("one"), counts(&[("run", 1), ("plan", 1), ("started", 4), ("finished", 4), ("end", 1)]));
    assert_eq!(names("two"), counts(&[("run", 1), ("plan", 1), ("fresh", 1), ("end", 1)]));
    // An id that was used before: the run goes on without journal.
    let again = run_with(&plan, &store, &settings("one"), Toy::default());
    assert!(again.warnings()[0].contains("no journal"), "{:?}", again.warnings());
}

#[test]
fn events_are_json_with_a_name() {
    let store = RamStore::new();
    let plan =
        plan_of(&[("n", json!({"act": "steps", "text": "n"}), vec![]), ("m", json!({"act": "fail"}), vec!["n"])]);
    let ran = run_plan(&plan, &store);
    for event in &ran.events {
        let value = serde_json::to_value(event).unwrap();
        assert!(value["event"].is_string(), "{value}");
    }
    let find = |name: &str| {
        ran.events
            .iter()
            .map(|event| serde_json::to_value(event).unwrap())
            .find(|value| value["event"] == name)
            .unwrap()
    };
    assert_eq!(
        find("progress"),
        json!({"event": "progress", "node": "n", "done": 1, "total": 10, "unit": "steps", "loss": 0.5})
    );
    assert_eq!(find("node_started")["reasons"], json!([{"reason": "never_ran"}]));
    assert_eq!(find("node_failed")["error"]["causes"], json!(["because"]));
    let fresh = run_plan(&plan, &store);
    let fresh = serde_json::to_value(&fresh.events[1]).unwrap();
    assert_eq!((&fresh["event"], &fresh["record"]["metrics"]["length"]), (&json!("node_fresh"), &json!(1.0)));
}

/// A random plan: node i needs some of those before it; few different texts, so that keys repeat.
fn any_plan() -> impl Strategy<Value = Plan> {
    let node = (0_u8..4, prop::collection::vec(any::<prop::sample::Index>(), 0..4), any::<bool>());
    prop::collection::vec(node, 1..25).prop_map(|nodes| {
        let names: Vec<String> = (0..nodes.len()).map(|at| format!("n{at}")).collect();
        let line = |(at, (text, needs, constant)): (usize, &(u8, Vec<prop::sample::Index>, bool))| {
            let needs = if at == 0 { vec![] } else { needs.iter().map(|up| names[up.index(at)].as_str()).collect() };
            let with =
                if *constant { json!({"constant": text.to_string()}) } else { json!({"text": text.to_string()}) };
            (names[at].as_str(), with, needs)
        };
        plan_of(&nodes.iter().enumerate().map(line).collect::<Vec<_>>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn random_plans_give_the_same_at_any_number_of_jobs(plan in any_plan()) {
        let outputs = |ran: &Ran| ran.summary.nodes.iter().map(|n| (n.key(), n.output("out"))).collect::<Vec<_>>();
        let store = RamStore::new();
        let sequential = run_with(&plan, &store, &jobs(1), Toy::default());
        prop_assert!(sequential.summary.succeeded());
        for at_once in 2..=4 {
            let other = run_with(&plan, &RamStore::new(), &jobs(at_once), Toy::default());
            prop_assert_eq!(outputs(&other), outputs(&sequential));
            let mut keys: Vec<_> = other.summary.nodes.iter().map(pddflow_runner::NodeSummary::key).collect();
            keys.sort();
            keys.dedup();
            prop_assert_eq!(other.toy.runs(), keys.len(), "each key was computed once");
            prop_assert!(other.toy.ran.lock().unwrap().values().all(|count| *count == 1));
        }
        let again = run_with(&plan, &store, &jobs(2), Toy::default());
        prop_assert_eq!(again.counts(), [plan.nodes.len(), 0, 0, 0]);
        prop_assert_eq!(planned(&plan, &store), vec!["fresh"; plan.nodes.len()]);
    }
}
