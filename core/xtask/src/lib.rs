//! Chores of the source tree: generated files, and the checks that keep its shape.
//!
//! `cargo xtask header|schema [--check]` and `cargo xtask tidy`. The checks also run as tests of this crate, so that
//! `cargo test --workspace` is all that a change needs.
//!
//! ```
//! let root = pddflow_xtask::workspace_root();
//! assert!(root.join("Cargo.toml").is_file());
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`generated`] | `plugins/abi/pddflow.h` and `pipelines/schema.json` |
//! | [`tidy`] | sizes, arrows between crates, words, places where `unsafe` may be |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

pub mod generated;
mod rust_text;
pub mod tidy;

use std::path::{Path, PathBuf};

/// The folder of the workspace that this crate was built in.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A chore that could not be done or a check that failed: text for the person at the keyboard.
pub type Outcome = Result<String, String>;
