//! [`explain`]: everything about why one node is as it is.

use crate::freshness::{Found, Freshness, FreshnessChecker, freshness};
use crate::kinds::Kinds;
use crate::reason::{self, StaleReason};
use pddflow_cache::{Key, KeyPart, Record, RecordHead, Store};
use pddflow_pipeline::{NodeId, Plan};
use std::sync::Arc;

/// Why a node is fresh, stale or unknown.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The node.
    pub node: NodeId,
    /// Whether its result is there.
    pub state: Freshness,
    /// The key that it had last time, if that is known.
    pub last_key: Option<Key>,
    /// The record of last time.
    pub last: Option<Record>,
    /// Every part of the key that is known now, sorted by name. Inputs are absent as long as they are not known.
    pub parts: Vec<KeyPart>,
    /// What changed since last time, every change.
    pub changes: Vec<StaleReason>,
    /// Names of the parts that are known now and are as they were last time.
    pub unchanged: Vec<String>,
    /// The nodes before it that run for reasons of their own, in the order of the plan. Empty unless it is unknown.
    pub causes: Vec<(NodeId, Freshness)>,
}

/// Explains the node at a place in the plan. Only that node and those before it are looked at.
///
/// # Panics
/// Never for a place in the plan.
#[must_use]
pub fn explain(plan: &Plan, kinds: &dyn Kinds, store: &Store, at: usize) -> Explanation {
    let wanted = ancestors(plan, at);
    let checker = FreshnessChecker::of_some(plan, kinds, store, |node| wanted[node]);
    let mut records: Vec<Option<Arc<RecordHead>>> = vec![None; plan.nodes.len()];
    let mut states = Vec::new();
    for node in (0..=at).filter(|node| wanted[*node]) {
        let state = freshness(&checker, node, &records).unwrap_or_else(|error| Freshness::Invalid { error });
        if let Freshness::Fresh { record, .. } = &state {
            records[node] = Some(Arc::clone(record));
        }
        states.push((plan.nodes[node].id.clone(), state));
    }
    let (node, state) = states.pop().unwrap_or_else(|| unreachable!("a node is its own ancestor"));
    let known = checker.waits_for(at, &records).is_empty();
    let assessed = if known { checker.assess(at, &records).ok() } else { None };
    let parts = match &assessed {
        Some(_) => checker.parts(at, &records),
        None => checker.own_parts(at),
    };
    let last = checker.last_record(at);
    let (changes, unchanged) = match &last {
        Some(last) => compared(&last.parts, &parts, known, |port| checker.names_at(at, port)),
        None => (Vec::new(), Vec::new()),
    };
    let lacks = assessed.map(|assessed| assessed.found);
    let mut changes = match lacks {
        Some(Found::Lacking(_, lacks)) => lacks,
        _ => changes,
    };
    if let Freshness::Stale { reasons, .. } = &state {
        changes.extend(reasons.iter().filter(|reason| matches!(reason, StaleReason::Extends { .. })).cloned());
    }
    let own = |(_, state): &(NodeId, Freshness)| matches!(state, Freshness::Stale { .. } | Freshness::Invalid { .. });
    let causes = if known { Vec::new() } else { states.into_iter().filter(own).collect() };
    Explanation { node, state, last_key: checker.last_key(at), last, parts, changes, unchanged, causes }
}

/// What differs between the keys of two records, such as those of one node in two runs: every change.
#[must_use]
pub fn differences(old: &Record, new: &Record) -> Vec<StaleReason> {
    reason::all_changes(&old.parts, &new.parts, |_| Vec::new())
}

fn compared(
    last: &[KeyPart],
    parts: &[KeyPart],
    known: bool,
    from: impl Fn(&str) -> Vec<String>,
) -> (Vec<StaleReason>, Vec<String>) {
    // Inputs that are not known yet have not changed yet.
    let counts = |part: &&KeyPart| known || !reason::is_input(part);
    let earlier: Vec<KeyPart> = last.iter().filter(counts).cloned().collect();
    let changes = reason::all_changes(&earlier, parts, from);
    let unchanged = parts.iter().filter(|part| earlier.contains(part)).map(|part| part.name.clone());
    (changes, unchanged.collect())
}

fn ancestors(plan: &Plan, at: usize) -> Vec<bool> {
    let mut wanted = vec![false; plan.nodes.len()];
    wanted[at] = true;
    // Nodes come after those that they need.
    for node in (0..=at).rev() {
        if wanted[node] {
            for input in plan.nodes[node].inputs.values().flatten() {
                wanted[input.node] = true;
            }
        }
    }
    wanted
}
