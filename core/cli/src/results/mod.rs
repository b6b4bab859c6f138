//! Artifacts that are files, written to folders of results.
//!
//! | module | what |
//! |---|---|
//! | `index`, `index_format` | what each node wrote, so that a person's edits are spared and nothing stays behind |
//! | `folder` | names of folders; files written in one step |

mod folder;
mod index;
mod index_format;

pub(crate) use folder::{digest_of, of_node as folder_of, write_file};

use crate::exit::Exit;
use crate::opened::Opened;
use crate::problem::Problem;
use index::{Index, Written};
use pddflow_artifact::Files;
use pddflow_cache::{Digest, StoreErrorKind};
use pddflow_pipeline::PlanNode;
use pddflow_report::Place;
use pddflow_runner::{Summary, parallel_map};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The artifact type of tables.
pub(crate) const TABLE: &str = "table";
/// Artifact types whose bytes are a tree of files.
const TREES: [&str; 2] = ["files", TABLE];

/// Whether an artifact of this type is a tree of files.
pub(crate) fn is_tree(artifact: &str) -> bool {
    TREES.contains(&artifact)
}

/// What a node gave as files.
struct Given {
    /// Its place in the plan.
    at: usize,
    folder: PathBuf,
    artifacts: Vec<Digest>,
    /// How many files it gave.
    count: usize,
    /// Its tables, as Markdown.
    tables: Vec<String>,
    /// Its files, if it is not known that they lie in the folder.
    unwritten: Option<Vec<Files>>,
}

/// Why the files of a run cannot be read.
pub(crate) enum Unreadable {
    /// An artifact is damaged or gone; the store set it aside, so that another run makes it again.
    Repairable(Problem),
    Other(Problem),
}

/// Everything that the nodes of a run gave as files, and the folder of results that it belongs into.
pub(crate) struct Results<'a> {
    opened: &'a Opened,
    pub(crate) summary: Summary,
    folder: PathBuf,
    index: Index,
    given: Vec<Given>,
}

/// Where the results of a run lie now.
pub(crate) struct Places {
    pub(crate) nodes: Vec<Place>,
    /// Files that are not those of the run, because a person changed them.
    pub(crate) kept: Vec<PathBuf>,
}

