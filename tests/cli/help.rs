//! Help, version and usage errors.

use crate::golden;
use pddflow_tests::{Place, Ran};

const COMMANDS: [&str; 24] = [
    "run",
    "plan",
    "explain",
    "status",
    "attach",
    "runs",
    "logs",
    "compare",
    "report",
    "cache",
    "cache ls",
    "cache show",
    "cache verify",
    "cache gc",
    "cache push",
    "cache pull",
    "show",
    "lint",
    "graph",
    "export",
    "plugin list",
    "schema",
    "completions",
    "work",
];

#[test]
fn help_is_as_committed() {
    let place = Place::new();
    let mut text = place.run(&["--help"]).succeeds().out;
    for command in COMMANDS {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = place.run(&arguments).succeeds().out;
        text.push_str(&format!("\n======== pddflow {command} --help\n{help}"));
    }
    golden("help", &text);
}

#[test]
fn every_command_but_lists_has_examples() {
    let place = Place::new();
    for command in COMMANDS.iter().filter(|command| !command.contains(' ')) {
        assert!(place.run(&[command, "--help"]).succeeds().out.contains("Examples:"), "{command}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let place = Place::new();
    let check = |arguments: &[&str], words: &[&str]| {
        place.run(arguments).ends_with(2).says(words);
    };
    check(&[], &["Usage: pddflow"]);
    check(&["runn"], &["unrecognized subcommand 'runn'", "similar"]);
    check(&["run"], &["<FILE>"]);
    check(&["run", "smoke.yaml", "--jobs", "0"], &["at least 1 node"]);
    check(&["run", "smoke.yaml", "--jobs", "many"], &["a number of nodes"]);
    check(&["graph", "smoke.yaml", "--format", "pdf"], &["possible values: text, dot, mermaid, svg"]);
    check(&["show", "smoke.yaml", "tabel"], &["no node `tabel`", "did you mean `table`?"]);
}

#[test]
fn completions_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]).succeeds().out;
        assert!(script.contains("COMPLETE") && script.contains("pddflow"), "{shell}: {script}");
    }
    let commands = completed(&place, &["pddflow", ""]);
    for command in COMMANDS {
        assert!(commands.contains(&command.split(' ').next().unwrap().to_owned()), "{command}: {commands:?}");
    }
}

/// What a shell offers for the last word.
fn completed(place: &Place, words: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = ["--"].into_iter().chain(words.iter().copied()).collect();
    let index = (words.len() - 1).to_string();
    let set = [("COMPLETE", "bash"), ("_CLAP_COMPLETE_INDEX", index.as_str()), ("_CLAP_IFS", "\n")];
    let ran: Ran = place.command(&arguments).envs(set).output().unwrap().into();
    ran.succeeds().out.lines().map(str::to_owned).collect()
}

#[test]
fn completions_know_the_nodes_of_the_pipeline() {
    let place = Place::new();
    for command in ["run", "plan", "explain", "logs", "show", "export"] {
        assert_eq!(completed(&place, &["pddflow", command, "smoke.yaml", "da"]), ["data"], "{command}");
    }
    for command in ["push", "pull"] {
        assert_eq!(
            completed(&place, &["pddflow", "cache", command, "remote", "smoke.yaml", "da"]),
            ["data"],
            "{command}"
        );
    }
    let found = completed(&place, &["pddflow", "plan", "smoke.yaml", "--only", "eval"]);
    assert!(found.contains(&"eval".to_owned()) && found.len() > 1, "{found:?}");
    assert!(completed(&place, &["pddflow", "run", "none.yaml", "da"]).is_empty());
}

#[test]
fn the_version_is_one_line() {
    let out = Place::new().run(&["--version"]).succeeds().out;
    assert_eq!(out, concat!("pddflow ", env!("CARGO_PKG_VERSION"), "\n"));
}
