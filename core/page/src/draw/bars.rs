//! A histogram with the bounds of bins.

use super::scale::Scale;
use crate::markup::{Markup, escaped};
use std::fmt::Write as _;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 40.0;

/// How many values lie from `from` up to `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bar {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) count: usize,
}

/// A histogram as SVG, with upright lines at `bounds`.
pub(crate) fn bars(bars: &[Bar], bounds: &[(f64, String)], (x_label, y_label): (&str, &str)) -> Markup {
    let base = HEIGHT - BOTTOM;
    let x = Scale::over(bars.iter().flat_map(|bar| [bar.from, bar.to]), false, false, (LEFT, WIDTH - RIGHT));
    let highest = bars.iter().map(|bar| bar.count as f64).fold(1.0, f64::max);
    let y = Scale { low: 0.0, high: highest * 1.05, log: false, from: base, to: TOP };
    let mut svg = Markup::default();
    let _ = write!(
        svg,
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\"><g class=\"axis\">",
        escaped(&format!("{y_label} by {x_label}")),
    );
    for (value, text) in y.ticks(4) {
        let at = y.place(value);
        let _ = write!(svg, "<path class=\"rule\" d=\"M{LEFT} {at:.1}H{:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(svg, "<text class=\"num\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>", LEFT - 7.0, at + 4.0);
    }
    for (value, text) in x.ticks(6) {
        let _ = write!(svg, "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>", x.place(value), base + 17.0);
    }
    let _ = write!(svg, "<text x=\"4\" y=\"10\">{}</text>", escaped(y_label));
    let _ = write!(
        svg,
        "<text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        WIDTH - RIGHT,
        HEIGHT - 6.0,
        escaped(x_label)
    );
    for bar in bars {
        let (from, to, top) = (x.place(bar.from), x.place(bar.to), y.place(bar.count as f64));
        let _ = write!(
            svg,
            "<rect class=\"bar c0\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} to {}: {}</title></rect>",
            from + 0.5,
            (to - from - 1.0).max(0.8),
            base - top,
            bar.from,
            bar.to,
            bar.count,
        );
    }
    let _ = write!(svg, "<path class=\"base\" d=\"M{LEFT} {base}H{:.1}\"/>", WIDTH - RIGHT);
    for (value, text) in bounds {
        let at = x.place(*value);
        let _ = write!(svg, "<path class=\"bound\" d=\"M{at:.1} {TOP}V{base}\"/>");
        let _ =
            write!(svg, "<text class=\"bound\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", at + 4.0, TOP + 9.0, escaped(text));
    }
    svg.push("</svg>");
    svg
}
