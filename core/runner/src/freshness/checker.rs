//! [`FreshnessChecker`]: everything that can be asked about a node's key and record. Shared by `plan` and `run`.
//!
//! What does not depend on other nodes (a node's own key parts, the record under the key that it had last time) is
//! looked up beforehand on several threads. The walk over the plan then mostly compares.

use crate::error::NodeError;
use crate::key::{input_parts, lineage_key, node_key, node_parts};
use crate::kinds::{Artifact, Growing, Inputs, Kinds, base_parts};
use crate::lineage::Lineage;
use crate::parallel::parallel_map;
use crate::reason::{self, StaleReason};
use crate::task::Task;
use crate::work_format::Work;
use pddflow_cache::{Digest, Key, KeyPart, Lookup, Record, RecordHead, Store, StoreError};
use pddflow_pipeline::{InputRef, NodeId, Plan, PlanNode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The records of the nodes that have their results, by place in the plan.
type Records = [Option<Arc<RecordHead>>];

/// What can be known of a node before any other is looked at.
struct Prepared {
    base: Result<Vec<KeyPart>, NodeError>,
    /// The key that it had last time.
    last: Option<Key>,
    /// What is under that key.
    found: Option<Found>,
}

/// What the store has under a key.
#[derive(Clone)]
pub(crate) enum Found {
    Nothing,
    Whole(Arc<RecordHead>),
    /// A record, and what it lacks.
    Lacking(Arc<RecordHead>, Vec<StaleReason>),
}

/// A node whose inputs are known.
pub(crate) struct Assessed {
    pub(crate) key: Key,
    pub(crate) found: Found,
}

pub(crate) struct FreshnessChecker<'a> {
    plan: &'a Plan,
    kinds: &'a dyn Kinds,
    store: &'a Store,
    /// For each node the outputs that others use.
    used: Vec<Vec<&'a str>>,
    prepared: Vec<Prepared>,
    /// Whether an input without a result counts as absent.
    partial: bool,
}

impl<'a> FreshnessChecker<'a> {
    pub(crate) fn new(plan: &'a Plan, kinds: &'a dyn Kinds, store: &'a Store) -> Self {
        Self::of_some(plan, kinds, store, |_| true)
    }

    /// A checker that only knows some of the nodes; no other may be asked about.
    pub(crate) fn of_some(
        plan: &'a Plan,
        kinds: &'a dyn Kinds,
        store: &'a Store,
        wanted: impl Fn(usize) -> bool + Sync,
    ) -> Self {
        let used = used_outputs(plan);
        let prepare = |at: usize| {
            if !wanted(at) {
                return Prepared { base: Ok(Vec::new()), last: None, found: None };
            }
            let node = &plan.nodes[at];
            let last = store.last_key_of(&plan.name, node.id.as_str());
            // An unreadable record is met again, and told, when the walk comes to it.
            let found = last.and_then(|key| look_up(store, &key, &used[at]).ok());
            let base = base_parts(Task::of(node), kinds);
            Prepared { base, last, found }
        };
        let prepared = parallel_map(plan.nodes.len(), prepare);
        Self { plan, kinds, store, used, prepared, partial: false }
    }

    /// The same checker, for which an input without a result counts as absent.
    pub(crate) fn with_partial_inputs(self, partial: bool) -> Self {
        Self { partial, ..self }
    }

    fn counts(&self, input: &InputRef, records: &Records) -> bool {
        !self.partial || records[input.node].is_some()
    }

