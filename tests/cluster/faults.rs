//! What a cluster does wrong must neither lose a job nor run it twice.

use crate::fake::Fake;
use crate::{
    BIG, QUICK, expected, finished, interrupt, many, many_nodes, measured, network, place, place_with, wait_for,
};
use pddflow_tests::Ran;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Ends with the digests of a run on this machine, each node submitted once.
#[track_caller]
fn ends_well(fake: &Fake) -> Ran {
    let ran = finished(fake.smoke(&[])).succeeds();
    assert_eq!(&ran.digests(), expected());
    assert_eq!(fake.submitted(), BIG.len(), "{}", ran.err);
    ran
}

#[test]
fn a_run_on_the_cluster_gives_the_digests_of_a_run_here() {
    let fake = Fake::new(place());
    let ran = ends_well(&fake);
    assert_eq!(ran.nodes("node_queued"), BIG);
    assert!(fake.arrays() <= 4, "nodes that are ready together make one array: {}", fake.arrays());
    // All claims are given back, and nothing runs a second time.
    assert_eq!(fs_err::read_dir(fake.place.path(".pddflow/cluster/keys")).unwrap().count(), 0);
    assert_eq!(finished(fake.smoke(&[])).succeeds().nodes("node_queued").len(), 0);
    let status = fake.place.run(&["status", "last~1"]).succeeds().out;
    assert!(status.contains("job "), "{status}");
}

#[test]
fn a_submission_that_succeeds_and_says_that_it_timed_out_is_not_repeated() {
    let fake = Fake::new(place());
    fake.set("late", "2");
    ends_well(&fake);
}

#[test]
fn a_submission_that_only_the_accounts_know_is_not_repeated() {
    let fake = Fake::new(place_with(&QUICK.replace("lost: 3s", "lost: 1m")));
    fake.set("late", "2");
    fake.set("hidden", "");
    fake.set("accounts", "");
    ends_well(&fake);
}

#[test]
fn a_submission_that_fails_for_a_moment_is_repeated() {
    let fake = Fake::new(place());
    fake.set("denied", "2");
    ends_well(&fake);
}

#[test]
fn a_cluster_that_is_too_busy_for_a_submission_is_asked_again_later() {
    let fake = Fake::new(place());
    // More than are tried in a row.
    fake.set("denied", "7");
    let ran = ends_well(&fake);
    assert!(ran.out.contains("Slurm does not take jobs now, and is asked again later: sbatch: error"), "{}", ran.out);
}

