//! How jobs end, and what of it is believed.

use crate::fake::Fake;
use crate::{BIG, QUICK, expected, finished, network, place, place_with, wait_for};
use std::process::Stdio;

/// A pipeline whose node `dm` takes some seconds, and whose node `data` has run.
fn long(cluster: &str) -> Fake {
    let place = place_with(cluster);
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    place.write("smoke.yaml", text.replace("iterations: 3", "iterations: 6000"));
    let _ = place.run(&["run", "smoke.yaml", "data"]).succeeds();
    Fake::new(place)
}

/// The digests of the same on this machine, in a store of its own.
#[track_caller]
fn ends_as_here(fake: &Fake, submitted: usize) -> pddflow_tests::Ran {
    let ran = finished(fake.smoke(&["dm"])).succeeds();
    let here = fake.place.run(&["run", "smoke.yaml", "dm", "--json", "--cache-dir", "here"]).succeeds();
    assert_eq!(ran.digests(), here.digests());
    assert_eq!(fake.submitted(), submitted, "{}", ran.out);
    ran
}

#[test]
fn success_without_a_record_is_a_failure() {
    let fake = Fake::new(place_with(&QUICK.replace("quiet:", "setup: [echo all is well, exit 0], quiet:")));
    finished(fake.command(&["run", "smoke.yaml", "data", "--on", "slurm"]))
        .ends_with(1)
        .says(&["its job 1_1 ended (COMPLETED) on node1 without a result", "all is well"]);
}

#[test]
fn a_record_is_success_whatever_slurm_says() {
    let fake = Fake::new(place());
    fake.set("word", "FAILED");
    let ran = finished(fake.smoke(&[])).succeeds();
    assert_eq!(&ran.digests(), expected());
    assert_eq!(fake.submitted(), BIG.len());
}

/// A network file system may remember for long that a file was not there; listing its folder makes it look again.
#[test]
fn folders_are_listed_before_a_record_is_judged_missing() {
    let fake = Fake::new(place());
    let mut command = fake.smoke(&[]);
    command.env("LD_PRELOAD", network(&fake.place));
    let ran = finished(command).succeeds();
    assert_eq!(&ran.digests(), expected());
    assert_eq!(fake.submitted(), BIG.len(), "{}", ran.out);
}

#[test]
fn a_job_that_takes_too_much_memory_is_told() {
    let fake = Fake::new(place_with(&QUICK.replace("quiet:", "setup: [exit 1], quiet:")));
    fake.set("word", "OUT_OF_MEMORY");
    finished(fake.command(&["run", "smoke.yaml", "data", "--on", "slurm"]))
        .ends_with(1)
        .says(&["its job 1_1 took more memory than it had on node1", "raise `resources: { memory: ... }`"]);
}

#[test]
fn preemption_costs_no_retry_and_the_next_job_may_have_more() {
    let fake = long(&QUICK.replace("cpus: 1", "cpus: 1, time: [1m, 2h], memory: [1GiB, 3GiB]"));
    fake.set("preempt", "2");
    let ran = ends_as_here(&fake, 3);
    assert_eq!(ran.nodes("node_resumed"), ["dm", "dm"], "each goes on from the checkpoint of the one before");
    assert!(ran.nodes("node_retrying").is_empty());
    let asked = fake.noted("arguments");
    let asked: Vec<Vec<&str>> = asked
        .lines()
        .map(|line| line.split(' ').filter(|word| word.starts_with("--time") || word.starts_with("--mem")).collect())
        .collect();
    let more = vec!["--mem=3072M", "--time=0-02:00:00"];
    assert_eq!(asked, [vec!["--mem=1024M", "--time=0-00:01:00"], more.clone(), more]);
    let explained = fake.place.run(&["explain", "smoke.yaml", "dm", "--json"]).succeeds().json();
    assert_eq!(explained["job"]["jobs"], 3, "{explained}");
}

#[test]
fn machines_that_fail_twice_are_left_out() {
    let fake = long(QUICK);
    fake.set("broken", "2");
    ends_as_here(&fake, 3);
    let asked: Vec<bool> = fake.noted("arguments").lines().map(|line| line.contains("--exclude=node1")).collect();
    assert_eq!(asked, [false, false, true]);
}

#[test]
fn a_job_that_vanishes_again_and_again_fails_with_what_the_accounts_say() {
    let fake = Fake::new(place_with(&QUICK.replace("lost: 3s", "lost: 1s")));
    for fault in ["hidden", "forgotten", "never"] {
        fake.set(fault, "");
    }
    fake.set(
        "accounts",
        "1_1|NODE_FAIL|0:0|n7\n2_1|NODE_FAIL|0:0|n7\n3_1|NODE_FAIL|0:0|n7\n4_1|OUT_OF_MEMORY|0:125|n7\n",
    );
    let ran = finished(fake.command(&["run", "smoke.yaml", "data", "--on", "slurm"])).ends_with(1);
    ran.says(&[
        "its job is gone and left no result (Slurm says: NODE_FAIL, exit code 0:0, n7): it is submitted again",
        "its job vanished 4 times (Slurm says: OUT_OF_MEMORY, exit code 0:125, n7)",
    ]);
    assert_eq!(fake.submitted(), 4);
}

#[test]
fn resources_and_clusters_change_no_key() {
    let place = place();
    let _ = place.run(&["run", "smoke.yaml"]).succeeds();
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap().replace(
        "    kind: evaluate\n",
        "    kind: evaluate\n    resources: { cpus: 3, memory: [1GiB, 2GiB], gpus: 1, time: [1h, 2h], partition: p, account: a, qos: q, constraint: c, gres: g, extra: [--exclusive] }\n",
    );
    place.write(
        "smoke.yaml",
        text.replace("defaults: { cpus: 1 }", "defaults: { cpus: 2, time: 1h }, setup: [module load cuda]"),
    );
    let fake = Fake::new(place);
    let ran = finished(fake.smoke(&[])).succeeds();
    assert_eq!((fake.submitted(), ran.nodes("node_started").len()), (0, 0), "{}", ran.out);
    assert_eq!(&ran.digests(), expected());
}

#[test]
fn the_next_head_takes_up_a_job_under_its_number() {
    let fake = long(QUICK);
    let mut child = fake.smoke(&["dm"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the job", || fake.place.run(&["status"]).out.contains("job 1_1 on "));
    child.kill().unwrap();
    child.wait().unwrap();
    fake.set("hidden", "");
    let ran = ends_as_here(&fake, 1);
    let events = ran.events();
    let jobs: Vec<&str> = events.iter().filter_map(|event| event["job"].as_str()).collect();
    assert!(!jobs.is_empty() && jobs.iter().all(|job| *job == "1_1"), "{jobs:?}");
}
