//! The graph of a run, families of nodes collapsed.

use super::links::Links;
use crate::draw::{Box, network};
use crate::gather::Gathered;
use crate::markup::Markup;
use pddflow_runner::PastState;
use std::collections::BTreeSet;

/// The states in the order in which they are counted.
const STATES: [PastState; 6] =
    [PastState::Failed, PastState::Running, PastState::Ran, PastState::Fresh, PastState::Skipped, PastState::Waiting];

/// The graph as SVG.
pub(crate) fn graph(gathered: &Gathered<'_>, links: &Links) -> Markup {
    let depth = depths(gathered);
    let layers: Vec<usize> =
        links.families.iter().map(|(_, members)| members.iter().map(|at| depth[*at]).min().unwrap_or(0)).collect();
    // Columns without a family are left out.
    let used: BTreeSet<usize> = layers.iter().copied().collect();
    let column = |layer: usize| used.iter().position(|used| *used == layer).unwrap_or(0);
    let boxes: Vec<Box> = links
        .families
        .iter()
        .enumerate()
        .map(|(at, (name, members))| {
            let needs = members.iter().flat_map(|member| gathered.nodes[*member].planned.inputs.values().flatten());
            let needs: BTreeSet<usize> = needs.map(|(from, _)| links.family_of(*from)).collect();
            Box {
                name: name.clone(),
                words: words(gathered, members),
                link: links.family(at),
                states: states(gathered, members),
                layer: column(layers[at]),
                needs: needs.into_iter().collect(),
            }
        })
        .collect();
    network(&boxes)
}

/// How many nodes stand before each at most.
fn depths(gathered: &Gathered<'_>) -> Vec<usize> {
    let mut depths = vec![0; gathered.nodes.len()];
    // A plan lists nodes after those that they need.
    for (at, node) in gathered.nodes.iter().enumerate() {
        let before = node.planned.inputs.values().flatten().filter_map(|(from, _)| depths.get(*from));
        depths[at] = before.max().map_or(0, |depth| depth + 1);
    }
    depths
}

/// How many of these nodes are in which state.
fn states(gathered: &Gathered<'_>, members: &[usize]) -> Vec<(&'static str, usize)> {
    let count = |state: &PastState| members.iter().filter(|at| gathered.nodes[**at].past.state == *state).count();
    STATES.iter().map(|state| (state.word(), count(state))).filter(|(_, count)| *count > 0).collect()
}

/// Kind, number and states of these nodes.
pub(super) fn words(gathered: &Gathered<'_>, members: &[usize]) -> String {
    let kind = members.first().map_or("", |at| gathered.nodes[*at].planned.kind.as_str());
    let states = states(gathered, members);
    let states = match states.as_slice() {
        [(state, 1)] => (*state).to_owned(),
        states => states.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", "),
    };
    format!("{kind} · {states}")
}
