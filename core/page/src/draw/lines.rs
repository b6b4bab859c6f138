//! Lines over time with their spread, and the bounds of stages.

use super::scale::Scale;
use crate::markup::{Markup, escaped};
use std::fmt::Write as _;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 40.0;
/// Positive values that span more than this are drawn on a logarithmic scale.
const LOG_SPAN: f64 = 50.0;
/// Lines with at most so many points show each of them.
const FEW_POINTS: usize = 24;

/// A mean with its spread, if it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) spread: Option<(f64, f64)>,
}

/// A line of a chart.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Which colour.
    pub(crate) colour: usize,
    pub(crate) points: Vec<Point>,
}

/// A chart of lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineChart {
    pub(crate) title: String,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    pub(crate) lines: Vec<Line>,
    /// Where stages begin, with their names.
    pub(crate) bounds: Vec<(f64, String)>,
    /// Whether small numbers deserve as much room as large ones, where the numbers allow it.
    pub(crate) may_be_log: bool,
}

impl LineChart {
    /// The chart as SVG; each line with at most about `most` points.
    pub(crate) fn draw(&self, most: usize) -> Markup {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let places = points().map(|point| point.x).chain(self.bounds.iter().map(|(at, _)| *at));
        let x = Scale::over(places, false, false, (LEFT, WIDTH - RIGHT));
        let (low, high) = points().fold((f64::INFINITY, 0.0_f64), |(low, high), p| (low.min(p.y), high.max(p.y)));
        let log = self.may_be_log && low > 0.0 && high / low > LOG_SPAN;
        let reach = points().flat_map(|point| {
            let (low, high) = point.spread.unwrap_or((point.y, point.y));
            [point.y, low, high].into_iter().filter(move |value| !log || *value > 0.0)
        });
        let y = Scale::over(reach, log, true, (HEIGHT - BOTTOM, TOP));
        let mut svg = Markup::default();
        let _ = write!(
            svg,
            "<svg class=\"chart lines\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" tabindex=\"0\" aria-label=\"{}\" \
             data-x=\"{} {} {} {}\" data-y=\"{} {} {} {}\" data-log=\"{}\">",
            escaped(&format!("{}: {} over {}", self.title, self.y_label, self.x_label)),
            x.low,
            x.high,
            x.from,
            x.to,
            y.low,
            y.high,
            y.from,
            y.to,
            u8::from(y.log),
        );
        self.axes(&mut svg, &x, &y);
        for line in &self.lines {
            draw_line(&mut svg, line, (&x, &y), most);
        }
        svg.push("</svg>");
        svg
    }

    fn axes(&self, svg: &mut Markup, x: &Scale, y: &Scale) {
        let base = HEIGHT - BOTTOM;
        svg.push("<g class=\"axis\">");
        for (value, text) in y.ticks(5) {
            let at = y.place(value);
            let _ = write!(svg, "<path class=\"rule\" d=\"M{LEFT} {at:.1}H{:.1}\"/>", WIDTH - RIGHT);
            let _ = write!(
                svg,
                "<text class=\"num\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 7.0,
                at + 4.0,
                escaped(&text)
            );
        }
        // What is counted has no parts.
        for (value, _) in x.ticks(6).into_iter().filter(|(value, _)| value.fract() == 0.0) {
            let at = x.place(value);
            let _ = write!(svg, "<path class=\"tick\" d=\"M{at:.1} {base}v4\"/>");
            let _ = write!(svg, "<text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{value:.0}</text>", base + 17.0);
        }
        let _ = write!(svg, "<path class=\"base\" d=\"M{LEFT} {base}H{:.1}\"/>", WIDTH - RIGHT);
        let words = if y.log { ", logarithmic" } else { "" };
        let _ = write!(svg, "<text x=\"4\" y=\"10\">{}{words}</text>", escaped(&self.y_label));
        let _ = write!(
            svg,
            "<text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            HEIGHT - 6.0,
            escaped(&self.x_label)
        );
        svg.push("</g>");
        for (value, text) in &self.bounds {
            let at = x.place(*value);
            let _ = write!(svg, "<path class=\"bound\" d=\"M{at:.1} {TOP}V{base}\"/>");
            let _ = write!(
                svg,
                "<text class=\"bound\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                at + 4.0,
                TOP + 9.0,
                escaped(text)
            );
        }
    }
}

