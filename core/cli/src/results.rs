//! Artifacts that are files, written to folders: each file at once or not at all, and untouched when already equal.

use crate::exit::Exit;
use crate::opened::Opened;
use crate::problem::Problem;
use pddflow_cache::{Digest, StoreErrorKind};
use pddflow_nodes::artifact::Files;
use pddflow_report::Place;
use pddflow_runner::{Summary, parallel_map};
use std::borrow::Cow;
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
    /// Its place in the plan.
    at: usize,
    folder: PathBuf,
    /// How many files it gave.
    count: usize,
    /// Its tables, as Markdown.
    pub(crate) tables: Vec<String>,
    /// Those of which not every file lies in the folder as it was given. The others need not stay in memory.
    unwritten: Vec<Files>,
}

impl Trees {
    fn take(&mut self, artifact: &str, tree: Files) {
        self.count += tree.len();
        if artifact == TABLE {
            self.tables.extend(markdown(&tree));
        }
        let holds = |(name, bytes): (&str, &[u8])| holds(&self.folder.join(name), bytes).unwrap_or(false);
        if !tree.iter().all(holds) {
            self.unwritten.push(tree);
        }
    }
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
    folder: &'a Path,
    pub(crate) trees: Vec<Trees>,
}

impl<'a> Results<'a> {
    /// Compares what the nodes gave with what lies in the folder. All of it is read before the first failure is
    /// returned, so that one more run mends all damage.
    pub(crate) fn collect(opened: &'a Opened, summary: Summary, folder: &'a Path) -> Result<Self, Unreadable> {
        let mut results = Self { opened, summary, folder, trees: Vec::new() };
        let count = opened.plan.nodes.len().min(results.summary.nodes.len());
        let found = parallel_map(count, |at| results.trees_of(at));
        let mut failure = None;
        for found in found {
            match found {
                Ok(trees) => results.trees.extend(trees),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(results), Err)
    }

    /// What one node gave, if it gave files; also here all of it is read before the first failure is returned.
    fn trees_of(&self, at: usize) -> Result<Option<Trees>, Unreadable> {
        let node = &self.opened.plan.nodes[at];
        let outputs = self.summary.nodes[at].record.iter().flat_map(|record| &record.outputs);
        let outputs = outputs.map(|(port, digest)| (self.opened.artifact(node, port), digest));
        let given: Vec<(&str, &Digest)> = outputs.filter(|(artifact, _)| is_tree(artifact)).collect();
        if given.is_empty() {
            return Ok(None);
        }
        let folder = folder_of(self.folder, &self.opened.plan.name, node.id.as_str());
        let mut trees = Trees { at, folder, count: 0, tables: Vec::new(), unwritten: Vec::new() };
        let mut failure = None;
        for (artifact, digest) in &given {
            match read_tree(self.opened, digest) {
                Ok(tree) => trees.take(artifact, tree),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(Some(trees)), Err)
    }

    /// Writes what does not lie in the folder, also what fresh nodes gave: the folder may have been deleted since.
    pub(crate) fn write(&self) -> Result<Vec<Place>, Problem> {
        let unwritten: Vec<usize> =
            (0..self.trees.len()).filter(|which| !self.trees[*which].unwritten.is_empty()).collect();
        let write = |which: usize| {
            let Trees { folder, unwritten, .. } = &self.trees[unwritten[which]];
            let mut write = unwritten.iter().map(|tree| write_tree(tree, folder));
            write.try_for_each(|written| written.map_err(|error| unwritable(folder, &error)))
        };
        parallel_map(unwritten.len(), write).into_iter().collect::<Result<(), Problem>>()?;
        let place = |trees: &Trees| Place {
            node: self.opened.plan.nodes[trees.at].id.to_string(),
            folder: trees.folder.display().to_string(),
            files: trees.count,
        };
        Ok(self.trees.iter().map(place).collect())
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
    let mut path = results.join(safe(pipeline).as_ref());
    path.push(safe(node).as_ref());
    path
}

/// A name that every file system takes.
fn safe(name: &str) -> Cow<'_, str> {
    let is_bad = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    let hidden = name.starts_with('.');
    if !hidden && !name.contains(is_bad) {
        return Cow::Borrowed(name);
    }
    let name = name.replace(is_bad, "_");
    Cow::Owned(if hidden { name.replacen('.', "_", 1) } else { name })
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
