//! The graph of a run: families as boxes in columns, each column after those that it needs.

use crate::markup::{Markup, escaped};
use crate::words::cut;
use std::fmt::Write as _;

const WIDTH: f64 = 172.0;
const HEIGHT: f64 = 46.0;
const GAP_X: f64 = 46.0;
const GAP_Y: f64 = 14.0;
const MARGIN: f64 = 10.0;
const NAME_CHARS: usize = 21;
/// Sweeps over the columns that bring boxes near those that they are connected with.
const SWEEPS: usize = 4;

/// A family of nodes.
#[derive(Debug, Clone)]
pub(crate) struct Box {
    pub(crate) name: String,
    /// The line below its name.
    pub(crate) words: String,
    /// The anchor of its panel.
    pub(crate) link: String,
    /// How many of its nodes are in which state, as the style sheet names them.
    pub(crate) states: Vec<(&'static str, usize)>,
    /// Its column.
    pub(crate) layer: usize,
    /// The boxes that it needs.
    pub(crate) needs: Vec<usize>,
}

/// The graph as SVG.
pub(crate) fn network(boxes: &[Box]) -> Markup {
    let columns = columns(boxes);
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let height = tallest * (HEIGHT + GAP_Y) - GAP_Y;
    let mut places = vec![(0.0, 0.0); boxes.len()];
    for (layer, column) in columns.iter().enumerate() {
        let own = column.len() as f64 * (HEIGHT + GAP_Y) - GAP_Y;
        for (at, member) in column.iter().enumerate() {
            let y = MARGIN + (height - own) / 2.0 + at as f64 * (HEIGHT + GAP_Y);
            places[*member] = (MARGIN + layer as f64 * (WIDTH + GAP_X), y);
        }
    }
    let width = columns.len() as f64 * (WIDTH + GAP_X) - GAP_X + 2.0 * MARGIN;
    let mut svg = Markup::default();
    let _ = write!(
        svg,
        "<svg class=\"network\" width=\"{width}\" height=\"{0}\" viewBox=\"0 0 {width} {0}\" role=\"group\" aria-label=\"graph of the nodes\">",
        height + 2.0 * MARGIN,
    );
    for (at, one) in boxes.iter().enumerate() {
        one.needs.iter().for_each(|need| edge(&mut svg, places[*need], places[at]));
    }
    boxes.iter().zip(&places).for_each(|(one, place)| draw(&mut svg, one, *place));
    svg.push("</svg>");
    svg
}

/// The boxes of each column, in the order in which they stand.
fn columns(boxes: &[Box]) -> Vec<Vec<usize>> {
    let last = boxes.iter().map(|one| one.layer).max().map_or(0, |layer| layer + 1);
    let mut columns = vec![Vec::new(); last];
    boxes.iter().enumerate().for_each(|(at, one)| columns[one.layer].push(at));
    columns.retain(|column| !column.is_empty());
    let mut near: Vec<Vec<usize>> = boxes.iter().map(|one| one.needs.clone()).collect();
    for (at, one) in boxes.iter().enumerate() {
        one.needs.iter().for_each(|need| near[*need].push(at));
    }
    let mut rank = vec![0.0; boxes.len()];
    for _ in 0..SWEEPS {
        for column in &mut columns {
            let middle = column.len() as f64 / 2.0;
            column.iter().enumerate().for_each(|(at, member)| rank[*member] = at as f64 - middle);
        }
        for column in &mut columns {
            let wish = |member: &usize| {
                let others = &near[*member];
                if others.is_empty() {
                    rank[*member]
                } else {
                    others.iter().map(|other| rank[*other]).sum::<f64>() / others.len() as f64
                }
            };
            column.sort_by(|a, b| wish(a).total_cmp(&wish(b)));
        }
    }
    columns
}

fn edge(svg: &mut Markup, from: (f64, f64), to: (f64, f64)) {
    let (y1, y2) = (from.1 + HEIGHT / 2.0, to.1 + HEIGHT / 2.0);
    if to.0 > from.0 {
        let (x1, x2) = (from.0 + WIDTH, to.0);
        let bend = GAP_X * 0.6;
        let _ = write!(
            svg,
            "<path class=\"edge\" d=\"M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\"/>",
            x1 + bend,
            x2 - bend
        );
    } else if to != from {
        // Families that need each other in turn, as the stages of progressive distillation do.
        let (x1, x2) = (from.0 + WIDTH / 2.0, to.0 + WIDTH / 2.0);
        let y = from.1.min(to.1) - GAP_Y / 2.0;
        let _ = write!(
            svg,
            "<path class=\"edge back\" d=\"M{x1:.1} {:.1}C{x1:.1} {y:.1} {x2:.1} {y:.1} {x2:.1} {:.1}\"/>",
            from.1, to.1
        );
    }
}

fn draw(svg: &mut Markup, one: &Box, (x, y): (f64, f64)) {
    let _ = write!(
        svg,
        "<a href=\"#{}\"><rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\
         <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text><text class=\"sub\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
         <title>{}: {}</title>",
        escaped(&one.link),
        x + 10.0,
        y + 18.0,
        escaped(&cut(&one.name, NAME_CHARS)),
        x + 10.0,
        y + 33.0,
        escaped(&cut(&one.words, NAME_CHARS + 5)),
        escaped(&one.name),
        escaped(&one.words),
    );
    let all = one.states.iter().map(|(_, count)| count).sum::<usize>().max(1) as f64;
    let (room, mut left) = (WIDTH - 20.0, x + 10.0);
    for (state, count) in &one.states {
        let part = room * *count as f64 / all;
        let _ = write!(
            svg,
            "<rect class=\"span s-{state}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{part:.1}\" height=\"3\"/>",
            y + HEIGHT - 7.0
        );
        left += part;
    }
    svg.push("</a>");
}
