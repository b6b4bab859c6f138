//! Past runs as their journals tell them to `status`, `runs`, `logs` and `compare`, and what `run` checks first.

use pddflow_tests::Place;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// A selection that reads both parameters, and a data set that reads none.
const SWEEP: &str = r#"
format: 1
name: sweep
params: { seed: 0, n: 3 }
nodes:
  data:
    kind: dataset
    with: { source: fashion-mini }
  set:
    kind: select
    needs: { data: data }
    with: { method: random, ipc: "${n}", seed: "${seed}" }
  eval:
    kind: evaluate
    needs: { data: data, sets: set }
    with: { model: { convnet: { width: 4, depth: 2 } }, recipe: dsa, nets: 1, epochs: 1, seed: "${seed}" }
  table:
    kind: table
    needs: { results: eval }
"#;

fn sweep() -> Place {
    let place = Place::new();
    place.write("sweep.yaml", SWEEP);
    let _ = place.run(&["run", "sweep.yaml", "--set", "seed=1,2", "--set", "n=1,2"]).succeeds();
    place
}

#[test]
fn a_sweep_over_seeds_is_compared_point_by_point() {
    let place = sweep();
    let rows = place.run(&["compare", "--json"]).succeeds().json();
    let rows = rows["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    for (row, n) in rows.iter().zip([1, 2]) {
        assert_eq!((&row["params"]["n"], &row["params"]["node"]), (&n.into(), &"eval".into()));
        assert!(row["params"].get("seed").is_none());
        let accuracy = &row["metrics"]["accuracy"];
        assert!(accuracy["count"] == 2 && accuracy["std"].is_number(), "{row}");
    }
    // A run with nothing to do adds no row, and what differs names the rows.
    let _ = place.run(&["run", "sweep.yaml", "--quiet"]).succeeds();
    let _ = place.run(&["run", "sweep.yaml", "--quiet"]).succeeds();
    let ran = place.run(&["compare"]).succeeds();
    let lines: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((&lines[0], lines.len()), (&vec!["n", "seeds", "accuracy"], 5), "{}", ran.out);
    assert_eq!(
        lines[1..4].iter().map(|line| line[..2].join(" ")).collect::<Vec<_>>(),
        ["1 2", "2 2", "3 1"],
        "{}",
        ran.out
    );
    assert!(ran.out.contains('*') && ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
    assert!(ran.err.contains("other metrics"), "{}", ran.err);
    let across = place.run(&["compare", "--across", "n", "--format", "markdown"]).succeeds().out;
    assert!(across.starts_with("| seeds | n 1") && across.lines().count() == 3, "{across}");
    assert_eq!(place.run(&["compare", "--format", "markdown"]).succeeds().out.matches("**").count(), 2);
}

#[test]
fn a_parameter_that_a_node_does_not_read_is_blank() {
    let place = sweep();
    let rows = place.run(&["compare", "--nodes", "*", "--each-seed", "--json"]).succeeds().json();
    let params = |node: &str| {
        let rows = rows["rows"].as_array().unwrap();
        rows.iter().filter(|row| row["params"]["node"] == node).map(|row| row["params"].clone()).collect::<Vec<_>>()
    };
    let points: Vec<(i64, i64)> =
        params("eval").iter().map(|params| (params["seed"].as_i64().unwrap(), params["n"].as_i64().unwrap())).collect();
    assert_eq!(points, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    let other = params("data");
    assert_eq!(other.len(), 1);
    assert!(other[0].get("seed").is_none() && other[0].get("n").is_none(), "{other:?}");
    // Axes in any order.
    let one = place.run(&["compare", "--nodes", "eval[n=2,seed=1]", "--each-seed", "--json"]).succeeds().json();
    assert_eq!(one["rows"].as_array().unwrap().len(), 1, "{one}");
}

/// A node that says something, waits, and says more.
const SLOW: &str = r#"
format: 1
name: slow
nodes:
  n:
    kind: command
    with: { run: [sh, -c, "echo first; sleep 2; echo second; echo x > out"], outputs: [out] }
  m:
    kind: command
    needs: { inputs: n }
    with: { run: [sh, -c, "echo y > out"], outputs: [out] }
"#;

#[test]
fn a_run_that_goes_on_is_watched_to_its_end() {
    let place = Place::new();
    place.write("slow.yaml", SLOW);
    let _ = place.run(&["run", "slow.yaml", "--quiet"]).succeeds();
    let mut run = place.command(&["run", "slow.yaml", "--quiet", "--force"]).spawn().unwrap();
    while place.run(&["status", "--json"]).succeeds().json()["runs"][0]["state"] != "running" {
        assert!(run.try_wait().unwrap().is_none(), "the run ended unseen");
    }
    let watch = place.command(&["status", "--watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let ran = place.run(&["logs", "slow.yaml", "n", "-f"]).succeeds();
    assert_eq!(ran.out, "first\nsecond\n");
    let watched = pddflow_tests::Ran::from(watch.wait_with_output().unwrap()).succeeds().events();
    assert!(run.wait().unwrap().success());
    let (first, last) = (&watched[0]["runs"][0], &watched[watched.len() - 1]["runs"][0]);
    let left = first["seconds_left"].as_f64().unwrap();
    assert!(first["state"] == "running" && left > 0.0 && left < 10.0, "{first}");
    assert!(last["state"] == "succeeded" && last["seconds_left"].is_null(), "{last}");
    // What is over is shown once.
    assert!(place.run(&["status", "--watch"]).succeeds().out.contains("succeeded in"));
    assert_eq!(place.run(&["logs", "slow.yaml", "n", "-f"]).succeeds().out, "first\nsecond\n");
    place.run(&["logs", "slow.yaml", "*", "-f"]).ends_with(2).says(&["`*` means 2 nodes", "follow one of n, m"]);
}

#[test]
fn a_run_whose_only_failures_are_allowed_is_a_success_everywhere() {
    let place = Place::new();
    place.write(
        "may.yaml",
        "format: 1\nname: may\nnodes:\n  n:\n    kind: command\n    allow_failure: true\n    with: { run: [sh, -c, exit 3], outputs: [a] }\n",
    );
    let _ = place.run(&["run", "may.yaml"]).succeeds();
    let runs = place.run(&["runs", "--json"]).succeeds().json();
    assert_eq!((&runs["runs"][0]["state"], &runs["runs"][0]["failed"]), (&"succeeded".into(), &1.into()));
}

#[test]
fn output_files_that_cannot_be_written_are_found_before_anything_runs() {
    let place = sweep();
    for option in ["--profile-ops", "--events"] {
        let ran = place.run(&["run", "sweep.yaml", option, "no-such-folder/x", "--json"]).ends_with(2);
        assert!(ran.says(&["no-such-folder"]).events().is_empty(), "{option}: {}", ran.out);
    }
}

#[test]
fn a_failing_program_s_output_is_printed_once_and_kept_in_its_log() {
    let place = Place::new();
    let lines = "for i in 1 2 3; do echo before $i; done; echo broken >&2; exit 3";
    place.write(
        "bad.yaml",
        format!("format: 1\nname: bad\nnodes:\n  n:\n    kind: command\n    with: {{ run: [sh, -c, {lines:?}], outputs: [a] }}\n"),
    );
    for quiet in [&[][..], &["--quiet"]] {
        let ran = place.run(&[&["run", "bad.yaml"], quiet].concat()).ends_with(1);
        let said = ran.err.matches("broken").count() - ran.err.matches("echo broken").count();
        assert_eq!(said, 1, "{}", ran.err);
    }
    let log = place.run(&["logs", "bad.yaml", "n"]).succeeds().out;
    assert!(log.starts_with("before 1\nbefore 2\nbefore 3\n") && log.contains("broken\nfailed:"), "{log}");
    assert_eq!(log.matches("broken").count(), 1, "{log}");
}

#[test]
fn journals_of_an_earlier_version_are_told_and_hide_nothing() {
    let place = sweep();
    let id = place.run(&["runs", "--json"]).succeeds().json()["runs"][0]["run"].as_str().unwrap().to_owned();
    let folder = place.path(".pddflow/v1/runs");
    let old = folder.join("r9999999999999-1-0");
    fs_err::create_dir(&old).unwrap();
    // Version 1 began with the event itself.
    let lines =
        ["{\"format\":1,\"run\":\"r9999999999999-1-0\"}", "{\"at\":0.0,\"event\":\"run_started\",\"run\":\"r\"}"];
    fs_err::write(old.join("journal"), sealed(&lines)).unwrap();
    let ran = place.run(&["runs"]).succeeds();
    assert!(ran.out.contains(&id) && ran.err.contains("1 run of another version"), "{} {}", ran.out, ran.err);
    assert!(place.run(&["status"]).succeeds().out.contains(&id));
    place.run(&["status", "r9999999999999-1-0"]).ends_with(5).says(&["has format 1", "reads format 2"]);
}

/// Lines of a journal with their checks: each covers its line and the check before.
fn sealed(lines: &[&str]) -> String {
    let mut check = vec![0_u8; 8];
    let mut text = String::new();
    for line in lines {
        let open = line.strip_suffix('}').unwrap();
        let digest = pddflow_cache::Digest::of(&[&check[..], open.as_bytes()].concat());
        check = digest.as_bytes()[..8].to_vec();
        text.push_str(&format!("{open},\"check\":\"{}\"}}\n", &digest.hex()[..16]));
    }
    text
}

#[test]
fn the_tables_of_a_sweep_say_which_point_they_are_of() {
    let place = sweep();
    let out = place.run(&["run", "sweep.yaml", "--set", "seed=1,2", "--set", "n=1,2", "--quiet"]).succeeds().out;
    let heads: Vec<&str> = out.lines().filter(|line| line.starts_with("### ")).collect();
    assert_eq!(heads, [1, 2].map(|seed| [1, 2].map(|n| format!("### table[seed={seed},n={n}]"))).concat());
    // Without a sweep there is nothing to tell apart.
    assert!(!place.run(&["run", "sweep.yaml", "--set", "seed=1", "--quiet"]).succeeds().out.contains("###"));
}

#[test]
fn a_run_that_was_killed_is_told_by_the_next_one() {
    let place = Place::new();
    let pipeline = |seconds: u32| {
        let run = format!("run: [sh, -c, \"sleep {seconds}; echo x > a\"]");
        format!("format: 1\nname: dies\nnodes:\n  n:\n    kind: command\n    with: {{ {run}, outputs: [a] }}\n")
    };
    place.write("dies.yaml", pipeline(60));
    let mut command = place.command(&["run", "dies.yaml", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("node_started")));
    child.kill().unwrap();
    child.wait().unwrap();
    let status = place.run(&["status"]).succeeds().out;
    assert!(status.contains("dies was killed after") && status.contains("cut off  n"), "{status}");
    place.write("dies.yaml", pipeline(0));
    let next = place.run(&["run", "dies.yaml"]).succeeds();
    next.says(&["did not come to its end while `n` ran", "killed or out of memory"]);
    assert!(!place.run(&["run", "dies.yaml"]).succeeds().err.contains("did not come to its end"));
}
