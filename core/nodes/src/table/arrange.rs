//! Results into rows and columns.

use std::collections::BTreeSet;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{Results, population_spread};
use serde_json::Value;

use super::params::{Published, TableParams};
use crate::observe::{Observation, numbers_first, observe};

const PERCENT: f64 = 100.0;
/// The column of a table without columns.
const ONLY_COLUMN: &str = "accuracy";

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) label: String,
    /// The reading that was asked for; `None` for a row of published numbers alone.
    pub(super) reading: Option<String>,
}

/// One cell: the nets of all results that belong there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    /// Place of the row.
    pub(super) row: usize,
    pub(super) column: String,
    /// Of each net, in percent.
    pub(super) accuracies: Vec<f64>,
    /// Rules by which the moments were chosen.
    pub(super) rules: BTreeSet<String>,
    /// How many results there are.
    pub(super) results: usize,
    /// Labels in which they differ.
    pub(super) pooled: BTreeSet<String>,
}

impl Cell {
    /// Mean and population standard deviation in percent.
    pub(super) fn spread(&self) -> (f64, f64) {
        population_spread(&self.accuracies)
    }
}

/// A number of a paper at its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) row: usize,
    pub(super) column: String,
    pub(super) published: Published,
}

/// A table without looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arranged {
    /// In the order of first appearance; rows of published numbers alone come last.
    pub(super) rows: Vec<Row>,
    /// Numbers ascending, then others in the order of first appearance.
    pub(super) columns: Vec<String>,
    pub(super) cells: Vec<Cell>,
    pub(super) published: Vec<Placed>,
}

impl Arranged {
    pub(super) fn cell(&self, row: usize, column: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.row == row && cell.column == column)
    }

    pub(super) fn published(&self, row: usize, column: &str) -> Option<&Published> {
        let here = |placed: &&Placed| placed.row == row && placed.column == column;
        self.published.iter().find(here).map(|placed| &placed.published)
    }
}

/// Arranges results as the parameters say; without a label for columns there is one column called `accuracy`.
pub(super) fn arrange(results: &[Results], params: &TableParams) -> NodeResult<Arranged> {
    let names = params.rows.0.iter().chain(params.columns.iter().flat_map(|columns| &columns.0));
    let arranged_by: Vec<&str> = names.map(String::as_str).collect();
    let mut builder = Builder { params, table: Arranged::empty(), first: Vec::new() };
    let several = params.reading.0.len() > 1;
    let readings: Vec<NodeResult<Vec<Observation<'_>>>> = params
        .reading
        .0
        .iter()
        .map(|reading| match several {
            // With several readings, a result need not have each.
            true => some_of(results, &arranged_by, reading),
            false => observe(results, &arranged_by, reading),
        })
        .collect();
    for (reading, found) in params.reading.0.iter().zip(readings) {
        for observation in found? {
            builder.add(reading, &observation)?;
        }
    }
    Ok(builder.finish())
}

