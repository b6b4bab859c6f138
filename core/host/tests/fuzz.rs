//! Randomly damaged plugin files: judged without following a pointer that leads nowhere and without running anything.
//! The example `fuzz_plugins` does the same until stopped.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "fuzz/image.rs"]
mod image;
#[path = "fuzz/targets.rs"]
mod targets;

/// Enough to find what is easily found, in a second or two.
const INPUTS: u64 = 4_000;

#[test]
fn only_the_header_without_changes_is_accepted_of_the_corpus() {
    let target = targets::headers();
    assert_eq!((target.corpus.len(), target.replay()), (6, 1));
    assert!((target.check)(&[]));
}

#[test]
fn changed_headers_are_judged() {
    let accepted = targets::headers().by_chance(INPUTS);
    assert!(accepted > 50, "{accepted}");
}

#[test]
fn damaged_files_are_judged() {
    let target = targets::files();
    assert_eq!(target.replay(), 1);
    let accepted = target.by_chance(INPUTS);
    assert!(accepted > 50, "{accepted}");
}
