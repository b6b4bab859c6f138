//! `cargo xtask`: see [`pddflow_xtask`].

use pddflow_xtask::generated::{self, Mode};
use pddflow_xtask::{Outcome, tidy, workspace_root};
use std::process::ExitCode;

const USAGE: &str = "\
Chores of the source tree.

    cargo xtask header [--check]   plugins/abi/pddflow.h from plugins/abi/src
    cargo xtask schema [--check]   pipelines/schema.json from the built-in kinds
    cargo xtask tidy               sizes, arrows between crates, words, unsafe
    cargo xtask size               lines of code by crate

With --check nothing is written; the exit code is 1 when the file would change.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match chore(&arguments) {
        Ok(text) => say(&mut std::io::stdout(), &text, ExitCode::SUCCESS),
        Err(text) => say(&mut std::io::stderr(), &text, ExitCode::FAILURE),
    }
}

fn chore(arguments: &[&str]) -> Outcome {
    let root = workspace_root();
    match arguments {
        ["header"] => generated::header(&root, Mode::Write),
        ["header", "--check"] => generated::header(&root, Mode::Check),
        ["schema"] => generated::schema(&root, Mode::Write),
        ["schema", "--check"] => generated::schema(&root, Mode::Check),
        ["tidy"] => tidy::all(&root),
        ["size"] => tidy::size(&root),
        _ => Err(USAGE.to_owned()),
    }
}

/// A closed pipe is the reader's wish, not a failure.
fn say(to: &mut impl std::io::Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = writeln!(to, "{}", text.trim_end());
    code
}