fn some_of<'a>(results: &'a [Results], by: &[&str], reading: &str) -> NodeResult<Vec<Observation<'a>>> {
    let mut found = Vec::new();
    let mut first_error = None;
    for result in results {
        match observe(std::slice::from_ref(result), by, reading) {
            Ok(observations) => found.extend(observations),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

impl Arranged {
    fn empty() -> Self {
        Self { rows: Vec::new(), columns: Vec::new(), cells: Vec::new(), published: Vec::new() }
    }
}

struct Builder<'a> {
    params: &'a TableParams,
    table: Arranged,
    /// For each cell, what the first of its results was.
    first: Vec<Results>,
}

impl Builder<'_> {
    fn add(&mut self, reading: &str, observation: &Observation<'_>) -> NodeResult<()> {
        let label = observation.text(&self.params.rows)?;
        let columns = self.params.columns.as_ref();
        let column = columns.map_or_else(|| Ok(ONLY_COLUMN.to_owned()), |columns| observation.text(columns))?;
        let row = self.row(Row { label, reading: Some(reading.to_owned()) });
        note(&mut self.table.columns, &column);
        let percent: Vec<f64> = observation.accuracies.iter().map(|accuracy| PERCENT * accuracy).collect();
        let rule = observation.rule.to_owned();
        let place = self.table.cells.iter().position(|cell| cell.row == row && cell.column == column);
        let Some(place) = place else {
            self.first.push(observation.result.clone());
            let (rules, pooled) = (BTreeSet::from([rule]), BTreeSet::new());
            self.table.cells.push(Cell { row, column, accuracies: percent, rules, results: 1, pooled });
            return Ok(());
        };
        let differ = self.differences(&self.first[place], observation.result);
        let cell = &mut self.table.cells[place];
        if let Some(allowed) = &self.params.pool
            && let Some(name) = differ.iter().find(|name| !allowed.contains(name))
        {
            let row = &self.table.rows[row].label;
            let message = format!("the results of row `{row}`, column `{column}` differ in `{name}`");
            return Err(
                fail("table_pool", message).with_help(format!("add `{name}` to `pool`, or arrange the table by it"))
            );
        }
        cell.accuracies.extend(percent);
        cell.rules.insert(rule);
        cell.results += 1;
        cell.pooled.extend(differ);
        Ok(())
    }

    /// Labels and parameters in which two results differ.
    fn differences(&self, one: &Results, other: &Results) -> BTreeSet<String> {
        let arranged_by = |name: &String| {
            self.params.rows.0.contains(name) || self.params.columns.iter().any(|columns| columns.0.contains(name))
        };
        let names: BTreeSet<String> = one.label_names().into_iter().chain(other.label_names()).collect();
        // `labels` among the parameters are the labels themselves.
        let differs = |name: &String| name != "labels" && !arranged_by(name) && one.label(name) != other.label(name);
        names.into_iter().filter(differs).collect()
    }

    fn row(&mut self, row: Row) -> usize {
        let rows = &mut self.table.rows;
        rows.iter().position(|known| *known == row).unwrap_or_else(|| {
            rows.push(row);
            rows.len() - 1
        })
    }

    fn finish(mut self) -> Arranged {
        self.group_readings();
        for published in &self.params.published {
            let (label, column) = published.place();
            let column = column.unwrap_or_else(|| ONLY_COLUMN.to_owned());
            let fits = |row: &Row| row.label == label && row.reading == published.reading;
            let rows = &self.table.rows;
            let row = rows.iter().position(fits).or_else(|| rows.iter().position(|row| row.label == label));
            let row = row.unwrap_or_else(|| self.row(Row { label, reading: None }));
            note(&mut self.table.columns, &column);
            self.table.published.push(Placed { row, column, published: published.clone() });
        }
        numbers_first(&mut self.table.columns);
        self.table
    }

    /// Puts the readings of a row below each other.
    fn group_readings(&mut self) {
        let mut labels = Vec::new();
        self.table.rows.iter().for_each(|row| note(&mut labels, &row.label));
        let place = |row: &Row| labels.iter().position(|label| *label == row.label);
        let mut order: Vec<usize> = (0..self.table.rows.len()).collect();
        order.sort_by_key(|row| place(&self.table.rows[*row]));
        let new = |old: usize| order.iter().position(|row| *row == old).unwrap_or(old);
        self.table.cells.iter_mut().for_each(|cell| cell.row = new(cell.row));
        self.table.rows = order.iter().map(|row| self.table.rows[*row].clone()).collect();
    }
}

