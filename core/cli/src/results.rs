//! Artifacts that are files, written to folders: each file at once or not at all, and untouched when already equal.

use crate::exit::Exit;
use crate::opened::Opened;
use crate::problem::Problem;
use pddflow_cache::{Digest, RecordHead, Store as _, StoreErrorKind};
use pddflow_nodes::artifact::Files;
use pddflow_pipeline::{NodeId, PlanNode};
use pddflow_runner::{Summary, parallel_map};
use std::io::{self, Read as _, Write as _};
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
pub(crate) struct Trees {
    pub(crate) node: NodeId,
    pub(crate) folder: PathBuf,
    /// How many files it gave.
    pub(crate) files: usize,
    /// Its tables, as Markdown.
    pub(crate) tables: Vec<String>,
    /// Those of which not every file lies in the folder as it was given. The others need not stay in memory.
    pub(crate) unwritten: Vec<Files>,
}

impl Trees {
    fn take(&mut self, artifact: &str, tree: Files) {
        self.files += tree.len();
        if artifact == TABLE {
            self.tables.extend(markdown(&tree));
        }
        if !tree.iter().all(|(name, bytes)| holds(&self.folder.join(name), bytes).unwrap_or(false)) {
            self.unwritten.push(tree);
        }
    }

    /// Writes what does not lie in the folder.
    pub(crate) fn write(&self) -> Result<(), Problem> {
        let mut write = self.unwritten.iter().map(|tree| write_tree(tree, &self.folder));
        write.try_for_each(|written| written.map_err(|error| unwritable(&self.folder, &error)))
    }
}

/// Why the files of a run cannot be read.
pub(crate) enum Unreadable {
    /// An artifact is damaged or gone; the store set it aside, so that another run makes it again.
    Repairable(Problem),
    Other(Problem),
}

/// Everything that the nodes of a run gave as files, compared with what lies in the folder of results. All of it is read
/// before the first failure is returned, so that one more run mends all damage.
pub(crate) fn collect(opened: &Opened, summary: &Summary, results: &Path) -> Result<Vec<Trees>, Unreadable> {
    let read = |at: usize| trees_of(opened, (&opened.plan.nodes[at], summary.nodes[at].record.as_deref()), results);
    let (mut all, mut failure) = (Vec::new(), None);
    for found in parallel_map(opened.plan.nodes.len().min(summary.nodes.len()), read) {
        match found {
            Ok(trees) => all.extend(trees),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(all), Err)
}

/// What one node gave, if it gave files; also here all of it is read before the first failure is returned.
fn trees_of(
    opened: &Opened,
    (node, record): (&PlanNode, Option<&RecordHead>),
    results: &Path,
) -> Result<Option<Trees>, Unreadable> {
    let (mut trees, mut failure) = (None, None);
    for (port, digest) in record.iter().flat_map(|record| &record.outputs) {
        let artifact = opened.artifact(node, port);
        if !is_tree(artifact) {
            continue;
        }
        let trees = trees.get_or_insert_with(|| Trees {
            node: node.id.clone(),
            folder: folder_of(results, &opened.plan.name, node.id.as_str()),
            files: 0,
            tables: Vec::new(),
            unwritten: Vec::new(),
        });
        match read_tree(opened, digest) {
            Ok(tree) => trees.take(artifact, tree),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(trees), Err)
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
        Problem::new(Exit::Store, error.code(), error.to_string()).with_help(error.help()).with_causes(causes)
    })
}

/// The Markdown texts among files.
pub(crate) fn markdown(tree: &Files) -> Vec<String> {
    let texts = tree.iter().filter(|(name, _)| name.ends_with(".md"));
    texts.map(|(_, bytes)| String::from_utf8_lossy(bytes).trim_end().to_owned() + "\n").collect()
}

/// The folder of a node's results: its name, with what no file system likes replaced.
pub(crate) fn folder_of(results: &Path, pipeline: &str, node: &str) -> PathBuf {
    let safe = |name: &str| -> String {
        let name: String =
            name.chars().map(|c| if c.is_control() || r#"/\:*?"<>|"#.contains(c) { '_' } else { c }).collect();
        if name.starts_with('.') { name.replacen('.', "_", 1) } else { name }
    };
    results.join(safe(pipeline)).join(safe(node))
}

/// Writes every file of a tree. Their names were checked when the artifact was read: all stay inside of the folder.
pub(crate) fn write_tree(tree: &Files, folder: &Path) -> io::Result<()> {
    tree.iter().try_for_each(|(name, bytes)| write_file(&folder.join(name), bytes))
}

/// Writes one file under its name in one step.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if holds(path, bytes).unwrap_or(false) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".pddflow-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    share(file.as_file())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether a file is these bytes and no more. Asked of every result in every run, so with few calls of the system.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = fs_err::File::open(path)?;
    // A byte more than expected: when it stays empty, the file has ended.
    let (mut present, mut length) = (vec![0; bytes.len() + 1], 0);
    loop {
        let read = file.read(&mut present[length..])?;
        length += read;
        if read == 0 || length >= bytes.len() {
            return Ok(present[..length] == *bytes);
        }
    }
}

/// Temporary files are private to the user; results are not.
#[cfg(unix)]
fn share(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share(_file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn unwritable(folder: &Path, error: &io::Error) -> Problem {
    let message = format!("results cannot be written to {}: {error}", folder.display());
    Problem::new(Exit::Store, "pddflow::cli::results", message)
        .with_help("free some space or choose another folder; everything is in the store, so nothing runs again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_after_nodes() {
        let check = |node: &str, expected: &str| assert_eq!(folder_of(Path::new("r"), "p", node), Path::new(expected));
        check("eval[model=resnet18]", "r/p/eval[model=resnet18]");
        check("a/../b", "r/p/a_.._b");
        check("..", "r/p/_.");
    }

    #[test]
    fn equal_files_are_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_file(&path, b"one").unwrap();
        let before = fs_err::metadata(&path).unwrap().modified().unwrap();
        write_file(&path, b"one").unwrap();
        assert_eq!(fs_err::metadata(&path).unwrap().modified().unwrap(), before);
        write_file(&path, b"two").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"two");
        assert_eq!(fs_err::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a temporary file stayed");
    }
}
