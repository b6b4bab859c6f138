//! Runs on a cluster: with programs that play Slurm and misbehave, and on a Slurm that the test starts.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a failing test should panic")]

mod endings;
mod fake;
mod faults;
mod programs;
mod real;
mod slurm;
mod watching;
mod work;

use pddflow_tests::{Digests, Place, Ran, workspace_root};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Settings of a cluster that answers at once.
const QUICK: &str = "\ncluster: { quiet: 100ms, poll: 300ms, lost: 3s, defaults: { cpus: 1 } }\n";

/// A folder with the smoke pipeline for a quick cluster.
fn place() -> Place {
    place_with(QUICK)
}

fn place_with(cluster: &str) -> Place {
    let place = Place::new();
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    place.write("smoke.yaml", text + cluster);
    place
}

/// The digests of a run on this machine.
fn expected() -> &'static Digests {
    static EXPECTED: OnceLock<Digests> = OnceLock::new();
    EXPECTED.get_or_init(|| Place::new().run(&["run", "smoke.yaml", "--json"]).succeeds().digests())
}

#[track_caller]
fn finished(mut command: Command) -> Ran {
    command.output().unwrap().into()
}

/// The nodes of the smoke pipeline that are no small ones.
const BIG: [&str; 7] = ["data", "dm", "dsa", "eval[of=dm]", "eval[of=dsa]", "eval[of=random]", "random"];

/// Waits for something that takes moments on an idle machine.
#[track_caller]
fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(300);
    while !ready() {
        assert!(Instant::now() < limit, "{what} did not happen in five minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A pipeline of so many nodes that do nothing.
fn many(nodes: usize, cluster: &str) -> String {
    let text = "format: 1\nname: many\nnodes:\n  n: { for: { k: 1..=MANY }, kind: command, with: { run: [touch, \"o${k}\"], outputs: [\"o${k}\"] } }\n";
    text.replace("MANY", &nodes.to_string()) + cluster
}

/// How many nodes tests of many have.
fn many_nodes(usual: usize) -> usize {
    std::env::var("PDDFLOW_NODES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Runs a call that ends well: the processor time of the process without its children, and the time that it took, in seconds.
#[track_caller]
fn measured(mut command: Command) -> (f64, f64) {
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut seconds = 0.0;
    while child.try_wait().unwrap().is_none() {
        seconds = own_seconds(child.id()).unwrap_or(seconds);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success());
    (seconds, began.elapsed().as_secs_f64())
}

fn own_seconds(process: u32) -> Option<f64> {
    let stat = fs_err::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    // In hundredths of a second on every Linux.
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// A library that plays a network file system when it is loaded first; see `network.c`.
#[track_caller]
fn network(place: &Place) -> PathBuf {
    let library = place.path("network.so");
    let source = workspace_root().join("tests/cluster/network.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(compiler.status().unwrap().success());
    library
}

/// As Ctrl-C does.
fn interrupt(process: u32) {
    let done = Command::new("kill").args(["-s", "INT", &process.to_string()]).status().unwrap();
    assert!(done.success());
    // Two signals that come at the same moment are one.
    std::thread::sleep(Duration::from_millis(300));
}