impl<'a> Results<'a> {
    /// Compares what the nodes gave with what lies in the folder. All of it is read before the first failure is
    /// returned, so that one more run mends all damage.
    pub(crate) fn collect(opened: &'a Opened, summary: Summary, folder: &Path) -> Result<Self, Unreadable> {
        let folder = folder::of_pipeline(folder, &opened.plan.name);
        let index = Index::read(&folder);
        let mut results = Self { opened, summary, folder, index, given: Vec::new() };
        let count = opened.plan.nodes.len().min(results.summary.nodes.len());
        let mut failure = None;
        for found in parallel_map(count, |at| results.given_by(at)) {
            match found {
                Ok(given) => results.given.extend(given),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(results), Err)
    }

    /// What one node gave, if it gives or gave files; also here all of it is read before the first failure is returned.
    fn given_by(&self, at: usize) -> Result<Option<Given>, Unreadable> {
        let node = &self.opened.plan.nodes[at];
        let Some(record) = &self.summary.nodes[at].record else { return Ok(None) };
        let outputs = record.outputs.iter().map(|(port, digest)| (self.opened.artifact(node, port), *digest));
        let trees: Vec<(&str, Digest)> = outputs.filter(|(artifact, _)| is_tree(artifact)).collect();
        let name = node.id.as_str();
        if trees.is_empty() && self.index.node(name).is_none() {
            return Ok(None);
        }
        let folder = folder::of_node(&self.folder, name);
        let artifacts: Vec<Digest> = trees.iter().map(|(_, digest)| *digest).collect();
        let in_place = self.index.in_place(name, &artifacts, &folder);
        let mut given =
            Given { at, folder, artifacts, count: in_place.unwrap_or(0), tables: Vec::new(), unwritten: None };
        let (mut files, mut failure) = (Vec::new(), None);
        for (artifact, digest) in trees.iter().filter(|(artifact, _)| in_place.is_none() || *artifact == TABLE) {
            match read_tree(self.opened, digest) {
                Ok(tree) => {
                    given.tables.extend((*artifact == TABLE).then(|| markdown(&tree)).into_iter().flatten());
                    files.push(tree);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if in_place.is_none() {
            given.count = files.iter().map(Files::len).sum();
            given.unwritten = Some(files);
        }
        failure.map_or(Ok(Some(given)), Err)
    }

    /// The folder of the pipeline's results.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The tables, as Markdown, with the nodes that they are of.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&PlanNode, &String)> {
        let nodes = &self.opened.plan.nodes;
        self.given.iter().flat_map(|given| given.tables.iter().map(|table| (&nodes[given.at], table)))
    }

    /// Makes the folder what the nodes gave, also fresh ones: it may have been deleted since.
    pub(crate) fn write(&self) -> Result<Places, Problem> {
        let unwritten: Vec<(&Given, &Vec<Files>)> =
            self.given.iter().filter_map(|given| Some((given, given.unwritten.as_ref()?))).collect();
        let begun = unwritten.iter().map(|(given, files)| (self.name(given), files.as_slice()));
        self.index.begin(begun).map_err(|error| unwritable(&self.folder, &error))?;
        let written = parallel_map(unwritten.len(), |which| {
            let (given, files) = unwritten[which];
            let written = index::write(&given.folder, self.index.node(self.name(given)), &given.artifacts, files);
            written.map_err(|error| unwritable(&given.folder, &error))
        });
        let (mut nodes, mut kept) = (BTreeMap::new(), Vec::new());
        let mut failure = None;
        for ((given, _), written) in unwritten.iter().zip(written) {
            match written {
                Ok(Written { files, kept: more }) => {
                    nodes.insert(self.name(given).to_owned(), files);
                    kept.extend(more);
                }
                Err(problem) => failure = failure.or(Some(problem)),
            }
        }
        // Also after a failure: what was written is known to be ours.
        self.index.save(nodes).map_err(|error| unwritable(&self.folder, &error))?;
        let place = |given: &Given| Place {
            node: self.name(given).to_owned(),
            folder: given.folder.display().to_string(),
            files: given.count,
        };
        let nodes = self.given.iter().filter(|given| !given.artifacts.is_empty()).map(place).collect();
        failure.map_or(Ok(Places { nodes, kept }), Err)
    }

    fn name(&self, given: &Given) -> &str {
        self.opened.plan.nodes[given.at].id.as_str()
    }
}

fn read_tree(opened: &Opened, digest: &Digest) -> Result<Files, Unreadable> {
    let blob = opened.store.get(digest).map_err(|error| match error.kind() {
        StoreErrorKind::Damaged { .. } | StoreErrorKind::Missing => Unreadable::Repairable(error.into()),
        _ => Unreadable::Other(error.into()),
    })?;
    tree(&blob).map_err(Unreadable::Other)
}

/// The files in an artifact of a tree type.
pub(crate) fn tree(bytes: &[u8]) -> Result<Files, Problem> {
    Files::decode(bytes).map_err(|error| {
        let causes = crate::problem::causes(&error);
        Problem::new(Exit::Store, error.code(), error.to_string()).with_help(error.help()).with_causes(&causes)
    })
}

/// The Markdown texts among files.
pub(crate) fn markdown(tree: &Files) -> Vec<String> {
    let texts = tree.iter().filter(|(name, _)| name.ends_with(".md"));
    texts.map(|(_, bytes)| String::from_utf8_lossy(bytes).trim_end().to_owned() + "\n").collect()
}

pub(crate) fn unwritable(folder: &Path, error: &io::Error) -> Problem {
    let message = format!("results cannot be written to {}: {error}", folder.display());
    Problem::new(Exit::Store, "pddflow::cli::results", message)
        .with_help("free some space or choose another folder; everything is in the store, so nothing runs again")
}
