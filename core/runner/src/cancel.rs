//! [`Cancel`]: how a run is asked to end early.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How urgently a run is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum CancelLevel {
    /// Not at all.
    #[default]
    None,
    /// Start no more nodes; running ones write a checkpoint and return.
    Stop,
    /// As `Stop`, without checkpoints.
    Now,
}

/// A request to end, shared by its clones: one half goes to the signal handler, one to the run. It only ever rises.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicU8>);

impl Cancel {
    /// Nothing requested.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop.
    pub fn stop(&self) {
        self.raise_to(CancelLevel::Stop);
    }

    /// Asks to stop at once.
    pub fn now(&self) {
        self.raise_to(CancelLevel::Now);
    }

    /// One level up from what was asked so far (first Ctrl-C, second Ctrl-C); the new level.
    pub fn raise(&self) -> CancelLevel {
        let next = match self.level() {
            CancelLevel::None => CancelLevel::Stop,
            CancelLevel::Stop | CancelLevel::Now => CancelLevel::Now,
        };
        self.raise_to(next);
        next
    }

    /// What was asked so far.
    #[must_use]
    pub fn level(&self) -> CancelLevel {
        match self.0.load(Ordering::Acquire) {
            0 => CancelLevel::None,
            1 => CancelLevel::Stop,
            _ => CancelLevel::Now,
        }
    }

    /// Whether anything was asked.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.level() > CancelLevel::None
    }

    fn raise_to(&self, level: CancelLevel) {
        self.0.fetch_max(level as u8, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_rises_and_clones_share_it() {
        let cancel = Cancel::new();
        let clone = cancel.clone();
        assert!(!clone.requested());
        assert_eq!(cancel.raise(), CancelLevel::Stop);
        assert_eq!(clone.raise(), CancelLevel::Now);
        cancel.stop();
        assert_eq!(clone.level(), CancelLevel::Now);
    }
}
