//! Settings of nodes: retries, timeouts, failures that are allowed, resources, priorities, nodes that are not selected.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{jobs, plan_of};
use pddflow_runner::cache::{KeyPart, RamStore};
use pddflow_runner::pipeline::{Plan, PlanNode, Retries};
use pddflow_runner::{
    Cancel, Capacity, Expected, Inputs, Kinds, NodeContext, NodeError, Outcome, Outputs, RunEvent, Settings,
    SkipReason, Summary, Task, run,
};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// A kind that does what its parameters say: `fails` so many times first, `waits` for that many milliseconds or until it
/// should stop, counts how many nodes run at once.
#[derive(Default)]
struct Scripted {
    attempts: Mutex<BTreeMap<String, u64>>,
    order: Mutex<Vec<String>>,
    running: Mutex<usize>,
    most: Mutex<usize>,
    gpus: Mutex<BTreeMap<String, Vec<u32>>>,
}

impl Scripted {
    fn attempt(&self, node: Task<'_>, context: &NodeContext<'_>) -> Result<(), NodeError> {
        let attempt = {
            let mut attempts = self.attempts.lock().unwrap();
            let attempt = attempts.entry(node.id.to_string()).or_default();
            *attempt += 1;
            *attempt
        };
        let until = Instant::now() + Duration::from_millis(node.with["waits"].as_u64().unwrap_or(0));
        while Instant::now() < until {
            if context.cancelled() {
                context.save_checkpoint(b"so far")?;
                return Err(NodeError::cancelled());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // What began before goes on from its checkpoint and has nothing left to wait for.
        if attempt <= node.with["fails"].as_u64().unwrap_or(0) {
            return Err(NodeError::new("pddflow::nodes::toy", format!("attempt {attempt} failed")));
        }
        Ok(())
    }
}

impl Kinds for Scripted {
    fn key_parts(&self, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![KeyPart::new("name", json!(node.id.as_str()))])
    }

    fn expects(&self, node: Task<'_>) -> Expected {
        let gpus = u32::try_from(node.with["gpus"].as_u64().unwrap_or(0)).unwrap();
        Expected { memory_bytes: node.with["memory"].as_u64().unwrap_or(0), gpus }
    }

    fn run(&self, node: Task<'_>, _: &Inputs, context: &NodeContext<'_>) -> Result<Outputs, NodeError> {
        self.order.lock().unwrap().push(node.id.to_string());
        self.gpus.lock().unwrap().insert(node.id.to_string(), context.gpus().to_vec());
        {
            let mut running = self.running.lock().unwrap();
            *running += 1;
            let mut most = self.most.lock().unwrap();
            *most = most.max(*running);
        }
        let done = if context.checkpoint()?.is_some() { Ok(()) } else { self.attempt(node, context) };
        *self.running.lock().unwrap() -= 1;
        done?;
        let digest = context.put(node.id.as_str().as_bytes())?;
        Ok(Outputs { artifacts: BTreeMap::from([("out".to_owned(), digest)]), metrics: BTreeMap::new() })
    }
}

struct Ended {
    summary: Summary,
    events: Vec<RunEvent>,
    kinds: Scripted,
}

impl Ended {
    fn outcome(&self, name: &str) -> Outcome {
        self.summary.node(name).unwrap().outcome
    }

