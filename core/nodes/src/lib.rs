//! The built-in node kinds: what a pipeline can do without any plugin.
//!
//! [`Library`] is the one public face. It answers the questions of a pipeline file (which kinds exist, which ports and
//! parameters they have, are these parameters right?) as a [`Catalog`](pddflow_runner::pipeline::Catalog), and does the
//! work of a node as [`Kinds`](pddflow_runner::Kinds). Matchers and models are plugins: this crate knows none by name.
//!
//! | module | what |
//! |---|---|
//! | [`artifact`] | types that pass between nodes, and their bytes |
//! | `dataset`, `classes`, `forgetting`, `filter`, `select`, `train`, `advance`, `distill` | one kind each |
//! | `evaluate`, `continual`, `table`, `figure`, `images`, `export` | one kind each |
//! | `stored` | pools of weights and trajectories on their way into nodes |
//! | `protocol`, `observe` | training nets on sets and testing them; results by labels |
//! | `nets` | weights, training and accuracy of nets, shared by the kinds |
//! | `library`, `kind`, `params` | the list of kinds and what each must say of itself |
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

mod advance;
pub mod artifact;
mod choice;
mod classes;
mod command;
mod continual;
mod dataset;
pub mod distill;
mod evaluate;
mod export;
mod failure;
mod figure;
mod filter;
mod forgetting;
mod images;
mod kind;
mod library;
pub mod nets;
mod observe;
mod params;
mod protocol;
pub mod select;
mod sets;
mod splits;
mod stored;
mod table;
mod tensor_file;
mod train;

pub use pddflow_tensor::{Instructions, keep_freed_memory, trace, use_at_most};

pub use library::{Library, LibraryOptions, Precision};
