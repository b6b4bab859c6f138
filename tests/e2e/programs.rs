//! Programs of `command` nodes: what they are given, what they may see, what they leave behind.

use pddflow_tests::{Place, Ran};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A pipeline of one program.
fn pipeline(script: &str, more: &str) -> String {
    format!(
        "format: 1\nname: p\nnodes:\n  n:\n    kind: command\n    with: {{ run: [sh, -c, {script:?}], outputs: [out.txt]{more} }}\n"
    )
}

fn output(place: &Place) -> String {
    fs_err::read_to_string(place.path("results/p/n/out.txt")).unwrap().trim().to_owned()
}

#[cfg(unix)]
fn set_mode(place: &Place, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
#[cfg(unix)]
fn a_declared_file_keeps_its_executable_bit() {
    let place = Place::new();
    place.write("p.yaml", pipeline("./tool.sh > out.txt", ", files: [tool.sh]"));
    place.write("tool.sh", "#!/bin/sh\necho ran\n");
    place.run(&["run", "p.yaml"]).ends_with(1).says(&["cannot be executed"]);
    set_mode(&place, "tool.sh", 0o755);
    // The same bytes, but another result: the bit is part of the key.
    let _ = place.run(&["run", "p.yaml"]).succeeds();
    assert_eq!(output(&place), "ran");
}

#[test]
fn declared_files_are_relative_to_the_pipeline_file() {
    let place = Place::new();
    fs_err::create_dir(place.path("sub")).unwrap();
    place.write("sub/p.yaml", pipeline("cat note.md > out.txt", ", files: [note.md]"));
    place.write("sub/note.md", "beside the pipeline");
    place.write("note.md", "here");
    let _ = place.run(&["run", "sub/p.yaml"]).succeeds();
    assert_eq!(output(&place), "beside the pipeline");
    // From another folder the same key.
    let mut command = place.command(&["run", "p.yaml", "--json", "--cache-dir", "../.pddflow"]);
    let ran: Ran = command.current_dir(place.path("sub")).output().unwrap().into();
    assert_eq!(ran.succeeds().nodes("node_started"), Vec::<String>::new());
}

#[test]
fn paths_of_datasets_are_relative_to_the_pipeline_file() {
    let place = Place::new();
    fs_err::create_dir_all(place.path("sub/mnist")).unwrap();
    let text = "format: 1
name: p
nodes:
  data: { kind: dataset, with: { source: { idx: { train_images: mnist/images, train_labels: mnist/labels } } } }
";
    place.write("sub/p.yaml", text);
    // Four images of 2 x 2 pixels, two of each class.
    let images = [&[0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 2][..], &[7; 8], &[200; 8]].concat();
    place.write("sub/mnist/images", images);
    place.write("sub/mnist/labels", [0, 0, 8, 1, 0, 0, 0, 4, 0, 0, 1, 1]);
    assert_eq!(place.run(&["run", "sub/p.yaml", "--json"]).succeeds().nodes("node_started"), ["data"]);
    fs_err::rename(place.path("sub/mnist"), place.path("mnist")).unwrap();
    place.run(&["run", "sub/p.yaml"]).ends_with(1).says(&["looked beside the pipeline file"]);
}

#[test]
fn programs_see_the_graphics_processors_that_are_theirs() {
    let place = Place::new();
    let node = "kind: command, for: { n: [0, 1, 2] }, resources: { gpus: 1 }, with: { run: [sh, -c, 'echo $CUDA_VISIBLE_DEVICES > out.txt; sleep 0.3'], outputs: [out.txt], env: { N: '${n}' } }";
    place.write("p.yaml", format!("format: 1\nname: p\nnodes:\n  n: {{ {node} }}\n"));
    let mut command = place.command(&["run", "p.yaml", "--jobs", "3", "--resources", "gpus=3"]);
    let ran: Ran = command.env("CUDA_VISIBLE_DEVICES", "2,GPU-7f,5").output().unwrap().into();
    let _ = ran.succeeds();
    let seen = |n| fs_err::read_to_string(place.path(format!("results/p/n[{n}]/out.txt")));
    let mut seen: Vec<String> = (0..3).map(|n| seen(n).unwrap().trim().to_owned()).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["2", "5", "GPU-7f"]);
}

