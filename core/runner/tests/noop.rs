//! What the runner itself costs: a run in which nothing is to be done, and a run of nodes that do nothing. Prints its
//! figures; run it with `--release -- --nocapture` for ones worth quoting (targets: `no-op 10,000 nodes` 150 ms,
//! `own overhead per node` 0.3 ms). The bounds that it asserts are wide, so that a busy machine does not fail it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failing test should panic; figures are its purpose")]

mod common;

use common::{Toy, jobs, plan_of};
use pddflow_runner::cache::{RamStore, Store};
use pddflow_runner::pipeline::Plan;
use pddflow_runner::{Cancel, Settings};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Ten chains, as in the comparison with other runners.
fn chains(count: usize) -> Plan {
    let names: Vec<String> = (0..count).map(|at| format!("node[{at}]")).collect();
    let with = |at: usize| json!({"text": at.to_string(), "model": "convnet", "epochs": 30, "lr": 0.01, "seed": 0});
    let needs = |at: usize| if at < 10 { vec![] } else { vec![names[at - 10].as_str()] };
    plan_of(
        &(0..count)
            .map(|at| (names[at].as_str(), json!({"constant": at.to_string(), "with": with(at)}), needs(at)))
            .collect::<Vec<_>>(),
    )
}

/// A folder with the results of a plan, without the time for syncing them one by one.
fn filled(plan: &Plan, folder: &Path) {
    let ram = RamStore::new();
    // A disk in memory goes through all its files at each sync.
    ram.set_lazy(true);
    run(plan, &ram, &jobs(1));
    for (path, bytes) in ram.files() {
        let file = folder.join(path);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, bytes).unwrap();
    }
}

fn run(plan: &Plan, store: &Store, settings: &Settings) -> [usize; 2] {
    let summary = pddflow_runner::run(plan, &Toy::default(), store, settings, &Cancel::new(), &drop).unwrap();
    [summary.fresh, summary.ran]
}

#[test]
fn a_run_with_nothing_to_do_costs_little() {
    // Making so many files takes minutes; only a release build gives figures worth them.
    let counts: &[usize] = if cfg!(debug_assertions) { &[100, 1_000] } else { &[100, 1_000, 10_000, 100_000] };
    for &count in counts {
        let plan = chains(count);
        let folder = tempfile::tempdir().unwrap();
        filled(&plan, folder.path());
        let root = folder.path().join("store");
        let settings = Settings { jobs: 2, ..Settings::default() };
        let mut best = [f64::INFINITY; 2];
        for _ in 0..10 {
            let started = Instant::now();
            let store = Store::open(&root).unwrap();
            assert_eq!(pddflow_runner::plan(&plan, &Toy::default(), &store).len(), count);
            let planned = started.elapsed().as_secs_f64();
            let started = Instant::now();
            let store = Store::open(&root).unwrap();
            assert_eq!(run(&plan, &store, &settings), [count, 0]);
            let ran = started.elapsed().as_secs_f64();
            best = [best[0].min(planned), best[1].min(ran)];
        }
        let [planned, ran] = best.map(|seconds| seconds * 1e3);
        eprintln!("no-op {count:>6} nodes: plan {planned:7.2} ms, run {ran:7.2} ms");
        assert!(ran < 100.0 + count as f64 * 0.5, "{ran} ms");
    }
}

#[test]
fn a_node_that_does_nothing_costs_little() {
    // The end of a run waits for the disk once; what that costs a node depends on how many share it.
    for count in [50, 1_000] {
        let plan = chains(count);
        let folder = tempfile::tempdir().unwrap();
        let measure = |store: &Store, jobs_at_once: usize| {
            let settings = Settings { jobs: jobs_at_once, ..Settings::default() };
            let started = Instant::now();
            assert_eq!(run(&plan, store, &settings), [0, count]);
            started.elapsed().as_secs_f64() * 1e3 / count as f64
        };
        let ram = RamStore::new();
        ram.set_lazy(true);
        let memory = measure(&ram, 2);
        let [one, two] =
            [1, 2].map(|at_once| measure(&Store::open(&folder.path().join(at_once.to_string())).unwrap(), at_once));
        eprintln!(
            "own overhead per node of {count}: {memory:.3} ms in memory; on disk {one:.3} ms with 1 job, {two:.3} ms with 2"
        );
        assert!(memory < 20.0);
    }
}
