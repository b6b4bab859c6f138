//! `pddflow work`: a task of a job file, apart from any cluster.

use crate::fake::Fake;
use crate::{finished, place};
use pddflow_tests::Place;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A job file of the first node of a run, its folder and its first task.
fn job(place: Place) -> (Fake, std::path::PathBuf) {
    let fake = Fake::new(place);
    fake.set("never", "");
    let mut child = fake.smoke(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    while fake.submitted() == 0 {
        assert!(Instant::now() < limit);
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let store = fake.place.path(".pddflow/cluster");
    let folders = fs_err::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let jobs = folders.map(|folder| folder.join("jobs")).find(|jobs| jobs.is_file()).unwrap();
    (fake, jobs)
}

fn outcome(jobs: &std::path::Path) -> Value {
    let text = fs_err::read_to_string(jobs.parent().unwrap().join("done/1")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["outcome"].clone()
}

fn work(fake: &Fake, jobs: &str) -> Command {
    fake.command(&["work", jobs])
}

#[test]
fn a_task_stores_its_record_and_says_so() {
    let (fake, jobs) = job(place());
    let path = jobs.to_str().unwrap();
    let _ = finished(work(&fake, path)).succeeds();
    assert_eq!(outcome(&jobs), "recorded");
    let plan = fake.place.run(&["plan", "smoke.yaml", "--json"]).succeeds().json();
    assert_eq!((&plan["nodes"][0]["node"], &plan["nodes"][0]["state"]), (&"data".into(), &"fresh".into()));
    // No journal, no results folder: those are the head's.
    assert!(!fake.place.path("results").exists());
    assert_eq!(fs_err::read_dir(fake.place.path(".pddflow/v1/runs")).unwrap().count(), 1);
    // A second time there is nothing left to do.
    let _ = finished(work(&fake, path)).succeeds();
    assert_eq!(outcome(&jobs), "recorded");
    // The same through standard input.
    let mut command = work(&fake, "-");
    command.stdin(fs_err::File::open(&jobs).unwrap().into_file());
    let _ = finished(command).succeeds();
}

#[test]
fn work_whose_key_would_be_another_one_here_is_refused_before_it_begins() {
    let (fake, jobs) = job(place());
    let text = fs_err::read_to_string(&jobs).unwrap();
    let refused = |text: String, says: &str| {
        assert_ne!(text, fs_err::read_to_string(&jobs).unwrap_or_default());
        let other = jobs.with_file_name("other");
        fs_err::write(&other, text).unwrap();
        finished(work(&fake, other.to_str().unwrap()))
            .ends_with(6)
            .says(&[says, "would be computed under another key"]);
        let said = outcome(&jobs);
        assert_eq!(said["refused"]["code"], "pddflow::runner::other_key", "{said}");
    };
    refused(text.replacen("[\"revision\",", "[\"revision\",7", 1), "`revision` is ");
    refused(text.replacen("[\"revision\",", "[\"other\",1],[\"revision\",", 1), "`other` is no part of the key here");
    assert!(!fake.place.path(".pddflow/v1/records").exists(), "nothing was computed");
}

#[test]
fn plugins_and_instructions_that_differ_are_refused() {
    let (fake, jobs) = job(place());
    let text = fs_err::read_to_string(&jobs).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let other = jobs.with_file_name("other");
    let write = |lines: &[Value]| {
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        fs_err::write(&other, text.join("\n") + "\n").unwrap();
    };
    let site = lines[0]["site"].clone();
    lines[0]["site"]["instructions"] = "avx9".into();
    write(&lines);
    finished(work(&fake, other.to_str().unwrap()))
        .ends_with(6)
        .says(&["`instructions` is avx9 where the job was made"]);
    lines[0]["site"] = site;
    lines[0]["site"]["plugins"][0]["digest"] = format!("b3:{}", "0".repeat(64)).into();
    write(&lines);
    finished(work(&fake, other.to_str().unwrap()))
        .ends_with(6)
        .says(&["is another file here than where the job was made"]);
    finished(work(&fake, "nothing")).ends_with(2).says(&["no task can be read from nothing"]);
}

#[test]
fn signals_end_a_task_at_a_checkpoint_however_often_they_come() {
    for signal in ["USR2", "TERM"] {
        let place = place();
        let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
        place.write("smoke.yaml", text.replace("iterations: 3", "iterations: 100000"));
        let _ = place.run(&["run", "smoke.yaml", "data"]).succeeds();
        let (fake, jobs) = job(place);
        let lines = fs_err::read_to_string(&jobs).unwrap();
        let task = lines.lines().position(|line| line.contains("\"node\":\"dm\"")).unwrap().to_string();
        let mut command = fake.command(&["work", jobs.to_str().unwrap(), "--task", &task]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let events = jobs.with_file_name("events").join(&task);
        let limit = Instant::now() + Duration::from_secs(60);
        while !fs_err::read_to_string(&events).unwrap_or_default().contains("progress") {
            assert!(Instant::now() < limit);
            std::thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..3 {
            let _ = Command::new("kill").args(["-s", signal, &child.id().to_string()]).stderr(Stdio::null()).status();
        }
        assert_eq!(child.wait().unwrap().code(), Some(75), "{signal}");
        let done = fs_err::read_to_string(jobs.with_file_name("done").join(&task)).unwrap();
        let done: Value = serde_json::from_str(&done).unwrap();
        assert_eq!(done["outcome"], "stopped", "{signal}: {done}");
        // One more may have been due before the signal came.
        assert!(done["checkpoints"].as_u64().is_some_and(|count| (1..=2).contains(&count)), "{signal}: {done}");
    }
}