#[test]
fn a_variable_is_passed_on_and_its_value_is_kept_nowhere() {
    const SECRET: &str = "tok3n-of-a-user";
    let place = Place::new();
    place.write("p.yaml", pipeline("echo the token: $TOKEN; expr length $TOKEN > out.txt", ", pass: [TOKEN]"));
    let with = |token: &str| -> Ran {
        place.command(&["run", "p.yaml", "--json"]).env("TOKEN", token).output().unwrap().into()
    };
    assert_eq!(with(SECRET).succeeds().nodes("node_started"), ["n"]);
    assert_eq!(output(&place), SECRET.len().to_string());
    for (name, bytes) in place.files(".pddflow") {
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{name} has the value");
    }
    let said = place.run(&["logs", "p.yaml", "n"]).succeeds().out;
    assert_eq!(said, "the token: ***\n");
    assert_eq!(with("another").succeeds().nodes("node_started"), Vec::<String>::new());
    place.write("p.yaml", pipeline("echo 1 > out.txt", ", pass: [TOKEN_THAT_IS_NOT_SET]"));
    place.run(&["run", "p.yaml"]).ends_with(1).says(&["TOKEN_THAT_IS_NOT_SET", "is not set"]);
}

#[test]
#[cfg(target_os = "linux")]
fn inputs_that_are_files_are_linked() {
    let place = Place::new();
    let text = "format: 1
name: p
nodes:
  data: { kind: dataset, with: { source: fashion-mini, train_per_class: 2, test_per_class: 1 } }
  n:
    kind: command
    needs: { inputs: data }
    with: { run: [sh, -c, \"stat -c %h inputs/0 > out.txt; echo x >> inputs/0 || true\"], outputs: [out.txt] }
";
    place.write("p.yaml", text);
    let _ = place.run(&["run", "p.yaml"]).succeeds();
    // Root could write through a link, so root gets a copy.
    let (name, _) = place.files(".pddflow/v1/artifacts").swap_remove(0);
    let is_writable = fs_err::OpenOptions::new().append(true).open(place.path(name)).is_ok();
    assert_eq!(output(&place), if is_writable { "1" } else { "2" });
    let _ = place.run(&["cache", "verify"]).succeeds();
}

#[test]
#[cfg(unix)]
fn a_work_folder_lies_in_the_store_and_goes_after_a_kill() {
    let place = Place::new();
    place.write("p.yaml", pipeline("pwd > out.txt", ""));
    let _ = place.run(&["run", "p.yaml"]).succeeds();
    let store = fs_err::canonicalize(place.path(".pddflow")).unwrap();
    assert!(output(&place).starts_with(store.to_str().unwrap()), "{}", output(&place));
    assert!(!std::path::Path::new(&output(&place)).exists());

    place.write("p.yaml", pipeline("pwd > out.txt; touch started; sleep 100", ""));
    let mut run = place.command(&["run", "p.yaml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let folders = || {
        let found = Command::new("find").arg(&store).args(["-name", "started"]).output().unwrap();
        String::from_utf8(found.stdout).unwrap()
    };
    let wait = |there: bool| {
        while folders().is_empty() == there {
            assert!(began.elapsed() < Duration::from_secs(30), "{}", folders());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait(true);
    run.kill().unwrap();
    let _ = run.wait();
    wait(false);
}

#[test]
fn an_absolute_program_is_a_likely_mistake() {
    let place = Place::new();
    let text =
        "format: 1\nnodes:\n  n:\n    kind: command\n    with: { run: [/bin/sh, -c, \"echo > x\"], outputs: [x] }\n";
    place.write("p.yaml", text);
    let found = place.run(&["lint", "p.yaml", "--deny"]).ends_with(3).out;
    assert!(found.contains("pddflow::lint::parameter") && found.contains("p.yaml:5:19"), "{found}");
    place.write("p.yaml", text.replace("/bin/sh", "sh"));
    let _ = place.run(&["lint", "p.yaml", "--deny"]).succeeds();
}

#[test]
fn a_forced_node_runs_again_and_a_dry_run_runs_nothing() {
    let place = Place::new();
    place.write("p.yaml", pipeline("echo 1 > out.txt", ""));
    let started = |arguments: &[&str]| {
        let all: Vec<&str> = ["run", "p.yaml", "--json"].into_iter().chain(arguments.iter().copied()).collect();
        place.run(&all).succeeds().nodes("node_started")
    };
    let dry = place.run(&["run", "p.yaml", "-n"]).succeeds().out;
    assert!(dry.contains("stale   n") && !place.path(".pddflow").exists(), "{dry}");
    let _ = place.run(&["plan", "p.yaml", "--check"]).ends_with(1);
    assert_eq!(started(&[]), ["n"]);
    let _ = place.run(&["plan", "p.yaml", "--check"]).succeeds();
    assert_eq!(started(&[]), Vec::<String>::new());
    assert_eq!(started(&["--force"]), ["n"]);
    assert_eq!(started(&["--force=n"]), ["n"]);
    assert_eq!(started(&[]), Vec::<String>::new());
    place.run(&["run", "p.yaml", "--force=m"]).ends_with(2).says(&["`m`"]);
}
