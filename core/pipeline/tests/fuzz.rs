//! The corpus, and random changes of it: none may panic, hang, or be refused without help. The example
//! `fuzz_pipeline` does the same until stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "fuzz/targets.rs"]
mod targets;
#[path = "fuzz/world.rs"]
mod world;

/// Enough to find what is easily found, in a second or two.
const INPUTS: u64 = 4_000;

#[test]
fn every_text_of_the_corpus_is_planned_or_refused() {
    let target = targets::yaml();
    let planned = target.replay();
    assert!(target.corpus.len() >= 8 && planned >= 4, "{planned} of {}", target.corpus.len());
}

#[test]
fn damaged_texts_are_planned_or_refused() {
    // Some inputs must get through, or only the first checks are tested.
    let planned = targets::yaml().by_chance(INPUTS);
    assert!(planned > 50, "{planned}");
}

#[test]
fn expressions_of_chance_are_evaluated_or_refused() {
    let target = targets::expressions();
    assert_eq!(target.replay(), target.corpus.len());
    let evaluated = target.by_chance(INPUTS);
    assert!(evaluated > 50, "{evaluated}");
}
