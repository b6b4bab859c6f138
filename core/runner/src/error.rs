//! What can go wrong in a run.

use pddflow_cache::{KeyError, StoreError};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;

const REPORT: &str = "this is a defect of the program or of a plugin, not of the pipeline; please report it";

/// Why a node failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeError {
    /// Stable code: `pddflow::nodes::...`, `pddflow::runner::...`.
    pub code: String,
    /// What failed and where, a lower-case fragment.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
    /// The causes, outermost first; not repeated in `message`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<String>,
    /// The last lines that a program printed before it failed. They are in the log of the node too, and are shown where
    /// that is not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub output: Vec<String>,
    /// Whether the node only stopped because it was asked to.
    #[serde(skip)]
    pub cancelled: bool,
}

impl NodeError {
    /// An error with this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message, causes, output) = (code.into(), message.into(), Vec::new(), Vec::new());
        Self { code, message, help: None, causes, output, cancelled: false }
    }

    /// What a node returns when it stopped because [`crate::NodeContext::cancelled`] said so.
    #[must_use]
    pub fn cancelled() -> Self {
        Self { cancelled: true, ..Self::new("pddflow::runner::cancelled", "it was asked to stop") }
    }

    /// Something that no user can cause.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("pddflow::runner::internal", message).with_help(REPORT)
    }

    /// With advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a cause and the causes of that.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        let mut next = Some(&*source as &dyn Error);
        while let Some(cause) = next {
            self.causes.push(cause.to_string());
            next = cause.source();
        }
        self
    }

    /// With the last lines that a program printed.
    #[must_use]
    pub fn with_output(self, output: Vec<String>) -> Self {
        Self { output, ..self }
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl Error for NodeError {}

impl From<StoreError> for NodeError {
    fn from(error: StoreError) -> Self {
        let node = Self::new(error.code(), error.to_string()).with_help(error.help());
        match error.cause() {
            Some(cause) => node.with_source(cause),
            None => node,
        }
    }
}

impl From<KeyError> for NodeError {
    fn from(error: KeyError) -> Self {
        Self::new("pddflow::runner::key", error.to_string())
            .with_help("give every number of the node's parameters a finite value")
    }
}

/// Why a run could not take place at all. Nodes that fail are no such error: see [`crate::Summary`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// [`crate::Settings::jobs`] is zero.
    #[error("a run needs at least one job at a time, `jobs` is 0")]
    NoJobs,
    /// The system gave no worker thread.
    #[error("no worker thread could be started")]
    NoWorker(#[source] std::io::Error),
    /// The executor that was asked for cannot be used.
    #[error("no node can be given to the cluster: {0}")]
    NoExecutor(String),
    /// The id of the run cannot be used.
    #[error("the run cannot be called `{run}`")]
    InvalidRunId {
        /// The id.
        run: String,
        /// What the store says.
        #[source]
        source: StoreError,
    },
    /// The plan breaks a law that its maker promises.
    #[error("the plan is not consistent: {0}; please report this")]
    Internal(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use pddflow_cache::{Digest, RamStore};

    #[test]
    fn a_failure_has_every_text_once() {
        let inner = NodeError::new("c", "inner").with_source(std::io::Error::other("cause"));
        let failure = NodeError::new("pddflow::nodes::x", "outer").with_help("do").with_source(inner);
        assert_eq!(failure.to_string(), "outer: inner: cause");
        assert_eq!(failure.help.as_deref(), Some("do"));
    }

    #[test]
    fn store_errors_keep_code_and_help() {
        let error = RamStore::new().get(&Digest::of(b"none")).unwrap_err();
        let failure = NodeError::from(error);
        assert_eq!(failure.code, "pddflow::cache::missing");
        assert!(failure.help.unwrap().contains("run the pipeline again"));
        assert_eq!(failure.causes, Vec::<String>::new());
    }
}
