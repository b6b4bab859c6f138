//! Results into rows and columns.

use serde_json::Value;

use crate::artifact::{Results, population_spread};
use crate::failure::{NodeResult, fail};
use crate::params::suggestion;

/// The reading that the results report themselves.
pub(super) const REPORTED: &str = "reported";
const PERCENT: f64 = 100.0;

/// One cell: the nets of all results that belong there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) row: String,
    pub(super) column: String,
    /// Of each net, in percent.
    pub(super) accuracies: Vec<f64>,
    /// Which moments these are, e.g. `last epoch`.
    pub(super) rules: Vec<String>,
}

impl Cell {
    /// Mean and population standard deviation in percent.
    pub(super) fn spread(&self) -> (f64, f64) {
        population_spread(&self.accuracies)
    }
}

/// A table without looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arranged {
    /// In the order of first appearance.
    pub(super) rows: Vec<String>,
    /// Ascending where all are numbers, else in the order of first appearance.
    pub(super) columns: Vec<String>,
    pub(super) cells: Vec<Cell>,
}

impl Arranged {
    pub(super) fn cell(&self, row: &str, column: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.row == row && cell.column == column)
    }
}

/// Arranges results by two labels; without a label for columns there is one column called `accuracy`.
pub(super) fn arrange(results: &[Results], rows: &str, columns: Option<&str>, reading: &str) -> NodeResult<Arranged> {
    let mut arranged = Arranged { rows: Vec::new(), columns: Vec::new(), cells: Vec::new() };
    for (number, result) in results.iter().enumerate() {
        let row = label(result, rows, number)?;
        let column = columns.map_or_else(|| Ok("accuracy".to_owned()), |columns| label(result, columns, number))?;
        let (rule, accuracies) = accuracies(result, reading, number)?;
        let percent = accuracies.iter().map(|accuracy| PERCENT * accuracy);
        let place = arranged.cells.iter().position(|cell| cell.row == row && cell.column == column);
        match place {
            Some(place) => {
                let cell = &mut arranged.cells[place];
                cell.accuracies.extend(percent);
                if !cell.rules.contains(&rule) {
                    cell.rules.push(rule);
                }
            }
            None => {
                note(&mut arranged.rows, &row);
                note(&mut arranged.columns, &column);
                arranged.cells.push(Cell { row, column, accuracies: percent.collect(), rules: vec![rule] });
            }
        }
    }
    sort_numbers(&mut arranged.columns);
    Ok(arranged)
}

/// A value as the table shows it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // A plugin choice, `{ convnet: { ... } }`: its name is enough.
        Value::Object(map) if map.len() == 1 => map.keys().next().cloned().unwrap_or_default(),
        other => other.to_string(),
    }
}

fn label(result: &Results, name: &str, number: usize) -> NodeResult<String> {
    result.label(name).filter(|value| !value.is_null()).map(|value| shown(&value)).ok_or_else(|| {
        let names = result.label_names();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        fail("table_label", format!("result {} has no label `{name}` to arrange the table by", number + 1))
            .with_help(suggestion(name, &known))
    })
}

fn accuracies<'a>(result: &'a Results, reading: &str, number: usize) -> NodeResult<(String, &'a [f64])> {
    if reading == REPORTED {
        return Ok((result.rule.clone(), &result.reported.accuracies));
    }
    let found = result.others.get(reading).map(|found| (reading.to_owned(), found.accuracies.as_slice()));
    found.ok_or_else(|| {
        let names: Vec<&str> = std::iter::once(REPORTED).chain(result.others.keys().map(String::as_str)).collect();
        fail("table_reading", format!("result {} has no reading `{reading}`", number + 1))
            .with_help(suggestion(reading, &names))
    })
}

fn note(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

fn sort_numbers(names: &mut [String]) {
    let numbers: Option<Vec<f64>> = names.iter().map(|name| name.parse().ok()).collect();
    if numbers.is_some() {
        let number = |name: &String| name.parse::<f64>().unwrap_or(f64::NAN);
        names.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::artifact::Reading;

    pub(in crate::table) fn result(method: &str, ipc: u64, accuracies: &[f64]) -> Results {
        Results {
            method: method.into(),
            labels: BTreeMap::from([("ipc".into(), json!(ipc)), ("model".into(), json!({ "convnet": {} }))]),
            rule: "last epoch".into(),
            reported: Reading { stage: 1, epoch: 3, accuracies: accuracies.to_vec() },
            others: BTreeMap::from([(
                "best_on_test".into(),
                Reading { stage: 1, epoch: 2, accuracies: vec![1.0; accuracies.len()] },
            )]),
            curve: Vec::new(),
            protocol: json!({}),
        }
    }

    #[test]
    fn columns_of_numbers_ascend_and_rows_keep_their_order() {
        let results = [result("random", 10, &[0.5]), result("dm", 2, &[0.25]), result("dm", 10, &[0.75])];
        let table = arrange(&results, "method", Some("ipc"), REPORTED).unwrap();
        assert_eq!(table.rows, ["random", "dm"]);
        assert_eq!(table.columns, ["2", "10"]);
        assert_eq!(table.cell("dm", "10").unwrap().accuracies, [75.0]);
        assert!(table.cell("random", "2").is_none());
    }

    #[test]
    fn results_of_one_cell_are_pooled_net_by_net() {
        let results = [result("dm", 1, &[0.5, 0.25]), result("dm", 1, &[0.75])];
        let table = arrange(&results, "method", None, REPORTED).unwrap();
        assert_eq!(table.cells[0].accuracies, [50.0, 25.0, 75.0]);
        let (mean, std) = table.cells[0].spread();
        // Population: sqrt(((0)^2 + 25^2 + 25^2) / 3).
        assert_eq!(mean, 50.0);
        assert!((std - (1250.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn another_reading_is_taken_when_asked_for() {
        let table = arrange(&[result("dm", 1, &[0.5])], "model", None, "best_on_test").unwrap();
        assert_eq!((table.rows[0].as_str(), table.cells[0].accuracies[0]), ("convnet", 100.0));
        assert_eq!(table.cells[0].rules, ["best_on_test"]);
    }

    #[test]
    fn unknown_names_come_with_the_nearest() {
        let results = [result("dm", 1, &[0.5])];
        let error = arrange(&results, "methods", None, REPORTED).unwrap_err();
        assert!(error.help.unwrap().contains("did you mean `method`"), "{}", error.message);
        let error = arrange(&results, "method", None, "best").unwrap_err();
        assert!(error.help.unwrap().contains("best_on_test"), "{}", error.message);
    }
}
