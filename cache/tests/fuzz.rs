//! The files of a store, damaged by chance: none may make a reader panic, and none is believed that is not as it was
//! written. The example `fuzz_store` does the same for as long as one likes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic")]

#[path = "fuzz/targets.rs"]
mod targets;

/// Enough to find what is easily found, in a second or two.
const INPUTS: u64 = 4_000;

#[test]
fn the_corpus_of_records_is_read_or_refused() {
    let target = targets::records();
    // The others are without their digest.
    assert_eq!(target.replay(), 1);
    let sealed = target.corpus.iter().map(|text| targets::sealed(&String::from_utf8_lossy(text)));
    let accepted = sealed.filter(|input| (target.check)(input)).count();
    assert_eq!((target.corpus.len(), accepted), (5, 3));
}

#[test]
fn damaged_records_are_read_or_refused() {
    let accepted = targets::records().by_chance(INPUTS);
    assert!(accepted > 500, "{accepted}");
}

#[test]
fn damaged_files_are_never_believed() {
    let accepted = targets::files().by_chance(INPUTS / 4);
    assert!(accepted > 5, "{accepted}");
}
