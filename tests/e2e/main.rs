//! Whole runs of a small pipeline: what runs again and what does not, the same digests every time, and nothing lost
//! whatever happens.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a failing test should panic")
)]

mod digests;
mod disasters;
mod failures;
mod freshness;
mod glue;
mod kills;
mod ledger;
mod plugin_check;
mod plugin_new;
mod profile;
mod programs;
mod progressive;
mod python_matcher;
mod report;
mod results;
mod revisions;
mod runs;
#[path = "../../core/remote/tests/servers/server.rs"]
#[expect(dead_code, reason = "the tests of core/remote use all of it")]
mod server;
mod transfer;
#[cfg(unix)]
mod users;

use pddflow_tests::{Digests, Place, Ran};
use std::sync::OnceLock;

/// Runs the smoke pipeline with events as JSON.
#[track_caller]
fn smoke(place: &Place, more: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["run", "smoke.yaml", "--json"].into_iter().chain(more.iter().copied()).collect();
    place.run(&arguments)
}

/// The digests of an undisturbed run; made once for all tests.
fn expected() -> &'static Digests {
    static EXPECTED: OnceLock<Digests> = OnceLock::new();
    EXPECTED.get_or_init(|| smoke(&Place::new(), &[]).succeeds().digests())
}
