//! Chores of the source tree: the generated C header, and as tests (`tests/tidy`) the checks that neither clippy nor
//! `cargo deny` makes.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod header;

pub use header::header;

use std::path::{Path, PathBuf};

/// Where the C header lies, from the root.
pub const HEADER: &str = "plugins/abi/pddflow.h";

/// The folder of the workspace that this crate was built in.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_header_is_what_its_sources_give() {
        let root = workspace_root();
        let committed = fs_err::read(root.join(HEADER)).unwrap();
        assert!(header(&root).unwrap() == committed, "run `cargo xtask header` and commit {HEADER}");
    }
}
