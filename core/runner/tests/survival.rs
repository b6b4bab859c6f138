//! Kills, lost power, full disks, several runs on one store: nothing is lost, nothing partial is seen.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{Ran, Toy, diamond, jobs, plan_of, planned, run_plan, run_with};
use pddflow_runner::Settings;
use pddflow_runner::cache::{Fault, Lock, RamStore, Store};
use pddflow_runner::pipeline::Plan;
use serde_json::json;
use std::sync::Barrier;

fn outputs(ran: &Ran) -> Vec<Option<pddflow_runner::cache::Digest>> {
    ran.summary.nodes.iter().map(|node| node.output("out")).collect()
}

fn journaled(at_once: usize) -> Settings {
    Settings { jobs: at_once, ..Settings::default() }
}

/// A plan whose second node takes checkpoints.
fn long_plan() -> Plan {
    plan_of(&[
        ("a", json!({"text": "a"}), vec![]),
        ("b", json!({"text": "b", "act": "steps"}), vec!["a"]),
        ("c", json!({"text": "c"}), vec!["a"]),
        ("d", json!({"text": "d"}), vec!["b", "c"]),
    ])
}

#[test]
fn a_kill_at_any_step_of_the_store_ends_in_the_same_digests() {
    let plan = long_plan();
    // Results settle with each record, or all together at the end of the run.
    for lazy in [false, true] {
        kill_at_every_step(&plan, lazy);
    }
}

fn kill_at_every_step(plan: &Plan, lazy: bool) {
    let begun = || {
        let store = RamStore::new();
        store.set_lazy(lazy);
        store
    };
    let undisturbed = begun();
    let expected = outputs(&run_with(plan, &undisturbed, &journaled(1), Toy::default()));
    let steps = undisturbed.steps();
    assert!(steps > 50);
    for step in 0..steps {
        let store = begun();
        store.fault_at(step, Fault::Die);
        run_with(plan, &store, &journaled(1), Toy::default());
        for (name, next) in
            [("kill", store.killed()), ("power", store.power_loss(step)), ("power", store.power_loss(!step))]
        {
            let ran = run_with(plan, &next, &journaled(2), Toy::default());
            assert!(ran.summary.succeeded(), "{name} at step {step}: {:?}", ran.warnings());
            assert_eq!(outputs(&ran), expected, "{name} at step {step}");
            assert_eq!(planned(plan, &next), ["fresh"; 4]);
        }
    }
}

#[test]
fn work_that_was_stored_before_a_kill_is_not_repeated() {
    let plan = long_plan();
    let store = RamStore::new();
    let first = run_with(&plan, &store, &jobs(1), Toy::default());
    assert!(first.summary.succeeded());
    let half = RamStore::new();
    let before = plan_of(&[("a", json!({"text": "a"}), vec![]), ("c", json!({"text": "c"}), vec!["a"])]);
    run_plan(&before, &half);
    for seed in 0..20 {
        let ran = run_with(&plan, &half.power_loss(seed), &jobs(2), Toy::default());
        assert_eq!(ran.counts(), [2, 2, 0, 0]);
    }
}

#[test]
fn a_full_disk_fails_clearly_and_keeps_what_was_stored() {
    let plan = diamond("a");
    let store = RamStore::new();
    run_plan(&plan_of(&[("a", json!({"text": "a"}), vec![])]), &store);
    let used: usize = store.files().iter().map(|(_, bytes)| bytes.len()).sum();
    store.set_capacity(Some(used as u64));
    let mut settings = journaled(1);
    settings.keep_going = true;
    let ran = run_with(&plan, &store, &settings, Toy::default());
    assert_eq!(ran.counts(), [1, 0, 2, 1]);
    let error = ran.summary.node("b").unwrap().error.clone().unwrap();
    assert_eq!(error.code, "pddflow::cache::full");
    assert!(error.help.unwrap().contains("--cache-dir"));
    let artifacts = store.files().iter().filter(|(path, _)| path.to_str().unwrap().contains("artifacts")).count();
    assert_eq!(artifacts, 1);
    store.set_capacity(None);
    let ran = run_plan(&plan, &store);
    assert_eq!(ran.counts(), [1, 3, 0, 0]);
}

