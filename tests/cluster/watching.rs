//! What is told of jobs: by the run itself, `status`, `explain`, `logs`; and who may remove what they need.

use crate::fake::Fake;
use crate::{QUICK, finished, interrupt, place, place_with, wait_for};
use pddflow_tests::Ran;
use serde_json::Value;
use std::process::{Child, Stdio};

/// A pipeline of two arrays that differ in what they ask for, with nodes that do nothing.
fn two_arrays() -> Fake {
    let text = "format: 1\nname: two\nnodes:\n  \
                small: { for: { k: 1..=3 }, kind: command, with: { run: [touch, \"o${k}\"], outputs: [\"o${k}\"] } }\n  \
                large: { for: { k: 1..=2 }, kind: command, with: { run: [touch, \"p${k}\"], outputs: [\"p${k}\"] }, resources: { cpus: 2 } }\n";
    let fake = Fake::new(place());
    fake.place.write("two.yaml", text.to_owned() + QUICK);
    fake
}

fn begin(fake: &Fake, arguments: &[&str]) -> Child {
    fake.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Ran {
    interrupt(child.id());
    child.wait_with_output().unwrap().into()
}

#[test]
fn each_array_has_its_own_progress() {
    let fake = two_arrays();
    fake.set("never", "");
    let child = begin(&fake, &["run", "two.yaml", "--on", "slurm"]);
    wait_for("both arrays", || fake.submitted() == 5);
    let told = || fake.place.run(&["status", "--json"]).json()["runs"][0]["arrays"].clone();
    wait_for("all jobs", || {
        let queued: u64 = told().as_array().unwrap().iter().filter_map(|array| array["queued"].as_u64()).sum();
        // The run says it once Slurm has said something of them.
        queued == 5 && fake.place.run(&["status"]).out.contains("waits: Resources")
    });
    let arrays = told();
    let numbers = |array: &Value| (array["id"].clone(), array["families"].clone(), array["queued"].clone());
    assert_eq!(numbers(&arrays[0]), ("1".into(), ["small"].into(), 3.into()), "{arrays}");
    assert_eq!(numbers(&arrays[1]), ("2".into(), ["large"].into(), 2.into()), "{arrays}");
    let status = fake.place.run(&["status"]).succeeds().out;
    for line in ["array    1 small  3 queued, 0 of 3 finished\n", "array    2 large  2 queued, 0 of 2 finished\n"] {
        assert!(status.contains(line), "`{line}` is not in:\n{status}");
    }
    let ran = end(child);
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    ran.says(&["array   1 small  3 queued, 0 of 3 finished", "array   2 large  2 queued, 0 of 2 finished"]);
}

#[test]
fn arrays_that_have_ended_are_counted() {
    let fake = two_arrays();
    let _ = finished(fake.command(&["run", "two.yaml", "--on", "slurm"])).succeeds();
    let arrays = fake.place.run(&["status", "--json"]).succeeds().json()["runs"][0]["arrays"].clone();
    for (array, jobs) in arrays.as_array().unwrap().iter().zip([3, 2]) {
        assert_eq!((&array["finished"], &array["queued"], &array["running"]), (&jobs.into(), &0.into(), &0.into()));
        assert!(array["per_minute"].as_f64().is_some_and(|rate| rate > 0.0), "{array}");
    }
}

#[test]
fn explain_and_logs_know_the_job_of_a_node() {
    let fake = Fake::new(place());
    fake.set("never", "");
    fake.set("reason", "Priority");
    let child = begin(&fake, &["run", "smoke.yaml", "--on", "slurm"]);
    let explained = || fake.place.run(&["explain", "smoke.yaml", "data", "--json"]).json()["job"].clone();
    wait_for("the reason", || explained()["reason"] == "Priority");
    let job = explained();
    assert_eq!((&job["id"], &job["state"], &job["jobs"]), (&"1_1".into(), &"queued".into(), &1.into()), "{job}");
    let words = fake.place.run(&["explain", "smoke.yaml", "data"]).succeeds().out;
    assert!(words.contains("job      1_1 waits: Priority\n"), "{words}");
    assert_eq!(end(child).code, Some(130));
    // One that runs has a machine, and what it prints is shown.
    let fake = Fake::new(place_with(&QUICK.replace("quiet:", "setup: [echo loading modules], quiet:")));
    let _ = finished(fake.command(&["run", "smoke.yaml", "data", "--on", "slurm"])).succeeds();
    let job = fake.place.run(&["explain", "smoke.yaml", "data", "--json"]).json()["job"].clone();
    assert!(job["state"] == "running" && job["host"].is_string(), "{job}");
    let logs = fake.place.run(&["logs", "smoke.yaml", "data"]).succeeds().out;
    assert!(logs.contains("loading modules"), "{logs}");
}

#[test]
fn the_jobs_of_a_run_that_was_detached_are_known() {
    let fake = Fake::new(place());
    fake.set("never", "");
    let _ = finished(fake.command(&["run", "smoke.yaml", "--on", "slurm", "--detach"])).succeeds();
    let status = fake.place.run(&["status"]).succeeds().out;
    for text in ["smoke detached after ", "left     data  job 1_1"] {
        assert!(status.contains(text), "`{text}` is not in:\n{status}");
    }
    let explained = fake.place.run(&["explain", "smoke.yaml", "data"]).succeeds().out;
    assert!(explained.contains("job      1_1"), "{explained}");
}

#[test]
fn nothing_is_removed_while_a_head_lives() {
    let fake = Fake::new(place());
    fake.set("never", "");
    let mut child = begin(&fake, &["run", "smoke.yaml", "--on", "slurm"]);
    wait_for("a submission", || fake.submitted() == 1);
    for command in [["cache", "gc"].as_slice(), &["cache", "rm", "data", "--pipeline", "smoke.yaml"]] {
        fake.place.run(command).ends_with(5).says(&["uses the store: nothing is removed"]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Its job may still begin, and is not robbed of its job file.
    let _ = fake.place.run(&["cache", "gc", "--max-age", "0s"]).succeeds();
    let batches = fs_err::read_dir(fake.place.path(".pddflow/cluster")).unwrap();
    assert_eq!(batches.filter(|batch| batch.as_ref().unwrap().path().join("jobs").is_file()).count(), 1);
}