    fn code(&self, name: &str) -> &str {
        &self.summary.node(name).unwrap().error.as_ref().unwrap().code
    }
}

fn carry_out(plan: &Plan, jobs_at_once: usize, capacity: Capacity) -> Ended {
    carry_out_on(&RamStore::new(), plan, jobs_at_once, capacity)
}

fn carry_out_on(store: &RamStore, plan: &Plan, jobs_at_once: usize, capacity: Capacity) -> Ended {
    let (kinds, events) = (Scripted::default(), RefCell::new(Vec::new()));
    let mut settings = jobs(jobs_at_once);
    settings.capacity = capacity;
    let tell = |event| events.borrow_mut().push(event);
    let summary = run(plan, &kinds, store, &settings, &Cancel::new(), &tell).unwrap();
    Ended { summary, events: events.into_inner(), kinds }
}

fn retries(times: u32) -> Option<Retries> {
    let mut retries = Retries::default();
    (retries.times, retries.wait, retries.factor) = (times, Duration::from_millis(10), 2.0);
    Some(retries)
}

#[test]
fn a_node_is_tried_again_after_longer_and_longer_waits() {
    let mut plan = plan_of(&[("a", json!({"fails": 3}), vec![]), ("b", json!({}), vec!["a"])]);
    plan.nodes[0].settings.retries = retries(3);
    let started = Instant::now();
    let ended = carry_out(&plan, 2, Capacity::default());
    assert!(ended.summary.succeeded());
    assert_eq!(ended.kinds.attempts.lock().unwrap()["a"], 4);
    let waits: Vec<(u32, u32, u64)> = ended
        .events
        .iter()
        .filter_map(|event| match event {
            RunEvent::NodeRetrying { attempt, of, seconds, .. } => {
                Some((*attempt, *of, (seconds * 1e3).round() as u64))
            }
            _ => None,
        })
        .collect();
    assert_eq!(waits, [(1, 3, 10), (2, 3, 20), (3, 3, 40)]);
    assert!(started.elapsed() >= Duration::from_millis(70));
}

#[test]
fn nodes_that_run_at_once_have_graphics_processors_of_their_own() {
    let node = |name, gpus| (name, json!({"waits": 200, "gpus": gpus}), vec![]);
    let mut plan = plan_of(&[node("a", 1), node("b", 1), node("c", 1), node("d", 0)]);
    // What the pipeline says counts, not what the kind expects.
    plan.nodes[2].settings.resources.gpus = 2;
    let ended = carry_out(&plan, 4, Capacity { gpus: 2, ..Capacity::default() });
    assert!(ended.summary.succeeded());
    let gpus = ended.kinds.gpus.lock().unwrap();
    let mut first: Vec<u32> = ["a", "b"].iter().flat_map(|name| gpus[*name].clone()).collect();
    first.sort_unstable();
    assert_eq!(first, [0, 1]);
    assert_eq!((gpus["c"].as_slice(), gpus["d"].as_slice()), ([0, 1].as_slice(), [].as_slice()));
}

#[test]
fn after_the_last_attempt_the_node_has_failed() {
    let mut plan = plan_of(&[("a", json!({"fails": 9}), vec![]), ("b", json!({}), vec!["a"])]);
    plan.nodes[0].settings.retries = retries(2);
    let ended = carry_out(&plan, 1, Capacity::default());
    assert_eq!((ended.summary.failed, ended.summary.skipped), (1, 1));
    assert_eq!(ended.kinds.attempts.lock().unwrap()["a"], 3);
}

#[test]
fn other_nodes_run_while_one_waits_for_its_next_attempt() {
    let mut plan =
        plan_of(&[("a", json!({"fails": 1}), vec![]), ("b", json!({}), vec![]), ("c", json!({}), vec!["b"])]);
    plan.nodes[0].settings.retries = retries(1);
    plan.nodes[0].settings.priority = 1;
    let ended = carry_out(&plan, 1, Capacity::default());
    assert!(ended.summary.succeeded());
    assert_eq!(*ended.kinds.order.lock().unwrap(), ["a", "b", "c", "a"]);
}

#[test]
fn a_node_that_takes_too_long_ends_and_goes_on_from_its_checkpoint() {
    let mut plan = plan_of(&[("a", json!({"waits": 60_000}), vec![])]);
    plan.nodes[0].settings.timeout = Some(Duration::from_millis(20));
    let store = RamStore::new();
    let ended = carry_out_on(&store, &plan, 1, Capacity::default());
    assert_eq!(ended.code("a"), "pddflow::runner::timeout");
    assert!(ended.summary.node("a").unwrap().error.as_ref().unwrap().to_string().contains("timeout of 0.02 s"));
    assert!(!ended.summary.cancelled);
    assert!(carry_out_on(&store, &plan, 1, Capacity::default()).summary.succeeded());
}

#[test]
fn a_retry_after_a_timeout_goes_on_from_the_checkpoint() {
    let mut plan = plan_of(&[("a", json!({"waits": 60_000}), vec![])]);
    plan.nodes[0].settings.timeout = Some(Duration::from_millis(20));
    plan.nodes[0].settings.retries = retries(1);
    let ended = carry_out(&plan, 1, Capacity::default());
    assert!(ended.summary.succeeded());
    assert_eq!(ended.kinds.attempts.lock().unwrap()["a"], 1);
}

#[test]
fn a_node_that_does_not_react_to_its_timeout_is_told_once() {
    /// Waits until the warning about it has been told, and asks nobody whether it should stop.
    struct Deaf<'a>(&'a AtomicBool);
    impl Kinds for Deaf<'_> {
        fn key_parts(&self, _: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
            Ok(Vec::new())
        }
        fn run(&self, _: Task<'_>, _: &Inputs, context: &NodeContext<'_>) -> Result<Outputs, NodeError> {
            context.in_plugin("matcher deaf");
            let limit = Instant::now() + Duration::from_secs(20);
            while !self.0.load(Ordering::Acquire) && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(NodeError::cancelled())
        }
    }
    let mut plan = plan_of(&[("a", json!({}), vec![])]);
    plan.nodes[0].settings.timeout = Some(Duration::from_millis(5));
    let (told, warnings) = (AtomicBool::new(false), RefCell::new(Vec::new()));
    let tell = |event| {
        if let RunEvent::Warning { node: Some(node), text } = event {
            warnings.borrow_mut().push(format!("{node}: {text}"));
            told.store(true, Ordering::Release);
        }
    };
    let settings = Settings { grace: Duration::from_millis(5), ..jobs(1) };
    let summary = run(&plan, &Deaf(&told), &RamStore::new(), &settings, &Cancel::new(), &tell).unwrap();
    let warnings = warnings.into_inner();
    assert_eq!((warnings.len(), summary.failed), (1, 1), "{warnings:?}");
    assert!(warnings[0].starts_with("a: over its timeout and does not react (in matcher deaf)"), "{warnings:?}");
}

