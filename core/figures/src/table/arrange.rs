//! Results into rows and columns.

use std::collections::BTreeSet;

use pddflow_artifact::Results;
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params::suggestion;
use pddflow_artifact::statistics::{BySeed, Difference};
use serde_json::Value;

use super::params::{Published, TableParams};
use crate::observe::{ChoiceLabels, Observation, PoolRule, numbers_first, observe, shown};

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

/// One cell: the nets of all results that belong there, which differ in their seed and in what `pool` names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    /// Place of the row.
    pub(super) row: usize,
    pub(super) column: String,
    /// Of each net, in percent.
    pub(super) accuracies: BySeed,
    /// Rules by which the moments were chosen.
    pub(super) rules: BTreeSet<String>,
    /// How many results there are.
    pub(super) results: usize,
    /// Labels besides the seed in which they differ.
    pub(super) pooled: BTreeSet<String>,
}

/// How much better one row is than another in a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowDifference {
    /// The two rows' labels.
    pub(super) rows: [String; 2],
    pub(super) reading: String,
    pub(super) column: String,
    pub(super) difference: Difference,
}

/// A number of a paper at its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) row: usize,
    pub(super) column: String,
    pub(super) published: Published,
}

/// A table before it is rendered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Arranged {
    /// In the order of first appearance; rows of published numbers alone come last.
    pub(super) rows: Vec<Row>,
    /// Numbers ascending, then others in the order of first appearance.
    pub(super) columns: Vec<String>,
    pub(super) cells: Vec<Cell>,
    pub(super) published: Vec<Placed>,
    /// In the order of the parameters, then of the columns.
    pub(super) differences: Vec<RowDifference>,
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
    let readings = readings.into_iter().collect::<NodeResult<Vec<_>>>()?;
    let choices = ChoiceLabels::of(readings.iter().flatten(), &arranged_by);
    let rule = PoolRule { arranged_by, allowed: &params.pool };
    let mut builder = Builder { params, choices, rule, table: Arranged::default(), seen: Vec::new() };
    for (reading, found) in params.reading.0.iter().zip(&readings) {
        for observation in found {
            builder.add(reading, observation)?;
        }
    }
    builder.finish()
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

struct Builder<'a> {
    params: &'a TableParams,
    choices: ChoiceLabels,
    rule: PoolRule<'a>,
    table: Arranged,
    /// The results of each cell.
    seen: Vec<Vec<&'a Results>>,
}

impl<'a> Builder<'a> {
    fn add(&mut self, reading: &str, observation: &Observation<'a>) -> NodeResult<()> {
        let text = |names| observation.text(names, &self.choices);
        let label = text(&self.params.rows)?;
        let column = self.params.columns.as_ref().map_or_else(|| Ok(ONLY_COLUMN.to_owned()), text)?;
        let row = self.row(Row { label, reading: Some(self.params.row_reading(reading).to_owned()) });
        note(&mut self.table.columns, &column);
        let place = self.table.cells.iter().position(|cell| cell.row == row && cell.column == column);
        let place = place.unwrap_or_else(|| {
            let (accuracies, rules, pooled) = (BySeed::default(), BTreeSet::new(), BTreeSet::new());
            self.table.cells.push(Cell { row, column: column.clone(), accuracies, rules, results: 0, pooled });
            self.seen.push(Vec::new());
            self.table.cells.len() - 1
        });
        let name = format!("row `{}`, column `{column}`", self.table.rows[row].label);
        let Some(pooled) = self.rule.admit(&mut self.seen[place], observation.result, &name)? else { return Ok(()) };
        let cell = &mut self.table.cells[place];
        cell.accuracies.add(observation.seed(), observation.accuracies.iter().map(|accuracy| PERCENT * accuracy));
        cell.rules.insert(observation.rule.to_owned());
        cell.results += 1;
        cell.pooled.extend(pooled);
        Ok(())
    }

    fn row(&mut self, row: Row) -> usize {
        let rows = &mut self.table.rows;
        rows.iter().position(|known| *known == row).unwrap_or_else(|| {
            rows.push(row);
            rows.len() - 1
        })
    }