fn draw_line(svg: &mut Markup, line: &Line, (x, y): (&Scale, &Scale), most: usize) {
    let points = thinned(&line.points, most);
    let colour = line.colour;
    let place = |point: &Point, value: f64| format!("{:.1} {:.1}", x.place(point.x), y.place(value));
    let with_spread: Vec<(&Point, (f64, f64))> = points.iter().filter_map(|p| Some((p, p.spread?))).collect();
    if with_spread.len() > 1 {
        let up = with_spread.iter().map(|(point, (_, high))| place(point, *high));
        let down = with_spread.iter().rev().map(|(point, (low, _))| place(point, *low));
        let outline: Vec<String> = up.chain(down).collect();
        let _ = write!(svg, "<path class=\"band c{colour}\" d=\"M{}Z\"/>", outline.join("L"));
    } else {
        for (point, (low, high)) in with_spread {
            let _ = write!(svg, "<path class=\"line c{colour}\" d=\"M{}L{}\"/>", place(point, low), place(point, high));
        }
    }
    let path: Vec<String> = points.iter().map(|point| place(point, point.y)).collect();
    let _ = write!(
        svg,
        "<path class=\"line c{colour}\" data-name=\"{0}\" d=\"M{1}\"><title>{0}</title></path>",
        escaped(&line.name),
        path.join("L")
    );
    if points.len() <= FEW_POINTS {
        for point in &points {
            let _ = write!(
                svg,
                "<circle class=\"dot c{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                x.place(point.x),
                y.place(point.y)
            );
        }
    }
}

/// At most about `most` points: of each stretch the lowest and the highest, so that no peak is lost.
pub(crate) fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    if points.len() <= most.max(2) {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil((most / 2).max(1));
    let mut kept = Vec::new();
    for part in points.chunks(stretch) {
        let by = |a: &&Point, b: &&Point| a.y.total_cmp(&b.y);
        let (Some(low), Some(high)) = (part.iter().min_by(by), part.iter().max_by(by)) else { continue };
        kept.extend(if low.x <= high.x { [*low, *high] } else { [*high, *low] });
    }
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64) -> Point {
        Point { x, y, spread: None }
    }

    #[test]
    fn thinning_keeps_peaks_and_order() {
        let mut points: Vec<Point> = (0..10_000).map(|x| point(f64::from(x), 1.0)).collect();
        points[5_003].y = 9.0;
        let kept = thinned(&points, 100);
        assert!(kept.len() <= 102, "{}", kept.len());
        assert!(kept.iter().any(|point| point.y == 9.0));
        assert!(kept.is_sorted_by(|a, b| a.x <= b.x));
    }

    #[test]
    fn names_and_labels_are_text() {
        let line = Line { name: "<script>\"".into(), colour: 0, points: vec![point(0.0, 1.0), point(1.0, 2.0)] };
        let chart = LineChart {
            title: "a\"b".into(),
            y_label: "<y>".into(),
            lines: vec![line],
            bounds: vec![(0.5, "<stage>".into())],
            ..LineChart::default()
        };
        let text = chart.draw(100).to_string();
        assert!(!text.contains("<script") && !text.contains("<y>") && !text.contains("<stage>"), "{text}");
    }

    #[test]
    fn numbers_over_decades_are_drawn_on_a_logarithmic_scale() {
        let line = |values: [f64; 2]| Line {
            name: "loss".into(),
            colour: 0,
            points: vec![point(0.0, values[0]), point(1.0, values[1])],
        };
        let drawn = |values| {
            let lines = vec![line(values)];
            LineChart { lines, may_be_log: true, ..LineChart::default() }.draw(10).to_string()
        };
        assert!(drawn([1.0, 1e4]).contains("logarithmic"));
        assert!(!drawn([1.0, 2.0]).contains("logarithmic") && !drawn([0.0, 1e4]).contains("logarithmic"));
    }
}
