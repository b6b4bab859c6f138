//! How a task of a job file ended, as it says itself: one JSON object in the file `done/<task>`, which appears whole.

use pddflow_cache::{Digest, Key};
use pddflow_runner::NodeError;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

use crate::files::write_whole;

const FORMAT: u32 = 1;

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    format: u32,
    /// The key of its work.
    pub key: Key,
    /// What became of it.
    pub outcome: Outcome,
    /// How many checkpoints it stored.
    pub checkpoints: u32,
    /// Artifacts that it could not read.
    pub lost: Vec<Digest>,
    /// The machine.
    pub host: String,
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The store has its record.
    Recorded,
    /// It was asked to stop and goes on from its checkpoint another time.
    Stopped,
    /// It would be computed under another key here; nothing was computed.
    Refused(NodeError),
    /// It failed.
    Failed(NodeError),
}

impl Done {
    pub(crate) fn new(key: Key, outcome: Outcome, host: &str) -> Self {
        Self { format: FORMAT, key, outcome, checkpoints: 0, lost: Vec::new(), host: host.to_owned() }
    }

    pub(crate) fn with(self, checkpoints: u32, lost: Vec<Digest>) -> Self {
        Self { checkpoints, lost, ..self }
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        write_whole(path, &serde_json::to_string(self)?)
    }

    /// What a task said at its end; none while it has said nothing that can be read.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = fs_err::read_to_string(path).ok()?;
        serde_json::from_str(&text).ok().filter(|done: &Self| done.format == FORMAT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("done").join("7");
        let error = NodeError::new("pddflow::nodes::x", "no").with_help("do");
        for outcome in [Outcome::Recorded, Outcome::Stopped, Outcome::Refused(error.clone()), Outcome::Failed(error)] {
            let done = Done { checkpoints: 2, ..Done::new(Key::from_bytes([3; 32]), outcome, "n1") };
            done.write(&path).unwrap();
            assert_eq!(Done::read(&path), Some(done));
        }
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, text.replace("\"format\":1", "\"format\":2")).unwrap();
        assert_eq!(Done::read(&path), None);
        fs_err::write(&path, &text[..text.len() / 2]).unwrap();
        assert_eq!(Done::read(&path), None);
        assert_eq!(Done::read(&path.with_extension("none")), None);
    }
}
