//! How far a transfer is.

use std::cell::Cell;

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Artifacts that are copied.
    pub artifacts: usize,
    /// Artifacts to copy in all; 0 as long as it is not known.
    pub all_artifacts: usize,
    /// Bytes that are copied.
    pub bytes: u64,
    /// Bytes to copy in all.
    pub all_bytes: u64,
}

/// Counts, and tells each change.
pub(crate) struct Teller<'a> {
    now: Cell<Progress>,
    tell: &'a dyn Fn(Progress),
}

impl<'a> Teller<'a> {
    pub(crate) fn new(tell: &'a dyn Fn(Progress)) -> Self {
        Self { now: Cell::default(), tell }
    }

    pub(crate) fn begin(&self, all_artifacts: usize, all_bytes: u64) {
        self.set(Progress { all_artifacts, all_bytes, ..Progress::default() });
    }

    pub(crate) fn bytes(&self, more: usize) {
        let now = self.now.get();
        self.set(Progress { bytes: now.bytes + more as u64, ..now });
    }

    pub(crate) fn artifact(&self) {
        let now = self.now.get();
        self.set(Progress { artifacts: now.artifacts + 1, ..now });
    }

    fn set(&self, now: Progress) {
        self.now.set(now);
        (self.tell)(now);
    }
}
