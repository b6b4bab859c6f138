//! [`Work`]: one node, closed and ready to be computed anywhere, and how it is written.
//!
//! It holds all that a kind needs and names inputs by their digests, so that whoever has the same build, the same plugins and
//! the store can carry it out without the pipeline. One JSON object; unknown fields and other formats are refused.

use crate::kinds::Inputs;
use crate::lineage::Lineage;
use crate::task::Task;
use pddflow_cache::{Key, KeyPart};
use pddflow_pipeline::NodeId;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The format that is written and read.
const FORMAT: u32 = 1;

/// A node to compute, closed: nothing of it refers to a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    #[serde(deserialize_with = "known")]
    format: u32,
    /// The node's name, for messages.
    pub node: NodeId,
    /// Its kind.
    pub kind: String,
    /// Its parameters, defaults filled in.
    pub with: Value,
    /// The folder that relative paths among the parameters start at.
    pub folder: PathBuf,
    /// The key under which the result is recorded.
    pub key: Key,
    /// What the key is made of.
    #[serde(with = "parts")]
    pub parts: Vec<KeyPart>,
    /// Its inputs by digest.
    pub inputs: Inputs,
    /// The lineage that it may go on from and keeps its state for.
    pub growing: Option<Lineage>,
    /// The outputs that other nodes use.
    pub used: Vec<String>,
    /// Longest time of one attempt.
    pub timeout: Option<Duration>,
    /// Time between checkpoints.
    pub checkpoint_interval: Duration,
    /// Whether a record that is there already does not count: the node was asked to run again.
    pub again: bool,
}

impl Work {
    /// A node of a plan whose key is known.
    pub(crate) fn new(task: Task<'_>, (key, parts): (Key, Vec<KeyPart>), inputs: Inputs) -> Self {
        Self {
            format: FORMAT,
            node: task.id.clone(),
            kind: task.kind.to_owned(),
            with: task.with.clone(),
            folder: task.folder.to_owned(),
            key,
            parts,
            inputs,
            growing: None,
            used: Vec::new(),
            timeout: None,
            checkpoint_interval: Duration::MAX,
            again: false,
        }
    }

    /// What its kind is asked to compute.
    #[must_use]
    pub fn task(&self) -> Task<'_> {
        Task { id: &self.node, kind: &self.kind, with: &self.with, folder: &self.folder }
    }

    /// The same work for another working folder: a relative folder now starts at `root`.
    #[must_use]
    pub fn below(mut self, root: &Path) -> Self {
        self.folder = root.join(self.folder);
        self
    }
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        FORMAT => Ok(FORMAT),
        other => Err(serde::de::Error::custom(format!("work of format {other}; this program reads format {FORMAT}"))),
    }
}

/// Key parts as pairs of name and value.
mod parts {
    use pddflow_cache::KeyPart;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(parts: &[KeyPart], serializer: S) -> Result<S::Ok, S::Error> {
        let pairs: Vec<(&str, &Value)> = parts.iter().map(|part| (part.name.as_str(), &part.value)).collect();
        pairs.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<KeyPart>, D::Error> {
        let pairs = Vec::<(String, Value)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(name, value)| KeyPart::new(name, value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Artifact;
    use pddflow_cache::Digest;
    use serde_json::json;

    fn work() -> Work {
        let (id, with) = (NodeId::new("eval[of=dm]"), json!({"lr": 0.1, "ipc": 10, "tag": "é\n", "zero": -0.0}));
        let task = Task { id: &id, kind: "evaluate", with: &with, folder: Path::new("pipelines") };
        let artifact = Artifact { digest: Digest::of(b"set"), artifact: "set".into(), from: NodeId::new("distill") };
        let inputs = Inputs([("sets".to_owned(), vec![artifact])].into());
        let mut work = Work::new(task, (Key::from_bytes([7; 32]), vec![KeyPart::new("with", with.clone())]), inputs);
        work.growing = Some(Lineage { key: Key::from_bytes([8; 32]), parameter: "epochs".into(), wanted: 9 });
        work.used = vec!["results".into()];
        work.timeout = Some(Duration::from_millis(1_500));
        work
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let text = serde_json::to_string(&work()).unwrap();
        assert!(!text.contains('\n'), "one line");
        let read: Work = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert_eq!(read, work());
    }

    #[test]
    fn another_format_and_unknown_fields_are_refused() {
        let text = serde_json::to_string(&work()).unwrap();
        let newer = text.replacen("\"format\":1", "\"format\":2", 1);
        let error = serde_json::from_str::<Work>(&newer).unwrap_err().to_string();
        assert!(error.starts_with("work of format 2; this program reads format 1"), "{error}");
        let more = text.replacen("\"format\":1", "\"format\":1,\"more\":0", 1);
        assert!(serde_json::from_str::<Work>(&more).is_err());
    }

    #[test]
    fn a_relative_folder_starts_at_the_root_that_is_given() {
        assert_eq!(work().below(Path::new("/home/u")).folder, Path::new("/home/u/pipelines"));
    }
}