    fn finish(mut self) -> NodeResult<Arranged> {
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
        self.table.differences = row_differences(&self.table, self.params)?;
        Ok(self.table)
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

fn row_differences(table: &Arranged, params: &TableParams) -> NodeResult<Vec<RowDifference>> {
    let mut all = Vec::new();
    for pair in &params.differences {
        let rows = pair.each_ref().map(shown);
        for reading in params.row_readings() {
            let [one, other] = rows.each_ref().map(|label| {
                let fits = |row: &Row| row.label == *label && row.reading.as_ref() == Some(reading);
                table.rows.iter().position(fits).ok_or_else(|| {
                    let known: Vec<&str> = table.rows.iter().map(|row| row.label.as_str()).collect();
                    fail("no_row", format!("`differences` names the row `{label}`, and there is none"))
                        .with_help(suggestion(label, &known))
                })
            });
            let (one, other) = (one?, other?);
            for column in &table.columns {
                let (Some(one), Some(other)) = (table.cell(one, column), table.cell(other, column)) else { continue };
                let Some(difference) = one.accuracies.paired_difference(&other.accuracies) else { continue };
                let (rows, reading, column) = (rows.clone(), reading.clone(), column.clone());
                all.push(RowDifference { rows, reading, column, difference });
            }
        }
    }
    Ok(all)
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
        assert_eq!(table.cell(1, "10").unwrap().accuracies.values(), [75.0]);
        assert!(table.cell(0, "2").is_none());
    }

    fn seeded(seed: u64, result: Results) -> Results {
        Results { protocol: json!({ "seed": seed }), ..result }
    }

    #[test]
    fn seeds_share_a_cell_and_count_once_each() {
        let results = [dm(1, &[0.5, 0.25]), seeded(1, dm(1, &[0.75]))];
        let table = arrange(&results, &params(json!({}))).unwrap();
        let cell = &table.cells[0];
        assert_eq!((cell.results, cell.accuracies.seeds(), cell.pooled.len()), (2, 2, 0));
        assert_eq!(cell.accuracies.mean(), (37.5 + 75.0) / 2.0);
    }

    #[test]
    fn nothing_is_pooled_in_silence() {
        let resnet = |depth: u64| result("MTT", json!({ "model": { "resnet": { "depth": depth } } }), &[0.5], &[]);
        let results = [resnet(10), resnet(18)];
        let error = arrange(&results, &params(json!({}))).unwrap_err();
        assert!(error.message.contains("differ in `model.resnet.depth`: 10 and 18"), "{}", error.message);
        let table = arrange(&results, &params(json!({ "columns": "model" }))).unwrap();
        assert_eq!(table.columns, ["resnet depth=10", "resnet depth=18"]);
        let table = arrange(&results, &params(json!({ "pool": ["model"] }))).unwrap();
        assert_eq!((table.cells.len(), table.cells[0].pooled.first().unwrap().as_str()), (1, "model"));
    }

    #[test]
    fn sets_that_were_made_otherwise_are_no_repetition_with_another_seed() {
        let made = |seed: u64, iterations: u64| {
            let sets = json!([{ "kind": "distill" }, { "kind": "distill", "iterations": iterations }]);
            let protocol = json!({ "seed": seed, "made_of": { "sets": sets } });
            Results { protocol, ..dm(1, &[0.5]) }
        };
        let error = arrange(&[made(0, 5), made(1, 10)], &params(json!({}))).unwrap_err();
        assert!(error.message.contains("differ in `made_of.sets.2.iterations`: 5 and 10"), "{}", error.message);
        assert_eq!(arrange(&[made(0, 5), made(1, 5)], &params(json!({}))).unwrap().cells[0].results, 2);
        let pooled = arrange(&[made(0, 5), made(1, 10)], &params(json!({ "pool": ["made_of"] }))).unwrap();
        assert_eq!(pooled.cells[0].results, 2);
    }

    #[test]
    fn results_that_no_label_tells_apart_are_refused_unless_they_are_one() {
        let error = arrange(&[dm(1, &[0.5]), dm(1, &[0.75])], &params(json!({}))).unwrap_err();
        assert!(error.message.contains("differ in no label"), "{}", error.message);
        let table = arrange(&[dm(1, &[0.5]), dm(1, &[0.5])], &params(json!({}))).unwrap();
        assert_eq!(table.cells[0].results, 1);
    }

    #[test]
    fn rows_are_compared_seed_by_seed() {
        let mtt = |seed, accuracy| seeded(seed, result("MTT", json!({}), &[accuracy], &[]));
        let pdd = |seed, accuracy| seeded(seed, result("PDD", json!({}), &[accuracy], &[]));
        let results = [mtt(0, 0.25), mtt(1, 0.5), pdd(0, 0.5), pdd(1, 0.75)];
        let table = arrange(&results, &params(json!({ "differences": [["PDD", "MTT"]] }))).unwrap();
        let found = &table.differences[0];
        assert_eq!((found.difference.mean, found.difference.half_width), (25.0, Some(0.0)));
        let error = arrange(&results, &params(json!({ "differences": [["PD", "MTT"]] }))).unwrap_err();
        assert!(error.help.unwrap().contains("PDD"));
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
        assert_eq!(table.cell(1, ONLY_COLUMN).unwrap().accuracies.values(), [100.0]);
        assert_eq!(table.cell(2, ONLY_COLUMN).unwrap().accuracies.values(), [50.0]);
        let error = arrange(&results, &params(json!({ "reading": ["last", "best"] }))).unwrap_err();
        assert_eq!(error.code, "pddflow::nodes::no_reading");
    }

    #[test]
    fn phases_of_several_results_are_pooled_by_phase() {
        let order = |order: u64, nets| result("dm", json!({ "order": order }), nets, &[(1, 1, 5), (2, 1, 5)]);
        let results = [order(0, &[0.5, 0.5]), order(1, &[0.5])];
        let table = arrange(&results, &params(json!({ "columns": "classes_seen", "pool": ["order"] }))).unwrap();
        assert_eq!(table.columns, ["20", "40"]);
        assert_eq!(table.cell(0, "40").unwrap().accuracies.values(), [10.0; 3]);
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
