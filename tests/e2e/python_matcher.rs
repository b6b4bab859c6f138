//! A matcher in Python in whole runs: what makes its node run again, stages, and where a failure is told. What a file can do wrong is
//! in `core/host/tests/python.rs`. Skipped, with a visible line, where no interpreter has PyTorch.

use pddflow_tests::{Place, Ran};
use std::process::Command;

const FILE: &str = "def loss(problem, batch):
    print('iteration', problem.iteration, 'rows', len(batch.synthetic))
    return sum((a.mean(0) - b.mean(0)).square().sum() for a, b in batch.by_class())
";

/// An interpreter with PyTorch.
pub(crate) fn python() -> Option<&'static str> {
    let has = |python: &&str| {
        Command::new(python).args(["-c", "import torch"]).output().is_ok_and(|run| run.status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(has);
    if found.is_none() {
        println!("SKIPPED: no interpreter has PyTorch");
    }
    found
}

/// Two stages by the same file; the pipeline is in a folder of its own.
fn place(python: &str) -> Place {
    let place = Place::new();
    fs_err::create_dir(place.path("in")).unwrap();
    let pipeline = format!(
        r#"
format: 1
name: own
params: {{ matcher: {{ python: {{ file: mine.py, python: {python}, batch: 8, lr: 1, packages: [torch] }} }} }}
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini, train_per_class: 20, test_per_class: 5 }} }}
  start:
    kind: advance
    needs: {{ sets: "stage[1]" }}
    with: {{ model: {{ convnet: {{ width: 4, depth: 2 }} }}, nets: 1, epochs: 2 }}
  stage:
    for: {{ k: 1..=2 }}
    kind: distill
    needs: {{ data: data, previous: "stage[..${{k}}]", start: "${{if k == 1 then [] else ['start']}}" }}
    with: {{ ipc: 1, iterations: 3, model: {{ convnet: {{ width: 4, depth: 2 }} }}, matcher: "${{matcher}}" }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: "stage[*]" }}
    with: {{ model: {{ convnet: {{ width: 4, depth: 2 }} }}, nets: 1, epochs: 2 }}
"#
    );
    place.write("in/own.yaml", pipeline);
    place.write("in/mine.py", FILE);
    place
}

fn run(place: &Place) -> Ran {
    place.run(&["run", "in/own.yaml", "--json"])
}

#[test]
fn its_node_runs_again_when_a_file_changes_and_not_else() {
    let Some(python) = python() else { return };
    let place = place(python);
    let first = run(&place).succeeds();
    assert_eq!(first.nodes("node_finished").len(), 5);
    let log = place.run(&["logs", "in/own.yaml", "stage[2]"]).succeeds().out;
    // Ten classes, one image of each stage: the second sees the first.
    assert!(log.contains("iteration 2 rows 20"), "{log}");
    assert!(run(&place).succeeds().nodes("node_finished").is_empty());
    // From another folder it is the same file.
    place.write("in/mine.py", FILE.replace("sum()", "mean()"));
    let plan = place.run(&["plan", "in/own.yaml"]).succeeds().out;
    assert!(plan.contains("matcher file mine.py"), "{plan}");
    let explained = place.run(&["explain", "in/own.yaml", "stage[1]"]).succeeds().out;
    assert!(explained.contains("matcher file mine.py"), "{explained}");
    let shown = place.run(&["show", "in/own.yaml", "data"]).succeeds().out;
    assert!(!shown.contains("matcher"), "{shown}");
    let again = run(&place).succeeds();
    assert_eq!(again.nodes("node_finished").len(), 4, "all but the data");
    assert_ne!(first.digests()["stage[1].set"], again.digests()["stage[1].set"]);
    place.write("in/mine.py", FILE);
    assert!(run(&place).succeeds().nodes("node_finished").is_empty(), "what it was is in the store");
}

#[test]
fn a_failure_leaves_its_traceback_in_the_log_and_nothing_else_is_lost() {
    let Some(python) = python() else { return };
    let place = place(python);
    place.write("in/mine.py", FILE.replace("    return", "    assert problem.iteration < 2, 'enough'\n    return"));
    let failed = place.run(&["run", "in/own.yaml"]);
    let failed = failed.ends_with(1);
    failed.says(&["mine.py, line 3: AssertionError: enough", "the traceback is in the node's log"]);
    let log = place.run(&["logs", "in/own.yaml", "stage[1]"]).succeeds().out;
    assert!(log.contains("Traceback (most recent call last)") && log.contains("line 3, in loss"), "{log}");
    assert!(log.contains("iteration 1 rows 10"), "{log}");
}

#[test]
fn what_is_not_there_is_said_before_anything_runs() {
    let place = place("no-such-python");
    let failed = run(&place).ends_with(1);
    assert!(failed.out.contains("`no-such-python` cannot be started"), "{}", failed.out);
    let Some(python) = python() else { return };
    let place = self::place(python);
    fs_err::remove_file(place.path("in/mine.py")).unwrap();
    let failed = run(&place).ends_with(1);
    assert!(failed.out.contains("the file `mine.py` of matcher `python` cannot be read"), "{}", failed.out);
    let text = fs_err::read_to_string(place.path("in/own.yaml")).unwrap().replace("file: mine.py", "fiel: mine.py");
    place.write("in/own.yaml", text);
    place.run(&["plan", "in/own.yaml"]).ends_with(3).says(&["there is no parameter `fiel`", "did you mean `file`?"]);
}
