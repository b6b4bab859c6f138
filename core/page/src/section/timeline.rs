//! When which node ran, and what the run waited for.

use super::links::Links;
use crate::detail::{Detail, LeftOut};
use crate::draw::{Span, spans};
use crate::gather::Gathered;
use crate::markup::Markup;
use pddflow_report::seconds;
use pddflow_runner::PastState;

/// Nodes of the critical path that are named.
const MOST_NAMED: usize = 12;

/// The time line with its words.
pub(crate) struct Timeline {
    pub(crate) svg: Markup,
    pub(crate) critical: String,
}

/// The nodes that ran; none if none did.
pub(crate) fn timeline(
    gathered: &Gathered<'_>,
    links: &Links,
    detail: &Detail,
    left_out: &LeftOut,
) -> Option<Timeline> {
    let end = gathered.run.seconds;
    let took: Vec<Option<f64>> = gathered
        .nodes
        .iter()
        .map(|node| match node.past.state {
            PastState::Ran => node.past.seconds,
            PastState::Running => Some((end - node.past.began).max(0.0)),
            // A node that failed does not say when: no longer than the run.
            PastState::Failed if node.past.began > 0.0 => Some((end - node.past.began).max(0.0)),
            _ => None,
        })
        .collect();
    let path = critical_path(gathered, &took);
    let mut ran: Vec<usize> = (0..took.len()).filter(|at| took[*at].is_some()).collect();
    if ran.is_empty() {
        return None;
    }
    let all = ran.len();
    ran.sort_by(|a, b| took[*b].unwrap_or(0.0).total_cmp(&took[*a].unwrap_or(0.0)));
    ran.truncate(detail.bars);
    left_out.count(ran.len(), all, "nodes of the time line, the longest,");
    let span = |at: usize| {
        let node = &gathered.nodes[at];
        Span {
            name: node.planned.id.clone(),
            link: links.node(at),
            state: node.past.state.word(),
            from: node.past.began,
            to: node.past.began + took[at].unwrap_or(0.0),
            critical: path.contains(&at),
        }
    };
    let bars: Vec<Span> = ran.into_iter().map(span).collect();
    let length: f64 = path.iter().filter_map(|at| took[*at]).sum();
    let mut names: Vec<&str> = path.iter().map(|at| gathered.nodes[*at].planned.id.as_str()).collect();
    let more = names.len().saturating_sub(MOST_NAMED);
    names.truncate(MOST_NAMED);
    let more = if more > 0 { format!(" → {more} more") } else { String::new() };
    let critical = format!("{} of {}: {}{more}", seconds(length), seconds(end), names.join(" → "));
    let end = bars.iter().map(|span| span.to).fold(end, f64::max);
    Some(Timeline { svg: spans(&bars, end), critical })
}

/// The chain of nodes that took longest, each needing the one before it.
fn critical_path(gathered: &Gathered<'_>, took: &[Option<f64>]) -> Vec<usize> {
    let mut until: Vec<(f64, Option<usize>)> = Vec::with_capacity(took.len());
    for (at, node) in gathered.nodes.iter().enumerate() {
        let before = node.planned.inputs.values().flatten().map(|(from, _)| *from).filter(|from| *from < at);
        let longest = before.max_by(|a, b| until[*a].0.total_cmp(&until[*b].0));
        let waited = longest.map_or(0.0, |from| until[from].0);
        until.push((waited + took[at].unwrap_or(0.0), longest));
    }
    let mut at = (0..until.len()).max_by(|a, b| until[*a].0.total_cmp(&until[*b].0));
    let mut path = Vec::new();
    while let Some(node) = at {
        if took[node].is_some() {
            path.push(node);
        }
        at = until[node].1;
    }
    path.reverse();
    path
}
