//! Results as lines with error bars, scores as a histogram: SVG, PNG and the numbers as CSV.

mod histogram;
mod lines;
mod params;

pub use params::{FigureParams, check};
use pddflow_artifact::failure::NodeResult;
use pddflow_artifact::{Files, Results, Scores};

use crate::drawing::{Chart, bitmap, svg};

/// Lines over `x`, as `figure.svg`, `figure.png` and `figure.csv`.
///
/// # Errors
/// Results cannot share a point, or a name is of no result.
pub fn of_results(results: &[Results], params: &FigureParams) -> NodeResult<Files> {
    files(&lines::chart(results, params)?, params)
}

/// A histogram of scores, in the same files.
///
/// # Errors
/// There are no scores to draw.
pub fn of_scores(scores: &Scores, params: &FigureParams) -> NodeResult<Files> {
    files(&histogram::chart(scores, params)?, params)
}

fn files(chart: &Chart, params: &FigureParams) -> NodeResult<Files> {
    Files::of([
        ("figure.svg", svg(chart, params.width, params.height)?.into_bytes()),
        ("figure.png", bitmap(chart, params.width, params.height)?),
        ("figure.csv", chart.csv().into_bytes()),
    ])
}
