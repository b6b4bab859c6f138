//! [`Gathered`]: what a run left in the store. Everything of it may be gone or damaged by now; what cannot be read is
//! counted and passed over.

mod seeds;

pub(crate) use seeds::{seed_of, without_seed};

use pddflow_artifact::{ArtifactError, Curve, Dataset, DistilledSet, Files, Results, Scores};
use pddflow_cache::{Blob, Digest, MadeOn, Record, Store};
use pddflow_runner::{PastNode, PastRun, PastState, PlannedNode, node_log, parallel_map};
use std::cell::Cell;
use std::collections::BTreeMap;

/// A run with the records of its nodes.
pub(crate) struct Gathered<'a> {
    pub(crate) store: &'a Store,
    pub(crate) run: &'a PastRun,
    /// In the order of the plan.
    pub(crate) nodes: Vec<Node<'a>>,
    unreadable: Cell<usize>,
}

/// A node of the plan, what the run did with it, and what it gave.
pub(crate) struct Node<'a> {
    pub(crate) planned: &'a PlannedNode,
    pub(crate) past: PastNode,
    /// None if there is no result, or if the record is gone.
    pub(crate) record: Option<Record>,
    pub(crate) outputs: Vec<Output>,
}

/// An artifact of a node.
pub(crate) struct Output {
    pub(crate) port: String,
    /// Its type, such as `set`.
    pub(crate) artifact: String,
    pub(crate) digest: Digest,
    pub(crate) bytes: Option<u64>,
}

impl Node<'_> {
    /// Whether it has a result.
    pub(crate) fn has_result(&self) -> bool {
        matches!(self.past.state, PastState::Fresh | PastState::Ran)
    }

    /// How long it took, in this run or, if it was fresh, in the run that made it.
    pub(crate) fn seconds(&self) -> Option<f64> {
        self.past.seconds.or_else(|| self.record.as_ref().map(|record| record.seconds))
    }

    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        match (&self.record, self.past.state) {
            (_, PastState::Ran) => self.past.metrics.clone(),
            (Some(record), PastState::Fresh) => record.metrics.clone(),
            _ => BTreeMap::new(),
        }
    }

    pub(crate) fn made_on(&self) -> Option<&MadeOn> {
        self.record.as_ref()?.made_on.as_ref()
    }
}

impl<'a> Gathered<'a> {
    /// Reads the records of a run's nodes. `artifact` says of which type an output of a kind is.
    pub(crate) fn new(store: &'a Store, run: &'a PastRun, artifact: &(dyn Fn(&str, &str) -> String + Sync)) -> Self {
        let nodes = parallel_map(run.plan.len(), |at| {
            let planned = &run.plan[at];
            let past = run.nodes.get(&planned.id).cloned().unwrap_or_default();
            let has_result = matches!(past.state, PastState::Fresh | PastState::Ran);
            let record = past.key.filter(|_| has_result).and_then(|key| store.record(&key).ok().flatten());
            let given: Vec<(String, Digest)> = match &record {
                Some(record) => record.outputs.iter().map(|(port, digest)| (port.clone(), *digest)).collect(),
                None => past.outputs.iter().map(|(port, digest)| (port.clone(), *digest)).collect(),
            };
            let output = |(port, digest): (String, Digest)| Output {
                artifact: artifact(&planned.kind, &port),
                bytes: store.length(&digest),
                port,
                digest,
            };
            Node { planned, past, record, outputs: given.into_iter().map(output).collect() }
        });
        Self { store, run, nodes, unreadable: Cell::new(0) }
    }

    /// The artifacts of a type with the nodes that gave them.
    pub(crate) fn of_type(&self, artifact: &'static str) -> impl Iterator<Item = (&Node<'a>, &Output)> {
        self.nodes.iter().flat_map(move |node| {
            node.outputs.iter().filter(move |output| output.artifact == artifact).map(move |output| (node, output))
        })
    }

    pub(crate) fn set(&self, output: &Output) -> Option<DistilledSet> {
        self.read(output, |blob| DistilledSet::decode(blob))
    }

    pub(crate) fn results(&self, output: &Output) -> Option<Results> {
        self.read(output, |blob| Results::decode(blob))
    }

    pub(crate) fn curve(&self, output: &Output) -> Option<Curve> {
        self.read(output, |blob| Curve::decode(blob))
    }

    pub(crate) fn scores(&self, output: &Output) -> Option<Scores> {
        self.read(output, |blob| Scores::decode(blob))
    }

    pub(crate) fn files(&self, output: &Output) -> Option<Files> {
        self.read(output, |blob| Files::decode(blob))
    }

    pub(crate) fn dataset(&self, output: &Output) -> Option<Dataset> {
        self.read(output, Dataset::decode)
    }

    /// The data set that a node got at its port `data`.
    pub(crate) fn data_of(&self, node: &Node<'_>) -> Option<Dataset> {
        let (from, port) = node.planned.inputs.get("data")?.first()?;
        let output = self.nodes.get(*from)?.outputs.iter().find(|output| output.port == *port)?;
        self.dataset(output)
    }

    /// What a node printed in this run; of a fresh one what it printed when it was made.
    pub(crate) fn log(&self, node: &Node<'_>) -> String {
        let text = node_log(self.store, &self.run.head.run, &node.planned.id).unwrap_or_default();
        match &node.record {
            Some(record) if text.is_empty() => record.log.join("\n"),
            _ => text,
        }
    }

    /// How many artifacts could not be read.
    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable.get()
    }

    fn read<T>(&self, output: &Output, decode: impl Fn(&Blob) -> Result<T, ArtifactError>) -> Option<T> {
        let found = self.store.get(&output.digest).ok().and_then(|blob| decode(&blob).ok());
        self.unreadable.set(self.unreadable.get() + usize::from(found.is_none()));
        found
    }
}
