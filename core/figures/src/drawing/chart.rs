//! What a figure shows, before it is drawn.

use std::fmt::Write as _;

use super::axis::Axis;
use super::bar::Bar;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    pub(crate) title: Option<String>,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) marks: Marks,
}

/// What stands between the axes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Marks {
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
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Points,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Points {
    /// By ascending x.
    Along(Vec<Point>),
    /// The same everywhere.
    Level(Spread),
}

/// One point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: Spread,
}

/// Several nets, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    /// Standard deviation between seeds, or between the nets of the only seed; 0 for a single net.
    pub(crate) std: f64,
    pub(crate) seeds: usize,
    pub(crate) nets: usize,
}

impl Chart {
    /// The numbers that are drawn.
    pub(crate) fn csv(&self) -> String {
        match &self.marks {
            Marks::Lines { lines, .. } => {
                let mut text = format!("line,{},mean,std,seeds,nets\n", field(&self.x_label));
                for line in lines {
                    let mut row = |x: String, y: &Spread| {
                        let _ = writeln!(text, "{},{x},{},{},{},{}", field(&line.name), y.mean, y.std, y.seeds, y.nets);
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
