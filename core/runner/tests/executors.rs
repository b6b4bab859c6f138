//! Executors outside of the process of a run: the scheduler treats what they compute as it treats what threads compute.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{Toy, diamond, jobs, plan_of, run_plan};
use pddflow_runner::cache::RamStore;
use pddflow_runner::pipeline::{Plan, PlanNode};
use pddflow_runner::{
    Bench, Cancel, Ended, Executor, ExecutorFactory, Job, NodeError, Reports, RunError, RunEvent, Settings, SkipReason,
    Stop, Summary, Work, perform, refusal, run_on,
};
use serde_json::json;
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

/// What an executor does with its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Computes them from their text, in threads of its own.
    Computes,
    /// Keeps them until it is told to stop, and says that they go on without the run.
    Keeps,
}

/// An executor for all nodes but those called `here...`.
struct Elsewhere<'a> {
    how: How,
    toy: &'a Toy,
    store: &'a RamStore,
    stops: Arc<Mutex<Vec<Stop>>>,
}

struct Texts<'a> {
    factory: &'a Elsewhere<'a>,
    reports: Reports,
    kept: Vec<Job>,
}

impl ExecutorFactory for Elsewhere<'_> {
    fn takes(&self, node: &PlanNode) -> bool {
        !node.id.as_str().starts_with("here")
    }

    fn open(&self, _: &str, reports: Reports) -> Result<Box<dyn Executor + '_>, RunError> {
        Ok(Box::new(Texts { factory: self, reports, kept: Vec::new() }))
    }
}

impl Executor for Texts<'_> {
    fn room(&self) -> bool {
        true
    }

    fn start(&mut self, job: Job) -> Result<(), RunError> {
        self.kept.push(job);
        Ok(())
    }

    fn flush(&mut self) {
        if self.factory.how == How::Keeps {
            return;
        }
        for Job { at, work, lock, .. } in self.kept.drain(..) {
            let text = serde_json::to_string(&work).unwrap();
            let work: Work = serde_json::from_str(&text).unwrap();
            let cancel = Cancel::new();
            let bench = Bench {
                kinds: self.factory.toy,
                store: self.factory.store,
                cancel: &cancel,
                program: "test",
                gpus: &[],
            };
            assert!(refusal(&work, self.factory.toy).is_none());
            // Messages wait in a channel of some hundreds; these are fewer.
            self.reports.began(at);
            let (ended, _) = perform(&work, bench, &|event| self.reports.event(event));
            drop(lock);
            self.reports.done(at, ended);
        }
    }

    fn settled(&self) -> bool {
        self.factory.how == How::Keeps
    }

    fn stop(&mut self, how: Stop) {
        self.factory.stops.lock().unwrap().push(how);
        for job in self.kept.drain(..) {
            self.reports.done(job.at, Ended { result: Err(NodeError::cancelled()), lost: Vec::new() });
        }
    }
}

struct Ran {
    summary: Summary,
    events: Vec<RunEvent>,
    stops: Vec<Stop>,
    toy: Toy,
}

fn run(plan: &Plan, store: &RamStore, how: How, settings: &Settings) -> Ran {
    let (toy, events, stops) = (Toy::default(), RefCell::new(Vec::new()), Arc::default());
    let factory = Elsewhere { how, toy: &toy, store, stops: Arc::clone(&stops) };
    let tell = |event| events.borrow_mut().push(event);
    let summary = run_on(plan, (&toy, Some(&factory)), store, settings, &toy.cancel, &tell).unwrap();
    let stops = stops.lock().unwrap().clone();
    Ran { summary, events: events.into_inner(), stops, toy }
}

