//! Fuzzes the reader of journals, until stopped:
//! `cargo run --release --example fuzz_journals -- journals [MINUTES] [FIRST_SEED]`.
#![allow(clippy::expect_used, reason = "a program for developers")]

#[path = "../tests/fuzz/targets.rs"]
mod targets;

fn main() -> std::process::ExitCode {
    pddflow_fuzz::run(&[targets::journals()])
}