#[test]
fn a_failure_that_is_allowed_does_not_stop_the_run() {
    let mut plan = plan_of(&[
        ("a", json!({"fails": 9}), vec![]),
        ("b", json!({}), vec!["a"]),
        ("c", json!({}), vec![]),
        ("d", json!({}), vec!["c"]),
    ]);
    plan.nodes[0].settings.allow_failure = true;
    let ended = carry_out(&plan, 1, Capacity::default());
    assert!(ended.summary.succeeded());
    assert_eq!((ended.summary.failed, ended.summary.skipped, ended.summary.tolerated), (1, 1, 2));
    assert_eq!(
        (ended.outcome("a"), ended.outcome("b"), ended.outcome("d")),
        (Outcome::Failed, Outcome::Skipped, Outcome::Ran)
    );
}

#[test]
fn nodes_run_at_once_only_as_far_as_resources_go() {
    let names: Vec<String> = (0..8).map(|at| format!("n{at}")).collect();
    let lines: Vec<_> = names.iter().map(|name| (name.as_str(), json!({"waits": 15}), vec![])).collect();
    let most = |change: &dyn Fn(&mut PlanNode), capacity: Capacity| {
        let mut plan = plan_of(&lines);
        plan.pools.insert("download".to_owned(), 2);
        plan.nodes.iter_mut().for_each(change);
        let ended = carry_out(&plan, 8, capacity);
        assert!(ended.summary.succeeded());
        *ended.kinds.most.lock().unwrap()
    };
    let capacity = || Capacity { cpus: 6, memory_bytes: 100, gpus: 1 };
    assert_eq!(most(&|node| node.settings.resources.gpus = 1, capacity()), 1);
    assert_eq!(most(&|node| node.settings.resources.cpus = 2, capacity()), 3);
    assert_eq!(most(&|node| node.settings.resources.memory_bytes = 50, capacity()), 2);
    assert_eq!(most(&|node| node.settings.resources.cpus = 99, capacity()), 1);
    let pool = |node: &mut PlanNode| {
        node.settings.resources.pools.insert("download".to_owned(), 1);
    };
    assert_eq!(most(&pool, capacity()), 2);
    assert!(most(&|_| {}, capacity()) > 3);
}

#[test]
fn memory_that_a_kind_expects_counts_where_the_node_says_nothing() {
    let names: Vec<String> = (0..8).map(|at| format!("n{at}")).collect();
    let lines: Vec<_> = names.iter().map(|name| (name.as_str(), json!({"waits": 15, "memory": 40}), vec![])).collect();
    let most = |memory: Option<u64>| {
        let mut plan = plan_of(&lines);
        plan.nodes.iter_mut().for_each(|node| node.settings.resources.memory_bytes = memory.unwrap_or(0));
        let ended = carry_out(&plan, 8, Capacity { cpus: 64, memory_bytes: 100, gpus: 1 });
        assert!(ended.summary.succeeded());
        *ended.kinds.most.lock().unwrap()
    };
    assert_eq!(most(None), 2);
    assert_eq!(most(Some(90)), 1);
}

