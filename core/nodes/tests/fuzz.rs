//! Randomly damaged artifacts: none may make a reader panic, and what is accepted holds all that it says. The example
//! `fuzz_artifacts` does the same until stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/targets.rs"]
mod targets;

/// Enough to find what is easily found, in a second or two.
const INPUTS: u64 = 4_000;

#[test]
fn artifacts_are_read_or_refused() {
    let target = targets::artifacts_target();
    assert_eq!((target.corpus.len(), target.replay()), (corpus::COUNT, corpus::COUNT));
    let accepted = target.by_chance(INPUTS);
    assert!(accepted > 50, "{accepted}");
}

#[test]
fn files_of_others_are_read_or_refused() {
    let target = targets::foreign_target();
    assert!(target.replay() >= 2, "the arrays of NumPy, and what fits the numbers there are");
    assert!(target.by_chance(INPUTS) > 50);
}
