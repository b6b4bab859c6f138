//! Parameters of the kind `table`.

use pddflow_artifact::params::{problem, resolve};
use pddflow_runner::pipeline::ParamProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::observe::{READING, shown};
use pddflow_artifact::Names;

/// Nobody's accuracy is known to more digits.
const MOST_DIGITS: usize = 6;

/// What a pipeline file can say of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableParams {
    /// What the rows are: `method`, another label of the results (such as `ipc` or `model`), a parameter of the
    /// evaluation, a place in time (`phase`, `classes_seen`, `stage`, `epoch`), or `reading`; a list joins several.
    #[serde(default = "method")]
    pub(super) rows: Names,
    /// What the columns are, as `rows`; default: one column.
    #[serde(default)]
    pub(super) columns: Option<Names>,
    /// Which accuracy: `reported`, `last`, `best_on_held_out` or `best_on_test`; of a `rank` node also `hlr`, `ior`, `lrs` and `ars`;
    /// of `evaluate` also `data_used`, the share of the real training images that the sets were made from.
    /// A list gives each row once for each, or with `columns: reading` each a column.
    #[serde(default = "reported")]
    pub(super) reading: Names,
    /// Labels besides `seed` in which the results of one cell may differ, such as `order`: their nets are pooled. Results
    /// of one cell that differ in anything else are an error.
    #[serde(default)]
    pub(super) pool: Vec<String>,
    /// Pairs of rows, such as `[[PDD+MTT, MTT]]`: below the table stands how much the first is above the second in each
    /// column, the mean over the seeds that both have with its 95 % confidence interval.
    #[serde(default)]
    pub(super) differences: Vec<[Value; 2]>,
    /// A line above the table.
    #[serde(default)]
    pub(super) title: Option<String>,
    /// Digits after the point in the Markdown form, 0 to 6.
    #[serde(default = "one")]
    pub(super) digits: usize,
    /// Numbers of papers, shown in columns of their own beside the measured ones.
    #[serde(default)]
    pub(super) published: Vec<Published>,
}

/// A number of a paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Published {
    /// The row that it belongs to; a list where rows join several labels.
    pub(super) row: Value,
    /// The column; left out when there is one.
    #[serde(default)]
    pub(super) column: Value,
    /// Accuracy in percent.
    #[serde(default)]
    pub(super) mean: Option<f64>,
    /// Standard deviation in percent.
    #[serde(default)]
    pub(super) std: Option<f64>,
    /// What is shown instead of the number.
    #[serde(default)]
    pub(super) text: Option<String>,
    /// Where it is from.
    #[serde(default)]
    pub(super) source: Option<String>,
    /// The reading that the paper reports; it stands beside ours of that name, else beside the first.
    #[serde(default)]
    pub(super) reading: Option<String>,
}

fn method() -> Names {
    Names::one("method")
}

fn reported() -> Names {
    Names::one("reported")
}

fn one() -> usize {
    1
}

impl TableParams {
    /// Whether the readings of a result stand apart by themselves, as columns or in rows of their own.
    fn by_reading(&self) -> bool {
        self.rows.0.iter().chain(self.columns.iter().flat_map(|columns| &columns.0)).any(|name| name == READING)
    }

    /// The reading that tells a row from others of its label: the first stands for all where readings are columns.
    pub(super) fn row_reading<'a>(&'a self, reading: &'a str) -> &'a str {
        if self.by_reading() { self.reading.0.first().map_or(reading, String::as_str) } else { reading }
    }

    /// The readings by which rows are told apart.
    pub(super) fn row_readings(&self) -> &[String] {
        if self.by_reading() { self.reading.0.get(..1).unwrap_or_default() } else { &self.reading.0 }
    }

    /// The upper left cell.
    pub(super) fn corner(&self) -> String {
        let rows = self.rows.heading();
        self.columns.as_ref().map_or_else(|| rows.clone(), |columns| format!("{rows} \\ {}", columns.heading()))
    }
}

impl Published {
    /// The names of its row and column; without a column it belongs to the only one.
    pub(super) fn place(&self) -> (String, Option<String>) {
        (shown(&self.row), (!self.column.is_null()).then(|| shown(&self.column)))
    }
}

/// Checks the parameters; defaults are filled in.
pub fn check(with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let resolved = resolve::<TableParams>(with)?;
    let mut problems = Vec::new();
    if resolved["digits"].as_u64().is_some_and(|digits| digits > MOST_DIGITS as u64) {
        let help = Some(format!("give 0 to {MOST_DIGITS}"));
        problems.push(problem("/digits", "so many digits say nothing", help));
    }
    for (place, entry) in resolved["published"].as_array().into_iter().flatten().enumerate() {
        let mut wrong = |field: &str, message: &str, help: &str| {
            problems.push(problem(format!("/published/{place}{field}"), message, Some(help.into())));
        };
        if entry["mean"].is_null() && entry["text"].is_null() {
            wrong("", "it has no number", "give `mean`, or `text`");
        }
        let out = |field: &str| entry[field].as_f64().is_some_and(|value| !(0.0..=100.0).contains(&value));
        if out("mean") || out("std") {
            wrong("", "it is no accuracy in percent", "give numbers from 0 to 100");
        }
        if entry["column"].is_null() != resolved["columns"].is_null() {
            let help = if resolved["columns"].is_null() { "leave `column` out" } else { "give its `column`" };
            wrong("", "it has no place in the table", help);
        }
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn published_numbers_need_a_number_and_a_place() {
        let found = check(&json!({
            "columns": "ipc",
            "published": [
                { "row": "DM", "column": 10, "mean": 48.9, "std": 0.6, "source": "a paper" },
                { "row": "DM", "column": 10 },
                { "row": "DM", "mean": 489 },
            ],
        }));
        let found: Vec<String> =
            found.unwrap_err().into_iter().map(|p| format!("{}: {}", p.pointer, p.message)).collect();
        assert_eq!(
            found,
            [
                "/published/1: it has no number",
                "/published/2: it is no accuracy in percent",
                "/published/2: it has no place in the table",
            ]
        );
    }
}