#[test]
fn a_read_only_store_still_shows_what_is_there() {
    let (plan, store) = (diamond("a"), RamStore::new());
    run_plan(&plan, &store);
    store.set_read_only(true);
    let ran = run_with(&plan, &store, &journaled(2), Toy::default());
    assert_eq!(ran.counts(), [4, 0, 0, 0]);
    assert!(ran.warnings().iter().all(|text| text.contains("cannot be written")), "{:?}", ran.warnings());
    let ran = run_with(&diamond("x"), &store, &journaled(2), Toy::default());
    assert_eq!(ran.counts(), [0, 0, 1, 3]);
    assert_eq!(ran.summary.node("a").unwrap().error.as_ref().unwrap().code, "pddflow::cache::read_only");
}

#[test]
fn runs_at_the_same_time_share_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let plan = diamond("a");
    let barrier = Barrier::new(4);
    let all: Vec<_> = std::thread::scope(|scope| {
        let run = || {
            // Each has its own view, as a process would.
            let store = Store::open(folder.path()).unwrap();
            barrier.wait();
            outputs(&run_with(&plan, &store, &jobs(2), Toy::default()))
        };
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(all.iter().all(|outputs| *outputs == all[0] && outputs.iter().all(Option::is_some)));
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(run_plan(&plan, &store).counts(), [4, 0, 0, 0]);
    assert_eq!(store.take_warnings(), Vec::<String>::new());
}

/// Several processes begin the same work at the same moment: each key is computed once.
#[test]
fn runs_at_the_same_time_compute_each_key_once() {
    for runs in [2, 8] {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan_of(&[
            ("a", json!({"text": "a", "act": "wait"}), vec![]),
            ("b", json!({"text": "b", "act": "wait"}), vec!["a"]),
            ("c", json!({"text": "c", "act": "wait"}), vec!["a"]),
            ("d", json!({"text": "d", "act": "wait"}), vec!["b", "c"]),
        ]);
        let barrier = Barrier::new(runs);
        let run = || {
            let store = Store::open(folder.path()).unwrap();
            barrier.wait();
            let ran = run_with(&plan, &store, &jobs(2), Toy::default());
            assert!(ran.summary.succeeded());
            ran.toy.runs()
        };
        let total: usize = std::thread::scope(|scope| {
            let all: Vec<_> = (0..runs).map(|_| scope.spawn(run)).collect();
            all.into_iter().map(|run| run.join().unwrap()).sum()
        });
        assert_eq!(total, plan.nodes.len(), "{runs} runs");
    }
}

#[test]
fn work_that_another_process_gave_up_is_done_here() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_of(&[("a", json!({"text": "a"}), vec![])]);
    let key = run_plan(&plan, &RamStore::new()).summary.node("a").unwrap().key().unwrap();
    let other = Store::open(folder.path()).unwrap();
    let Lock::Held(lock) = other.lock(&key) else { panic!("a free key") };
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run_plan(&plan, &Store::open(folder.path()).unwrap()).summary.ran);
        std::thread::sleep(std::time::Duration::from_millis(120));
        drop(lock);
        assert_eq!(run.join().unwrap(), 1);
    });
    // A stop ends the wait.
    let Lock::Held(_lock) =
        other.lock(&run_plan(&diamond("x"), &RamStore::new()).summary.node("a").unwrap().key().unwrap())
    else {
        panic!("a free key")
    };
    let toy = Toy::default();
    let cancel = toy.cancel.clone();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run_with(&diamond("x"), &other, &jobs(1), toy).counts());
        std::thread::sleep(std::time::Duration::from_millis(120));
        cancel.stop();
        assert_eq!(run.join().unwrap(), [0, 0, 0, 4]);
    });
}

#[test]
fn every_damaged_file_is_survived() {
    let plan = long_plan();
    let store = RamStore::new();
    let expected = outputs(&run_with(&plan, &store, &journaled(1), Toy::default()));
    let mut changed = plan.clone();
    // The last node reads again what the others made.
    changed.nodes[3].with["word"] = json!("again");
    for (path, bytes) in store.files() {
        for damaged in [Vec::new(), bytes[..bytes.len() / 2].to_vec(), flipped(&bytes)] {
            let next = store.killed();
            assert!(next.damage(&path, damaged));
            let ran = run_with(&changed, &next, &journaled(2), Toy::default());
            assert!(ran.summary.succeeded(), "{path:?}: {:?}", ran.warnings());
            assert_eq!(outputs(&ran), expected, "{path:?}");
        }
    }
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    bytes
}
