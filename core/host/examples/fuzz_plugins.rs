//! Fuzzes the reader of plugins' data, until stopped:
//! `cargo run --release --example fuzz_plugins -- headers|plugin-files [MINUTES] [FIRST_SEED]`. For Linux.
#![allow(unsafe_code, clippy::expect_used, reason = "a program for developers")]

#[path = "../tests/fuzz/image.rs"]
mod image;
#[path = "../tests/fuzz/targets.rs"]
mod targets;

fn main() -> std::process::ExitCode {
    pddflow_fuzz::run(&[targets::headers(), targets::files()])
}
