//! YAML text to a checked plan, with source spans.
//!
//! A pipeline file declares nodes; this crate reads it, lays a profile and overrides over it, evaluates the
//! `${...}` expressions, expands `for` families, connects references, checks everything against a [`Catalog`] of node
//! kinds, and returns a [`Plan`]: all instances in a stable topological order. It runs nothing and knows no
//! node kind by name.
//!
//! All problems of a file are returned at once as [`Diagnostics`], each with its place, its source line and what to
//! do. Time and memory are bounded for every input: sizes of the file, of nesting, of aliases, of expressions, of
//! families and of edges are limited, and each limit is a diagnostic.
//!
//! ```
//! use pddflow_pipeline::{Arity, Catalog, KindSpec, Options, ParamProblem, PortSpec, load_text};
//! use serde_json::{Value, json};
//!
//! struct Kinds(Vec<KindSpec>);
//! impl Catalog for Kinds {
//!     fn kinds(&self) -> Vec<&KindSpec> {
//!         self.0.iter().collect()
//!     }
//!     fn kind(&self, name: &str) -> Option<&KindSpec> {
//!         self.0.iter().find(|kind| kind.name == name)
//!     }
//!     fn check(&self, _kind: &str, with: &Value) -> Result<Value, Vec<ParamProblem>> {
//!         Ok(with.clone())
//!     }
//! }
//! let port = |name: &str, arity| PortSpec {
//!     name: name.into(), artifact: "set".into(), arity, summary: String::new(),
//! };
//! let kinds = Kinds(vec![KindSpec {
//!     name: "distill".into(), summary: "makes a set".into(), inputs: vec![port("previous", Arity::Many)],
//!     outputs: vec![port("set", Arity::One)], parameters: || json!({}), seeded: true,
//! }]);
//!
//! let text = "
//! format: 1
//! params: { stages: 3 }
//! nodes:
//!   distill:
//!     for: { k: 1..=${stages} }
//!     kind: distill
//!     needs: { previous: \"distill[..${k}]\" }
//! ";
//! let plan = load_text("example.yaml", text, &kinds, &Options::default())?;
//! assert_eq!(plan.nodes.len(), 3);
//! assert_eq!(plan.nodes[2].id.as_str(), "distill[3]");
//! assert_eq!(plan.nodes[2].inputs.get("previous").map(Vec::len), Some(2));
//! # Ok::<(), pddflow_pipeline::Diagnostics>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod catalog;
mod diagnostic;
mod document;
mod expand;
mod expression;
mod lint;
mod load;
mod plan;
mod schema;
mod selection;
mod template;
mod text;
mod view;
mod yaml;

pub use catalog::{ANY_ARTIFACT, Arity, Catalog, InputProblem, KindSpec, ParamProblem, PortSpec, SHARD, SHARDS};
pub use diagnostic::shown::{Diagnostic, Diagnostics};
pub use document::cluster::cluster_table;
pub use document::setting::settings_table;
pub use expression::expressions_table;
pub use load::{Options, PipelineFile, load, load_text};
pub use plan::{ClusterSettings, InputRef, NodeId, NodeSettings, Plan, PlanNode, Resources, Retries};
pub use schema::schema;
pub use selection::{NodePattern, Selection, SelectionError};
pub use text::quantity::{duration, memory_bytes};
pub use view::graph::{Detail, GraphView};
