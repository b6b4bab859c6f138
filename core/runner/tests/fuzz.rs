//! Random journals: none may make the reader of a run's history panic. The example `fuzz_journals` does the same until
//! stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic")]

#[path = "fuzz/targets.rs"]
mod targets;

/// Enough to find what is easily found, in a second or two.
const INPUTS: u64 = 4_000;

#[test]
fn journals_are_read_whatever_they_say() {
    let target = targets::journals();
    // One journal of the corpus has version 1, which is refused.
    assert_eq!(target.replay(), target.corpus.len() - 1);
    let runs = target.by_chance(INPUTS);
    assert!(runs > 500, "{runs}");
}
