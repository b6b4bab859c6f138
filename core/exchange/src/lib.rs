//! What other programs made, and what they read.
//!
//! | module | what |
//! |---|---|
//! | [`import`] | files of others become sets, trajectories, weights and scores, checked against the data they are for |
//! | [`export`] | sets become a folder that anyone can train on |
//!
//! How files of others are read at all is `pddflow_data::foreign`.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

pub mod export;
pub mod import;
