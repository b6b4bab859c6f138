//! [`Pulse`]: how heads on different machines know of each other, where a file system has no locks between machines.

use crate::batch::Batches;
use crate::files::write_whole;
use pddflow_cache::Store;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A head says so often that it lives.
const BEAT: Duration = Duration::from_secs(10);
/// One that has not said so for this long is dead.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) struct Pulse {
    folder: PathBuf,
    run: String,
    host: String,
    beats: u64,
    due: Instant,
    /// What other heads said last, and when it was first seen.
    others: HashMap<String, (String, Instant)>,
}

impl Pulse {
    pub(super) fn new(batches: &Batches, run: &str) -> Self {
        Self {
            folder: batches.root().join("heads"),
            run: run.to_owned(),
            host: host(),
            beats: 0,
            due: Instant::now(),
            others: HashMap::new(),
        }
    }

    /// Says that this head lives, when it is time to.
    pub(super) fn beat(&mut self) {
        if self.due > Instant::now() {
            return;
        }
        self.due = Instant::now() + BEAT;
        self.beats += 1;
        // Nobody is harmed who does not hear it: another head would follow the same jobs.
        let _ = write_whole(&self.folder.join(&self.run), &format!("{} {}\n", self.host, self.beats));
    }

    /// This head ends.
    pub(super) fn end(&self) {
        let _ = fs_err::remove_file(self.folder.join(&self.run));
    }

    /// Whether the head of another run lives. Of one on this machine the lock of its run says so; another one lives while
    /// what it says changes.
    pub(super) fn is_alive(&mut self, store: &Store, run: &str) -> bool {
        if run == self.run || store.is_running(run) {
            return true;
        }
        let Ok(said) = fs_err::read_to_string(self.folder.join(run)) else { return false };
        if said.split_whitespace().next() == Some(self.host.as_str()) {
            // Its lock is gone, and so is the process.
            return false;
        }
        let now = Instant::now();
        match self.others.get(run) {
            Some((known, since)) if *known == said => now.duration_since(*since) < SILENCE,
            _ => {
                self.others.insert(run.to_owned(), (said, now));
                true
            }
        }
    }
}

/// Name of this machine.
pub(crate) fn host() -> String {
    let name = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "unknown".to_owned() } else { name.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_elsewhere_lives_while_it_says_something_new() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let batches = Batches::of(folder.path());
        let mut pulse = Pulse::new(&batches, "r1");
        assert!(!pulse.is_alive(&store, "r2"), "never heard of");
        let other = batches.root().join("heads").join("r2");
        write_whole(&other, "elsewhere 1\n").unwrap();
        assert!(pulse.is_alive(&store, "r2") && pulse.is_alive(&store, "r2"));
        let old = Instant::now().checked_sub(SILENCE).unwrap();
        pulse.others.insert("r2".into(), ("elsewhere 1\n".into(), old));
        assert!(!pulse.is_alive(&store, "r2"), "silent for long");
        write_whole(&other, "elsewhere 2\n").unwrap();
        assert!(pulse.is_alive(&store, "r2"));
        write_whole(&other, &format!("{} 3\n", host())).unwrap();
        assert!(!pulse.is_alive(&store, "r2"), "on this machine a lock would say so");
    }
}
