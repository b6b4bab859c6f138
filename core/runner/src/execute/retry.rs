//! Retries: a node that failed waits for its time and then runs again, from its checkpoint if it has one.
//!
//! While it waits it keeps its key, so that nodes with the same key wait for it and do not run at once in its place.

use super::execution::{Execution, Stage};
use crate::error::NodeError;
use crate::event::RunEvent;
use pddflow_cache::Key;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// How often a run in which nothing works looks whether it is asked to stop.
const LONGEST_NAP: Duration = Duration::from_millis(100);

impl Execution<'_, '_> {
    /// Whether a node that failed is tried again; it waits for that from now on.
    pub(super) fn try_again(&mut self, at: usize, key: Key, failure: &NodeError) -> bool {
        let node = &self.plan.nodes[at];
        let Some(retries) = node.settings.retries else { return false };
        let attempt = self.nodes[at].attempts + 1;
        if attempt > retries.times || self.is_stopping() {
            return false;
        }
        self.nodes[at].attempts = attempt;
        let wait = retries.wait_before(attempt);
        self.log.tell(RunEvent::NodeRetrying {
            node: node.id.clone(),
            attempt,
            of: retries.times,
            seconds: wait.as_secs_f64(),
            error: failure.clone(),
        });
        self.nodes[at].stage = Stage::Ready;
        self.sleeping.push(Reverse((Instant::now() + wait, at, key)));
        true
    }

    /// Gives those whose time has come back to the queue.
    pub(super) fn wake(&mut self) {
        while let Some(Reverse((time, at, key))) = self.sleeping.peek().copied() {
            if time > Instant::now() {
                return;
            }
            self.sleeping.pop();
            let twins = self.twins.remove(&key).unwrap_or_default();
            self.nodes[at].stage = Stage::Waiting;
            self.assess(at);
            match self.twins.get_mut(&key) {
                Some(waiting) => waiting.extend(twins),
                None => {
                    for twin in twins {
                        self.nodes[twin].stage = Stage::Waiting;
                        self.to_assess.insert(twin);
                    }
                }
            }
        }
    }

    /// How long the run may wait for messages; for ever when no node waits for its next attempt or for another process.
    pub(super) fn nap(&self) -> Option<Duration> {
        let attempt = self.sleeping.peek().map(|Reverse((time, ..))| time.saturating_duration_since(Instant::now()));
        attempt.into_iter().chain(self.elsewhere.rest()).min().map(|nap| nap.min(LONGEST_NAP))
    }
}
