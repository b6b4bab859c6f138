//! The built-in node kinds: what a pipeline can do without any plugin.
//!
//! [`Library`] is the one public face. It answers the questions of a pipeline file (which kinds exist, which ports and
//! parameters they have, are these parameters right?) as a [`Catalog`](pddflow_runner::pipeline::Catalog), and does the
//! work of a node as [`Kinds`](pddflow_runner::Kinds). Matchers and models are plugins: this crate knows none by name.
//!
//! | module | what |
//! |---|---|
//! | `kinds` | the list of kinds, and [`Library`] |
//! | `dataset`, `classes`, `forgetting`, `filter`, `select`, `split`, `generator`, `train`, `advance`, `distill` | one kind each |
//! | `import`, `evaluate`, `continual`, `rank`, `table`, `figure`, `images`, `export`, `command` | one kind each |
//! | `shard` | nets of a node, trained by several |
//! | `kind`, `surroundings` | what each kind must say of itself, and what it is given |
//!
//! What kinds work with is in crates of its own: [`pddflow_artifact`], [`pddflow_data`], [`pddflow_distillation`],
//! [`pddflow_exchange`], [`pddflow_figures`], [`pddflow_training`].
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

mod advance;
mod classes;
mod command;
mod continual;
mod dataset;
mod distill;
mod evaluate;
mod export;
mod figure;
mod filter;
mod forgetting;
mod generator;
mod images;
mod import;
mod kind;
mod kinds;
mod rank;
mod select;
mod shard;
mod split;
mod surroundings;
mod table;
mod train;

pub use command::visible_gpus;
pub use pddflow_distillation::trial;
pub use pddflow_host::{PluginInfo, Registry};
pub use pddflow_tensor::{Backend, Device, Instructions, check_device, keep_freed_memory, trace, use_at_most};

pub use kinds::Library;
pub use surroundings::{LibraryOptions, Precision};
