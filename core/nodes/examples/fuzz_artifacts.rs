//! Fuzzes the readers of artifacts and of other programs' files, until stopped:
//! `cargo run --release --example fuzz_artifacts -- artifacts|foreign [MINUTES] [FIRST_SEED]`.
#![allow(clippy::expect_used, dead_code, reason = "a program for developers")]

#[path = "../tests/fuzz/corpus.rs"]
mod corpus;
#[path = "../tests/fuzz/targets.rs"]
mod targets;

fn main() -> std::process::ExitCode {
    pddflow_fuzz::run(&[targets::artifacts_target(), targets::foreign_target()])
}
