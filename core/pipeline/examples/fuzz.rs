//! Reads inputs of chance for as long as one likes and says how many there were:
//! `cargo run --release -p pddflow-pipeline --example fuzz -- [MINUTES] [FIRST_SEED]`.
//!
//! An input that panics or takes too long is printed with its seed; add it to `tests/corpus` when it is mended.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::unwrap_used, reason = "a program for developers")]

#[path = "../tests/fuzz/mutate.rs"]
mod mutate;
#[path = "../tests/fuzz/world.rs"]
mod world;

use mutate::Chance;
use pddflow_pipeline::Options;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use world::World;

/// Inputs between two looks at the clock.
const BATCH: u64 = 256;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let minutes: f64 = arguments.next().map_or(10.0, |text| text.parse().expect("a number of minutes"));
    let first: u64 = arguments.next().map_or(1 << 32, |text| text.parse().expect("a seed"));
    let (world, corpus) = (World::new(), world::corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")));
    let end = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let (mut seed, mut planned, mut slowest) = (first, 0_u64, Duration::ZERO);
    while Instant::now() < end {
        for _ in 0..BATCH {
            let is_expression = seed % 4 == 3;
            let mut chance = Chance::new(seed);
            let text =
                if is_expression { mutate::expression(&mut chance) } else { mutate::input(&mut chance, &corpus) };
            let started = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| match is_expression {
                true => world.check_expression(&text),
                false => world.check(&text, &Options::default()),
            }));
            slowest = slowest.max(started.elapsed());
            match outcome {
                Ok(whole) => planned += u64::from(whole),
                Err(_) => {
                    println!("seed {seed} fails after {} inputs:\n{text}", seed - first);
                    return ExitCode::FAILURE;
                }
            }
            seed += 1;
        }
    }
    println!("{} inputs in {minutes} minutes, {planned} planned, slowest {slowest:?}, none failed", seed - first);
    ExitCode::SUCCESS
}