    pub(crate) fn node(&self, at: usize) -> &'a PlanNode {
        &self.plan.nodes[at]
    }

    /// The key that the node had last time.
    pub(crate) fn last_key(&self, at: usize) -> Option<Key> {
        self.prepared[at].last
    }

    /// The record of last time, if it can be read.
    pub(crate) fn last_record(&self, at: usize) -> Option<Record> {
        self.last_key(at).and_then(|key| self.store.record(&key).ok().flatten())
    }

    /// The parts of a node's key that are known before any other node is looked at.
    pub(crate) fn own_parts(&self, at: usize) -> Vec<KeyPart> {
        node_parts(self.node(at), self.prepared[at].base.as_deref().unwrap_or_default(), Vec::new())
    }

    /// How long the node took last time.
    pub(crate) fn last_seconds(&self, at: usize) -> Option<f64> {
        match &self.prepared[at].found {
            Some(Found::Whole(record) | Found::Lacking(record, _)) => Some(record.seconds),
            _ => None,
        }
    }

    /// The nodes directly before that have no result yet, each once.
    pub(crate) fn waits_for(&self, at: usize, records: &Records) -> Vec<NodeId> {
        let inputs = self.node(at).inputs.values().flatten();
        let mut waits: Vec<usize> = inputs.map(|input| input.node).filter(|up| records[*up].is_none()).collect();
        waits.sort_unstable();
        waits.dedup();
        waits.into_iter().map(|up| self.node(up).id.clone()).collect()
    }

    /// The key of a node all of whose inputs are there, and what is stored under it.
    pub(crate) fn assess(&self, at: usize, records: &Records) -> Result<Assessed, NodeError> {
        let prepared = &self.prepared[at];
        let base = prepared.base.as_ref().map_err(Clone::clone)?;
        self.assess_parts(at, base, records)
    }

    fn assess_parts(&self, at: usize, base: &[KeyPart], records: &Records) -> Result<Assessed, NodeError> {
        let key = node_key(self.node(at), base, &self.input_parts(at, records)?)?;
        let prepared = &self.prepared[at];
        let found = match &prepared.found {
            Some(found) if prepared.last == Some(key) => found.clone(),
            _ => look_up(self.store, &key, &self.used[at])?,
        };
        Ok(Assessed { key, found })
    }

    /// The parts of a node's key that come from other nodes.
    fn input_parts(&self, at: usize, records: &Records) -> Result<Vec<KeyPart>, NodeError> {
        let port = |(port, inputs): (&'a String, &'a Vec<InputRef>)| {
            let counted = inputs.iter().filter(|input| self.counts(input, records));
            let digests: Result<Vec<Digest>, NodeError> = counted.map(|input| self.digest_of(input, records)).collect();
            Ok((port.as_str(), digests?))
        };
        let ports: Result<Vec<_>, NodeError> = self.node(at).inputs.iter().map(port).collect();
        Ok(input_parts(ports?))
    }

    /// All parts of the key of a node that was assessed with these records.
    pub(crate) fn parts(&self, at: usize, records: &Records) -> Vec<KeyPart> {
        let base = self.prepared[at].base.as_deref().unwrap_or_default();
        // They were there when it was assessed.
        node_parts(self.node(at), base, self.input_parts(at, records).unwrap_or_default())
    }

    /// What a node is given when it runs.
    pub(crate) fn inputs(&self, at: usize, records: &Records) -> Result<Inputs, NodeError> {
        let artifact = |input: &InputRef| {
            let from = self.node(input.node).id.clone();
            Ok(Artifact { digest: self.digest_of(input, records)?, artifact: input.artifact.clone(), from })
        };
        let port = |(port, inputs): (&String, &Vec<InputRef>)| {
            let artifacts: Result<Vec<Artifact>, NodeError> =
                inputs.iter().filter(|input| self.counts(input, records)).map(artifact).collect();
            Ok((port.clone(), artifacts?))
        };
        let ports: Result<BTreeMap<_, _>, NodeError> = self.node(at).inputs.iter().map(port).collect();
        Ok(Inputs(ports?))
    }

    /// An assessed node, closed.
    pub(crate) fn work(&self, at: usize, key: Key, records: &Records) -> Result<Work, NodeError> {
        let node = self.node(at);
        let mut work = Work::new(Task::of(node), (key, self.parts(at, records)), self.inputs(at, records)?);
        work.growing = self.lineage(at, records);
        work.used = self.used[at].iter().map(|output| (*output).to_owned()).collect();
        work.timeout = node.settings.timeout;
        Ok(work)
    }

    /// The lineage of an assessed node, if it belongs to one.
    pub(crate) fn lineage(&self, at: usize, records: &Records) -> Option<Lineage> {
        let Growing { parameter, wanted } = self.kinds.growing(Task::of(self.node(at)))?;
        // Without it the node starts over, as any other does.
        let key = lineage_key(&self.parts(at, records), parameter).ok()?;
        Some(Lineage { key, parameter: parameter.to_owned(), wanted })
    }

    /// Why an assessed node is not fresh: at least one reason. The last one says what it can go on from.
    pub(crate) fn reasons(&self, at: usize, assessed: &Assessed, records: &Records) -> Vec<StaleReason> {
        let mut reasons = self.causes(at, assessed, records);
        let lineage = self.lineage(at, records).filter(|lineage| lineage.wanted > 0);
        let reached = lineage.as_ref().and_then(|lineage| lineage.reached(self.store).next());
        reasons.extend(lineage.zip(reached).map(|(Lineage { parameter, wanted, .. }, reached)| StaleReason::Extends {
            parameter,
            reached,
            wanted,
        }));
        reasons
    }

    fn causes(&self, at: usize, assessed: &Assessed, records: &Records) -> Vec<StaleReason> {
        if let Found::Lacking(_, lacks) = &assessed.found {
            return lacks.clone();
        }
        let prepared = &self.prepared[at];
        let Some(last) = prepared.last else { return vec![StaleReason::NeverRan] };
        if last == assessed.key {
            return vec![StaleReason::RecordMissing { key: last }];
        }
        let changes = self.last_record(at).map_or_else(Vec::new, |earlier| {
            reason::changes(&earlier.parts, &self.parts(at, records), |port| self.names_at(at, port))
        });
        if changes.is_empty() { vec![StaleReason::HistoryMissing { key: last }] } else { changes }
    }

    pub(crate) fn names_at(&self, at: usize, port: &str) -> Vec<String> {
        let inputs = self.node(at).inputs.get(port).into_iter().flatten();
        inputs.map(|input| self.node(input.node).id.to_string()).collect()
    }

    fn digest_of(&self, input: &InputRef, records: &Records) -> Result<Digest, NodeError> {
        let record = records.get(input.node).and_then(Option::as_ref);
        let digest = record.and_then(|record| record.outputs.get(&input.output)).copied();
        let missing = || format!("output `{}` of `{}` is not known", input.output, self.node(input.node).id);
        digest.ok_or_else(|| NodeError::internal(missing()))
    }
}

