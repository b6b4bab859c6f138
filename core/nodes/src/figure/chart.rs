//! What a figure shows, before it is drawn.

use std::fmt::Write as _;

use super::axis::Axis;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chart {
    pub(super) title: Option<String>,
    pub(super) x_label: String,
    pub(super) y_label: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) marks: Marks,
}

/// What stands between the axes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Marks {
    /// Lines, and level lines that have no place on the horizontal axis.
    Lines {
        lines: Vec<Line>,
        /// Whether spreads are drawn.
        error_bars: bool,
    },
    /// Bars of a histogram, from left to right.
    Bars(Vec<Bar>),
}

/// One line with its name in the legend.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Points,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Points {
    /// By ascending x.
    Along(Vec<Point>),
    /// The same everywhere.
    Level(Spread),
}

/// One point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: Spread,
}

/// Several nets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// Mean in percent.
    pub(super) mean: f64,
    /// Population standard deviation in percent.
    pub(super) std: f64,
    pub(super) nets: usize,
}

/// One bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) count: u64,
}

impl Chart {
    /// The numbers that are drawn.
    pub(super) fn csv(&self) -> String {
        match &self.marks {
            Marks::Lines { lines, .. } => {
                let mut text = format!("line,{},mean,std,nets\n", field(&self.x_label));
                for line in lines {
                    let mut row = |x: String, y: &Spread| {
                        let _ = writeln!(text, "{},{x},{},{},{}", field(&line.name), y.mean, y.std, y.nets);
                    };
                    match &line.points {
                        Points::Along(points) => points.iter().for_each(|point| row(point.x.to_string(), &point.y)),
                        Points::Level(level) => row(String::new(), level),
                    }
                }
                text
            }
            Marks::Bars(bars) => {
                let mut text = "from,to,count\n".to_owned();
                for bar in bars {
                    let _ = writeln!(text, "{},{},{}", bar.from, bar.to, bar.count);
                }
                text
            }
        }
    }
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
