//! What is known of a plugin before it is used.

use serde_json::Value;
use std::fmt;
use std::path::PathBuf;

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// How synthetic data is made to mimic real data.
    Matcher,
    /// A network.
    Model,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Matcher => "matcher",
            Self::Model => "model",
        })
    }
}

/// What is known of a plugin without making an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginInfo {
    /// Name under which pipelines use it.
    pub id: String,
    /// Matcher or model.
    pub role: Role,
    /// Its version.
    pub version: String,
    /// Number of its results; without one they are named by the bytes of its file.
    pub revision: Option<u32>,
    /// One line.
    pub summary: String,
    /// The file it came from.
    pub file: PathBuf,
    /// BLAKE3 digest of that file.
    pub digest: [u8; 32],
    /// JSON schema of its parameters.
    pub schema: Value,
}

impl PluginInfo {
    /// What results depend on, as it enters keys: id and revision, so that a rebuild changes nothing; without a revision the digest
    /// of the file.
    #[must_use]
    pub fn key(&self) -> String {
        match self.revision {
            Some(revision) => format!("{} revision {revision}", self.id),
            None => format!("b3:{}", blake3::Hash::from_bytes(self.digest).to_hex()),
        }
    }

    /// How errors name it.
    pub(crate) fn title(&self) -> String {
        format!("{} `{}` {}", self.role, self.id, self.version)
    }
}
