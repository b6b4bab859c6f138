//! A stable topological order, or the cycles that forbid one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::diagnostic::problem::Problem;
use crate::expand::resolve::Draft;
use crate::text::source::Span;

/// Longest cycle that is shown in full.
const SHOWN: usize = 12;

/// The drafts' indices, producers before consumers, ties in the order of declaration.
///
/// # Errors
///
/// One problem for each group of nodes that wait for each other.
pub(crate) fn order(drafts: &[Draft], id: &dyn Fn(usize) -> String) -> Result<Vec<usize>, Vec<Problem>> {
    let mut waits_for = vec![0_usize; drafts.len()];
    let mut consumers: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
    for (consumer, draft) in drafts.iter().enumerate() {
        for link in draft.inputs.values().flatten() {
            if let Some(list) = consumers.get_mut(link.node) {
                list.push(consumer);
                waits_for[consumer] += 1;
            }
        }
    }
    let free = waits_for.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = free.map(|(index, _)| Reverse(index)).collect();
    let mut ordered = Vec::with_capacity(drafts.len());
    while let Some(Reverse(producer)) = ready.pop() {
        ordered.push(producer);
        for consumer in consumers.get(producer).into_iter().flatten() {
            if let Some(count) = waits_for.get_mut(*consumer) {
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse(*consumer));
                }
            }
        }
    }
    if ordered.len() == drafts.len() {
        return Ok(ordered);
    }
    let waiting = |index: usize| waits_for.get(index).is_some_and(|count| *count > 0);
    Err(cycles(drafts, &waiting, id))
}

fn cycles(drafts: &[Draft], waiting: &dyn Fn(usize) -> bool, id: &dyn Fn(usize) -> String) -> Vec<Problem> {
    let mut graph = DiGraph::<usize, Span>::new();
    let mut places = HashMap::new();
    for index in (0..drafts.len()).filter(|index| waiting(*index)) {
        places.insert(index, graph.add_node(index));
    }
    for (consumer, draft) in drafts.iter().enumerate() {
        for link in draft.inputs.values().flatten() {
            if let (Some(from), Some(to)) = (places.get(&consumer), places.get(&link.node)) {
                graph.update_edge(*from, *to, link.span);
            }
        }
    }
    let mut found: Vec<Vec<NodeIndex>> =
        tarjan_scc(&graph).iter().filter_map(|group| shortest_cycle(&graph, group)).collect();
    found.sort();
    // Instances of a family often go in the same circle; the first one shows it.
    let mut alike: BTreeMap<Option<Span>, (Vec<NodeIndex>, usize)> = BTreeMap::new();
    for cycle in found {
        let place = first_edge(&graph, &cycle);
        alike.entry(place).and_modify(|(_, further)| *further += 1).or_insert((cycle, 0));
    }
    alike.values().map(|(cycle, further)| cycle_problem(&graph, (cycle, *further), id)).collect()
}

/// The shortest way from the first declared node of a group back to itself; none if the group has no cycle.
fn shortest_cycle(graph: &DiGraph<usize, Span>, group: &[NodeIndex]) -> Option<Vec<NodeIndex>> {
    let start = *group.iter().min()?;
    let mut came_from = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        // Neighbours come in reverse order of insertion; the first declared is the natural choice.
        let mut next: Vec<NodeIndex> = graph.neighbors(node).collect();
        next.sort_unstable();
        for neighbour in next {
            if neighbour == start {
                let mut cycle = vec![node];
                while let Some(before) = cycle.last().and_then(|node| came_from.get(node)) {
                    cycle.push(*before);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if let std::collections::hash_map::Entry::Vacant(entry) = came_from.entry(neighbour) {
                entry.insert(node);
                queue.push_back(neighbour);
            }
        }
    }
    None
}

fn first_edge(graph: &DiGraph<usize, Span>, cycle: &[NodeIndex]) -> Option<Span> {
    let from = *cycle.first()?;
    let to = cycle.get(1).copied().unwrap_or(from);
    graph.edge_weight(graph.find_edge(from, to)?).copied()
}

fn cycle_problem(
    graph: &DiGraph<usize, Span>,
    (cycle, further): (&[NodeIndex], usize),
    id: &dyn Fn(usize) -> String,
) -> Problem {
    let name = |node: &NodeIndex| graph.node_weight(*node).map_or_else(String::new, |index| id(*index));
    let mut names: Vec<String> = cycle.iter().take(SHOWN).map(name).collect();
    if cycle.len() > SHOWN {
        names.push(format!("... ({} more)", cycle.len() - SHOWN));
    }
    names.extend(cycle.first().map(name));
    let next = cycle.iter().cycle().skip(1);
    let edges = cycle.iter().zip(next).take(SHOWN);
    let mut spans = edges.filter_map(|(from, to)| {
        let edge = graph.find_edge(*from, *to)?;
        Some((*graph.edge_weight(edge)?, name(from), name(to)))
    });
    let (first, label) = match spans.next() {
        Some((span, from, to)) => (span, format!("`{from}` needs `{to}`")),
        None => (Span::new(0, 0..0), String::new()),
    };
    let mut message = format!("nodes depend on each other in a cycle: {}", names.join(" -> "));
    if further > 0 {
        message.push_str(&format!(" (and {further} more like it)"));
    }
    let help = format!("remove this reference ({label}) or another one of the cycle");
    let mut problem = Problem::new("pddflow::pipeline::cycle", first, message).label(label).help(help);
    for (span, from, to) in spans {
        problem = problem.other(span, format!("`{from}` needs `{to}`"));
    }
    problem
}
