//! Short ways to say what went wrong in a node.

use pddflow_cache::StoreError;
use pddflow_host::PluginError;
use pddflow_runner::NodeError;
use pddflow_tensor::TensorError;

/// Result of the work of a node.
pub type NodeResult<T> = Result<T, NodeError>;

/// A failure with the code `pddflow::nodes::<name>`.
pub fn fail(name: &str, message: impl Into<String>) -> NodeError {
    NodeError::new(format!("pddflow::nodes::{name}"), message)
}

/// A plugin's failure as a node's failure: code, advice and cancellation are kept.
pub fn from_plugin(error: &PluginError) -> NodeError {
    let code = error.code();
    let code = if code.starts_with("pddflow::") { code.to_owned() } else { format!("pddflow::{code}") };
    let failure = NodeError::new(code, error.message());
    NodeError { help: error.help(), cancelled: error.is_cancelled(), ..failure }
}

/// Turns failures of the layers below into a node's failure, saying what was being done.
pub trait During<T> {
    /// `doing` completes "while ...".
    fn during(self, doing: &str) -> NodeResult<T>;
}

impl<T> During<T> for Result<T, TensorError> {
    fn during(self, doing: &str) -> NodeResult<T> {
        self.map_err(|error| fail("tensor", format!("while {doing}: {error}")))
    }
}

impl<T> During<T> for Result<T, StoreError> {
    /// The store's own code and advice stay, because the runner reads from them whether an artifact must be made again.
    fn during(self, doing: &str) -> NodeResult<T> {
        self.map_err(|error| {
            let failure = NodeError::from(error);
            let message = format!("while {doing}: {}", failure.message);
            NodeError { message, ..failure }
        })
    }
}

impl<T> During<T> for Result<T, PluginError> {
    fn during(self, doing: &str) -> NodeResult<T> {
        self.map_err(|error| {
            let failure = from_plugin(&error);
            let message = format!("while {doing}: {}", failure.message);
            NodeError { message, ..failure }
        })
    }
}

impl<T> During<T> for Result<T, serde_json::Error> {
    fn during(self, doing: &str) -> NodeResult<T> {
        self.map_err(|error| fail("json", format!("while {doing}: {error}")))
    }
}
