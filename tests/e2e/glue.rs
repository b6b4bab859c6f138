//! A pipeline of small programs: `command` nodes, and what the commands about past runs say of them.

use pddflow_tests::{Place, Ran};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

const GLUE: &str = r#"
format: 1
name: glue
params: { word: hello, seed: 0, sleep: 0 }
nodes:
  word:
    kind: command
    with: { run: [sh, -c, "sleep ${sleep}; echo saying; echo ${word} > word.txt"], outputs: [word.txt] }
  count:
    kind: command
    needs: { inputs: word }
    with: { run: [sh, -c, "wc -c < inputs/0/word.txt > count.txt; cp note.md out.md"], outputs: [count.txt, out.md], files: [note.md] }
  twice:
    for: { n: [1, 2] }
    kind: command
    needs: { inputs: [word, count] }
    with: { run: [sh, -c, "cat inputs/*/*.txt > all.txt"], outputs: [all.txt], env: { N: "${n}" } }
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("glue.yaml", GLUE);
    place.write("note.md", "a note");
    place
}

fn glue(place: &Place, more: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["run", "glue.yaml", "--json"].into_iter().chain(more.iter().copied()).collect();
    place.run(&arguments)
}

#[test]
fn programs_run_once_and_again_when_what_they_declare_changes() {
    let place = place();
    assert_eq!(glue(&place, &[]).succeeds().nodes("node_started").len(), 4);
    assert_eq!(fs_err::read_to_string(place.path("results/glue/count/count.txt")).unwrap().trim(), "6");
    assert_eq!(glue(&place, &[]).succeeds().nodes("node_started"), Vec::<String>::new());
    place.write("note.md", "another note");
    assert_eq!(glue(&place, &[]).succeeds().nodes("node_started"), ["count", "twice[1]", "twice[2]"]);
    place
        .run(&["explain", "glue.yaml", "count", "--between", "last~1", "last"])
        .succeeds()
        .out
        .contains("file note.md");
    // The same number of letters: `count` gives the same as before, so what needs only it need not run.
    assert_eq!(glue(&place, &["--set", "word=world"]).succeeds().nodes("node_finished").len(), 4);
    let said = place.run(&["logs", "glue.yaml", "word"]).succeeds().out;
    assert_eq!(said, "saying\n");
}

#[test]
fn what_a_program_does_wrong_is_said() {
    let place = place();
    let check = |script: &str, words: &[&str]| {
        let text = format!(
            "format: 1\nname: bad\nnodes:\n  n:\n    kind: command\n    with: {{ run: [sh, -c, {script:?}], outputs: [a.txt, b/c.txt] }}\n"
        );
        place.write("bad.yaml", text);
        place.run(&["run", "bad.yaml"]).ends_with(1).says(words);
    };
    check("mkdir b; echo x > b/c.txt", &["did not leave `a.txt`", "pddflow::nodes::command_output"]);
    check("echo broken >&2; exit 3", &["ended with exit status: 3", "broken"]);
    check("ln -s /etc/passwd a.txt; mkdir b; echo x > b/c.txt", &["did not leave `a.txt`"]);
    place.write(
        "bad.yaml",
        "format: 1\nnodes:\n  n:\n    kind: command\n    with: { run: [no-such-program], outputs: [../x] }\n",
    );
    place.run(&["run", "bad.yaml"]).ends_with(3).says(&["no relative path inside"]);
    place.write(
        "bad.yaml",
        "format: 1\nnodes:\n  n:\n    kind: command\n    with: { run: [no-such-program], outputs: [x] }\n",
    );
    place.run(&["run", "bad.yaml"]).ends_with(1).says(&["was not found"]);
}

#[test]
fn past_runs_are_listed_shown_explained_and_compared() {
    let place = place();
    let _ = glue(&place, &["--tag", "base"]).succeeds();
    let _ = glue(&place, &["--set", "seed=1"]).succeeds();
    let events = place.path("events.ndjson");
    let _ = glue(&place, &["--set", "word=worlds", "--events", events.to_str().unwrap()]).succeeds();
    let told = fs_err::read_to_string(&events).unwrap();
    assert!(told.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) && told.contains("run_finished"));

    let runs = place.run(&["runs", "--json"]).succeeds().json();
    let runs = runs["runs"].as_array().unwrap();
    let field = |name: &str| runs.iter().map(|run| run[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("state"), ["succeeded"; 3]);
    assert_eq!(field("ran"), [4, 0, 4]);
    assert_eq!(field("tags"), [Value::from(vec![""; 0]), Value::from(vec![""; 0]), Value::from(vec!["base"])]);
    let listed = place.run(&["runs", "--tag", "base"]).succeeds().out;
    assert!(listed.lines().count() == 1 && listed.contains("glue  succeeded 4 ran"), "{listed}");

    let status = place.run(&["status", "base"]).succeeds().out;
    assert!(status.contains("glue succeeded in") && status.contains("ran      word"), "{status}");
    let explained = place.run(&["explain", "glue.yaml", "word"]).succeeds().out;
    assert!(explained.contains("word (command) is fresh") || explained.contains("is stale"), "{explained}");
    let why = place.run(&["explain", "glue.yaml", "count", "--set", "word=x"]).succeeds().out;
    assert!(why.contains("upstream word is stale: with.run") && why.contains("key format, kind"), "{why}");
    let between = place.run(&["explain", "glue.yaml", "word", "--between", "base", "last"]).succeeds().out;
    assert!(between.contains("changed  with.run:"), "{between}");
    place.run(&["explain", "glue.yaml", "word", "--between", "base", "none"]).ends_with(2).says(&["no run `none`"]);

    // The run with another seed ran nothing.
    let table = place.run(&["compare"]).succeeds().out;
    assert!(table.lines().next().unwrap().contains("word") && !table.contains("sleep"), "{table}");
    let csv = place.run(&["compare", "base", "last", "--format", "csv", "--nodes", "twice*"]).succeeds().out;
    assert_eq!(csv.lines().count(), 5, "{csv}");
    place.run(&["compare", "--sort", "nothing"]).ends_with(2).says(&["no row has a column `nothing`", "word"]);
}

