//! Freshness: is a node's result there, and if not, why.
//!
//! | what is found | freshness |
//! |---|---|
//! | every node before is fresh, the record is there, its artifacts are there | fresh |
//! | every node before is fresh, and something of these is not | stale, with reasons |
//! | a node before is not fresh: its artifacts are not known, so neither is this key | unknown |
//! | the key cannot be made (a file outside the store is missing) | invalid |
//!
//! Early cut-off follows from this: a stale node that gives the same bytes as before gives its children the same keys.
//! Whether artifacts are whole is not asked here; damage is found on reading and repaired while running.

mod checker;

pub(crate) use checker::{Assessed, Found, FreshnessChecker};

use crate::error::NodeError;
use crate::kinds::Kinds;
use crate::reason::StaleReason;
use crate::work_format::Work;
use pddflow_cache::{Key, RecordHead, Store};
use pddflow_pipeline::{NodeId, Plan};
use std::sync::Arc;

/// State of a node before a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Freshness {
    /// Its result is there.
    Fresh {
        /// Its key.
        key: Key,
        /// What it gave.
        record: Arc<RecordHead>,
    },
    /// It would run.
    Stale {
        /// Its key.
        key: Key,
        /// Why, at least one.
        reasons: Vec<StaleReason>,
    },
    /// Its key depends on results that are not there yet. It stays fresh if they come out as before.
    Unknown {
        /// The nodes directly before it that are not fresh.
        waits_for: Vec<NodeId>,
    },
    /// It cannot run as things are.
    Invalid {
        /// Why.
        error: NodeError,
    },
}

/// Says for each node of a plan, in its order, whether it would run and why. Writes nothing, except that
/// a record found damaged is moved to quarantine; [`Store::take_warnings`] then says so.
#[must_use]
pub fn plan(plan: &Plan, kinds: &dyn Kinds, store: &Store) -> Vec<Freshness> {
    let checker = FreshnessChecker::new(plan, kinds, store);
    let mut records: Vec<Option<Arc<RecordHead>>> = vec![None; plan.nodes.len()];
    let mut all = Vec::with_capacity(plan.nodes.len());
    for at in 0..plan.nodes.len() {
        let freshness = freshness(&checker, at, &records).unwrap_or_else(|error| Freshness::Invalid { error });
        if let Freshness::Fresh { record, .. } = &freshness {
            records[at] = Some(Arc::clone(record));
        }
        all.push(freshness);
    }
    all
}

/// The nodes that a run would begin with, closed: those that are stale and whose inputs are there. With their places in the plan.
#[must_use]
pub fn ready_work(plan: &Plan, kinds: &dyn Kinds, store: &Store) -> Vec<(usize, Work)> {
    let checker = FreshnessChecker::new(plan, kinds, store);
    let mut records: Vec<Option<Arc<RecordHead>>> = vec![None; plan.nodes.len()];
    let mut ready = Vec::new();
    for at in 0..plan.nodes.len() {
        match freshness(&checker, at, &records) {
            Ok(Freshness::Fresh { record, .. }) => records[at] = Some(record),
            Ok(Freshness::Stale { key, .. }) => {
                ready.extend(checker.work(at, key, &records).ok().map(|work| (at, work)));
            }
            _ => {}
        }
    }
    ready
}

/// The state of one node, given the results of those before it.
pub(crate) fn freshness(
    checker: &FreshnessChecker<'_>,
    at: usize,
    records: &[Option<Arc<RecordHead>>],
) -> Result<Freshness, NodeError> {
    let waits_for = checker.waits_for(at, records);
    if !waits_for.is_empty() {
        return Ok(Freshness::Unknown { waits_for });
    }
    let assessed = checker.assess(at, records)?;
    Ok(match &assessed.found {
        Found::Whole(record) => Freshness::Fresh { key: assessed.key, record: Arc::clone(record) },
        _ => Freshness::Stale { key: assessed.key, reasons: checker.reasons(at, &assessed, records) },
    })
}
