//! The time left of a run: what the store knows of how long its nodes took.

use crate::opened::Opened;
use pddflow_cache::Store;
use pddflow_report::{Expectation, Expected, ExpectedNode, NodeStage, TimeLeft};
use pddflow_runner::{PastRun, PastState, RunState};

/// What is expected of a run of a plan.
pub(crate) fn expectation(opened: &Opened, jobs: usize) -> Option<Expectation> {
    // A store of its own, because the run outlives no borrow.
    let (store, pipeline) = (Store::open(opened.store.root()).ok()?, opened.plan.name.clone());
    let nodes = opened.plan.nodes.iter().map(|node| {
        let needs = node.inputs.values().flatten().map(|input| input.node).collect();
        ExpectedNode { node: node.id.to_string(), kind: node.kind.clone(), seconds: None, needs }
    });
    let mut nodes: Vec<ExpectedNode> = nodes.collect();
    Some(Box::new(move || {
        for node in &mut nodes {
            node.seconds = last_seconds(&store, &pipeline, &node.node);
        }
        Expected::new(nodes, jobs)
    }))
}

/// The time left of a run that is going on.
pub(crate) fn of_run(store: &Store, run: &PastRun) -> Option<TimeLeft> {
    if run.state != RunState::Running {
        return None;
    }
    let node = |planned: &pddflow_runner::PlannedNode| ExpectedNode {
        node: planned.id.clone(),
        kind: planned.kind.clone(),
        seconds: run
            .nodes
            .get(&planned.id)
            .and_then(|node| node.seconds)
            .or_else(|| last_seconds(store, &run.head.pipeline, &planned.id)),
        needs: planned.inputs.values().flatten().map(|(at, _)| *at).collect(),
    };
    let expected = Expected::new(run.plan.iter().map(node).collect(), run.head.jobs);
    expected.left(|name| match run.nodes.get(name) {
        Some(node) if node.state == PastState::Running => {
            let since = run.seconds - node.began;
            let rate = node.progress.as_ref().filter(|(done, total, _)| *done > 0 && total > done);
            let left = rate.map(|(done, total, _)| since * (total - done) as f64 / *done as f64);
            NodeStage::Running { since, left }
        }
        Some(node) if matches!(node.state, PastState::Waiting | PastState::Queued) => NodeStage::Waiting,
        Some(_) => NodeStage::Ended,
        None => NodeStage::Waiting,
    })
}

fn last_seconds(store: &Store, pipeline: &str, node: &str) -> Option<f64> {
    let key = store.last_key_of(pipeline, node)?;
    store.record_head(&key).ok().flatten().map(|record| record.seconds)
}