#[test]
fn nodes_that_are_computed_from_their_text_have_the_results_of_threads() {
    let plan = diamond("x");
    let (one, other) = (RamStore::new(), RamStore::new());
    let here = run_plan(&plan, &one);
    let there = run(&plan, &other, How::Computes, &jobs(2));
    assert_eq!((there.summary.ran, there.summary.failed), (4, 0));
    for (here, there) in here.summary.nodes.iter().zip(&there.summary.nodes) {
        assert_eq!((here.key(), here.output("out")), (there.key(), there.output("out")));
    }
    let order: Vec<&str> = there
        .events
        .iter()
        .filter_map(|event| match event {
            RunEvent::NodeQueued { node, .. } if node.as_str() == "a" => Some("queued"),
            RunEvent::NodeStarted { node, .. } if node.as_str() == "a" => Some("started"),
            RunEvent::Log { node, .. } if node.as_str() == "a" => Some("says"),
            RunEvent::NodeFinished { node, .. } if node.as_str() == "a" => Some("finished"),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["queued", "started", "says", "finished"]);
}

#[test]
fn what_an_executor_has_not_begun_is_given_back_after_a_failure_here() {
    let plan = plan_of(&[("there", json!({}), vec![]), ("here", json!({"act": "fail"}), vec![])]);
    let ran = run(&plan, &RamStore::new(), How::Keeps, &jobs(1));
    assert_eq!(ran.stops, [Stop::Waiting]);
    assert_eq!((ran.summary.failed, ran.summary.skipped, ran.summary.cancelled), (1, 1, false));
    assert!(ran.events.iter().any(|event| matches!(event,
        RunEvent::NodeSkipped { node, because: SkipReason::StoppedAfter { node: failed } }
            if node.as_str() == "there" && failed.as_str() == "here")));
    assert!(
        !ran.events.iter().any(|event| matches!(event, RunEvent::NodeStarted { node, .. } if node.as_str() == "there"))
    );
}

#[test]
fn an_executor_is_told_of_a_request_to_end() {
    let plan = plan_of(&[("there", json!({}), vec![]), ("here", json!({"act": "stop"}), vec![])]);
    let ran = run(&plan, &RamStore::new(), How::Keeps, &jobs(1));
    assert_eq!(ran.stops, [Stop::Checkpoint]);
    assert!(ran.summary.cancelled);
    assert!(ran.events.iter().any(|event| matches!(event,
        RunEvent::NodeSkipped { node, because: SkipReason::Cancelled { begun: false } } if node.as_str() == "there")));
}

#[test]
fn a_run_that_detaches_waits_for_nodes_here_and_leaves_the_others() {
    let plan = plan_of(&[
        ("there", json!({}), vec![]),
        ("here", json!({"act": "wait"}), vec![]),
        ("after", json!({}), vec!["there"]),
    ]);
    let ran = run(&plan, &RamStore::new(), How::Keeps, &Settings { detach: true, ..jobs(1) });
    assert_eq!((ran.summary.ran, ran.summary.skipped, ran.summary.cancelled), (1, 2, false));
    assert!(ran.stops.is_empty());
    let left = |event: &&RunEvent| matches!(event, RunEvent::NodeSkipped { because: SkipReason::LeftRunning, .. });
    assert_eq!(ran.events.iter().filter(left).count(), 2);
    assert_eq!(ran.toy.ran("here"), 1);
}

#[test]
fn work_is_refused_where_its_key_is_made_of_something_else() {
    let (plan, store) = (diamond("x"), RamStore::new());
    let work = pddflow_runner::ready_work(&plan, &Toy::default(), &store).remove(0).1;
    assert!(refusal(&work, &Toy::default()).is_none());
    let newer = refusal(&work, &Toy { revision: 3, ..Toy::default() }).unwrap();
    assert_eq!(newer.code, "pddflow::runner::other_key");
    assert_eq!(
        newer.message,
        "`a` would be computed under another key: `revision` is 3 here and 0 where the job was made"
    );
    let mut other = work.clone();
    other.parts.retain(|part| part.name != "with");
    assert!(refusal(&other, &Toy::default()).unwrap().message.ends_with("its parts make another key"));
}