/// A kind whose nodes that need a GPU end only once a node that needs none has run.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Kinds for Gate {
    fn key_parts(&self, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![KeyPart::new("name", json!(node.id.as_str()))])
    }

    fn run(&self, node: Task<'_>, _: &Inputs, context: &NodeContext<'_>) -> Result<Outputs, NodeError> {
        let mut open = self.open.lock().unwrap();
        if node.id.as_str() == "n300" {
            *open = true;
            self.opened.notify_all();
        }
        let limit = Duration::from_secs(20);
        if !*self.opened.wait_timeout_while(open, limit, |open| !*open).unwrap().0 {
            return Err(NodeError::new("pddflow::nodes::toy", "no other node ran meanwhile"));
        }
        let digest = context.put(node.id.as_str().as_bytes())?;
        Ok(Outputs { artifacts: BTreeMap::from([("out".to_owned(), digest)]), metrics: BTreeMap::new() })
    }
}

#[test]
fn three_hundred_nodes_that_wait_for_a_gpu_do_not_hold_back_one_that_needs_none() {
    let names: Vec<String> = (0..301).map(|at| format!("n{at}")).collect();
    let lines: Vec<_> = names.iter().map(|name| (name.as_str(), json!({}), vec![])).collect();
    let mut plan = plan_of(&lines);
    plan.nodes.iter_mut().take(300).for_each(|node| node.settings.resources.gpus = 1);
    let (kinds, store) = (Gate::default(), RamStore::new());
    let summary = run(&plan, &kinds, &store, &jobs(2), &Cancel::new(), &drop).unwrap();
    assert!(summary.succeeded(), "{:?}", summary.nodes[0].error);
}

#[test]
fn resources_are_free_again_after_a_failure() {
    let mut plan = plan_of(&[("a", json!({"fails": 1}), vec![]), ("b", json!({}), vec![])]);
    plan.nodes.iter_mut().for_each(|node| node.settings.resources.gpus = 1);
    plan.nodes[0].settings.allow_failure = true;
    assert!(carry_out(&plan, 2, Capacity { gpus: 1, ..Capacity::default() }).summary.succeeded());
}

#[test]
fn larger_priorities_start_first() {
    let mut plan = plan_of(&[
        ("a", json!({}), vec![]),
        ("b", json!({}), vec![]),
        ("c", json!({}), vec![]),
        ("d", json!({}), vec!["a"]),
    ]);
    let priorities = [0, -1, 5, 0];
    plan.nodes.iter_mut().zip(priorities).for_each(|(node, priority)| node.settings.priority = priority);
    let ended = carry_out(&plan, 1, Capacity::default());
    assert_eq!(*ended.kinds.order.lock().unwrap(), ["c", "a", "d", "b"]);
}

#[test]
fn a_node_that_is_not_selected_is_used_and_never_run() {
    let mut plan = plan_of(&[("a", json!({}), vec![]), ("b", json!({}), vec!["a"])]);
    plan.nodes[0].settings.only_if_fresh = true;
    let store = RamStore::new();
    let ended = carry_out_on(&store, &plan, 1, Capacity::default());
    assert_eq!(ended.code("a"), "pddflow::runner::not_selected");
    let because = ended.events.iter().find_map(|event| match event {
        RunEvent::NodeSkipped { because, .. } => Some(because.clone()),
        _ => None,
    });
    assert_eq!(because, Some(SkipReason::NeedsFailed { node: "a".into() }));
    assert!(ended.kinds.order.lock().unwrap().is_empty());
    plan.nodes[0].settings.only_if_fresh = false;
    assert!(carry_out_on(&store, &plan, 1, Capacity::default()).summary.succeeded());
    plan.nodes[0].settings.only_if_fresh = true;
    plan.nodes[1].with = json!({"waits": 1});
    let ended = carry_out_on(&store, &plan, 1, Capacity::default());
    assert_eq!((ended.outcome("a"), ended.outcome("b")), (Outcome::Fresh, Outcome::Ran));
}

#[test]
fn a_stop_ends_the_wait_for_another_attempt() {
    let mut plan = plan_of(&[("a", json!({"fails": 9}), vec![])]);
    let mut long = Retries::default();
    (long.times, long.wait) = (5, Duration::from_secs(200));
    plan.nodes[0].settings.retries = Some(long);
    let (cancel, started) = (Cancel::new(), Instant::now());
    let tell = |event| {
        if let RunEvent::NodeRetrying { .. } = event {
            cancel.stop();
        }
    };
    let summary = run(&plan, &Scripted::default(), &RamStore::new(), &jobs(1), &cancel, &tell).unwrap();
    assert!(summary.cancelled && started.elapsed() < Duration::from_secs(20));
}
