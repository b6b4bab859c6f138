//! A killed program, a damaged store, a full disk: nothing is lost, nothing wrong is kept, no manual step.

use crate::{expected, smoke};
use pddflow_tests::{Place, Ran};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// Kills a run after that many events, the hard way.
fn kill_after(place: &Place, events: usize) {
    let mut command = place.command(&["run", "smoke.yaml", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen = lines.by_ref().take(events).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(seen, events, "the run ended before it could be killed");
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    for events in [1, 2, 5, 9, 14, 20] {
        let place = Place::new();
        kill_after(&place, events);
        let ran = smoke(&place, &[]).succeeds();
        assert_eq!(&ran.digests(), expected(), "killed after {events} events");
    }
}

#[test]
fn many_kills_in_one_store_lose_nothing() {
    let place = Place::new();
    for events in [2, 3, 4, 5] {
        kill_after(&place, events);
    }
    assert_eq!(&smoke(&place, &[]).succeeds().digests(), expected());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_in_order() {
    let place = Place::new();
    let mut command = place.command(&["run", "smoke.yaml", "--json", "--set", "nodes.dm.with.iterations=100000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"progress\"") && line.contains("\"node\":\"dm\"")));
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.last().unwrap().contains("run_finished") || rest.iter().any(|line| line.contains("run_finished")));
}

#[test]
fn damage_is_found_set_aside_and_mended() {
    let place = Place::new();
    let before = smoke(&place, &[]).succeeds().digests();
    // One byte of the largest artifact: the data set, which every other node reads.
    let (name, mut bytes) =
        place.files(".pddflow/v1/artifacts").into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    make_writable(&place.path(&name));
    place.write(&name, &bytes);
    let ran = smoke(&place, &["--set", "nodes.random.with.ipc=2"]).succeeds();
    assert!(ran.nodes("node_started").contains(&"data".to_owned()), "the damaged data set was not made again");
    let after = smoke(&place, &[]).succeeds();
    assert_eq!(after.digests(), before);
    assert_eq!(after.nodes("node_started"), Vec::<String>::new());
}

fn make_writable(path: &std::path::Path) {
    let mut permissions = fs_err::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of this test's own folder")]
    permissions.set_readonly(false);
    fs_err::set_permissions(path, permissions).unwrap();
}

#[test]
fn damage_everywhere_is_told_and_mended_by_one_run() {
    let place = Place::new();
    let _ = smoke(&place, &[]).succeeds();
    for (name, mut bytes) in place.files(".pddflow/v1/artifacts") {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        make_writable(&place.path(&name));
        place.write(&name, &bytes);
    }
    place.run(&["show", "smoke.yaml", "dm"]).ends_with(5).says(&["pddflow::cache::damaged", "run the pipeline again"]);
    assert_eq!(&smoke(&place, &[]).succeeds().digests(), expected());
}

/// A limit on the size of files stands in for a full disk: writing fails in the middle of an artifact.
#[cfg(unix)]
#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let place = Place::new();
    let arguments = ["run", "smoke.yaml", "--json", "--jobs", "1"];
    // 1 MiB: records fit, the data set of 1.9 MB does not. The signal would end the program before it can say why.
    let mut command = place.command_after("trap '' XFSZ; ulimit -f 1024", &arguments);
    let ran: Ran = command.output().unwrap().into();
    ran.ends_with(5).says(&["node data failed", "pddflow::cache::"]);
    assert_eq!(&smoke(&place, &[]).succeeds().digests(), expected());

    // The same with a store that has results: they stay.
    let changed = ["--set", "nodes.data.with.normalize=none"];
    let arguments: Vec<&str> = arguments.into_iter().chain(changed).collect();
    let ran: Ran = place.command_after("trap '' XFSZ; ulimit -f 1024", &arguments).output().unwrap().into();
    let _ = ran.ends_with(5);
    assert_eq!(smoke(&place, &[]).succeeds().nodes("node_started"), Vec::<String>::new());
    let _ = smoke(&place, &changed).succeeds();
}

#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_made_ends_with_5() {
    let place = Place::new();
    place.write("file", "");
    place
        .run(&["run", "smoke.yaml", "--cache-dir", "file/store"])
        .ends_with(5)
        .says(&["pddflow::cache::", "file/store"]);
}

#[test]
fn results_that_cannot_be_written_end_with_5_and_cost_nothing() {
    let place = Place::new();
    place.write("file", "");
    place.run(&["run", "smoke.yaml", "--results", "file"]).ends_with(5).says(&["results cannot be written"]);
    assert_eq!(smoke(&place, &[]).succeeds().nodes("node_started"), Vec::<String>::new());
}
