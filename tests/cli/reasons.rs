//! Why nodes run, as people read it: `plan` and `explain` over the life of a small pipeline.

use crate::golden;
use pddflow_tests::Place;

const PIPELINE: &str = r#"
format: 1
name: golden
params: { text: one }
nodes:
  a:
    kind: command
    with: { run: [sh, -c, "echo ${text} > a.txt"], outputs: [a.txt] }
  b:
    kind: command
    needs: { inputs: a }
    with: { run: [sh, -c, "wc -c < inputs/0/a.txt > b.txt"], outputs: [b.txt] }
  c:
    kind: command
    needs: { inputs: b }
    with: { run: [sh, -c, "cat inputs/0/b.txt > c.txt"], outputs: [c.txt] }
"#;

/// What is another in every run: times, and the ids of runs.
fn without_times(line: &str) -> String {
    if let Some((before, _)) = line.rsplit_once(" in ").filter(|(_, after)| after.ends_with(" s")) {
        return format!("{before} in [time]\n");
    }
    match line.split_once(", 20") {
        Some((before, _)) => format!("{before}, [time], run [run]\n"),
        None => format!("{line}\n"),
    }
}

#[test]
fn plans_and_explanations_say_what_changed() {
    let place = Place::new();
    place.write("p.yaml", PIPELINE);
    let mut text = String::new();
    let mut call = |arguments: &[&str]| {
        let out = place.run(arguments).succeeds().out;
        text.push_str(&format!("======== {}\n", arguments.join(" ")));
        out.lines().for_each(|line| text.push_str(&without_times(line)));
    };
    call(&["plan", "p.yaml"]);
    let _ = place.run(&["run", "p.yaml"]).succeeds();
    call(&["plan", "p.yaml"]);
    call(&["explain", "p.yaml", "a"]);
    call(&["plan", "p.yaml", "--set", "text=two"]);
    call(&["explain", "p.yaml", "a", "--set", "text=two"]);
    call(&["explain", "p.yaml", "c", "--set", "text=two"]);
    let _ = place.run(&["run", "p.yaml", "--set", "text=three"]).succeeds();
    call(&["explain", "p.yaml", "a", "--between", "last~1", "last"]);
    call(&["explain", "p.yaml", "b", "--between", "last~1", "last"]);
    golden("reasons", &text);
}
