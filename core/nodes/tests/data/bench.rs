//! Single nodes without a runner.

use std::path::{Path, PathBuf};

use pddflow_artifact::{Dataset, DistilledSet, Files, Results};
use pddflow_cache::{Digest, Key, RamStore};
use pddflow_nodes::{Library, LibraryOptions};
use pddflow_runner::pipeline::{self, Catalog, NodeId, Options, ParamProblem, PlanNode};
use pddflow_runner::{Artifact, Cancel, Inputs, Kinds, NodeContext, NodeError, Outputs, Task};
use serde_json::Value;

const ONE_NODE: &str = "format: 1\nname: one\nnodes: { node: { kind: dataset, with: { source: fashion-mini } } }\n";

/// A library, a store, and a folder for files.
pub(crate) struct Bench {
    pub(crate) library: Library,
    pub(crate) store: RamStore,
    pub(crate) cancel: Cancel,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::new(LibraryOptions {
            data_dirs: vec![folder.path().join("data")],
            downloads: folder.path().join("downloads"),
            ..LibraryOptions::default()
        });
        Self { library, store: RamStore::new(), cancel: Cancel::new(), folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn check(&self, kind: &str, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        self.library.check(kind, with)
    }

    pub(crate) fn run(&self, kind: &str, with: &Value, inputs: &Inputs) -> Result<Outputs, NodeError> {
        let node = self.node(kind, with);
        let key = Key::from_bytes([7; 32]);
        self.library.run(Task::of(&node), inputs, &NodeContext::detached(&self.store, &node.id, key, &self.cancel))
    }

    /// The parts of the key that the kind itself gives.
    pub(crate) fn key_parts(&self, kind: &str, with: &Value) -> Result<String, NodeError> {
        let parts = self.library.key_parts(Task::of(&self.node(kind, with)))?;
        Ok(parts.iter().map(|part| format!("{}={};", part.name, part.value)).collect())
    }

    /// All that enters the key of a `dataset` node, as one text.
    pub(crate) fn key(&self, with: &Value) -> Result<String, NodeError> {
        self.key_of("dataset", with)
    }

    /// The same of a node of any kind.
    pub(crate) fn key_of(&self, kind: &str, with: &Value) -> Result<String, NodeError> {
        let node = self.node(kind, with);
        let with = self.library.key_with(Task::of(&node)).unwrap_or_else(|| node.with.clone());
        Ok(format!("{} with={with}", self.key_parts(kind, &node.with)?))
    }

    fn node(&self, kind: &str, with: &Value) -> PlanNode {
        let plan = pipeline::load_text("one.yaml", ONE_NODE, &self.library, &Options::default());
        let mut node = plan.unwrap_or_else(|found| panic!("{found:?}")).nodes.swap_remove(0);
        node.with = self.check(kind, with).unwrap_or_else(|problems| panic!("{problems:?}"));
        node.kind = kind.to_owned();
        node
    }

    pub(crate) fn dataset_digest(&self, with: &Value) -> Result<Digest, NodeError> {
        Ok(self.run("dataset", with, &Inputs::default())?.artifacts["data"])
    }

    pub(crate) fn dataset(&self, with: &Value) -> Result<Dataset, NodeError> {
        let digest = self.dataset_digest(with)?;
        Ok(Dataset::decode(&self.store.get(&digest).unwrap()).unwrap())
    }

    /// The error of a data set that must not be accepted, as one text: code, message, help.
    pub(crate) fn refusal(&self, with: &Value) -> String {
        let error = match self.dataset(with) {
            Ok(_) => panic!("{with} was accepted"),
            Err(error) => error,
        };
        let help = error.help.clone().unwrap_or_else(|| panic!("no advice: {}", error.message));
        format!("{} | {} | {help}", error.code, error.message)
    }

    pub(crate) fn put_set(&self, set: &DistilledSet) -> Artifact {
        self.artifact("set", "make[1]", &set.encode().unwrap())
    }

    pub(crate) fn put_results(&self, results: &Results) -> Artifact {
        self.artifact("results", "eval", &results.encode().unwrap())
    }

    pub(crate) fn data_artifact(&self, with: &Value) -> Artifact {
        let digest = self.dataset_digest(with).unwrap();
        Artifact { digest, artifact: "dataset".into(), from: NodeId::new("data") }
    }

    fn artifact(&self, artifact: &str, from: &str, bytes: &[u8]) -> Artifact {
        Artifact { digest: self.store.put(bytes).unwrap(), artifact: artifact.into(), from: NodeId::new(from) }
    }

    /// Runs a kind that gives files.
    pub(crate) fn files(&self, kind: &str, with: &Value, ports: &[(&str, Vec<Artifact>)]) -> Result<Files, NodeError> {
        let inputs = Inputs(ports.iter().map(|(port, artifacts)| ((*port).to_owned(), artifacts.clone())).collect());
        let outputs = self.run(kind, with, &inputs)?;
        let digest = outputs.artifacts.values().next().unwrap();
        Ok(Files::decode(&self.store.get(digest).unwrap()).unwrap())
    }
}

/// Real data that not every machine has.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.exists() {
        return Some(path.canonicalize().unwrap());
    }
    println!("SKIP: {} is not there", path.display());
    None
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
