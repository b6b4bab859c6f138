//! [`NodeContext`]: what a running node may use besides its inputs.

use crate::cancel::{Cancel, CancelLevel};
use crate::error::NodeError;
use crate::event::{Progress, Resumed, RunEvent};
use crate::lineage::Lineage;
use pddflow_cache::{Blob, Digest, Key, Store, StoreError, StoreErrorKind};
use pddflow_pipeline::NodeId;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Folder of the store in which nodes have their work folders.
const WORK: &str = "work";
/// Progress is told at most this often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);
/// A record keeps this many lines of what its node said; the events have them all.
const MOST_LOG_LINES: usize = 1_000;

/// Where the events of a node go.
type Tell<'a> = &'a (dyn Fn(RunEvent) + Sync);

/// What a running node may use. Everything here may be called from any thread.
pub struct NodeContext<'a> {
    store: &'a Store,
    node: &'a NodeId,
    key: Key,
    cancel: Cancel,
    checkpoint_interval: Duration,
    /// When this attempt must be over.
    deadline: Option<Instant>,
    gpus: &'a [u32],
    /// Nodes that differ only in how far they go, if the kind says so.
    lineage: Option<Lineage>,
    tell: Tell<'a>,
    state: Mutex<State>,
}

struct State {
    log: Vec<String>,
    log_dropped: usize,
    progress_told: Option<Instant>,
    checkpointed: Instant,
    checkpoint_failed: bool,
    /// How many were stored.
    checkpoints: u32,
    /// Artifacts that could not be read.
    lost: Vec<Digest>,
    /// The state at the end of the work, if it is kept.
    end: Option<Vec<u8>>,
}

/// What a node left behind besides its outputs.
pub(crate) struct Said {
    /// What it said.
    pub(crate) log: Vec<String>,
    /// The artifacts that it could not read.
    pub(crate) lost: Vec<Digest>,
    /// How many checkpoints it stored.
    pub(crate) checkpoints: u32,
    /// The state at the end of the work, for nodes that go further.
    pub(crate) end: Option<Vec<u8>>,
}

impl<'a> NodeContext<'a> {
    pub(crate) fn new(
        store: &'a Store,
        node: &'a NodeId,
        key: Key,
        cancel: &Cancel,
        checkpoint_interval: Duration,
        tell: Tell<'a>,
    ) -> Self {
        let state = State {
            log: Vec::new(),
            log_dropped: 0,
            progress_told: None,
            checkpointed: Instant::now(),
            checkpoint_failed: false,
            checkpoints: 0,
            lost: Vec::new(),
            end: None,
        };
        Self {
            store,
            node,
            key,
            cancel: cancel.clone(),
            deadline: None,
            gpus: &[],
            lineage: None,
            checkpoint_interval,
            tell,
            state: Mutex::new(state),
        }
    }

