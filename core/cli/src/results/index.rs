//! [`Index`]: what each node wrote into a folder of results.
//!
//! | file in the folder | what a run does with it |
//! |---|---|
//! | as it was written, and the node gives the same | nothing; it is not read |
//! | as it was written, and the node gives other bytes or no such file | it is replaced or removed |
//! | missing | it is written |
//! | changed by a person, or not written by pddflow | it is kept, and named |
//!
//! What a run is about to write is noted before, so that a run that is killed half way leaves nothing that looks like a person's.
//! Without an index, files that are what the node gives are taken as written by it, and all others are kept.

use super::folder;
use super::index_format::{self, NodeFiles, WrittenFile};
use pddflow_artifact::Files;
use pddflow_cache::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file of the index in a pipeline's folder of results.
const NAME: &str = ".pddflow-results.json";

/// What each node wrote into a pipeline's folder of results.
pub(super) struct Index {
    path: PathBuf,
    nodes: BTreeMap<String, NodeFiles>,
}

/// What was done with the files of a node.
pub(super) struct Written {
    pub(super) files: NodeFiles,
    /// Files that a person changed or put there. They were kept.
    pub(super) kept: Vec<PathBuf>,
}

impl Index {
    /// The index of a folder; an empty one if there is none that can be read.
    pub(super) fn read(folder: &Path) -> Self {
        let path = folder.join(NAME);
        let nodes = fs_err::read(&path).map(|bytes| index_format::from_bytes(&bytes)).unwrap_or_default();
        Self { path, nodes }
    }

    pub(super) fn node(&self, node: &str) -> Option<&NodeFiles> {
        self.nodes.get(node)
    }

    /// How many files a node's artifacts are, if all of them are known to lie in its folder. None is read.
    pub(super) fn in_place(&self, node: &str, artifacts: &[Digest], folder: &Path) -> Option<usize> {
        let known = self.nodes.get(node).filter(|known| known.artifacts == artifacts)?;
        let lies = |(name, file): (&String, &WrittenFile)| {
            file.modified.is_some() && status(&folder.join(name)) == Some((file.bytes, file.modified))
        };
        known.files.iter().all(lies).then_some(known.files.len())
    }

    /// Notes what nodes are about to write, so that it is known to be ours should the run end before [`Self::save`].
    pub(super) fn begin<'n>(&self, nodes: impl Iterator<Item = (&'n str, &'n [Files])>) -> io::Result<()> {
        let mut noted = Self::read(self.path.parent().unwrap_or(Path::new("."))).nodes;
        let mut any = false;
        for (node, trees) in nodes {
            let known = noted.entry(node.to_owned()).or_default();
            for (name, bytes) in trees.iter().flat_map(Files::iter) {
                let digest = Digest::of(bytes);
                if !known.wrote(name, digest) {
                    known.begun.entry(name.to_owned()).or_default().push(digest);
                    any = true;
                }
            }
        }
        if any { folder::write_file(&self.path, &index_format::to_bytes(noted)?) } else { Ok(()) }
    }

    /// Notes what nodes wrote now. Another run may have noted what its own nodes wrote in the meantime.
    pub(super) fn save(&self, written: BTreeMap<String, NodeFiles>) -> io::Result<()> {
        if written.iter().all(|(node, files)| self.nodes.get(node) == Some(files)) {
            return Ok(());
        }
        let mut nodes = Self::read(self.path.parent().unwrap_or(Path::new("."))).nodes;
        nodes.extend(written);
        nodes.retain(|_, node| !node.files.is_empty() || !node.begun.is_empty());
        folder::write_file(&self.path, &index_format::to_bytes(nodes)?)
    }
}

/// Makes a node's folder what the node gives now; `before` is what it wrote last.
pub(super) fn write(
    folder: &Path,
    before: Option<&NodeFiles>,
    artifacts: &[Digest],
    trees: &[Files],
) -> io::Result<Written> {
    let given: BTreeMap<&str, &[u8]> = trees.iter().flat_map(Files::iter).collect();
    let ours = |name: &str, found: Digest| before.is_some_and(|before| before.wrote(name, found));
    let mut kept = Vec::new();
    let names: BTreeSet<&String> =
        before.iter().flat_map(|before| before.files.keys().chain(before.begun.keys())).collect();
    // First, because a file may have become a folder.
    for name in names.into_iter().filter(|name| !given.contains_key(name.as_str())) {
        let path = folder.join(name);
        match folder::digest_of(&path)? {
            None => {}
            Some(found) if ours(name, found) => folder::remove_file(&path, folder)?,
            Some(_) => kept.push(path),
        }
    }
    let mut files = BTreeMap::new();
    for (name, bytes) in given {
        let (path, digest) = (folder.join(name), Digest::of(bytes));
        let found = folder::digest_of(&path)?;
        let is_kept = found.is_some_and(|found| found != digest && !ours(name, found));
        if is_kept {
            kept.push(path.clone());
        } else if found != Some(digest) {
            folder::write_file(&path, bytes)?;
        }
        let modified = status(&path).filter(|_| !is_kept).and_then(|(_, modified)| modified);
        files.insert(name.to_owned(), WrittenFile { bytes: bytes.len() as u64, digest, modified });
    }
    Ok(Written { files: NodeFiles { artifacts: artifacts.to_vec(), files, begun: BTreeMap::new() }, kept })
}