#[test]
fn answers_after_half_a_minute_are_waited_for_and_the_head_is_heard_meanwhile() {
    let fake = Fake::new(place());
    fake.set("pause.sbatch", "30");
    fake.set("pause.squeue", "30");
    let began = Instant::now();
    let child = fake.smoke(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let beats = || {
        let heads = fs_err::read_dir(fake.place.path(".pddflow/cluster/heads")).into_iter().flatten().flatten();
        let said = heads.filter_map(|head| fs_err::read_to_string(head.path()).ok()).next()?;
        said.split(' ').nth(1)?.parse::<u32>().ok()
    };
    // `sbatch` has not answered, so that all of this is said while the head waits.
    wait_for("the second word of the head", || beats().is_some_and(|beats| beats >= 2));
    assert_eq!(fake.submitted(), 0, "{:?}", began.elapsed());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(&ran.succeeds().digests(), expected());
    assert_eq!(fake.submitted(), BIG.len());
    assert!(began.elapsed() > Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn an_answer_that_is_no_queue_says_nothing() {
    let fake = Fake::new(place());
    fake.set("garbage", "1000000");
    let ran = ends_well(&fake);
    let events = ran.events();
    let told = events.iter().filter(|event| event["event"] == "warning");
    let told: Vec<&str> = told.filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(told.len(), 1, "told once: {told:?}");
    assert!(told[0].contains("Slurm does not say where jobs are (squeue gave what is no queue"), "{told:?}");
}

#[test]
fn limits_of_the_queue_make_arrays_smaller_and_fail_nothing() {
    let fake = Fake::new(place());
    fake.set("limit", "1");
    ends_well(&fake);
    let fake = Fake::new(place());
    fake.set("array", "3");
    ends_well(&fake);
}

#[test]
fn slow_answers_hold_nothing_up_for_ever() {
    let fake = Fake::new(place());
    fake.set("slow", "2");
    ends_well(&fake);
}

#[test]
fn a_job_that_the_queue_never_lists_is_submitted_again_after_a_while_and_not_before() {
    let fake = Fake::new(place());
    fake.set("hidden", "");
    fake.set("forgotten", "");
    fake.set("never", "");
    let began = Instant::now();
    let mut child = fake.smoke(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("a second submission", || fake.submitted() >= 2);
    assert!(began.elapsed() > Duration::from_secs(3), "{:?}", began.elapsed());
    // Those that were submitted so far wait for ever; the next one runs, and is believed by its record.
    fake.unset("never");
    wait_for("the end", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_job_that_the_queue_hides_and_slurm_knows_is_not_submitted_again() {
    let fake = Fake::new(place());
    fake.set("hidden", "");
    fake.set("never", "");
    let mut child = fake.smoke(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It is asked for as often as it seems lost.
    wait_for("a third question for the job", || fake.asked() >= 3);
    assert_eq!(fake.submitted(), 1);
    interrupt(child.id());
    interrupt(child.id());
    child.wait().unwrap();
}

#[test]
fn jobs_in_hidden_partitions_are_asked_for() {
    let fake = Fake::new(place());
    fake.set("private", "");
    fake.set("never", "");
    let mut child = fake.smoke(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the reason", || fake.place.run(&["status"]).out.contains("waits: Resources"));
    interrupt(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn jobs_that_the_queue_hides_are_believed_by_their_records() {
    let fake = Fake::new(place_with(&QUICK.replace("lost: 3s", "lost: 1m")));
    fake.set("hidden", "");
    ends_well(&fake);
}

#[test]
fn what_a_job_cannot_start_for_is_said_in_the_words_of_slurm() {
    let fake = Fake::new(place());
    fake.set("never", "");
    fake.set("reason", "PartitionTimeLimit");
    let mut command = fake.command(&["run", "smoke.yaml", "--on", "slurm"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("a poll", || fake.polls() > 2);
    interrupt(child.id());
    let ran: Ran = child.wait_with_output().unwrap().into();
    ran.says(&["waits and will not start by itself, says Slurm: PartitionTimeLimit"]);
    assert_eq!(ran.code, Some(130), "{}", ran.err);
}

#[test]
fn one_interrupt_cancels_what_waits_and_lets_running_jobs_write_checkpoints() {
    let fake = Fake::new(place());
    let slow = ["--set", "nodes.dm.with.iterations=100000"];
    let mut command = fake.command(&[&["run", "smoke.yaml", "dm", "--on", "slurm"][..], &slow].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the second job", || {
        fake.submitted() == 2 && fs_err::read_dir(fake.place.path("slurm/jobs/2")).is_ok_and(|files| files.count() > 2)
    });
    std::thread::sleep(Duration::from_secs(2));
    interrupt(child.id());
    wait_for("the end of the run", || child.try_wait().unwrap().is_some());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    let cancelled = fs_err::read_to_string(fake.place.path("slurm/cancelled")).unwrap();
    assert!(cancelled.contains("USR2 2 1"), "{cancelled}");
    assert_eq!(fs_err::read_dir(fake.place.path(".pddflow/v1/partial")).unwrap().count(), 1, "a checkpoint");
}

#[test]
fn two_interrupts_cancel_at_once() {
    let fake = Fake::new(place());
    fake.set("never", "");
    let mut child = fake.smoke(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("a poll", || fake.polls() > 2);
    interrupt(child.id());
    interrupt(child.id());
    wait_for("the end of the run", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let cancelled = fs_err::read_to_string(fake.place.path("slurm/cancelled")).unwrap();
    assert!(cancelled.contains("TERM 1 1"), "{cancelled}");
}

#[test]
fn a_run_that_is_detached_leaves_its_jobs_and_attach_takes_them_up() {
    let fake = Fake::new(place());
    let ran = finished(fake.smoke(&["--detach"])).succeeds();
    ran.says(&["jobs go on; `pddflow attach` or the next run takes them up"]);
    assert_eq!(fake.submitted(), 1, "only the first node is ready");
    let ran = finished(fake.command(&["attach"])).succeeds();
    assert_eq!(&ran.digests(), expected());
    assert_eq!(fake.submitted(), BIG.len());
}

#[test]
fn a_head_that_was_killed_is_followed_by_one_that_submits_nothing_twice() {
    let fake = Fake::new(place());
    for _ in 0..3 {
        let submitted = fake.submitted();
        let mut child = fake.smoke(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for("a submission", || fake.submitted() > submitted || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ends_well(&fake);
}

#[test]
fn two_heads_at_once_submit_nothing_twice() {
    let fake = Fake::new(place());
    let begin = || fake.smoke(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let heads = [begin(), begin()];
    for head in heads {
        let ran: Ran = head.wait_with_output().unwrap().into();
        assert_eq!(&ran.succeeds().digests(), expected());
    }
    assert_eq!(fake.submitted(), BIG.len());
}

/// As two machines that share a file system without locks: what one head claims the other one sees, and nothing else.
#[test]
fn two_heads_without_locks_between_them_submit_nothing_twice() {
    let fake = Fake::new(place());
    let library = network(&fake.place);
    let begin = |machine: &str| {
        fake.place.write(machine, format!("{machine}\n"));
        let mut command = fake.smoke(&[]);
        command.env("LD_PRELOAD", &library).env("NETWORK_HOST", fake.place.path(machine));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let heads = [begin("one"), begin("two")];
    for head in heads {
        let ran: Ran = head.wait_with_output().unwrap().into();
        let ran = ran.succeeds();
        assert_eq!(&ran.digests(), expected());
        assert!(ran.out.contains("cannot be locked"), "{}", ran.out);
    }
    assert_eq!(fake.submitted(), BIG.len(), "{}", fake.noted("submitted"));
}

#[test]
fn what_would_be_submitted_is_shown_and_nothing_is() {
    let fake = Fake::new(place());
    let ran = finished(fake.command(&["run", "smoke.yaml", "--on", "slurm", "--dry-run"])).succeeds();
    for text in ["sbatch --parsable", "--array=1 ", "exec '", "\"node\":\"data\"", "Slurm would take it: "] {
        assert!(ran.out.contains(text), "`{text}` is not in:\n{}", ran.out);
    }
    assert_eq!(fake.submitted(), 0);
    assert!(!fake.place.path(".pddflow").exists());
}

#[test]
fn a_run_within_a_job_submits_jobs_of_its_own() {
    let fake = Fake::new(place());
    let mut command = fake.smoke(&["data"]);
    command.env("SLURM_JOB_ID", "7").env("SLURM_ARRAY_TASK_ID", "3");
    assert_eq!(finished(command).succeeds().nodes("node_queued"), ["data"]);
}

#[test]
fn while_nothing_changes_slurm_is_asked_less_and_less_often() {
    let fake = Fake::new(place());
    fake.set("never", "");
    let mut child = fake.smoke(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("a poll", || fake.polls() > 0);
    let before = fake.polls();
    std::thread::sleep(Duration::from_secs(10));
    // Every 0.3 s were more than thirty.
    let more = fake.polls() - before;
    assert!((1..=8).contains(&more), "{more}");
    interrupt(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// `PDDFLOW_NODES=2000` makes it large; the default is small, for every change.
#[test]
fn arrays_of_nodes_that_do_nothing_cost_the_head_little() {
    let nodes = many_nodes(100);
    let fake = Fake::new(place());
    fake.place.write("many.yaml", many(nodes, &QUICK.replace("poll: 300ms", "poll: 2s")));
    let (seconds, took) = measured(fake.command(&["run", "many.yaml", "--on", "slurm", "--quiet"]));
    let (polls, arrays, each) = (fake.polls(), fake.arrays(), 1_000.0 * seconds / nodes as f64);
    println!("{nodes} nodes in {took:.1} s, {arrays} arrays: {each:.2} ms of the head for each, {polls} polls");
    assert_eq!(fake.submitted(), nodes);
    assert!(each < 5.0, "{each} ms of the head for each node");
    assert!(polls > 0 && polls as f64 <= took / 2.0 + 2.0, "{polls} polls in {took} s");
}

#[test]
fn places_that_become_free_in_a_full_queue_are_filled_by_arrays() {
    let fake = Fake::new(place());
    fake.place.write("many.yaml", many(60, &QUICK.replace("quiet: 100ms", "quiet: 400ms, queued: 10")));
    let (_, took) = measured(fake.command(&["run", "many.yaml", "--on", "slurm", "--quiet"]));
    let arrays = fake.arrays();
    assert_eq!(fake.submitted(), 60);
    assert!((6..=30).contains(&arrays) && arrays as f64 <= 2.0 + took / 2.0, "{arrays} arrays in {took} s");
}