fn note(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// A number of a paper as JSON, with its place in the table.
pub(super) fn published_json(table: &Arranged, placed: &Placed) -> Value {
    let Published { mean, std, text, source, reading, .. } = &placed.published;
    serde_json::json!({
        "row": table.rows[placed.row].label, "column": placed.column, "mean": mean, "std": std, "text": text,
        "source": source, "reading": reading,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::tests::result;

    fn params(with: Value) -> TableParams {
        serde_json::from_value(with).unwrap()
    }

    fn dm(ipc: u64, accuracies: &[f64]) -> Results {
        result("dm", json!({ "ipc": ipc }), accuracies, &[(1, 1, 5), (2, 1, 5)])
    }

    fn labels(table: &Arranged) -> Vec<(&str, Option<&str>)> {
        table.rows.iter().map(|row| (row.label.as_str(), row.reading.as_deref())).collect()
    }

    #[test]
    fn columns_of_numbers_ascend_and_rows_keep_their_order() {
        let results = [result("random", json!({ "ipc": 10 }), &[0.5], &[]), dm(2, &[0.25]), dm(10, &[0.75])];
        let table = arrange(&results, &params(json!({ "columns": "ipc" }))).unwrap();
        assert_eq!(labels(&table), [("random", Some("reported")), ("dm", Some("reported"))]);
        assert_eq!(table.columns, ["2", "10"]);
        assert_eq!(table.cell(1, "10").unwrap().accuracies, [75.0]);
        assert!(table.cell(0, "2").is_none());
    }

    #[test]
    fn results_of_one_cell_are_pooled_net_by_net_and_say_over_what() {
        let mut other = dm(1, &[0.75]);
        other.protocol["seed"] = json!(1);
        let results = [dm(1, &[0.5, 0.25]), other];
        let table = arrange(&results, &params(json!({}))).unwrap();
        assert_eq!(table.cells[0].accuracies, [50.0, 25.0, 75.0]);
        assert_eq!((table.cells[0].results, table.cells[0].pooled.first().unwrap().as_str()), (2, "seed"));
        let (mean, std) = table.cells[0].spread();
        // Population: sqrt(((0)^2 + 25^2 + 25^2) / 3).
        assert_eq!(mean, 50.0);
        assert!((std - (1250.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!(arrange(&results, &params(json!({ "pool": ["seed"] }))).is_ok());
        let error = arrange(&results, &params(json!({ "pool": ["order"] }))).unwrap_err();
        assert!(error.message.contains("differ in `seed`"), "{}", error.message);
    }

    #[test]
    fn several_readings_are_rows_below_each_other() {
        let results = [dm(1, &[0.5]), result("random", json!({}), &[0.5], &[])];
        let table = arrange(&results, &params(json!({ "reading": ["last", "best_on_test"] }))).unwrap();
        assert_eq!(
            labels(&table),
            [
                ("dm", Some("last")),
                ("dm", Some("best_on_test")),
                ("random", Some("last")),
                ("random", Some("best_on_test"))
            ]
        );
        assert_eq!(table.cell(1, ONLY_COLUMN).unwrap().accuracies, [100.0]);
        assert_eq!(table.cell(2, ONLY_COLUMN).unwrap().accuracies, [50.0]);
        let error = arrange(&results, &params(json!({ "reading": ["last", "best"] }))).unwrap_err();
        assert_eq!(error.code, "pddflow::nodes::no_reading");
    }

    #[test]
    fn phases_of_several_results_are_pooled_by_phase() {
        let results = [dm(1, &[0.5, 0.5]), dm(1, &[0.5])];
        let table = arrange(&results, &params(json!({ "columns": "classes_seen" }))).unwrap();
        assert_eq!(table.columns, ["20", "40"]);
        assert_eq!(table.cell(0, "40").unwrap().accuracies, [10.0; 3]);
    }

    #[test]
    fn published_numbers_find_their_row_or_make_one() {
        let with = json!({
            "columns": "ipc",
            "reading": ["last", "best_on_test"],
            "published": [
                { "row": "dm", "column": 1, "mean": 26.0, "reading": "best_on_test" },
                { "row": "dm", "column": 50, "mean": 63.0 },
                { "row": "MTT", "column": 1, "text": "46.3" },
            ],
        });
        let table = arrange(&[dm(1, &[0.5])], &params(with)).unwrap();
        assert_eq!(labels(&table), [("dm", Some("last")), ("dm", Some("best_on_test")), ("MTT", None)]);
        assert_eq!(table.columns, ["1", "50"]);
        assert_eq!(table.published(1, "1").unwrap().mean, Some(26.0));
        assert!(table.published(0, "1").is_none());
        assert_eq!(table.published(0, "50").unwrap().mean, Some(63.0));
        assert_eq!(table.published(2, "1").unwrap().text.as_deref(), Some("46.3"));
    }
}
