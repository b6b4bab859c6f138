//! How far a transfer is.

use std::sync::{Mutex, PoisonError};

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

/// What is told each change, from any thread, one after the other.
pub type Tell<'a> = dyn Fn(Progress) + Sync + 'a;

/// Counts, and tells each change.
pub(crate) struct Teller<'a> {
    now: Mutex<Progress>,
    tell: &'a Tell<'a>,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(tell: &'a Tell<'a>) -> Self {
        Self { now: Mutex::default(), tell }
    }

    pub(crate) fn begin(&self, all_artifacts: usize, all_bytes: u64) {
        self.change(|now| *now = Progress { all_artifacts, all_bytes, ..Progress::default() });
    }

    pub(crate) fn bytes(&self, more: usize) {
        self.change(|now| now.bytes += more as u64);
    }

    pub(crate) fn artifact(&self) {
        self.change(|now| now.artifacts += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut now);
        (self.tell)(*now);
    }
}
