//! What can go wrong in a run.

use pddflow_cache::{KeyError, StoreError};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;

const REPORT: &str = "this is a defect of the program or of a plugin, not of the pipeline; please report it";

/// Why a node failed, as told by its kind.
#[derive(Debug)]
pub struct NodeError {
    /// Stable code: `pddflow::nodes::...`, `pddflow::runner::...`.
    pub code: String,
    /// What failed and where, a lower-case fragment.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The cause; its text is not repeated in `message`.
    pub source: Option<Box<dyn Error + Send + Sync>>,
    /// Whether the node only stopped because it was asked to.
    pub cancelled: bool,
}

impl NodeError {
    /// An error with this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), help: None, source: None, cancelled: false }
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

    /// With a cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// In a form that can be kept, cloned and sent.
    #[must_use]
    pub fn to_failure(&self) -> NodeFailure {
        let mut causes = Vec::new();
        let mut next = self.source.as_deref().map(|source| source as &dyn Error);
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        NodeFailure { code: self.code.clone(), message: self.message.clone(), help: self.help.clone(), causes }
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for NodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

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

/// A [`NodeError`] as it is shown: every text, no live objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFailure {
    /// Stable code.
    pub code: String,
    /// What failed and where.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
    /// The causes, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<String>,
}

impl fmt::Display for NodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
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
        let failure = NodeError::new("pddflow::nodes::x", "outer").with_help("do").with_source(inner).to_failure();
        assert_eq!(failure.to_string(), "outer: inner: cause");
        assert_eq!(failure.help.as_deref(), Some("do"));
    }

    #[test]
    fn store_errors_keep_code_and_help() {
        let error = RamStore::new().get(&Digest::of(b"none")).unwrap_err();
        let failure = NodeError::from(error).to_failure();
        assert_eq!(failure.code, "pddflow::cache::missing");
        assert!(failure.help.unwrap().contains("run the pipeline again"));
        assert_eq!(failure.causes, Vec::<String>::new());
    }
}
