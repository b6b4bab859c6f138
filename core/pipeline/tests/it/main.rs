//! Behaviour of the crate through its public face.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod catalog;
mod diagnostics;
mod example;
mod expansion;
mod hostile;
mod includes;
mod laws;
mod lints;
mod overlays;
mod schema;
mod settings;
mod speed;
mod sweeps;
