//! `--on 'COMMAND'`: nodes are computed by a program that gets a job file.

use crate::{BIG, expected, finished, interrupt, place_with, wait_for};
use pddflow_tests::{Place, Ran, program};
use std::process::Stdio;
use std::time::Duration;

/// A way to another machine, as far as the run can tell.
fn worker() -> String {
    format!("cd / && exec '{}' work -", program().display())
}

fn run(place: &Place, on: &str, more: &[&str]) -> Ran {
    finished(place.command(&[&["run", "smoke.yaml", "--json", "--on", on], more].concat()))
}

#[test]
fn a_program_that_takes_job_files_gives_the_digests_of_a_run_here() {
    let place = place_with("\ncluster: { at_once: 2 }\n");
    let ran = run(&place, &worker(), &[]).succeeds();
    assert_eq!(&ran.digests(), expected());
    assert_eq!(ran.nodes("node_queued"), BIG);
    assert_eq!(ran.nodes("node_job"), BIG, "each has said where it runs");
    assert_eq!(run(&place, &worker(), &[]).succeeds().nodes("node_queued").len(), 0);
}

#[test]
fn a_program_without_a_word_fails_the_node_with_what_it_printed() {
    let ran = finished(place_with("").command(&["run", "smoke.yaml", "--on", "echo no such machine; exit 7"]));
    ran.ends_with(1).says(&[
        "ended (exit status: 7) without a word about the node",
        "no such machine",
        "pddflow work -",
    ]);
}

#[test]
fn an_interrupt_reaches_the_program_and_its_node_goes_on_next_time() {
    let place = place_with("");
    let slow = ["--set", "nodes.dm.with.iterations=100000"];
    let on = worker();
    let mut command = place.command(&[&["run", "smoke.yaml", "dm", "--on", on.as_str()], &slow[..]].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the job of dm", || fs_err::read_dir(place.path(".pddflow/cluster")).map_or(0, Iterator::count) >= 2);
    std::thread::sleep(Duration::from_secs(3));
    interrupt(child.id());
    wait_for("the end of the run", || child.try_wait().unwrap().is_some());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert_eq!(fs_err::read_dir(place.path(".pddflow/v1/partial")).unwrap().count(), 1, "a checkpoint");
}

#[test]
fn what_is_no_way_to_run_nodes_is_told() {
    let ran = finished(place_with("").command(&["run", "smoke.yaml", "--on", "slrum"]));
    ran.ends_with(2).says(&["`here`, `slurm`, or a command such as `ssh node pddflow work -`"]);
}
