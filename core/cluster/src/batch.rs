//! A batch: a job file, the script that Slurm runs it by, and what its tasks say; and the claims that keep work from being
//! submitted twice.
//!
//! ```text
//! <store>/cluster/
//!   <run>-<number>/            a batch; the name is also that of its job
//!     jobs                     the job file, before anything is submitted
//!     script                   what Slurm runs
//!     job                      id of the job, once it is known
//!     out/<task>.out           what a task printed outside of its log
//!     events/<task>            what it said while it ran
//!     done/<task>              how it ended
//!   keys/<64 hex>              claim: the batch and the task that compute this key
//!   heads/<run>                a head that lives rewrites it again and again
//! ```
//!
//! A key is claimed before its batch is submitted, and the claim goes only when its head has heard how the task ended. So whoever
//! finds a claim finds the batch, and by its name the job, whatever became of the head.

use crate::done_format::Done;
use crate::files::{refresh, write_once, write_whole};
use crate::job_format::{Site, done_file, events_file, job_text};
use pddflow_cache::Key;
use pddflow_runner::{NodeError, Work};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the folder of a store that batches are in.
const FOLDER: &str = "cluster";
/// Lines of what a task printed that go with its failure.
const LAST_LINES: usize = 20;

/// The folder of batches of a store.
#[derive(Debug, Clone)]
pub(crate) struct Batches {
    root: PathBuf,
}

/// One batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

/// Who computes a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) batch: String,
    pub(crate) task: u32,
}

impl Batches {
    pub(crate) fn of(store: &Path) -> Self {
        Self { root: store.join(FOLDER) }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn batch(&self, name: &str) -> Batch {
        Batch { name: name.to_owned(), folder: self.root.join(name) }
    }

    /// The claim of a key, if there is one.
    pub(crate) fn claim(&self, key: &Key) -> Option<Claim> {
        Claim::read(&self.claim_path(key))
    }

    /// The batches that compute a key, or did so when their head was last heard of.
    pub(crate) fn claimed(&self) -> BTreeSet<String> {
        let entries = fs_err::read_dir(self.root.join("keys")).into_iter().flatten().flatten();
        entries.filter_map(|entry| Claim::read(&entry.path())).map(|claim| claim.batch).collect()
    }

    /// Claims a key: whether it was free.
    pub(crate) fn try_claim(&self, key: &Key, claim: &Claim) -> io::Result<bool> {
        write_once(&self.claim_path(key), &claim.text())
    }

    /// Claims a key whose claim is ours already.
    pub(crate) fn reclaim(&self, key: &Key, claim: &Claim) -> io::Result<()> {
        write_whole(&self.claim_path(key), &claim.text())
    }

    /// The work is done, or nobody's any more.
    pub(crate) fn release(&self, key: &Key) {
        let _ = fs_err::remove_file(self.claim_path(key));
    }

    fn claim_path(&self, key: &Key) -> PathBuf {
        let text = key.to_string();
        self.root.join("keys").join(text.strip_prefix(Key::PREFIX).unwrap_or(&text))
    }
}

impl Claim {
    fn read(path: &Path) -> Option<Self> {
        let text = fs_err::read_to_string(path).ok()?;
        let (batch, task) = text.trim().rsplit_once(' ')?;
        Some(Self { batch: batch.to_owned(), task: task.parse().ok()? })
    }

    fn text(&self) -> String {
        format!("{} {}\n", self.batch, self.task)
    }

    /// The run that the batch was made by.
    pub(crate) fn run(&self) -> &str {
        self.batch.rsplit_once('-').map_or(self.batch.as_str(), |(run, _)| run)
    }
}

impl Batch {
    /// Writes all files that its tasks need.
    pub(crate) fn write(&self, site: &Site, works: &[&Work], script: &str) -> io::Result<()> {
        for folder in ["out", "events", "done"] {
            fs_err::create_dir_all(self.folder.join(folder))?;
        }
        write_whole(&self.script(), script)?;
        write_whole(&self.jobs(), &job_text(site, &self.folder, works.iter().copied())?)
    }

    pub(crate) fn jobs(&self) -> PathBuf {
        self.folder.join("jobs")
    }

    pub(crate) fn script(&self) -> PathBuf {
        self.folder.join("script")
    }

    /// The file that a task prints to; of all tasks, as Slurm names it, where `task` is `%a`.
    pub(crate) fn output(&self, task: &str) -> PathBuf {
        self.folder.join("out").join(format!("{task}.out"))
    }

    pub(crate) fn events(&self, task: u32) -> PathBuf {
        events_file(&self.folder, task)
    }

    /// How a task ended, if it has said so.
    pub(crate) fn done(&self, task: u32) -> Option<Done> {
        Done::read(&done_file(&self.folder, task))
    }

    /// The numbers of the tasks that have said how they ended.
    pub(crate) fn ended(&self) -> BTreeSet<u32> {
        numbers(&self.folder.join("done"))
    }

    /// Lets a network file system look again.
    pub(crate) fn refresh(&self) {
        refresh(&self.folder.join("done"));
    }

    /// Notes the id of its job. The queue knows it by the name, so that nothing is lost if it cannot be noted.
    pub(crate) fn note_id(&self, id: &str) {
        let _ = write_whole(&self.folder.join("job"), id);
    }

    /// The id of its job, if it was noted.
    pub(crate) fn id(&self) -> Option<String> {
        fs_err::read_to_string(self.folder.join("job")).ok().filter(|id| !id.is_empty())
    }

    /// The numbers of the tasks that have said anything.
    pub(crate) fn heard(&self) -> BTreeSet<u32> {
        numbers(&self.folder.join("events"))
    }

    /// Removes what a task with a record leaves behind; what it printed stays.
    pub(crate) fn tidy(&self, task: u32) {
        let _ = fs_err::remove_file(done_file(&self.folder, task));
        let _ = fs_err::remove_file(self.events(task));
        let output = self.output(&task.to_string());
        if fs_err::metadata(&output).is_ok_and(|metadata| metadata.len() == 0) {
            let _ = fs_err::remove_file(output);
        }
    }

    /// A failure of a task, with the last lines that it printed.
    pub(crate) fn with_printed(&self, task: u32, failure: NodeError) -> NodeError {
        match self.last_lines(task, LAST_LINES) {
            lines if lines.is_empty() => failure,
            lines => failure.with_source(format!("it printed: {}", lines.join("\n"))),
        }
    }

    fn last_lines(&self, task: u32, most: usize) -> Vec<String> {
        let bytes = fs_err::read(self.output(&task.to_string())).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(most)).map(|line| (*line).to_owned()).collect()
    }
}

/// The names in a folder that are numbers.
fn numbers(folder: &Path) -> BTreeSet<u32> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_claimed_once() {
        let folder = tempfile::tempdir().unwrap();
        let (batches, key) = (Batches::of(folder.path()), Key::from_bytes([5; 32]));
        let claim = |batch: &str| Claim { batch: batch.into(), task: 3 };
        assert_eq!(batches.claim(&key), None);
        assert!(batches.try_claim(&key, &claim("r1-2-0-1")).unwrap());
        assert!(!batches.try_claim(&key, &claim("r2-2-0-1")).unwrap());
        assert_eq!(batches.claim(&key), Some(claim("r1-2-0-1")));
        assert_eq!(batches.claim(&key).unwrap().run(), "r1-2-0");
        batches.reclaim(&key, &claim("r1-2-0-7")).unwrap();
        assert_eq!(batches.claim(&key), Some(claim("r1-2-0-7")));
        batches.release(&key);
        assert_eq!(batches.claim(&key), None);
    }
}
