//! Why bytes are no artifact.

use pddflow_runner::NodeError;
use safetensors::SafeTensorError;

/// Bytes that cannot be read as the artifact they should be, or content that cannot be written as one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The container itself is damaged.
    #[error("the {artifact} artifact is no safetensors file")]
    Container {
        /// The artifact's type.
        artifact: &'static str,
        /// What the container's reader says.
        #[source]
        source: SafeTensorError,
    },
    /// The metadata is missing, is not JSON, or has fields that are unknown or absent.
    #[error("the description inside the {artifact} artifact cannot be read")]
    Note {
        /// The artifact's type.
        artifact: &'static str,
        /// What the JSON reader says.
        #[source]
        source: serde_json::Error,
    },
    /// It is an artifact of another type.
    #[error("expected a {artifact} artifact and found `{found}`")]
    OtherType {
        /// The expected type.
        artifact: &'static str,
        /// The type that the bytes name.
        found: String,
    },
    /// It was written by another format version.
    #[error("the {artifact} artifact has format version {found}; this program reads version {known}")]
    Version {
        /// The artifact's type.
        artifact: &'static str,
        /// Version of the bytes.
        found: u64,
        /// Version that this program reads.
        known: u32,
    },
    /// A part contradicts another one.
    #[error("the {artifact} artifact is not consistent: {message}")]
    Content {
        /// The artifact's type.
        artifact: &'static str,
        /// Which part, and what is wrong with it.
        message: String,
    },
}

impl ArtifactError {
    pub(crate) fn content(artifact: &'static str, message: impl Into<String>) -> Self {
        Self::Content { artifact, message: message.into() }
    }

    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Version { .. } => "pddflow::nodes::artifact_version",
            Self::OtherType { .. } => "pddflow::nodes::artifact_type",
            _ => "pddflow::nodes::artifact",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Version { .. } => "use the version of pddflow that wrote it, or run its pipeline again",
            Self::OtherType { .. } => "wire an output of the expected type into this port",
            _ => "remove the artifact with `pddflow cache gc`, or run its pipeline with another store",
        }
    }
}

impl From<ArtifactError> for NodeError {
    fn from(error: ArtifactError) -> Self {
        Self::new(error.code(), error.to_string()).with_help(error.help()).with_source_of(error)
    }
}

trait WithSourceOf {
    fn with_source_of(self, error: ArtifactError) -> Self;
}

impl WithSourceOf for NodeError {
    /// Only the cause below is attached: the error's own text is the message already.
    fn with_source_of(self, error: ArtifactError) -> Self {
        match error {
            ArtifactError::Container { source, .. } => self.with_source(source),
            ArtifactError::Note { source, .. } => self.with_source(source),
            _ => self,
        }
    }
}
