//! Records and other files of a store, damaged by chance, for as long as one likes:
//! `cargo run --release --example fuzz_store -- records|files [MINUTES] [FIRST_SEED]`.
#![allow(clippy::expect_used, reason = "a program for developers")]

#[path = "../tests/fuzz/targets.rs"]
mod targets;

fn main() -> std::process::ExitCode {
    pddflow_fuzz::run(&[targets::records(), targets::files()])
}
