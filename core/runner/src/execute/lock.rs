//! Sharing work with other runs on the same store: a node runs only if no other process is computing its key.

use super::execution::{Execution, Stage};
use crate::event::RunEvent;
use crate::summary::Outcome;
use pddflow_cache::{Key, Lock, LockGuard, RecordHead};
use std::sync::Arc;

/// Whose turn it is to compute a key.
enum Turn {
    /// Ours, with a lock where the store has such a thing.
    Ours(Option<LockGuard>),
    /// Nobody's: another process has just done it.
    Made(RecordHead),
    /// Another process is at it.
    Theirs,
}

impl Execution<'_, '_> {
    /// The lock with which a queued node may run now; none when it need not or must wait.
    pub(super) fn lock(&mut self, at: usize, key: Key) -> Option<Option<LockGuard>> {
        match self.turn(at, key) {
            Turn::Ours(lock) => return Some(lock),
            Turn::Made(record) => self.made_elsewhere(at, record),
            Turn::Theirs => {
                if self.elsewhere.add(at) {
                    let node = self.plan.nodes[at].id.clone();
                    let holder = self.shared.store.holder(&key);
                    let host = holder.as_ref().map(|holder| holder.host.clone()).filter(|host| !host.is_empty());
                    self.log.tell(RunEvent::NodeWaiting { node, key, run: holder.map(|holder| holder.run), host });
                }
            }
        }
        None
    }

    fn turn(&self, at: usize, key: Key) -> Turn {
        let store = self.shared.store;
        let lock = match store.lock(&key) {
            Lock::Elsewhere => return Turn::Theirs,
            Lock::Unavailable => None,
            Lock::Held(lock) => Some(lock),
        };
        // Its last holder may have done the work between our look into the store and our lock.
        let wanted = self.nodes[at].forced.is_none();
        match store.record_head(&key) {
            Ok(Some(record)) if wanted && record.outputs.values().all(|digest| store.contains(digest)) => {
                Turn::Made(record)
            }
            // What cannot be read is computed.
            _ => Turn::Ours(lock),
        }
    }

    fn made_elsewhere(&mut self, at: usize, record: RecordHead) {
        let record = Arc::new(record);
        self.jobs.remove(&at);
        self.made.insert(record.key, Arc::clone(&record));
        self.complete(at, Arc::clone(&record), Outcome::Fresh);
        for twin in self.twins.remove(&record.key).unwrap_or_default() {
            self.complete(twin, Arc::clone(&record), Outcome::Fresh);
        }
    }

    /// Puts the nodes that others compute back into the queue.
    pub(super) fn ask_again(&mut self) {
        for at in self.elsewhere.take_due() {
            if self.nodes[at].stage == Stage::Ready {
                self.push_ready(at);
            }
        }
    }
}