/// Length and time of modification of a file.
fn status(path: &Path) -> Option<(u64, Option<u64>)> {
    let metadata = fs_err::metadata(path).ok()?;
    let since = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok();
    Some((metadata.len(), since.and_then(|since| u64::try_from(since.as_nanos()).ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of results of the node `n`.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn folder(&self) -> PathBuf {
            self.0.path().join("n")
        }

        /// A run in which the node gives these files; the names of those that were kept.
        fn run(&self, files: &[(&str, &str)]) -> Vec<String> {
            let mut tree = Files::new();
            files.iter().for_each(|(name, text)| tree.insert(*name, *text).unwrap());
            let artifacts = [Digest::of(&tree.encode().unwrap())];
            let index = Index::read(self.0.path());
            if index.in_place("n", &artifacts, &self.folder()).is_some() {
                return Vec::new();
            }
            let written = write(&self.folder(), index.node("n"), &artifacts, &[tree]).unwrap();
            index.save(BTreeMap::from([("n".to_owned(), written.files)])).unwrap();
            let name = |path: &PathBuf| path.strip_prefix(self.folder()).unwrap().display().to_string();
            written.kept.iter().map(name).collect()
        }

        fn edit(&self, name: &str, text: &str) {
            fs_err::write(self.folder().join(name), text).unwrap();
        }

        fn text(&self, name: &str) -> Option<String> {
            fs_err::read_to_string(self.folder().join(name)).ok()
        }
    }

    #[test]
    fn a_file_that_a_node_no_longer_gives_is_removed() {
        let place = Place::new();
        assert!(place.run(&[("a", "1"), ("old/b", "2"), ("c", "3")]).is_empty());
        assert!(place.run(&[("a", "1"), ("c/d", "4")]).is_empty());
        assert_eq!((place.text("a").as_deref(), place.text("c/d").as_deref()), (Some("1"), Some("4")));
        assert!(!place.folder().join("old").exists());
        assert!(place.run(&[]).is_empty());
        assert!(!place.folder().join("a").exists() && !place.folder().join("c").exists());
    }

    #[test]
    fn what_a_person_changed_is_kept_and_named_by_every_run() {
        let place = Place::new();
        place.run(&[("a", "1"), ("b", "2")]);
        place.edit("a", "mine");
        for given in ["1", "1", "other", "other"] {
            assert_eq!(place.run(&[("a", given), ("b", "2")]), ["a"], "{given}");
            assert_eq!(place.text("a").as_deref(), Some("mine"));
        }
        // Given up by the person: what the node gives comes back.
        fs_err::remove_file(place.folder().join("a")).unwrap();
        assert!(place.run(&[("a", "other"), ("b", "2")]).is_empty());
        assert_eq!(place.text("a").as_deref(), Some("other"));
        place.edit("b", "mine");
        assert_eq!(place.run(&[("a", "other")]), ["b"], "no longer given, but changed");
        assert_eq!(place.text("b").as_deref(), Some("mine"));
    }

    #[test]
    fn what_killed_runs_left_is_no_person_s() {
        let place = Place::new();
        place.run(&[("a", "1"), ("b", "1")]);
        // Two runs in a row are killed after their first files.
        for (given, written) in [("2", "a"), ("3", "new")] {
            let mut tree = Files::new();
            ["a", "b", "new"].iter().for_each(|name| tree.insert(*name, given).unwrap());
            Index::read(place.0.path()).begin([("n", [tree].as_slice())].into_iter()).unwrap();
            place.edit(written, given);
        }
        assert!(place.run(&[("a", "4"), ("b", "4")]).is_empty());
        assert_eq!(["a", "b", "new"].map(|name| place.text(name)), [Some("4".into()), Some("4".into()), None]);
        // What was begun is over: those bytes are a person's from now on.
        place.edit("a", "2");
        assert_eq!(place.run(&[("a", "5"), ("b", "4")]), ["a"]);
    }

    #[test]
    fn an_edit_of_the_same_length_is_seen_by_its_time() {
        let place = Place::new();
        place.run(&[("a", "1")]);
        let path = place.folder().join("a");
        place.edit("a", "2");
        let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
        file.file().set_modified(SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(place.run(&[("a", "1")]), ["a"]);
        assert_eq!(place.text("a").as_deref(), Some("2"));
    }

    #[test]
    fn missing_files_come_back_and_equal_ones_are_not_written() {
        let place = Place::new();
        place.run(&[("a", "1"), ("b", "2")]);
        let modified = |name: &str| fs_err::metadata(place.folder().join(name)).unwrap().modified().unwrap();
        let before = modified("b");
        fs_err::remove_file(place.folder().join("a")).unwrap();
        assert!(place.run(&[("a", "1"), ("b", "2")]).is_empty());
        assert_eq!((place.text("a").as_deref(), modified("b")), (Some("1"), before));
    }

    #[test]
    fn a_lost_or_damaged_index_overwrites_nothing_that_differs() {
        for damage in [None, Some(""), Some("{\"format\":1,\"nodes\":{\"n\":7}}"), Some("{\"format\":2,\"nodes\":{}}")]
        {
            let place = Place::new();
            place.run(&[("a", "1"), ("b", "2")]);
            let index = place.0.path().join(NAME);
            match damage {
                None => fs_err::remove_file(&index).unwrap(),
                Some(text) => fs_err::write(&index, text).unwrap(),
            }
            assert!(place.run(&[("a", "1"), ("b", "2")]).is_empty(), "equal files are taken");
            fs_err::remove_file(&index).unwrap();
            assert_eq!(place.run(&[("a", "1"), ("b", "3")]), ["b"]);
            assert_eq!(place.text("b").as_deref(), Some("2"));
        }
    }
}