fn look_up(store: &Store, key: &Key, used: &[&str]) -> Result<Found, StoreError> {
    let Some(Lookup { head: record, missing }) = store.look_up(key)? else { return Ok(Found::Nothing) };
    let digest = |output: &String| record.outputs.get(output).copied();
    let gone = |output: String| StaleReason::OutputMissing { digest: digest(&output), output };
    let mut lacks: Vec<StaleReason> = missing.into_iter().map(gone).collect();
    for output in used.iter().filter(|output| !record.outputs.contains_key(**output)) {
        lacks.push(StaleReason::OutputMissing { output: (*output).to_owned(), digest: None });
    }
    let record = Arc::new(record);
    Ok(if lacks.is_empty() { Found::Whole(record) } else { Found::Lacking(record, lacks) })
}

fn used_outputs(plan: &Plan) -> Vec<Vec<&str>> {
    let mut used: Vec<Vec<&str>> = vec![Vec::new(); plan.nodes.len()];
    for input in plan.nodes.iter().flat_map(|node| node.inputs.values()).flatten() {
        // A kind has few outputs, so looking through them is cheap.
        if let Some(outputs) = used.get_mut(input.node)
            && !outputs.contains(&input.output.as_str())
        {
            outputs.push(&input.output);
        }
    }
    used
}
