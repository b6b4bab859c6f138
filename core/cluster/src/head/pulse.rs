//! [`Pulse`]: how heads on different machines know of each other, where a file system has no locks between machines.

use crate::batch::Batches;
use crate::files::{refresh, write_whole};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use pddflow_cache::Store;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A head says so often that it lives.
const BEAT: Duration = Duration::from_secs(10);
/// One that has not said so for this long is dead.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) struct Pulse {
    folder: PathBuf,
    run: String,
    host: String,
    /// Says that this head lives, also while it waits for an answer; ends when this is dropped.
    beating: Option<(Sender<()>, JoinHandle<()>)>,
    /// What other heads said last, and when it was first seen.
    others: HashMap<String, (String, Instant)>,
}

impl Pulse {
    pub(super) fn new(batches: &Batches, run: &str) -> Self {
        Self {
            folder: batches.root().join("heads"),
            run: run.to_owned(),
            host: host(),
            beating: None,
            others: HashMap::new(),
        }
    }

    /// Begins to say that this head lives; it has said so when this returns.
    pub(super) fn start(&mut self) {
        self.start_every(BEAT);
    }

    fn start_every(&mut self, beat: Duration) {
        let (file, host) = (self.folder.join(&self.run), self.host.clone());
        // Nobody is harmed who does not hear it: another head would follow the same jobs.
        let say = move |number: u64| drop(write_whole(&file, &format!("{host} {number} {}\n", std::process::id())));
        say(0);
        let (stop, stopped) = bounded(0);
        let thread = std::thread::Builder::new().name("pddflow-pulse".to_owned()).spawn(move || {
            let mut numbers = 1..;
            while stopped.recv_timeout(beat) == Err(RecvTimeoutError::Timeout) {
                numbers.next().into_iter().for_each(&say);
            }
        });
        self.beating = thread.ok().map(|thread| (stop, thread));
    }

    /// Whether the head of another run lives. Of one on this machine the system knows; another one lives while what it says
    /// changes.
    pub(super) fn is_alive(&mut self, store: &Store, run: &str) -> bool {
        if run == self.run || store.is_running(run) {
            return true;
        }
        refresh(&self.folder);
        let Ok(said) = fs_err::read_to_string(self.folder.join(run)) else { return false };
        if machine(&said) == Some(&self.host) {
            return has_process(&said);
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

impl Drop for Pulse {
    /// This head ends.
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.beating.take() {
            drop(stop);
            let _ = thread.join();
            let _ = fs_err::remove_file(self.folder.join(&self.run));
        }
    }
}

/// The machine of a head, by what it says.
pub(crate) fn machine(said: &str) -> Option<&str> {
    said.split_whitespace().next()
}

/// Whether the process of a head on this machine is there. Its store may have no locks that would say so.
pub(crate) fn has_process(said: &str) -> bool {
    let id = said.split_whitespace().nth(2).and_then(|id| id.parse::<u32>().ok());
    id.is_some_and(|id| Path::new("/proc").join(id.to_string()).exists())
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
        assert!(!pulse.is_alive(&store, "r2"), "on this machine it has a process");
        write_whole(&other, &format!("{} 3 {}\n", host(), std::process::id())).unwrap();
        assert!(pulse.is_alive(&store, "r2"));
    }
    #[test]
    fn a_head_says_that_it_lives_whatever_it_waits_for() {
        let folder = tempfile::tempdir().unwrap();
        let batches = Batches::of(folder.path());
        let said = batches.root().join("heads").join("r1");
        let mut pulse = Pulse::new(&batches, "r1");
        pulse.start_every(Duration::from_millis(10));
        let first = fs_err::read_to_string(&said).unwrap();
        assert!(machine(&first) == Some(&host()) && has_process(&first), "{first}");
        let end = Instant::now() + Duration::from_secs(60);
        let beats = || fs_err::read_to_string(&said).unwrap().split(' ').nth(1).unwrap().parse::<u32>().unwrap();
        while beats() < 3 {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(pulse);
        assert!(!said.exists());
    }
}
