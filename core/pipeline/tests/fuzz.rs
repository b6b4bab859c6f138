//! The corpus, and inputs made from it by chance: none may panic, hang, or be refused without help. The program
//! `examples/fuzz.rs` does the same for as long as one likes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/world.rs"]
mod world;

use mutate::Chance;
use pddflow_pipeline::Options;
use std::path::Path;
use world::World;

/// Enough to find what is easily found, in a second or two.
const INPUTS: u64 = 4_000;

fn corpus() -> Vec<String> {
    world::corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"))
}

#[test]
fn every_text_of_the_corpus_is_planned_or_refused() {
    let (world, corpus) = (World::new(), corpus());
    let planned = corpus.iter().filter(|text| world.check(text, &Options::default())).count();
    assert!(corpus.len() >= 8 && planned >= 4, "{planned} of {}", corpus.len());
}

#[test]
fn damaged_texts_are_planned_or_refused() {
    let (world, corpus) = (World::new(), corpus());
    let options = Options { set: vec!["stages=1,2".into()], profile: Some("smoke".into()) };
    let mut planned = 0;
    for seed in 0..INPUTS {
        let text = mutate::input(&mut Chance::new(seed), &corpus);
        let options = if seed % 8 == 0 { options.clone() } else { Options::default() };
        planned += usize::from(world.check(&text, &options));
    }
    // Some inputs must get through, or only the first checks are tested.
    assert!(planned > 50, "{planned}");
}

#[test]
fn expressions_of_chance_are_evaluated_or_refused() {
    let world = World::new();
    let evaluated =
        (0..INPUTS).filter(|seed| world.check_expression(&mutate::expression(&mut Chance::new(*seed)))).count();
    assert!(evaluated > 50, "{evaluated}");
}
