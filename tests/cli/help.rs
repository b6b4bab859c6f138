//! Help, version and usage errors.

use crate::golden;
use pddflow_tests::{Place, Ran, workspace_root};

const COMMANDS: [&str; 30] = [
    "init",
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
    "cache dir",
    "cache rm",
    "cache push",
    "cache pull",
    "show",
    "lint",
    "graph",
    "export",
    "plugin list",
    "plugin show",
    "schema",
    "help",
    "completions",
    "man",
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
    check(&["run"], &["no pipeline file is named", "`pddflow init`"]);
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

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    let _ = place.run(&["man", "--to", "man/man1"]).succeeds();
    for command in COMMANDS {
        let page = place.path(format!("man/man1/pddflow-{}.1", command.replace(' ', "-")));
        let text = fs_err::read_to_string(&page).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{command}: {text}");
    }
    assert!(fs_err::read_to_string(place.path("man/man1/pddflow.1")).unwrap().contains("Exit codes"));
    place.write("file", "");
    place.run(&["man", "--to", "file/x"]).ends_with(2).says(&["cannot be written"]);
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

#[test]
fn the_page_of_kinds_is_what_the_program_prints() {
    let printed = Place::new().run(&["help", "kinds"]).succeeds().out;
    let committed = fs_err::read_to_string(workspace_root().join("core/docs/kinds.md")).unwrap_or_default();
    assert!(
        printed == committed,
        "core/docs/kinds.md is not up to date: run `pddflow help kinds > core/docs/kinds.md`"
    );
    for words in ["### `distill`", "### `image-folder`", "`matcher` (`Matcher`; required)", "| `retries` |", "| `join("]
    {
        assert!(printed.contains(words), "{words}");
    }
}

#[test]
fn help_knows_commands_kinds_sources_and_plugins() {
    let place = Place::new();
    let help = |topic: &[&str]| {
        let arguments: Vec<&str> = ["help"].into_iter().chain(topic.iter().copied()).collect();
        place.run(&arguments).succeeds().out
    };
    assert_eq!(help(&[]), place.run(&["--help"]).succeeds().out);
    assert_eq!(help(&["cache", "ls"]), place.run(&["cache", "ls", "--help"]).succeeds().out);
    let kind = help(&["distill"]);
    for words in
        ["# `distill`", "- `data` (one dataset)", "- `iterations` (integer; required): Outer iterations", "## Keep"]
    {
        assert!(kind.contains(words), "{words}:\n{kind}");
    }
    assert!(!kind.contains("# `evaluate`"), "{kind}");
    assert!(help(&["image-folder"]).contains("- `path` (string; required): Folder with `train`"));
    // A name of two things gets both.
    let both = help(&["export"]);
    assert!(both.contains("Usage: pddflow export") && both.contains("# `export`"), "{both}");
    let plugin = help(&["dm"]);
    assert!(
        plugin.contains("# Matcher `dm`") && plugin.contains("- `lr` (number, at least 0.0; default `1.0`)"),
        "{plugin}"
    );
    assert_eq!(plugin, place.run(&["plugin", "show", "dm"]).succeeds().out);
    let presets = place.run(&["plugin", "show", "tesla"]).succeeds().out;
    assert!(presets.contains("- `cifar100-ipc50`: "), "{presets}");
    let value = place.run(&["plugin", "show", "dm", "--json"]).succeeds().json();
    assert_eq!((&value["plugins"][0]["id"], &value["plugins"][0]["role"]), (&"dm".into(), &"matcher".into()));
    place
        .run(&["help", "distil"])
        .ends_with(2)
        .says(&["no command, kind, source or plugin", "did you mean `distill`?"]);
    place.run(&["plugin", "show", "dn"]).ends_with(2).says(&["no plugin `dn`", "`pddflow plugin list`"]);
}
