//! Results that are known to lie in their place. What a run compared byte for byte counts as equal in the next ones as
//! long as the system gives the artifacts and the files the same stamps (length, inode, times), so that neither is read.

use pddflow_cache::{Digest, FsStore, Stamp};
use pddflow_pipeline::Plan;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// So many nodes that are not in the plan are remembered beside as many as it has: another run may choose those.
const MOST_OTHERS: usize = 1_000;

/// What is known of one folder of results.
pub(crate) struct InPlace {
    /// The name under which the store keeps it.
    hint: String,
    /// For each node the names of its files, and the sign that they and their artifacts had.
    nodes: HashMap<String, (Vec<String>, u64)>,
    changed: bool,
}

impl InPlace {
    /// What the last run noted about the results of a pipeline in this folder.
    pub(crate) fn read(store: &FsStore, pipeline: &str, results: &Path) -> Self {
        let folder = std::path::absolute(results).unwrap_or_else(|_| results.to_owned());
        // The number stands for what is noted and how.
        let hint = format!("results in place 1\n{pipeline}\n{}", folder.display());
        let nodes = store.hint(&hint).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { hint, nodes: nodes.unwrap_or_default(), changed: false }
    }

    /// How many files a node's results are, if all of them are known to lie in its folder. `begin` gives the sign of its
    /// artifacts.
    pub(crate) fn count(&self, node: &str, begin: impl FnOnce() -> Sign, folder: &Path) -> Option<usize> {
        let (names, known) = self.nodes.get(node)?;
        let mut sign = begin();
        names.iter().for_each(|name| sign.add(&folder.join(name)));
        (sign.finish() == Some(*known)).then_some(names.len())
    }

    /// Notes what was compared now: the names of a node's files and, if all of them were equal, the sign.
    pub(crate) fn note(&mut self, node: &str, names: Vec<String>, sign: Option<u64>) {
        let now = sign.map(|sign| (names, sign));
        if self.nodes.get(node) == now.as_ref() {
            return;
        }
        self.changed = true;
        match now {
            Some(now) => self.nodes.insert(node.to_owned(), now),
            None => self.nodes.remove(node),
        };
    }

    /// Keeps it for the next run. What cannot be kept costs time and nothing else.
    pub(crate) fn save(&mut self, store: &FsStore, plan: &Plan) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        if self.nodes.len() > 2 * plan.nodes.len() + MOST_OTHERS {
            let planned: HashSet<&str> = plan.nodes.iter().map(|node| node.id.as_str()).collect();
            self.nodes.retain(|node, _| planned.contains(node.as_str()));
        }
        if let Ok(bytes) = serde_json::to_vec(&self.nodes) {
            let _ = store.put_hint(&self.hint, &bytes);
        }
    }
}

/// The stamps of artifacts and files that are compared, each taken before the file is read.
pub(crate) struct Sign {
    bytes: Vec<u8>,
    settled: bool,
}

impl Sign {
    /// Begins with the artifacts of a node.
    pub(crate) fn new<'a>(store: &FsStore, artifacts: impl IntoIterator<Item = &'a Digest>) -> Self {
        let mut sign = Self { bytes: Vec::new(), settled: true };
        for digest in artifacts {
            sign.bytes.extend(digest.as_bytes());
            sign.take(store.artifact_stamp(digest));
        }
        sign
    }

    /// Takes in a file.
    pub(crate) fn add(&mut self, path: &Path) {
        self.take(Stamp::settled(path));
    }

    fn take(&mut self, stamp: Option<Stamp>) {
        self.settled &= stamp.is_some();
        self.bytes.extend(stamp.map(Stamp::to_bytes).into_iter().flatten());
    }

    /// One number for all of them; none if one of the files is not there, or may change without another stamp.
    pub(crate) fn finish(&self) -> Option<u64> {
        let digest = Digest::of(&self.bytes);
        let (first, _) = digest.as_bytes().split_first_chunk()?;
        self.settled.then_some(u64::from_le_bytes(*first))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use pddflow_cache::Store as _;
    use std::thread::sleep;
    use std::time::Duration;

    const SETTLES: Duration = Duration::from_millis(150);

    #[test]
    fn results_are_in_place_until_a_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        // As each run does: a store remembers what it saw.
        let open = || FsStore::open(&folder.path().join("store")).unwrap();
        let store = open();
        let digest = store.put(b"artifact").unwrap();
        let file = folder.path().join("a.txt");
        let names = || vec!["a.txt".to_owned()];
        let read = || InPlace::read(&store, "p", folder.path());
        let count = || read().count("n", || Sign::new(&open(), [&digest]), folder.path());
        let sign = || {
            let mut sign = Sign::new(&open(), [&digest]);
            sign.add(&file);
            sign.finish()
        };
        let note = || {
            let mut known = read();
            known.note("n", names(), sign());
            known.save(&store, &Plan::default());
        };

        fs_err::write(&file, "one").unwrap();
        assert_eq!((sign(), count()), (None, None));
        note();
        assert_eq!(count(), None, "written a moment ago");
        sleep(SETTLES);
        note();
        assert_eq!(count(), Some(1));
        assert_eq!(InPlace::read(&store, "p", Path::new("elsewhere")).nodes.len(), 0);
        assert_eq!(InPlace::read(&store, "q", folder.path()).nodes.len(), 0);

        for changed in [&file, &store.artifact_path(&digest)] {
            // The same bytes, but a new file.
            let bytes = fs_err::read(changed).unwrap();
            fs_err::remove_file(changed).unwrap();
            assert_eq!(count(), None);
            fs_err::write(changed, bytes).unwrap();
            sleep(SETTLES);
            assert_eq!(count(), None);
            note();
            assert_eq!(count(), Some(1));
        }
    }

    #[test]
    fn few_nodes_of_other_plans_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let store = FsStore::open(&folder.path().join("store")).unwrap();
        for (noted, kept) in [(MOST_OTHERS, MOST_OTHERS), (MOST_OTHERS + 1, 0)] {
            let mut known = InPlace::read(&store, "p", folder.path());
            (0..noted).for_each(|at| known.note(&at.to_string(), Vec::new(), Some(0)));
            known.save(&store, &Plan::default());
            assert_eq!(InPlace::read(&store, "p", folder.path()).nodes.len(), kept);
        }
    }
}
