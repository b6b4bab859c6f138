//! Nodes over the time of a run: which ran beside which, and which ones made it as long as it was.

use super::scale::Scale;
use crate::markup::{Markup, escaped};
use crate::words::cut;
use pddflow_report::seconds;
use std::fmt::Write as _;

const WIDTH: f64 = 1_080.0;
const LEFT: f64 = 8.0;
const ROW: f64 = 24.0;
const TOP: f64 = 6.0;
const BOTTOM: f64 = 26.0;
/// Width of a letter, about.
const LETTER: f64 = 6.4;

/// A node while it ran.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    /// The anchor of its panel.
    pub(crate) link: String,
    /// Its state, as the style sheet names it.
    pub(crate) state: &'static str,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Whether the run would have been shorter without it.
    pub(crate) critical: bool,
}

/// Bars in as few rows as they fit in.
pub(crate) fn spans(spans: &[Span], end: f64) -> Markup {
    let mut order: Vec<&Span> = spans.iter().collect();
    order.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut rows: Vec<f64> = Vec::new();
    let mut placed = Vec::new();
    for span in order {
        let free = rows.iter().position(|until| *until <= span.from + 1e-9);
        let row = free.unwrap_or_else(|| {
            rows.push(0.0);
            rows.len() - 1
        });
        rows[row] = span.to;
        placed.push((span, row));
    }
    let base = TOP + ROW * rows.len() as f64;
    let x = Scale { low: 0.0, high: end.max(1e-3), log: false, from: LEFT, to: WIDTH - 10.0 };
    let mut svg = Markup::default();
    let _ = write!(
        svg,
        "<svg class=\"spans\" width=\"{WIDTH}\" height=\"{0}\" viewBox=\"0 0 {WIDTH} {0}\" role=\"img\" aria-label=\"time line\">\
         <g class=\"axis\">",
        base + BOTTOM,
    );
    for (value, _) in x.ticks(8) {
        let at = x.place(value);
        let _ = write!(svg, "<path class=\"rule\" d=\"M{at:.1} {TOP}V{base}\"/>");
        let anchor = if value == 0.0 { "start" } else { "mid" };
        let _ =
            write!(svg, "<text class=\"{anchor}\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>", base + 17.0, seconds(value));
    }
    svg.push("</g>");
    for (span, row) in placed {
        let (from, to, top) = (x.place(span.from), x.place(span.to), TOP + ROW * row as f64 + 2.0);
        let width = (to - from).max(1.5);
        let critical = if span.critical { " critical" } else { "" };
        let took = seconds(span.to - span.from);
        let _ = write!(
            svg,
            "<a href=\"#{}\"><rect class=\"span s-{}{critical}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.0}\" rx=\"3\"/>\
             <title>{}, {took}</title>",
            escaped(&span.link),
            span.state,
            ROW - 4.0,
            escaped(&span.name),
        );
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a width in letters")]
        let letters = ((width - 10.0) / LETTER).max(0.0) as usize;
        if letters >= 4 {
            let _ = write!(
                svg,
                "<text class=\"in\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                from + 6.0,
                top + 14.0,
                escaped(&cut(&span.name, letters))
            );
        }
        svg.push("</a>");
    }
    svg.push("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_overlap_shares_a_row() {
        let span = |from, to| Span { name: "<n>".into(), link: "n".into(), state: "ran", from, to, critical: false };
        let text = spans(&[span(0.0, 1.0), span(1.0, 2.0), span(0.5, 1.5)], 2.0).to_string();
        assert!(text.contains(&format!("height=\"{}\"", TOP + 2.0 * ROW + BOTTOM)), "{text}");
        assert!(!text.contains("<n>"));
    }
}
