//! A toy world for the tests of the runner: plans made by hand, one kind whose behaviour is a parameter.
#![allow(dead_code, reason = "not every test program needs all of it")]

use pddflow_runner::cache::{KeyPart, Store};
use pddflow_runner::pipeline::{InputRef, NodeId, NodeSettings, Plan, PlanNode};
use pddflow_runner::{
    Cancel, Freshness, Growing, Inputs, Kinds, NodeContext, NodeError, Outputs, Progress, RunEvent, Settings, Summary,
    Task,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

/// One node: name, parameters, names of the nodes at its port `in`.
pub(crate) type Line<'a> = (&'a str, Value, Vec<&'a str>);

/// A plan of toy nodes; each needs only nodes before it.
pub(crate) fn plan_of(lines: &[Line<'_>]) -> Plan {
    let places: HashMap<&str, usize> = lines.iter().enumerate().map(|(at, line)| (line.0, at)).collect();
    let nodes = lines.iter().map(|(name, with, needs)| {
        let input = |name: &&str| InputRef { node: places[name], output: "out".into(), artifact: "text".into() };
        PlanNode {
            id: NodeId::new(name),
            family: (*name).to_owned(),
            axes: Vec::new(),
            point: Vec::new(),
            kind: "toy".to_owned(),
            with: with.clone(),
            inputs: [("in".to_owned(), needs.iter().map(input).collect())].into_iter().collect(),
            file: std::path::Path::new("test.yaml").into(),
            span: (0, 0).into(),
            settings: NodeSettings::default(),
        }
    });
    Plan {
        name: "test".to_owned(),
        file: "test.yaml".into(),
        params: serde_json::Map::new(),
        sweep: Vec::new(),
        plugins: Vec::new(),
        pools: BTreeMap::new(),
        cluster: pddflow_runner::pipeline::ClusterSettings::default(),
        nodes: nodes.collect(),
    }
}

/// The kind `toy`. Its output is its parameter `text` followed by its inputs in brackets. Further parameters:
///
/// | `constant` | output is this text, whatever the inputs |
/// | `act` | `fail`, `panic`, `forget` (no output), `lie` (output not stored), `steps` (see below), `stop` (asks for a stop), `wait` (takes a moment) |
///
/// | `says` | it logs this first |
/// | `plugin` | it says that it calls this plugin |
///
/// `grow`: `goal` steps, each of which changes the text; goes on from a checkpoint and keeps where it ended, unless it
/// is `unstable`.
///
/// `steps`: counts to 10 with a checkpoint after each, and after `stop_after` of them (if given, once) asks to stop.
#[derive(Default)]
pub(crate) struct Toy {
    /// Revision of the kind.
    pub(crate) revision: u32,
    /// How often each node ran to its end or failed.
    pub(crate) ran: Mutex<BTreeMap<String, usize>>,
    /// The order in which they began.
    pub(crate) began: Mutex<Vec<String>>,
    /// For `steps`: steps done in this process.
    pub(crate) steps: Mutex<usize>,
    /// Shared with the run.
    pub(crate) cancel: Cancel,
}

impl Toy {
    pub(crate) fn ran(&self, name: &str) -> usize {
        self.ran.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    pub(crate) fn runs(&self) -> usize {
        self.ran.lock().unwrap().values().sum()
    }

    fn act(&self, node: Task<'_>, context: &NodeContext<'_>) -> Result<(), NodeError> {
        node.with["says"].as_str().into_iter().for_each(|text| context.log(text));
        node.with["plugin"].as_str().into_iter().for_each(|plugin| context.in_plugin(plugin));
        match node.with["act"].as_str() {
            Some("fail") => Err(NodeError::new("pddflow::nodes::toy", format!("`{}` was told to fail", node.id))
                .with_source(std::io::Error::other("because"))),
            Some("panic") => panic!("told to panic"),
            Some("steps") => self.count(node, context),
            Some("grow") => Ok(()),
            Some("wait") => {
                std::thread::sleep(std::time::Duration::from_millis(30));
                Ok(())
            }
            Some("stop") => {
                self.cancel.stop();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn grow(&self, node: Task<'_>, context: &NodeContext<'_>, text: &str) -> Result<String, NodeError> {
        let kept =
            context.checkpoint()?.map(|state| (u64::from(state[0]), String::from_utf8(state[1..].into()).unwrap()));
        let (mut done, mut text) = kept.unwrap_or((0, text.to_owned()));
        let state = |done: u64, text: &str| [&[done as u8][..], text.as_bytes()].concat();
        while done < node.with["goal"].as_u64().unwrap() {
            if context.cancelled() {
                context.save_checkpoint(&state(done, &text))?;
                return Err(NodeError::cancelled());
            }
            done += 1;
            *self.steps.lock().unwrap() += 1;
            text = pddflow_runner::cache::Digest::of(text.as_bytes()).to_string();
            if node.with["stop_after"].as_u64() == Some(done) {
                self.cancel.raise();
            }
        }
        if context.keeps_state() {
            context.keep_state(state(done, &text));
        }
        Ok(text)
    }

    fn count(&self, node: Task<'_>, context: &NodeContext<'_>) -> Result<(), NodeError> {
        let mut done = context.checkpoint()?.map_or(0, |state| usize::from(state[0]));
        while done < 10 {
            if context.cancelled() {
                if context.checkpoint_due() {
                    context.save_checkpoint(&[done as u8])?;
                }
                return Err(NodeError::cancelled());
            }
            done += 1;
            *self.steps.lock().unwrap() += 1;
            context.progress(Progress { done: done as u64, total: 10, unit: "steps", loss: Some(0.5) });
            context.metric("loss", done as u64, 1.0 / done as f64);
            if node.with["stop_after"].as_u64() == Some(done as u64) {
                self.cancel.raise();
            }
        }
        Ok(())
    }
}

impl Kinds for Toy {
    fn key_parts(&self, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        match node.with["key"].as_str() {
            Some("fail") => Err(NodeError::new("pddflow::nodes::file", "the file x.bin is missing")),
            Some("reserved") => Ok(vec![KeyPart::new("input in", json!(1))]),
            Some("unsteady") => Ok(vec![KeyPart::new("file x.bin", json!(self.runs()))]),
            _ => Ok(vec![KeyPart::new("revision", self.revision.into())]),
        }
    }

    fn growing(&self, node: Task<'_>) -> Option<Growing> {
        let grows = node.with["act"] == "grow" && node.with["unstable"].is_null();
        grows.then(|| Growing { parameter: "goal", wanted: node.with["goal"].as_u64().unwrap_or_default() })
    }

    fn key_with(&self, node: Task<'_>) -> Option<Value> {
        let mut with = node.with.clone();
        with.as_object_mut()?.remove("place").map(|_| with)
    }

    fn run(&self, node: Task<'_>, inputs: &Inputs, context: &NodeContext<'_>) -> Result<Outputs, NodeError> {
        self.began.lock().unwrap().push(node.id.to_string());
        let mut text = node.with["text"].as_str().unwrap_or("").to_owned();
        for input in inputs.port("in") {
            let bytes = context.get(&input.digest)?;
            text += &format!("[{}]", String::from_utf8_lossy(&bytes));
        }
        let acted = self.act(node, context);
        let stopped = acted.as_ref().is_err_and(|error| error.cancelled);
        if !stopped {
            *self.ran.lock().unwrap().entry(node.id.to_string()).or_default() += 1;
        }
        acted?;
        if node.with["act"] == "grow" {
            text = self.grow(node, context, &text)?;
        }
        let text = node.with["constant"].as_str().map_or(text, str::to_owned);
        context.log(format!("made {} bytes", text.len()));
        let digest = match node.with["act"].as_str() {
            Some("lie") => pddflow_runner::cache::Digest::of(b"never stored"),
            _ => context.put(text.as_bytes())?,
        };
        let output = if node.with["act"] == "forget" { "other" } else { "out" };
        Ok(Outputs {
            artifacts: BTreeMap::from([(output.to_owned(), digest)]),
            metrics: BTreeMap::from([("length".to_owned(), text.len() as f64)]),
        })
    }
}

/// A run with its events.
pub(crate) struct Ran {
    pub(crate) summary: Summary,
    pub(crate) events: Vec<RunEvent>,
    pub(crate) toy: Toy,
}

impl Ran {
    pub(crate) fn counts(&self) -> [usize; 4] {
        [self.summary.fresh, self.summary.ran, self.summary.failed, self.summary.skipped]
    }

    /// Warnings told.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let text = |event: &RunEvent| match event {
            RunEvent::Warning { text, .. } => Some(text.clone()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }

    /// The reasons told for a node, as text.
    pub(crate) fn reasons(&self, name: &str) -> Vec<String> {
        let of = |event: &RunEvent| match event {
            RunEvent::NodeStarted { node, reasons, .. } if node.as_str() == name => Some(reasons.clone()),
            _ => None,
        };
        self.events.iter().filter_map(of).flatten().map(|reason| reason.to_string()).collect()
    }

    pub(crate) fn failure(&self, name: &str) -> String {
        self.summary.node(name).unwrap().error.as_ref().unwrap().to_string()
    }
}

/// Settings for tests: a fixed number of jobs, no journal.
pub(crate) fn jobs(jobs: usize) -> Settings {
    Settings { jobs, journal: false, ..Settings::default() }
}

pub(crate) fn run_with(plan: &Plan, store: &Store, settings: &Settings, toy: Toy) -> Ran {
    let events = RefCell::new(Vec::new());
    let cancel = toy.cancel.clone();
    let tell = |event| events.borrow_mut().push(event);
    let summary = pddflow_runner::run(plan, &toy, store, settings, &cancel, &tell).unwrap();
    let counted = summary.fresh + summary.ran + summary.failed + summary.skipped;
    assert_eq!(counted, plan.nodes.len());
    Ran { summary, events: events.into_inner(), toy }
}

pub(crate) fn run_plan(plan: &Plan, store: &Store) -> Ran {
    run_with(plan, store, &jobs(2), Toy::default())
}

/// The text that a node made.
pub(crate) fn text_of(store: &Store, ran: &Ran, name: &str) -> String {
    let digest = ran.summary.node(name).unwrap().output("out").unwrap();
    String::from_utf8(store.get(&digest).unwrap().to_vec()).unwrap()
}

/// One word per node: `fresh`, `stale: reasons`, `waits: nodes`, `invalid: why`.
pub(crate) fn planned(plan: &Plan, store: &Store) -> Vec<String> {
    planned_with(plan, store, &Toy::default())
}

pub(crate) fn planned_with(plan: &Plan, store: &Store, toy: &Toy) -> Vec<String> {
    let word = |freshness: Freshness| match freshness {
        Freshness::Fresh { .. } => "fresh".to_owned(),
        Freshness::Stale { reasons, .. } => {
            let texts: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            format!("stale: {}", texts.join("; "))
        }
        Freshness::Unknown { waits_for } => {
            let names: Vec<&str> = waits_for.iter().map(NodeId::as_str).collect();
            format!("waits: {}", names.join(", "))
        }
        Freshness::Invalid { error } => format!("invalid: {error}"),
        other => format!("{other:?}"),
    };
    pddflow_runner::plan(plan, toy, store).into_iter().map(word).collect()
}

/// The usual shape: `a` -> `b` -> `d`, `a` -> `c` -> `d`.
pub(crate) fn diamond(text: &str) -> Plan {
    plan_of(&[
        ("a", json!({"text": text}), vec![]),
        ("b", json!({"text": "b"}), vec!["a"]),
        ("c", json!({"text": "c"}), vec!["a"]),
        ("d", json!({"text": "d"}), vec!["b", "c"]),
    ])
}
