//! Plan to events: freshness, scheduling, cancellation.
//!
//! [`plan()`] says for every node of a [`pipeline::Plan`] whether its result is there, and if not, why; [`run()`] makes
//! it so. Both know nodes only through [`Kinds`] and the world only through [`cache::Store`]: no tensors, no YAML, no
//! files, no printing. What happens is told as [`RunEvent`]s.
//!
//! ```
//! use pddflow_runner::cache::{KeyPart, RamStore};
//! use pddflow_runner::{Inputs, Kinds, NodeContext, NodeError, Outputs, Task};
//! use std::collections::BTreeMap;
//!
//! /// One kind, `greet`, with one output.
//! struct Greet;
//!
//! impl Kinds for Greet {
//!     fn key_parts(&self, _: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
//!         Ok(vec![KeyPart::new("revision", 1.into())])
//!     }
//!     fn run(&self, node: Task<'_>, _: &Inputs, context: &NodeContext<'_>) -> Result<Outputs, NodeError> {
//!         let text = format!("hello {}", node.with["name"]);
//!         let artifacts = BTreeMap::from([("out".to_owned(), context.put(text.as_bytes())?)]);
//!         Ok(Outputs { artifacts, metrics: BTreeMap::new() })
//!     }
//! }
//! # let _ = (Greet, RamStore::new());
//! ```
//!
//! | module | what |
//! |---|---|
//! | `key` | the table of what enters a key |
//! | `freshness`, `reason` | fresh or stale, and why |
//! | `explain`, `history`, `journal_format` | one node in depth; what past runs did |
//! | `execute` | the one thread that owns the state of a run; with `graph`, `queue`, `resources` |
//! | `task`, `work_format` | a node as its kind sees it, and closed, to be computed anywhere |
//! | `executor`, `threads` | who computes nodes: a trait, and the threads of this process |
//! | `perform`, `context`, `lineage` | how one node is computed, and what it may use |
//! | `event`, `event_log`, `arrays`, `summary`, `error` | what is told, to whom |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

pub use pddflow_cache as cache;
pub use pddflow_pipeline as pipeline;

mod arrays;
mod cancel;
mod context;
mod error;
mod event;
mod event_log;
mod execute;
mod executor;
mod explain;
mod freshness;
mod graph;
mod history;
mod journal_format;
mod key;
mod kinds;
mod lineage;
mod node_log;
mod parallel;
mod perform;
mod queue;
mod reason;
mod resources;
mod settings;
mod shared;
mod summary;
mod task;
mod threads;
mod work_format;

pub use arrays::{ArrayProgress, Arrays};
pub use cancel::{Cancel, CancelLevel};
pub use context::NodeContext;
pub use error::{NodeError, RunError};
pub use event::{JobState, Progress, Resumed, RunEvent, SkipReason};
pub use execute::{run, run_on};
pub use executor::{Ended, Executor, ExecutorFactory, Job, Reports, Stop};
pub use explain::{Explanation, differences, explain};
pub use freshness::{Freshness, plan, ready_work};
pub use history::{
    HistoryError, PastJob, PastNode, PastRun, PastState, RunState, named_run, past_run, run_head, run_ids, run_outline,
    uses,
};
pub use journal_format::{PlannedNode, RunHead};
pub use kinds::{Artifact, Expected, Growing, Inputs, Kinds, Outputs};
pub use lineage::Lineage;
pub use node_log::node_log;
pub use parallel::{cores, parallel_map};
pub use perform::{Bench, perform, refusal};
pub use reason::StaleReason;
pub use resources::Capacity;
pub use settings::Settings;
pub use summary::{NodeSummary, Outcome, Summary};
pub use task::Task;
pub use work_format::Work;