    /// With a limit of time from now on: [`Self::cancelled`] holds when it is over.
    pub(crate) fn with_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self
    }

    pub(crate) fn with_gpus(self, gpus: &'a [u32]) -> Self {
        Self { gpus, ..self }
    }

    /// As one of those that differ only in how far they go.
    pub(crate) fn with_lineage(self, lineage: Option<Lineage>) -> Self {
        Self { lineage, ..self }
    }

    /// Whether its time is over.
    pub(crate) fn timed_out(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// A context outside any run, for calling a kind directly (tests, tools): nobody hears what the node says, and it
    /// stops when `cancel` says so.
    #[must_use]
    pub fn detached(store: &'a Store, node: &'a NodeId, key: Key, cancel: &Cancel) -> Self {
        Self::new(store, node, key, cancel, Duration::MAX, &|_| {})
    }

    /// The bytes of an artifact. That one is damaged or missing is noted, so that the runner can have it made again,
    /// whatever the node's own error says.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get(&self, digest: &Digest) -> Result<Blob, StoreError> {
        self.store.get(digest).inspect_err(|error| {
            if matches!(error.kind(), StoreErrorKind::Damaged { .. } | StoreErrorKind::Missing) {
                self.state().lost.push(*digest);
            }
        })
    }

    /// Stores an artifact.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.store.put(bytes)
    }

    /// Where an artifact lies, for programs that read files. It must not be written to.
    #[must_use]
    pub fn artifact_path(&self, digest: &Digest) -> PathBuf {
        self.store.artifact_path(digest)
    }

    /// A folder for this node alone, below the store. It need not exist, or holds what a killed run left.
    #[must_use]
    pub fn work_folder(&self) -> PathBuf {
        let key = self.key.to_string();
        self.store.root().join(WORK).join(key.strip_prefix(Key::PREFIX).unwrap_or(&key))
    }

    /// Numbers of the graphics processors of this machine that are the node's while it runs, of those that the run may use; none
    /// where it asked for none.
    #[must_use]
    pub fn gpus(&self) -> &'a [u32] {
        self.gpus
    }

    /// The node's key.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// The node, for messages.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        self.node
    }

    /// Whether the node should stop: write a checkpoint if [`Self::checkpoint_due`], then return
    /// [`NodeError::cancelled`]. Cheap; ask at least every iteration.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.cancel.requested() || self.timed_out()
    }

    /// Says how far the node is. Cheap: most calls are dropped; the last unit never is.
    pub fn progress(&self, progress: Progress) {
        let now = Instant::now();
        let mut state = self.state();
        let soon = state.progress_told.is_some_and(|told| now.duration_since(told) < PROGRESS_INTERVAL);
        if soon && progress.done != progress.total {
            return;
        }
        state.progress_told = Some(now);
        drop(state);
        let Progress { done, total, unit, loss } = progress;
        (self.tell)(RunEvent::Progress { node: self.node.clone(), done, total, unit: unit.into(), loss });
    }

    /// A point of a curve, for those who watch. Curves that are to be kept belong into an artifact.
    pub fn metric(&self, name: &str, step: u64, value: f64) {
        (self.tell)(RunEvent::Metric { node: self.node.clone(), name: name.to_owned(), step, value });
    }

    /// Says something. It is kept in the record and said again whenever the node is fresh.
    pub fn log(&self, text: impl Into<String>) {
        let text = text.into();
        self.keep(text.clone());
        (self.tell)(RunEvent::Log { node: self.node.clone(), text });
    }

    /// Warns of something. Kept like [`Self::log`].
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        self.keep(format!("warning: {text}"));
        (self.tell)(RunEvent::Warning { node: Some(self.node.clone()), text });
    }

    /// Says whose native code the node calls next, such as `matcher dm`: should that end the process, the next command
    /// names it. Written to the journal when this returns; call it once for each plugin.
    pub fn in_plugin(&self, plugin: &str) {
        (self.tell)(RunEvent::NodeInPlugin { node: self.node.clone(), plugin: plugin.to_owned() });
    }

    /// What [`Self::save_checkpoint`] last stored under this key, also in an earlier run. If there is none: what
    /// [`Self::keep_state`] stored where a node ended that went less far, and nothing else was different. None at a
    /// fresh start.
    ///
    /// # Errors
    /// It is there but cannot be read. A damaged one counts as none.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, NodeError> {
        let own = self.store.checkpoint(&self.key)?;
        let resumed = |from| (self.tell)(RunEvent::NodeResumed { node: self.node.clone(), from });
        if own.is_some() {
            resumed(Resumed::Checkpoint);
            return Ok(own);
        }
        let Some(lineage) = &self.lineage else { return Ok(None) };
        for reached in lineage.reached(self.store) {
            // Unreadable is as good as absent: it only spares time.
            if let Ok(Some(state)) = self.store.state(&lineage.key, reached) {
                let (parameter, wanted) = (lineage.parameter.clone(), lineage.wanted);
                resumed(Resumed::Shorter { parameter, reached, wanted });
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    /// Whether [`Self::keep_state`] does anything: [`Kinds::growing`](crate::Kinds::growing) names a parameter.
    #[must_use]
    pub fn keeps_state(&self) -> bool {
        self.lineage.is_some()
    }

    /// Keeps the state at the end of the work, in the form of a checkpoint: a node that is to go further begins there. It is
    /// stored with the result, which is checked first. That it cannot be stored is told and harms nothing.
    pub fn keep_state(&self, bytes: Vec<u8>) {
        if self.keeps_state() {
            self.state().end = Some(bytes);
        }
    }

    /// Whether it is time for a checkpoint: the interval is over, or the node is asked to stop (but not at once).
    #[must_use]
    pub fn checkpoint_due(&self) -> bool {
        match self.cancel.level() {
            CancelLevel::None if self.timed_out() => true,
            CancelLevel::None => self.state().checkpointed.elapsed() >= self.checkpoint_interval,
            CancelLevel::Stop => true,
            CancelLevel::Now => false,
        }
    }

    /// Stores the state of the unfinished node, replacing the earlier one. Continuing from it must end in the same
    /// artifacts as never having stopped. That the disk is full or read-only is told once and does not stop the work.
    ///
    /// # Errors
    /// None today; kinds pass errors on so that this may change.
    pub fn save_checkpoint(&self, bytes: &[u8]) -> Result<(), NodeError> {
        let saved = self.store.put_checkpoint(&self.key, bytes);
        let mut state = self.state();
        // Also after a failure: trying again at every iteration would slow the work down.
        state.checkpointed = Instant::now();
        let Err(error) = saved else {
            state.checkpoints += 1;
            return Ok(());
        };
        if !std::mem::replace(&mut state.checkpoint_failed, true) {
            drop(state);
            let text = format!("no checkpoint: {}; {}", NodeError::from(error.clone()), error.help());
            (self.tell)(RunEvent::Warning { node: Some(self.node.clone()), text });
        }
        Ok(())
    }

    /// What the node left behind.
    pub(crate) fn finish(self) -> Said {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if state.log_dropped > 0 {
            state.log.push(format!("({} more lines)", state.log_dropped));
        }
        state.lost.sort_unstable();
        state.lost.dedup();
        Said { log: state.log, lost: state.lost, checkpoints: state.checkpoints, end: state.end }
    }

    fn keep(&self, text: String) {
        let mut state = self.state();
        if state.log.len() < MOST_LOG_LINES { state.log.push(text) } else { state.log_dropped += 1 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pddflow_cache::RamStore;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn progress_is_thinned_out_but_the_end_is_told() {
        let (store, node, told) = (RamStore::new(), NodeId::new("n"), AtomicUsize::new(0));
        let tell = |_| {
            told.fetch_add(1, Ordering::Relaxed);
        };
        let context =
            NodeContext::new(&store, &node, Key::from_bytes([1; 32]), &Cancel::new(), Duration::from_secs(60), &tell);
        for done in 1..=1_000 {
            context.progress(Progress { done, total: 1_000, unit: "iterations", loss: None });
        }
        let told = told.into_inner();
        assert!((2..100).contains(&told), "{told}");
    }

    #[test]
    fn checkpoints_follow_interval_and_cancel() {
        let (store, node, cancel) = (RamStore::new(), NodeId::new("n"), Cancel::new());
        let key = Key::from_bytes([1; 32]);
        let always = NodeContext::new(&store, &node, key, &cancel, Duration::ZERO, &|_| {});
        let never = NodeContext::detached(&store, &node, key, &cancel);
        assert!(always.checkpoint_due() && !never.checkpoint_due());
        assert_eq!(never.checkpoint().unwrap(), None);
        never.save_checkpoint(b"state").unwrap();
        assert_eq!(always.checkpoint().unwrap().unwrap(), b"state");
        cancel.stop();
        assert!(never.checkpoint_due() && never.cancelled());
        cancel.now();
        assert!(!always.checkpoint_due() && always.cancelled());
    }

    #[test]
    fn a_full_disk_does_not_stop_work_that_only_wants_a_checkpoint() {
        let (store, node, told) = (RamStore::new(), NodeId::new("n"), AtomicUsize::new(0));
        let tell = |_| {
            told.fetch_add(1, Ordering::Relaxed);
        };
        let context = NodeContext::new(&store, &node, Key::from_bytes([1; 32]), &Cancel::new(), Duration::ZERO, &tell);
        store.set_capacity(Some(0));
        context.save_checkpoint(b"state").unwrap();
        context.save_checkpoint(b"state").unwrap();
        assert_eq!(told.into_inner(), 1);
    }

    #[test]
    fn a_talkative_node_does_not_fill_its_record() {
        let (store, node) = (RamStore::new(), NodeId::new("n"));
        let context = NodeContext::detached(&store, &node, Key::from_bytes([1; 32]), &Cancel::new());
        (0..MOST_LOG_LINES + 5).for_each(|at| context.log(at.to_string()));
        let log = context.finish().log;
        assert_eq!(log.len(), MOST_LOG_LINES + 1);
        assert_eq!(log.last().unwrap(), "(5 more lines)");
    }
}
