//! The command line: what is printed, and the exit codes.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod commands;
mod diagnostics;
mod events;
mod help;
mod init;
mod readme;
mod reasons;
mod selection;

/// The text without the plugins that were built, which become more, and the folders in which they are searched, which
/// differ between machines.
fn redacted(text: &str) -> String {
    let line = |line: &str| match line.split_once("searched: ") {
        Some((before, _)) => {
            let before = before.split_once("there are ").map_or(before, |(before, _)| before);
            format!("{before}there are [plugins]; searched: [folders]\n")
        }
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// A golden text under `tests/golden`, with what differs between machines replaced.
fn golden(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, redacted(text));
    });
}
