//! The README says only what is so.

use pddflow_tests::{Place, workspace_root};

fn readme() -> String {
    fs_err::read_to_string(workspace_root().join("README.md")).unwrap()
}

/// The code blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn its_pipeline_is_valid() {
    let place = Place::new();
    let pipelines = blocks(&readme(), "yaml");
    assert!(!pipelines.is_empty());
    for pipeline in pipelines {
        place.write("readme.yaml", pipeline);
        let _ = place.run(&["graph", "readme.yaml"]).succeeds();
    }
}

#[test]
fn its_commands_exist() {
    let place = Place::new();
    let text = readme();
    let commands: Vec<&str> =
        text.split("| `pddflow ").skip(1).map(|rest| rest.split([' ', '`']).next().unwrap()).collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        let _ = place.run(&[command, "--help"]).succeeds();
    }
    for name in [
        "run",
        "plan",
        "explain",
        "status",
        "runs",
        "logs",
        "compare",
        "cache ls",
        "show",
        "graph",
        "export",
        "plugin list",
        "schema",
        "completions",
    ] {
        assert!(text.contains(&format!("`pddflow {name}")), "the README does not mention `{name}`");
    }
}

#[test]
fn its_exit_codes_are_those_of_the_help() {
    let help = Place::new().run(&["--help"]).succeeds().out;
    let codes = help.split("Exit codes:\n").nth(1).unwrap();
    for line in codes.lines() {
        let (code, meaning) = line.trim().split_once(' ').unwrap();
        let row = format!("| {code} | {} |", meaning.trim());
        assert!(readme().contains(&row), "{row}");
    }
}

/// The matcher is the example of the SDK, which is compiled there.
#[test]
fn its_matcher_is_the_one_of_the_sdk() {
    let sdk = fs_err::read_to_string(workspace_root().join("plugins/sdk/src/lib.rs")).unwrap();
    let documented: String = sdk
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect();
    let matcher = blocks(&readme(), "rust").remove(0);
    assert!(documented.contains(matcher.trim()), "the matcher of the README is not that of plugins/sdk/src/lib.rs");
}

#[test]
fn its_links_lead_somewhere() {
    let text = readme();
    let links: Vec<&str> = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    for link in links {
        assert!(workspace_root().join(link).exists(), "{link}");
    }
}
