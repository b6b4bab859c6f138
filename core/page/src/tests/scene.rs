//! [`Scene`]: a store with a run.

use crate::{DEFAULT_SIZE, Page, Sources, page};
use pddflow_artifact::{
    CurvePoint, DistilledSet, Files, ImageSize, Phase, PreprocessingNote, Reading, Results, Scores, SetInfo,
};
use pddflow_cache::{Digest, Key, MadeOn, Record, RecordHead, Store};
use pddflow_host::Labels;
use pddflow_runner::{Arrays, NodeError, PastNode, PastRun, PastState, PlannedNode, RunState};
use pddflow_tensor::{Device, Tensor};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A store with one run, to which nodes are added.
pub(super) struct Scene {
    _folder: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) run: PastRun,
    /// The artifact type of each output, by kind and port.
    types: BTreeMap<(String, String), String>,
}

/// A node that is added.
pub(super) struct Added<'a> {
    pub(super) id: &'a str,
    pub(super) family: &'a str,
    pub(super) kind: &'a str,
    pub(super) with: Value,
    pub(super) axes: Value,
    /// Places of the nodes that it needs, by port.
    pub(super) needs: &'a [(&'a str, usize)],
    /// Port, type and bytes of its artifacts.
    pub(super) outputs: Vec<(&'a str, &'a str, Vec<u8>)>,
    pub(super) log: &'a str,
}

impl Default for Added<'_> {
    fn default() -> Self {
        let (with, axes) = (json!({}), json!([]));
        Self { id: "n", family: "n", kind: "k", with, axes, needs: &[], outputs: Vec::new(), log: "" }
    }
}

impl Scene {
    pub(super) fn new(pipeline: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let head = json!({
            "version": 2, "run": "r1700000000000-1", "pipeline": pipeline, "file": "p.yaml", "params": { "seed": 0 },
            "program": "pddflow 0", "nodes": 0, "jobs": 2, "unix_milliseconds": 1_700_000_000_000_u64,
        });
        let run = PastRun {
            head: serde_json::from_value(head).unwrap(),
            plan: Vec::new(),
            state: RunState::Succeeded,
            counts: [0; 4],
            seconds: 10.0,
            nodes: BTreeMap::new(),
            arrays: Arrays::default(),
            warnings: Vec::new(),
        };
        let store = Store::open(folder.path()).unwrap();
        Self { _folder: folder, store, run, types: BTreeMap::new() }
    }

    /// Adds a node that ran; its place in the plan.
    pub(super) fn add(&mut self, added: Added<'_>) -> usize {
        let at = self.run.plan.len();
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(at as u64).to_le_bytes());
        let key = Key::from_bytes(key);
        let mut outputs = BTreeMap::new();
        for (port, artifact, bytes) in added.outputs {
            outputs.insert(port.to_owned(), self.store.put(&bytes).unwrap());
            self.types.insert((added.kind.to_owned(), port.to_owned()), artifact.to_owned());
        }
        let made_on =
            MadeOn { host: "host".into(), instructions: "avx2".into(), device: "cpu".into(), ..MadeOn::default() };
        let head = RecordHead {
            key,
            outputs: outputs.clone().into_iter().collect(),
            lengths: Default::default(),
            metrics: BTreeMap::from([("accuracy".to_owned(), 50.0)]),
            seconds: 1.0,
            log: added.log.lines().map(str::to_owned).collect(),
            program: "pddflow 0".into(),
        };
        self.store.put_record(&Record { parts: Vec::new(), made_on: Some(made_on), head }).unwrap();
        let inputs: BTreeMap<String, Vec<(usize, String)>> =
            added.needs.iter().fold(BTreeMap::new(), |mut all, (port, from)| {
                all.entry((*port).to_owned()).or_insert_with(Vec::new).push((*from, "set".to_owned()));
                all
            });
        let planned = json!({
            "id": added.id, "family": added.family, "kind": added.kind, "with": added.with, "axes": added.axes, "inputs": inputs,
        });
        self.run.plan.push(serde_json::from_value::<PlannedNode>(planned).unwrap());
        let past = PastNode {
            state: PastState::Ran,
            key: Some(key),
            began: at as f64,
            seconds: Some(1.0),
            outputs,
            ..PastNode::default()
        };
        self.run.nodes.insert(added.id.to_owned(), past);
        self.run.counts[1] += 1;
        at
    }

    pub(super) fn fail(&mut self, id: &str, text: &str) {
        let past = self.run.nodes.get_mut(id).unwrap();
        past.state = PastState::Failed;
        past.failure = Some(NodeError::new("pddflow::nodes::x", text).with_help(text));
        self.run.state = RunState::Failed;
    }

    pub(super) fn page_of_at_most(&self, most: usize) -> Page {
        let artifact =
            |kind: &str, port: &str| self.types.get(&(kind.to_owned(), port.to_owned())).cloned().unwrap_or_default();
        page(&Sources { store: &self.store, runs: std::slice::from_ref(&self.run), artifact: &artifact }, most, false)
    }

    pub(super) fn html(&self) -> String {
        self.page_of_at_most(DEFAULT_SIZE).html
    }
}

