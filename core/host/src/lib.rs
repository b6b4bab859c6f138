//! Loads plugins and gives them tensors through C tables.
//!
//! A plugin is a dynamic library that knows only `pddflow-abi`. This crate finds it, judges everything that it claims before any
//! of its code runs, and then enters it with a *call*: an arena of tensors behind numbers, the tape behind them, and for
//! matchers the [`Environment`] that a node provides.
//!
//! ```no_run
//! use pddflow_host::{InputShape, Registry, SearchPaths};
//!
//! # fn main() -> Result<(), pddflow_host::PluginError> {
//! let search = SearchPaths { files: Vec::new(), folders: vec!["plugins".into()] };
//! let registry = Registry::open(&search)?;
//! let model = registry.model("convnet", &serde_json::json!({"width": 32}))?;
//! let weights = model.weights(InputShape { channels: 3, height: 32, width: 32 }, 10)?;
//! assert_eq!(weights[0].name, "block0.conv.weight");
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`registry`](Registry) | search paths, names, configured models and matchers |
//! | `load`, `copies`, `object`, `check`, `maps` | from a file to tables of functions that are safe to call |
//! | `call`, `arena`, `raw` | one entry into a plugin: which thread, which tensors, which pointers |
//! | `table` | the host's functions, one file for each group |
//! | `view` | what a matcher sees of the synthetic data; conditioning on earlier sets |
//! | `schema`, `files` | parameters: checking, defaults; those that name files |
//!
//! `unsafe` is here, in `pddflow-sdk` and in `pddflow-abi` only; each block names the check or the contract line it relies on.
#![allow(unsafe_code, reason = "the boundary to plugins; every block says what it relies on")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod arena;
mod call;
mod check;
mod convert;
mod copies;
mod environment;
mod error;
mod files;
mod info;
mod instance;
mod library;
mod load;
mod maps;
mod matcher;
mod model;
mod object;
mod problem;
mod raw;
mod registry;
mod schema;
mod steps;
mod table;
mod types;
mod view;

#[doc(hidden)]
pub use check::judge_header;
pub use environment::{Environment, EnvironmentError, EnvironmentResult};
pub use error::{Code, PluginError};
pub use files::FileParam;
pub use info::{PluginInfo, Role};
pub use matcher::Matcher;
pub use model::Model;
#[doc(hidden)]
pub use object::fault as file_fault;
pub use registry::{Registry, SearchPaths};
pub use schema::ConfigProblem;
pub use types::{
    Batch, Decoded, Description, Forward, Init, InputShape, Labels, LearnableInit, LearnableRole, LearnableSpec, Mode,
    Need, Net, Optimizer, Problem, Segment, Sgd, Space, TrainData, TrainSpec, ValueRange, WeightRole, WeightSpec,
};