#[test]
fn the_store_is_listed_verified_and_collected() {
    let place = place();
    let _ = glue(&place, &[]).succeeds();
    let _ = glue(&place, &["--set", "word=world"]).succeeds();
    let listed = place.run(&["cache", "ls", "--json"]).succeeds().json();
    let records = listed["records"].as_array().unwrap();
    assert!(records.len() >= 7 && records.iter().all(|record| record["missing"] == false), "{listed}");
    let key = records[0]["key"].as_str().unwrap();
    assert_eq!(place.run(&["cache", "show", &key[..14]]).succeeds().json()["key"], key);
    place.run(&["cache", "show", "k:zz"]).ends_with(2).says(&["no record or artifact begins with"]);
    assert!(place.run(&["cache", "verify"]).succeeds().out.contains("no damage found"));
    // All of it is young, and in use by recent runs.
    let kept = place.run(&["cache", "gc", "--max-size", "0", "--json"]).succeeds().json();
    assert_eq!((&kept["freed_bytes"], &kept["kept_bytes"]), (&Value::from(0), &kept["bytes"]));

    let (name, mut bytes) = place.files(".pddflow/v1/artifacts").swap_remove(0);
    bytes[0] ^= 1;
    fs_err::remove_file(place.path(&name)).unwrap();
    place.write(&name, &bytes);
    let found = place.run(&["cache", "verify"]).ends_with(5).out;
    assert!(found.contains("damaged") && found.contains("quarantine"), "{found}");
    assert!(place.run(&["cache", "verify"]).succeeds().out.contains("no damage found"));
    let _ = glue(&place, &["--set", "word=world"]).succeeds();
    let _ = glue(&place, &[]).succeeds();
}

/// Ids of processes whose arguments hold a text.
#[cfg(target_os = "linux")]
fn processes(text: &str) -> Vec<String> {
    let entries = fs_err::read_dir("/proc").unwrap().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let has = |id: &String| fs_err::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|line| line.contains(text));
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(has).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_outlives_its_run_however_it_ends() {
    for (signal, most) in [("-KILL", 20), ("-INT", 20)] {
        let place = place();
        let seconds = format!("sleep=9{}", std::process::id());
        let mut command = place.command(&["run", "glue.yaml", "--json", "--set", &seconds]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("node_started")));
        let marker = format!("sleep 9{}", std::process::id());
        let limit = Instant::now() + Duration::from_secs(most);
        while processes(&marker).is_empty() {
            assert!(Instant::now() < limit, "the program does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = place.run(&["status"]).succeeds().out;
        assert!(status.contains("glue is running") && status.contains("running  word"), "{status}");
        let sent = Instant::now();
        assert!(std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap();
        while !processes(&marker).is_empty() {
            assert!(sent.elapsed() < Duration::from_secs(most), "{signal}: the program outlives the run");
            std::thread::sleep(Duration::from_millis(10));
        }
        let word = if signal == "-KILL" { "was killed" } else { "stopped" };
        assert!(place.run(&["status"]).succeeds().out.contains(&format!("glue {word} after")));
        let _ = glue(&place, &[]).succeeds();
    }
}

#[test]
fn a_program_gives_what_other_kinds_take() {
    let place = Place::new();
    let text = |run: &str, outputs: &str, sets: &str| {
        format!(
            r#"
format: 1
name: typed
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini, train_per_class: 4, test_per_class: 2 }} }}
  chosen: {{ kind: select, needs: {{ data: data }}, with: {{ method: random, ipc: 1 }} }}
  release: {{ kind: export, needs: {{ sets: chosen }}, with: {{ pictures: false }} }}
  made:
    kind: command
    needs: {{ inputs: release }}
    with: {{ run: [sh, -c, "{run}"], outputs: {outputs} }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: {sets} }}
    with: {{ model: {{ mlp: {{ width: 4 }} }}, recipe: dsa, augment: none, nets: 1, epochs: 1 }}
"#
        )
    };
    let copy = "cp inputs/0/images.safetensors set.safetensors; echo done > log.txt";
    place.write("typed.yaml", text(copy, "{ set: set.safetensors, files: [log.txt] }", "made"));
    let ran = place.run(&["run", "typed.yaml", "--json"]).succeeds();
    assert_eq!(ran.nodes("node_finished"), ["chosen", "data", "eval", "made", "release"]);
    assert_eq!(fs_err::read_to_string(place.path("results/typed/made/log.txt")).unwrap(), "done\n");
    place.write("typed.yaml", text("echo none > set.safetensors", "{ set: set.safetensors }", "made.set"));
    place.run(&["run", "typed.yaml"]).ends_with(1).says(&["`set.safetensors`", "output `set`", "kind `import`"]);
    place.write("typed.yaml", text(copy, "[set.safetensors]", "made.set"));
    place.run(&["run", "typed.yaml"]).ends_with(3).says(&["`made` has no output `set` with its parameters"]);
    place.write("typed.yaml", text(copy, "{ sets: set.safetensors }", "made"));
    place.run(&["run", "typed.yaml"]).ends_with(3).says(&["there is no output `sets`", "`trajectories`"]);
}
