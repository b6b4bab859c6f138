//! Nodes that wait for other processes on the same store, and when each is asked for again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A node that another process computes is asked for again after this time, then after twice as long each time...
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// ...but after this time at the latest.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Nodes that wait for another process, and when they are asked for again.
pub(super) struct Elsewhere {
    /// Those of which it was told.
    told: BTreeSet<usize>,
    waiting: Vec<usize>,
    due: Instant,
    wait: Duration,
}

impl Default for Elsewhere {
    fn default() -> Self {
        Self { told: BTreeSet::new(), waiting: Vec::new(), due: Instant::now(), wait: FIRST_WAIT }
    }
}

impl Elsewhere {
    /// Adds a node; whether it waits for the first time.
    pub(super) fn add(&mut self, at: usize) -> bool {
        let first = self.told.insert(at);
        if first {
            self.wait = FIRST_WAIT;
            self.due = Instant::now() + FIRST_WAIT;
        }
        self.waiting.push(at);
        first
    }

    /// The nodes to ask for again now.
    pub(super) fn take_due(&mut self) -> Vec<usize> {
        let now = Instant::now();
        if now < self.due {
            return Vec::new();
        }
        self.wait = (2 * self.wait).min(LONGEST_WAIT);
        self.due = now + self.wait;
        std::mem::take(&mut self.waiting)
    }

    /// How long none need be asked for; none if none waits.
    pub(super) fn rest(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then(|| self.due.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_others_are_asked_for_less_and_less_often() {
        let mut elsewhere = Elsewhere::default();
        assert_eq!(elsewhere.rest(), None);
        assert!(elsewhere.add(7) && !elsewhere.add(7), "told once");
        assert!(elsewhere.rest().unwrap() <= FIRST_WAIT && elsewhere.take_due().is_empty());
        let mut waits = Vec::new();
        for _ in 0..10 {
            elsewhere.due = Instant::now();
            assert!(!elsewhere.take_due().is_empty() && elsewhere.rest().is_none());
            elsewhere.add(7);
            waits.push(elsewhere.wait);
        }
        assert_eq!(waits[0], 2 * FIRST_WAIT);
        assert!(waits.is_sorted() && waits[9] == LONGEST_WAIT, "{waits:?}");
        // Another one may be done soon.
        elsewhere.add(8);
        assert_eq!(elsewhere.wait, FIRST_WAIT);
    }
}
