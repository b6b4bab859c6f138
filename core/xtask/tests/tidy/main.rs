//! Checks of the source tree that no other tool makes. Each gives a list of problems; an empty one is a pass.
//!
//! | check | rule |
//! |---|---|
//! | `arrows` | crates depend on each other only as in `core/ARCHITECTURE.md`; one crate names burn; plugins are small |
//! | `circles` | the modules of a crate do not name each other in a loop |
//! | `places` | `unsafe`, exiting, the environment: only where they belong; the root holds what it must; files are short |
//! | `dependencies` | every dependency is pinned and has its reason beside it |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic")]

mod arrows;
mod circles;
mod dependencies;
mod modules;
mod places;

use pddflow_xtask::workspace_root;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What a check found: one line each, with the file where there is one.
type Problems = Vec<String>;

/// The packages of the workspace, from `cargo metadata`.
fn packages(root: &Path) -> Vec<Value> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let output = Command::new(env!("CARGO")).current_dir(root).args(arguments).output().unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn check(problems: &Problems) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn crates_depend_on_each_other_as_drawn() {
    check(&arrows::check(&packages(&workspace_root())));
}

#[test]
fn modules_of_a_crate_form_no_circle() {
    check(&circles::check(&packages(&workspace_root())));
}

#[test]
fn files_are_short_and_dangerous_things_where_they_belong() {
    let root = workspace_root();
    check(&places::check(&packages(&root), &root));
}

#[test]
fn the_root_holds_what_it_must() {
    check(&places::check_root(&workspace_root()));
}

#[test]
fn dependencies_are_pinned_and_explained() {
    let text = fs_err::read_to_string(workspace_root().join("Cargo.toml")).unwrap();
    check(&dependencies::check(&text));
}