/// The bytes of a set with one image of each class.
pub(super) fn set(method: &str, classes: &[&str], stage: usize, ipc: usize) -> Vec<u8> {
    let rows = classes.len() * ipc;
    let size = ImageSize { channels: 3, height: 4, width: 4 };
    let values: Vec<f64> = (0..rows * size.elements()).map(|at| (at % 7) as f64 / 7.0).collect();
    let labels = (0..rows).map(|row| i64::try_from(row / ipc).unwrap()).collect();
    let none = pddflow_artifact::Preprocessing::new(pddflow_artifact::Normalization::None, 3).digest();
    let set = DistilledSet {
        images: Tensor::from_f64(values, &[rows, 3, 4, 4], &Device::Cpu).unwrap(),
        labels: Labels::Hard(Tensor::from_i64(labels, &[rows], &Device::Cpu).unwrap()),
        learnables: BTreeMap::new(),
        step_size: None,
        info: SetInfo {
            method: method.to_owned(),
            source: method.to_owned(),
            made_by: json!({}),
            recipe: json!({}),
            ipc,
            stage,
            class_names: classes.iter().map(|name| (*name).to_owned()).collect(),
            class_ids: None,
            preprocessing: PreprocessingNote::None { digest: none },
            real_images: None,
        },
    };
    set.encode().unwrap()
}

/// The bytes of results: accuracies at moments (phase, stage, epoch).
pub(super) fn results(method: &str, labels: Value, moments: &[(usize, usize, u64, &[f64])]) -> Vec<u8> {
    let reading = |(_, stage, epoch, accuracies): &(usize, usize, u64, &[f64])| Reading {
        stage: *stage,
        epoch: *epoch,
        accuracies: accuracies.to_vec(),
    };
    let point = |moment: &(usize, usize, u64, &[f64])| CurvePoint {
        reading: reading(moment),
        held_out: None,
        phase: (moment.0 > 0).then_some(Phase { number: moment.0, classes_seen: 2 * moment.0 }),
    };
    let results = Results {
        method: method.to_owned(),
        labels: serde_json::from_value(labels).unwrap(),
        rule: "last".into(),
        reported: reading(moments.last().unwrap()),
        others: BTreeMap::new(),
        curve: moments.iter().map(point).collect(),
        protocol: json!({ "seed": 0 }),
    };
    results.encode().unwrap()
}

/// The bytes of scores.
pub(super) fn scores(values: Vec<f64>) -> Vec<u8> {
    let made_by = json!({});
    Scores { method: "forgetting".into(), made_by, images: Digest::of(b"images"), scores: values }.encode().unwrap()
}

/// The bytes of a table.
pub(super) fn table(json: &Value) -> Vec<u8> {
    let mut files = Files::new();
    files.insert("table.json", json.to_string()).unwrap();
    files.insert("table.md", "| a |").unwrap();
    files.encode().unwrap()
}
