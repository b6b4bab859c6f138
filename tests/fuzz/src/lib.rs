//! Inputs of chance for the readers of this workspace: what each target must survive, as a normal test and for minutes.
//!
//! A crate that reads something lists its [`Target`]s in `tests/fuzz/targets.rs`. Its test `fuzz` replays the corpus and a
//! fixed number of inputs; its example `fuzz_*` goes on until stopped ([`run`]). An input is a function of
//! its seed, so that one that fails is made again from the number that is printed.
//!
//! ```
//! use pddflow_fuzz::{Target, bytes};
//!
//! let target = Target {
//!     name: "numbers",
//!     corpus: vec![b"17".to_vec()],
//!     make: Box::new(bytes::damaged),
//!     check: Box::new(|input| std::str::from_utf8(input).is_ok_and(|text| text.parse::<u8>().is_ok())),
//! };
//! assert_eq!(target.replay(), 1);
//! assert!(target.by_chance(1_000) > 100);
//! ```
#![allow(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "only for tests")]

pub mod bytes;
mod chance;
pub mod text;

pub use chance::Chance;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Longest time of one input; unoptimised builds on busy machines stay far below it.
const LIMIT: Duration = Duration::from_secs(10);
/// Inputs between two looks at the clock.
const BATCH: u64 = 64;
/// Longer runs begin beyond the inputs of the tests.
const FIRST_SEED: u64 = 1 << 32;

/// Makes an input from the corpus.
pub type Make = Box<dyn Fn(&mut Chance, &[Vec<u8>]) -> Vec<u8>>;

/// Reads an input; whether it was accepted.
pub type Check = Box<dyn Fn(&[u8]) -> bool>;

/// One reader, what it is given, and what must hold.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What inputs are made from.
    pub corpus: Vec<Vec<u8>>,
    /// Makes an input.
    pub make: Make,
    /// Reads an input; whether it was accepted. Panics when something does not hold that must hold for every input.
    pub check: Check,
}

/// The files of a folder, sorted by name.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs_err::read_dir(folder).expect("the corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the corpus").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs_err::read(path).expect("the corpus")).collect()
}

impl Target {
    /// Reads the corpus as it is; how many were accepted.
    ///
    /// # Panics
    /// When one fails.
    #[must_use]
    pub fn replay(&self) -> usize {
        self.corpus.iter().filter(|input| (self.check)(input)).count()
    }

    /// Reads the first so many inputs of chance; how many were accepted.
    ///
    /// # Panics
    /// When one fails, with its seed.
    #[must_use]
    pub fn by_chance(&self, inputs: u64) -> usize {
        let check = |seed: &u64| match self.one(*seed) {
            Ok((accepted, _)) => accepted,
            Err(input) => panic!("{}: seed {seed} fails: {}", self.name, input.escape_ascii()),
        };
        (0..inputs).filter(check).count()
    }

    /// Whether the input of a seed is accepted and how long that took, or the input when it fails.
    fn one(&self, seed: u64) -> Result<(bool, Duration), Vec<u8>> {
        let input = (self.make)(&mut Chance::new(seed), &self.corpus);
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.check)(&input)));
        let took = started.elapsed();
        match outcome {
            Ok(accepted) if took < LIMIT => Ok((accepted, took)),
            _ => Err(input),
        }
    }

    fn run(&self, minutes: f64, first: u64) -> ExitCode {
        let end = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
        let (mut seed, mut accepted, mut slowest) = (first, 0_u64, (Duration::ZERO, first));
        while Instant::now() < end {
            for _ in 0..BATCH {
                match self.one(seed) {
                    Ok((whole, took)) => {
                        accepted += u64::from(whole);
                        slowest = slowest.max((took, seed));
                    }
                    Err(input) => {
                        println!("{}: seed {seed} fails: {}", self.name, input.escape_ascii());
                        return ExitCode::FAILURE;
                    }
                }
                seed += 1;
            }
        }
        let (name, inputs, (took, slow)) = (self.name, seed - first, slowest);
        println!(
            "{name}: {inputs} inputs in {minutes} minutes, {accepted} accepted, slowest {took:?} (seed {slow}), none failed"
        );
        ExitCode::SUCCESS
    }
}

/// The whole program: `TARGET [MINUTES] [FIRST_SEED]`, 10 minutes if nothing else is said.
///
/// # Panics
/// When the arguments are wrong.
#[must_use]
pub fn run(targets: &[Target]) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let Some(target) = targets.iter().find(|target| target.name == wanted) else {
        let names: Vec<&str> = targets.iter().map(|target| target.name).collect();
        println!("usage: TARGET [MINUTES] [FIRST_SEED]; targets: {}", names.join(", "));
        return ExitCode::FAILURE;
    };
    let minutes = arguments.next().map_or(10.0, |text| text.parse().expect("a number of minutes"));
    let first = arguments.next().map_or(FIRST_SEED, |text| text.parse().expect("a seed"));
    target.run(minutes, first)
}
