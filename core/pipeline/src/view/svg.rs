//! A plan as an SVG picture: producers left, consumers right, in columns.
//!
//! A node's column is the length of the longest way to it; within a column nodes are sorted by where their producers are,
//! which keeps most edges short. That is plenty for the families of a pipeline; Graphviz draws larger graphs better.

use std::fmt::Write as _;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

/// Width of a character of the font in pixels.
const CHARACTER: f64 = 7.3;
const BOX_HEIGHT: f64 = 44.0;
const GAP_BETWEEN_COLUMNS: f64 = 70.0;
const GAP_BETWEEN_ROWS: f64 = 18.0;
const MARGIN: f64 = 20.0;
/// Passes that sort columns by their neighbours.
const PASSES: usize = 4;
const STYLE: &str = "text{font:12px ui-monospace,monospace;fill:#1b1f24}.kind{fill:#59636e}\
rect{fill:#f6f8fa;stroke:#8c959f;rx:5px}path{fill:none;stroke:#8c959f;stroke-width:1.3}";

/// What stands in a box: a title and a second line.
pub(crate) type Label = (String, String);

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    x: f64,
    y: f64,
    width: f64,
}

/// Draws a graph whose nodes are in topological order; edges of a node to itself become loops.
pub(crate) fn draw(graph: &DiGraph<Label, ()>) -> String {
    let columns = columns(graph);
    let (places, width, height) = places(graph, &columns);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n<style>{STYLE}</style>\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0,0L8,4L0,8z\" style=\"fill:#8c959f;stroke:none\"/></marker></defs>\n"
    );
    for edge in graph.edge_references() {
        let from = places.get(edge.source().index()).copied().unwrap_or_default();
        let to = places.get(edge.target().index()).copied().unwrap_or_default();
        let _ =
            writeln!(svg, "<path d=\"{}\" marker-end=\"url(#tip)\"/>", way(from, to, edge.source() == edge.target()));
    }
    for index in graph.node_indices() {
        if let (Some((title, kind)), Some(place)) = (graph.node_weight(index), places.get(index.index())) {
            let Place { x, y, width } = place;
            let (text_x, first, second) = (x + 10.0, y + 18.0, y + 35.0);
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BOX_HEIGHT}\"/><text x=\"{text_x:.1}\" y=\"{first:.1}\">{}</text><text class=\"kind\" x=\"{text_x:.1}\" y=\"{second:.1}\">{}</text>",
                escaped(title),
                escaped(kind)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The way of an edge: from the right side of a box to the left side of the other.
fn way(from: Place, to: Place, is_loop: bool) -> String {
    let (x, y) = (from.x + from.width, from.y + BOX_HEIGHT / 2.0);
    if is_loop {
        // Over the box and back to its top.
        let (left, right, top) = (from.x + from.width * 0.35, from.x + from.width * 0.65, from.y);
        let above = top - GAP_BETWEEN_ROWS + 3.0;
        return format!("M{right:.1},{top:.1}C{right:.1},{above:.1} {left:.1},{above:.1} {left:.1},{top:.1}");
    }
    let (end_x, end_y) = (to.x, to.y + BOX_HEIGHT / 2.0);
    let bend = ((end_x - x) / 2.0).max(GAP_BETWEEN_COLUMNS / 2.0);
    format!("M{x:.1},{y:.1}C{:.1},{y:.1} {:.1},{end_y:.1} {end_x:.1},{end_y:.1}", x + bend, end_x - bend)
}

/// The nodes of each column from top to bottom.
fn columns(graph: &DiGraph<Label, ()>) -> Vec<Vec<NodeIndex>> {
    let mut ranks = vec![0_usize; graph.node_count()];
    // Nodes are in topological order, so that the ranks of producers are known.
    for index in graph.node_indices() {
        let producers = graph.neighbors_directed(index, Direction::Incoming).filter(|producer| *producer != index);
        let rank = producers.filter_map(|producer| ranks.get(producer.index())).max().map_or(0, |rank| rank + 1);
        if let Some(slot) = ranks.get_mut(index.index()) {
            *slot = rank;
        }
    }
    let mut columns: Vec<Vec<NodeIndex>> = vec![Vec::new(); ranks.iter().max().map_or(0, |most| most + 1)];
    for index in graph.node_indices() {
        if let Some(column) = ranks.get(index.index()).and_then(|rank| columns.get_mut(*rank)) {
            column.push(index);
        }
    }
    for pass in 0..PASSES {
        let direction = if pass % 2 == 0 { Direction::Incoming } else { Direction::Outgoing };
        sort_by_neighbours(graph, &mut columns, direction);
    }
    columns
}

fn sort_by_neighbours(graph: &DiGraph<Label, ()>, columns: &mut [Vec<NodeIndex>], direction: Direction) {
    let mut rows = vec![0.0; graph.node_count()];
    for column in columns.iter() {
        for (row, node) in column.iter().enumerate() {
            if let Some(slot) = rows.get_mut(node.index()) {
                *slot = row as f64;
            }
        }
    }
    let row = |node: NodeIndex| rows.get(node.index()).copied().unwrap_or(0.0);
    let middle = |node: NodeIndex| {
        let found: Vec<f64> =
            graph.neighbors_directed(node, direction).filter(|other| *other != node).map(row).collect();
        if found.is_empty() { row(node) } else { found.iter().sum::<f64>() / found.len() as f64 }
    };
    for column in columns {
        column.sort_by(|a, b| middle(*a).total_cmp(&middle(*b)).then(a.cmp(b)));
    }
}

/// Where each box is, with the size of the picture.
fn places(graph: &DiGraph<Label, ()>, columns: &[Vec<NodeIndex>]) -> (Vec<Place>, f64, f64) {
    let width_of = |node: &NodeIndex| {
        let characters =
            graph.node_weight(*node).map_or(0, |(title, kind)| title.chars().count().max(kind.chars().count()));
        characters as f64 * CHARACTER + 20.0
    };
    let step = BOX_HEIGHT + GAP_BETWEEN_ROWS;
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0) as f64 * step;
    let mut places = vec![Place::default(); graph.node_count()];
    let mut x = MARGIN;
    for column in columns {
        let widest = column.iter().map(width_of).fold(0.0, f64::max);
        let mut y = MARGIN + (tallest - column.len() as f64 * step) / 2.0;
        for node in column {
            if let Some(place) = places.get_mut(node.index()) {
                *place = Place { x, y, width: width_of(node) };
            }
            y += step;
        }
        x += widest + GAP_BETWEEN_COLUMNS;
    }
    (places, (x - GAP_BETWEEN_COLUMNS + MARGIN).max(2.0 * MARGIN), tallest + 2.0 * MARGIN)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
