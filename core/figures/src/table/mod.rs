//! Results side by side, as Markdown, CSV and JSON.
//!
//! Accuracies are in percent: the mean over seeds of the mean over nets, with sample standard deviations between seeds and
//! between nets (`artifact::statistics`). Results that differ in anything but the seed share a cell only where `pool` allows
//! it. Numbers of papers stand in columns of their own.

mod arrange;
mod params;
mod render;

pub use params::{TableParams, check};
use pddflow_artifact::failure::{During, NodeResult};
use pddflow_artifact::{Files, Results};

/// `table.md`, `table.csv` and `table.json`.
///
/// # Errors
/// Results cannot share a cell, or a name is of no result.
pub fn files(results: &[Results], params: &TableParams) -> NodeResult<Files> {
    let table = arrange::arrange(results, params)?;
    let json = serde_json::to_vec_pretty(&render::json(&table, params)).during("writing the table")?;
    Files::of([
        ("table.md", render::markdown(&table, params).into_bytes()),
        ("table.csv", render::csv(&table, params).into_bytes()),
        ("table.json", json),
    ])
}
