//! Runs on a real Slurm. `PDDFLOW_KILLS=50` kills the head so often; the default is few, for every change.

use crate::slurm::{Slurm, calls};
use crate::{BIG, expected, finished, interrupt, many, many_nodes, measured, place, place_with, wait_for};
use pddflow_tests::{Place, Ran, workspace_root};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SETTINGS: &str = "\ncluster: { quiet: 200ms, poll: 500ms, lost: 5s, defaults: { cpus: 1 } }\n";
const DEFAULT_KILLS: u32 = 5;
const KILLS_PER_STORE: u32 = 8;

fn smoke(slurm: &Slurm, place: &Place, more: &[&str]) -> Command {
    slurm.command(place, &[&["run", "smoke.yaml", "--json", "--on", "slurm"], more].concat())
}

#[track_caller]
fn ends_well(slurm: &Slurm, place: &Place) -> Ran {
    let ran = finished(smoke(slurm, place, &[])).succeeds();
    assert_eq!(&ran.digests(), expected());
    ran
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn draw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A pipeline whose second node counts a long time and goes on from checkpoints.
fn long(iterations: u32, cluster: &str) -> Place {
    let place = place_with(cluster);
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    place.write("smoke.yaml", text.replace("iterations: 3", &format!("iterations: {iterations}")));
    place
}

fn job_of(slurm: &Slurm, state: &str) -> Option<String> {
    let text = slurm.tool("squeue", &["-h", "-r", "-t", state, "-o", "%i"]);
    text.lines().next().map(|line| line.trim().to_owned())
}

#[test]
fn the_smoke_pipeline_ends_with_the_digests_of_a_local_run() {
    let Some(slurm) = Slurm::start() else { return };
    let place = place_with(SETTINGS);
    let ran = ends_well(&slurm, &place);
    assert_eq!(ran.nodes("node_queued"), BIG);
    assert_eq!(slurm.submitted(&place), BIG.len());
    let status = place.run(&["status"]).succeeds().out;
    assert!(status.contains("job "), "{status}");
    let shown =
        finished(slurm.command(&place, &["run", "smoke.yaml", "--on", "slurm", "--dry-run", "--set", "seed=1"]));
    assert!(shown.succeeds().out.contains("Slurm would take it: "));
}

/// The smoke profile of a pipeline of this repository, with all nodes but small ones on the cluster.
#[track_caller]
fn ends_as_here(slurm: &Slurm, file: &str) {
    let place = Place::new();
    let copied = Command::new("cp").arg("-r").arg(workspace_root().join("pipelines")).arg(place.path("")).status();
    assert!(copied.unwrap().success());
    let on_cluster = format!("{}_on_cluster.yaml", file.trim_end_matches(".yaml"));
    let name = file.rsplit('/').next().unwrap();
    place.write(&on_cluster, format!("format: 1\nname: on-cluster\ninclude: [{name}]{SETTINGS}"));
    let arguments = ["run", &on_cluster, "--profile", "smoke", "--json"];
    let here = place.run(&[&arguments[..], &["--cache-dir", "here"]].concat()).succeeds();
    let began = Instant::now();
    let there = [&arguments[..], &["--cache-dir", "there", "--on", "slurm"]].concat();
    let there = finished(slurm.command(&place, &there)).succeeds();
    println!("{file}: {} jobs, {:.0} s", there.nodes("node_queued").len(), began.elapsed().as_secs_f64());
    assert_eq!(there.digests(), here.digests());
}

#[test]
fn the_experiments_of_the_paper_end_with_the_digests_of_a_local_run() {
    let Some(slurm) = Slurm::start() else { return };
    ends_as_here(&slurm, "pipelines/paper/table1_cifar10.yaml");
    ends_as_here(&slurm, "pipelines/cifar100_continual.yaml");
}

#[test]
fn killed_heads_are_followed_by_ones_that_submit_nothing_twice() {
    let wanted = std::env::var("PDDFLOW_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_KILLS);
    let Some(slurm) = Slurm::start() else { return };
    let began = Instant::now();
    let _ = ends_well(&slurm, &place_with(SETTINGS));
    let whole = began.elapsed();
    let (mut kills, mut ends, mut state) = (0, 0, 1);
    let (mut place, mut in_this) = (place_with(SETTINGS), 0);
    while kills < wanted {
        let pause = whole.mul_f64(0.7 * draw(&mut state));
        let mut child = smoke(&slurm, &place, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(pause);
        let ended = child.try_wait().unwrap().is_some();
        if !ended {
            child.kill().unwrap();
            (kills, in_this) = (kills + 1, in_this + 1);
        }
        child.wait().unwrap();
        if ended || in_this == KILLS_PER_STORE || kills == wanted {
            let _ = ends_well(&slurm, &place);
            assert_eq!(slurm.submitted(&place), BIG.len(), "after {in_this} kills");
            (place, in_this, ends) = (place_with(SETTINGS), 0, ends + 1);
        }
    }
    println!("{kills} kills, {ends} runs brought to their end, {:.0} s", began.elapsed().as_secs_f64());
}

#[test]
fn a_job_that_is_cancelled_from_outside_fails_its_node_and_goes_on_next_time() {
    let Some(slurm) = Slurm::start() else { return };
    let place = long(20_000, SETTINGS);
    let mut command = slurm.command(&place, &["run", "smoke.yaml", "dm", "--on", "slurm"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the job of dm", || slurm.submitted(&place) == 2 && job_of(&slurm, "R").is_some());
    std::thread::sleep(Duration::from_secs(3));
    slurm.tool("scancel", &[&job_of(&slurm, "R").unwrap()]);
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    ran.says(&["was cancelled (CANCELLED)", "run again to go on from its checkpoint"]);
    let again = finished(slurm.command(&place, &["run", "smoke.yaml", "dm", "--on", "slurm", "--json"])).succeeds();
    assert_eq!(again.nodes("node_resumed"), ["dm"]);
}

#[test]
fn an_interrupt_lets_running_jobs_write_checkpoints_and_two_cancel_them() {
    let Some(slurm) = Slurm::start() else { return };
    let place = long(20_000, SETTINGS);
    let begin = || {
        let mut command = slurm.command(&place, &["run", "smoke.yaml", "dm", "--on", "slurm", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = begin();
    wait_for("the job of dm", || slurm.submitted(&place) == 2 && job_of(&slurm, "R").is_some());
    std::thread::sleep(Duration::from_secs(3));
    interrupt(child.id());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, job_of(&slurm, "R,PD")), (Some(130), None), "{}", ran.out);
    let child = begin();
    wait_for("the next job of dm", || slurm.submitted(&place) == 3 && job_of(&slurm, "R").is_some());
    std::thread::sleep(Duration::from_secs(3));
    interrupt(child.id());
    interrupt(child.id());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, ran.nodes("node_resumed")), (Some(130), vec!["dm".to_owned()]), "{}", ran.out);
    wait_for("the end of the job", || job_of(&slurm, "R,PD,CG").is_none());
}

#[test]
fn a_run_that_is_detached_is_taken_up() {
    let Some(slurm) = Slurm::start() else { return };
    let place = place_with(SETTINGS);
    let _ = finished(smoke(&slurm, &place, &["--detach"])).succeeds();
    assert_eq!(slurm.submitted(&place), 1);
    let ran = finished(slurm.command(&place, &["attach"])).succeeds();
    assert_eq!(&ran.digests(), expected());
    assert_eq!(slurm.submitted(&place), BIG.len());
}

#[test]
fn a_time_limit_ends_jobs_at_checkpoints_until_the_node_is_done() {
    let Some(slurm) = Slurm::start() else { return };
    // Slurm counts in minutes: the signal comes when little of the only one has passed.
    let cluster = "\ncluster: { quiet: 200ms, poll: 500ms, lost: 5s, signal: 55s, defaults: { cpus: 1, time: 1m } }\n";
    let place = long(25_000, cluster);
    let ran = finished(slurm.command(&place, &["run", "smoke.yaml", "dm", "--on", "slurm", "--json"])).succeeds();
    let submitted = slurm.submitted(&place);
    assert!(submitted > 2 && !ran.nodes("node_resumed").is_empty(), "{submitted} jobs: {}", ran.out);
    let here = Place::new();
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    here.write("smoke.yaml", text);
    assert_eq!(ran.digests(), here.run(&["run", "smoke.yaml", "dm", "--json"]).succeeds().digests());
}

#[test]
fn a_job_that_slurm_starts_again_is_the_same_job() {
    let Some(slurm) = Slurm::start() else { return };
    let cluster = "\ncluster: { quiet: 200ms, poll: 500ms, lost: 60s, requeue: true, defaults: { cpus: 1 } }\n";
    let place = long(20_000, cluster);
    let mut child = slurm
        .command(&place, &["run", "smoke.yaml", "dm", "--on", "slurm", "--json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the job of dm", || slurm.submitted(&place) == 2 && job_of(&slurm, "R").is_some());
    std::thread::sleep(Duration::from_secs(2));
    slurm.tool("scontrol", &["requeue", &job_of(&slurm, "R").unwrap()]);
    // A job that was put back waits two minutes unless it is told not to.
    wait_for("the job in the queue again", || job_of(&slurm, "PD").is_some());
    slurm.tool("scontrol", &["update", &format!("JobId={}", job_of(&slurm, "PD").unwrap()), "StartTime=now"]);
    wait_for("the end", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
    assert_eq!(slurm.submitted(&place), 2);
}

#[test]
fn a_controller_that_is_away_for_some_time_is_waited_for() {
    let Some(slurm) = Slurm::start() else { return };
    let place = place_with(SETTINGS);
    let child = smoke(&slurm, &place, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("a submission", || slurm.submitted(&place) > 0);
    slurm.stop_controller();
    std::thread::sleep(Duration::from_secs(30));
    slurm.start_controller();
    let ran: Ran = child.wait_with_output().unwrap().into();
    let ran = ran.succeeds();
    assert_eq!(&ran.digests(), expected());
    assert_eq!(slurm.submitted(&place), BIG.len());
    assert!(ran.out.contains("Slurm does not say where jobs are"), "{}", ran.out);
}

#[test]
fn a_machine_that_goes_down_costs_no_node() {
    let Some(slurm) = Slurm::start() else { return };
    let place = long(20_000, SETTINGS);
    let mut command = slurm.command(&place, &["run", "smoke.yaml", "dm", "--on", "slurm", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the job of dm", || slurm.submitted(&place) == 2 && job_of(&slurm, "R").is_some());
    std::thread::sleep(Duration::from_secs(2));
    let node = slurm.tool("sinfo", &["-h", "-o", "%n"]).trim().to_owned();
    slurm.tool("scontrol", &["update", &format!("nodename={node}"), "state=down", "reason=test"]);
    wait_for("the end of the job", || job_of(&slurm, "R").is_none());
    std::thread::sleep(Duration::from_secs(2));
    slurm.tool("scontrol", &["update", &format!("nodename={node}"), "state=resume"]);
    let ran: Ran = child.wait_with_output().unwrap().into();
    let ran = ran.succeeds();
    assert_eq!(slurm.submitted(&place), 3, "dm is submitted again: {}", ran.out);
    let here = Place::new();
    here.write("smoke.yaml", fs_err::read_to_string(place.path("smoke.yaml")).unwrap());
    assert_eq!(ran.digests(), here.run(&["run", "smoke.yaml", "dm", "--json"]).succeeds().digests());
}

#[test]
fn a_job_that_is_preempted_goes_on_in_another() {
    let Some(slurm) = Slurm::start() else { return };
    let place = long(20_000, SETTINGS);
    let mut command = slurm.command(&place, &["run", "smoke.yaml", "dm", "--on", "slurm", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the job of dm", || slurm.submitted(&place) == 2 && job_of(&slurm, "R").is_some());
    std::thread::sleep(Duration::from_secs(2));
    slurm.tool("sbatch", &["--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 3"]);
    let ran: Ran = child.wait_with_output().unwrap().into();
    let ran = ran.succeeds();
    assert_eq!(slurm.submitted(&place), 3, "{}", ran.out);
    assert_eq!(ran.nodes("node_resumed"), ["dm"]);
    let here = Place::new();
    here.write("smoke.yaml", fs_err::read_to_string(place.path("smoke.yaml")).unwrap());
    assert_eq!(ran.digests(), here.run(&["run", "smoke.yaml", "dm", "--json"]).succeeds().digests());
}

/// `PDDFLOW_NODES=2000` makes it large; the default is small, for every change.
#[test]
fn arrays_of_nodes_that_do_nothing_run_on_a_real_slurm() {
    let Some(slurm) = Slurm::start() else { return };
    let (nodes, place) = (many_nodes(20), place());
    place.write("many.yaml", many(nodes, "cluster: { quiet: 1s, poll: 2s, defaults: { cpus: 1 } }\n"));
    let (seconds, took) = measured(slurm.command(&place, &["run", "many.yaml", "--on", "slurm", "--quiet"]));
    let (polls, arrays) = (calls(&place, "squeue").lines().count(), calls(&place, "sbatch").lines().count());
    let each = 1_000.0 * seconds / nodes as f64;
    println!("{nodes} nodes in {took:.1} s, {arrays} arrays: {each:.2} ms of the head for each, {polls} polls");
    assert_eq!(slurm.submitted(&place), nodes);
    assert!(polls as f64 <= took / 2.0 + 2.0, "{polls} polls in {took} s");
}

#[test]
fn a_node_in_shards_is_several_jobs_with_the_digests_of_one() {
    let Some(slurm) = Slurm::start() else { return };
    let place = place_with(SETTINGS);
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    assert!(text.contains("    kind: evaluate\n"), "{text}");
    place.write("smoke.yaml", text.replace("    kind: evaluate\n", "    kind: evaluate\n    shards: 2\n"));
    let ran = finished(smoke(&slurm, &place, &[])).succeeds();
    assert_eq!(ran.nodes("node_queued").iter().filter(|node| node.contains("shards=")).count(), 6, "{}", ran.out);
    let mut digests = ran.digests();
    digests.retain(|name, _| !name.contains("shards="));
    assert_eq!(&digests, expected());
}

#[test]
fn jobs_that_can_never_start_are_told_in_the_words_of_slurm() {
    let Some(slurm) = Slurm::start() else { return };
    let partition = place_with("\ncluster: { quiet: 100ms, defaults: { partition: none } }\n");
    finished(slurm.command(&partition, &["run", "smoke.yaml", "--on", "slurm"]))
        .ends_with(1)
        .says(&["Slurm does not take the job", "invalid partition"]);
    for (asked, reason) in [("cpus: 4096", "PartitionConfig"), ("partition: short, time: 5m", "PartitionTimeLimit")] {
        let place = place_with(&format!("\ncluster: {{ quiet: 100ms, poll: 500ms, defaults: {{ {asked} }} }}\n"));
        let mut command = slurm.command(&place, &["run", "smoke.yaml", "--on", "slurm"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for("a word about the job", || {
            let status = place.run(&["status", "--json"]).out;
            status.contains(reason)
        });
        interrupt(child.id());
        let ran: Ran = child.wait_with_output().unwrap().into();
        ran.says(&["waits and will not start by itself, says Slurm:", reason]);
        assert_eq!(ran.code, Some(130), "{}", ran.err);
    }
}
