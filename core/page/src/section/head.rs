//! What a run was and what became of it.

use super::links::Links;
use crate::gather::Gathered;
use crate::words::{flat, listed, moment, quoted};
use pddflow_report::{count, seconds};
use pddflow_runner::{PastState, RunState};
use std::collections::BTreeSet;

/// Less than this is not worth a word, in seconds.
const LEAST_SAVED: f64 = 0.01;
/// More failures than this are counted.
const MOST_FAILURES: usize = 20;

/// The beginning of a run's part.
pub(crate) struct Head {
    pub(crate) pipeline: String,
    pub(crate) run: String,
    pub(crate) tags: Vec<String>,
    /// The state, as the style sheet names it, and in words.
    pub(crate) state: &'static str,
    pub(crate) verdict: String,
    pub(crate) moment: String,
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) command: String,
    /// The same with every parameter, whatever the file says by now.
    pub(crate) exact: String,
    pub(crate) failures: Vec<Failure>,
    pub(crate) warnings: Vec<String>,
}

/// A node that failed.
pub(crate) struct Failure {
    pub(crate) node: String,
    pub(crate) link: String,
    pub(crate) text: String,
    pub(crate) help: Option<String>,
}

/// What a run was and what became of it.
pub(crate) fn head(gathered: &Gathered<'_>, links: &Links) -> Head {
    let run = gathered.run;
    let head = &run.head;
    let failed = gathered.nodes.iter().enumerate().filter_map(|(at, node)| {
        let error = node.past.failure.as_ref().filter(|_| node.past.state == PastState::Failed)?;
        let (node, link) = (node.planned.id.clone(), links.node(at));
        Some(Failure { node, link, text: error.to_string(), help: error.help.clone() })
    });
    let of_nodes = gathered
        .nodes
        .iter()
        .flat_map(|node| node.past.warnings.iter().map(|warning| format!("{}: {warning}", node.planned.id)));
    Head {
        pipeline: head.pipeline.clone(),
        run: head.run.clone(),
        tags: head.tags.clone(),
        state: run.state.word(),
        verdict: verdict(gathered),
        moment: moment(head.unix_milliseconds),
        facts: facts(gathered),
        command: command(gathered, None, false),
        exact: command(gathered, None, true),
        failures: failed.take(MOST_FAILURES).collect(),
        warnings: run.warnings.iter().cloned().chain(of_nodes).collect(),
    }
}

fn verdict(gathered: &Gathered<'_>) -> String {
    let run = gathered.run;
    let words = ["fresh", "ran", "failed", "skipped"];
    let counts: Vec<String> =
        run.counts.iter().zip(words).filter(|(n, _)| **n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    let state = match run.state {
        RunState::Running => "Running",
        RunState::Succeeded => "Succeeded",
        RunState::Failed => "Failed",
        RunState::Stopped => "Interrupted",
        RunState::Detached => "Detached",
        RunState::Killed => "Ended without a word",
    };
    format!("{state}, {}{counts}", count(run.head.nodes, "node"))
}

fn facts(gathered: &Gathered<'_>) -> Vec<(&'static str, String)> {
    let run = gathered.run;
    let saved: f64 = gathered
        .nodes
        .iter()
        .filter(|n| n.past.state == PastState::Fresh)
        .filter_map(super::super::gather::Node::seconds)
        .sum();
    let made =
        || gathered.nodes.iter().filter(|node| node.past.state == PastState::Ran).filter_map(|node| node.made_on());
    let all =
        |values: BTreeSet<String>| listed(&values.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>());
    let mut facts = vec![("duration", seconds(run.seconds))];
    if saved >= LEAST_SAVED {
        facts.push(("saved by the cache", seconds(saved)));
    }
    facts.extend([
        ("host", all(made().map(|made| made.host.clone()).collect())),
        ("instructions", all(made().map(|made| made.instructions.clone()).collect())),
        ("device", all(made().map(|made| made.device.clone()).collect())),
        ("threads", all(made().map(|made| made.threads.to_string()).collect())),
        ("nodes at once", run.head.jobs.to_string()),
        ("program", run.head.program.clone()),
    ]);
    facts.retain(|(_, text)| !text.is_empty());
    facts
}

/// The command that runs the pipeline, or makes one node, again.
pub(crate) fn command(gathered: &Gathered<'_>, node: Option<&str>, exact: bool) -> String {
    let head = &gathered.run.head;
    let mut words = vec!["pddflow run".to_owned(), quoted(&head.file)];
    words.extend(node.map(quoted));
    let swept = |name: &str| head.sweep.iter().any(|(axis, _)| axis.strip_prefix("params.").unwrap_or(axis) == name);
    if exact {
        for (name, value) in flat(&serde_json::Value::Object(head.params.clone())) {
            if !swept(&name) {
                words.push(format!("--set {}", quoted(&format!("{name}={value}"))));
            }
        }
    }
    for (axis, values) in &head.sweep {
        let values: Vec<String> = values.iter().map(crate::words::plain).collect();
        words.push(format!("--set {}", quoted(&format!("{axis}={}", values.join(",")))));
    }
    words.join(" ")
}
