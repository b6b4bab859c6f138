//! What whole-program tests share: the built program, folders of their own, and ways to read what a run did.
//!
//! Tests drive the program as its users do: arguments in, text, exit code and files out.
//!
//! ```no_run
//! let place = pddflow_tests::Place::new();
//! place.run(&["run", "smoke.yaml"]).succeeds();
//! ```
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic")]

pub mod ledger;
mod place;
mod program;
mod ran;

pub use place::Place;
pub use program::{program, workspace_root};
pub use ran::{Digests, Event, Ran};
