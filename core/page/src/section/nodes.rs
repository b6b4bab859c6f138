//! A panel for each node: its parameters, why it ran, what it printed and gave, and how to get it again.

use super::graph::words;
use super::head::command;
use super::links::Links;
use crate::detail::{Detail, LeftOut};
use crate::gather::{Gathered, Node};
use crate::markup::without_colours;
use crate::words::{flat, quoted};
use pddflow_report::{bytes, number, seconds};
use pddflow_runner::PastState;

/// Nodes that are named at an input port.
const MOST_INPUTS: usize = 6;
/// Characters of a line of a log.
const MOST_CHARS: usize = 400;

/// A family with its nodes.
pub(crate) struct FamilyView {
    pub(crate) link: String,
    pub(crate) name: String,
    pub(crate) words: String,
    pub(crate) nodes: Vec<NodeView>,
    /// Nodes without a panel.
    pub(crate) more: usize,
}

/// A node.
pub(crate) struct NodeView {
    pub(crate) link: String,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) words: String,
    pub(crate) reasons: Vec<String>,
    pub(crate) failure: Option<(String, Option<String>)>,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) metrics: Vec<(String, String)>,
    pub(crate) inputs: Vec<(String, String)>,
    pub(crate) artifacts: Vec<ArtifactView>,
    pub(crate) key: String,
    pub(crate) log: String,
    /// How much of the log is left out.
    pub(crate) log_note: String,
    pub(crate) commands: Vec<String>,
}

/// An artifact of a node.
pub(crate) struct ArtifactView {
    pub(crate) port: String,
    pub(crate) artifact: String,
    pub(crate) size: String,
    pub(crate) digest: String,
}

/// The families of a run.
pub(crate) fn families(gathered: &Gathered<'_>, links: &Links, detail: &Detail, left_out: &LeftOut) -> Vec<FamilyView> {
    left_out.count(detail.panels.min(gathered.nodes.len()), gathered.nodes.len(), "panels of nodes");
    let family = |(at, (name, members)): (usize, &(String, Vec<usize>))| {
        let shown: Vec<usize> = members.iter().copied().filter(|at| links.has_panel(*at)).collect();
        FamilyView {
            link: links.family(at),
            name: name.clone(),
            words: words(gathered, members),
            more: members.len() - shown.len(),
            nodes: shown.into_iter().map(|at| node_view(gathered, at, links, detail)).collect(),
        }
    };
    links.families.iter().enumerate().map(family).collect()
}

fn node_view(gathered: &Gathered<'_>, at: usize, links: &Links, detail: &Detail) -> NodeView {
    let node = &gathered.nodes[at];
    let (planned, past) = (node.planned, &node.past);
    let (log, log_note) = last_lines(&gathered.log(node), detail.log_lines);
    let inputs = planned.inputs.iter().filter(|(_, from)| !from.is_empty());
    let artifacts = node.outputs.iter().map(|output| ArtifactView {
        port: output.port.clone(),
        artifact: output.artifact.clone(),
        size: output.bytes.map_or_else(|| "gone".to_owned(), bytes),
        digest: output.digest.to_string(),
    });
    NodeView {
        link: links.node(at),
        name: planned.id.clone(),
        state: past.state.word(),
        words: node_words(node),
        reasons: past.reasons.iter().map(ToString::to_string).collect(),
        failure: past.failure.as_ref().map(|error| (error.to_string(), error.help.clone())),
        params: flat(&planned.with),
        metrics: node.metrics().iter().map(|(name, value)| (name.clone(), number(*value))).collect(),
        inputs: inputs.map(|(port, from)| (port.clone(), input_names(gathered, from))).collect(),
        artifacts: artifacts.collect(),
        key: past.key.map_or_else(String::new, |key| key.to_string()),
        log,
        log_note,
        commands: commands(gathered, node),
    }
}

fn node_words(node: &Node<'_>) -> String {
    let took = node.seconds().map(seconds);
    let words = match (node.past.state, took) {
        (PastState::Ran, Some(took)) => took,
        (PastState::Fresh, Some(took)) => format!("made before in {took}"),
        (PastState::Running, _) => match &node.past.progress {
            Some((done, total, unit)) => format!("{done} of {total} {unit}"),
            None => String::new(),
        },
        _ => String::new(),
    };
    let resumed = node.past.resumed.as_ref().map(ToString::to_string);
    [Some(words), resumed].into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}

fn input_names(gathered: &Gathered<'_>, from: &[(usize, String)]) -> String {
    let mut names: Vec<String> = from
        .iter()
        .take(MOST_INPUTS)
        .filter_map(|(at, port)| Some(format!("{}.{port}", gathered.nodes.get(*at)?.planned.id)))
        .collect();
    if from.len() > MOST_INPUTS {
        names.push(format!("{} more", from.len() - MOST_INPUTS));
    }
    names.join(", ")
}

fn commands(gathered: &Gathered<'_>, node: &Node<'_>) -> Vec<String> {
    let (file, name) = (quoted(&gathered.run.head.file), quoted(&node.planned.id));
    let mut commands = vec![command(gathered, Some(&node.planned.id), false)];
    if node.has_result() && gathered.run.head.sweep.is_empty() {
        commands.push(format!("pddflow export {file} {name} --to out"));
    }
    commands.push(format!("pddflow explain {file} {name}"));
    commands
}

/// The last lines of a log, each cut where it is very long, and a note of what is missing.
fn last_lines(log: &str, most: usize) -> (String, String) {
    let log = without_colours(log);
    let lines: Vec<&str> = log.lines().collect();
    let kept = &lines[lines.len().saturating_sub(most)..];
    let text = kept.iter().map(|line| crate::words::cut(line, MOST_CHARS)).collect::<Vec<_>>().join("\n");
    let note = match lines.len() - kept.len() {
        0 => String::new(),
        left => format!("the last {} of {} lines", kept.len(), left + kept.len()),
    };
    (text, note)
}
