//! Fuzzes the readers of pipeline files and expressions, until stopped:
//! `cargo run --release --example fuzz_pipeline -- yaml|expressions [MINUTES] [FIRST_SEED]`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a program for developers")]

#[path = "../tests/fuzz/targets.rs"]
mod targets;
#[path = "../tests/fuzz/world.rs"]
mod world;

fn main() -> std::process::ExitCode {
    pddflow_fuzz::run(&[targets::yaml(), targets::expressions()])
}
