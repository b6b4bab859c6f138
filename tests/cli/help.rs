//! Help, version and usage errors.

use crate::golden;
use pddflow_tests::Place;

const COMMANDS: [&str; 8] = ["run", "plan", "show", "graph", "export", "plugin list", "schema", "completions"];

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
    for command in COMMANDS.iter().filter(|command| **command != "plugin list") {
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
    check(&["run", "smoke.yaml", "--jobs", "0"], &["at least one node"]);
    check(&["run", "smoke.yaml", "--jobs", "many"], &["a number of nodes"]);
    check(&["graph", "smoke.yaml", "--format", "svg"], &["possible values: text, dot, mermaid"]);
    check(&["show", "smoke.yaml", "tabel"], &["no node `tabel`", "did you mean `table`?"]);
}

#[test]
fn completions_know_every_command() {
    let script = Place::new().run(&["completions", "bash"]).succeeds().out;
    for command in COMMANDS {
        assert!(script.contains(command.split(' ').next().unwrap()), "{command}");
    }
}

#[test]
fn the_version_is_one_line() {
    let out = Place::new().run(&["--version"]).succeeds().out;
    assert_eq!(out, concat!("pddflow ", env!("CARGO_PKG_VERSION"), "\n"));
}
