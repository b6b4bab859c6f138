//! Tables over runs, sweep points and nodes: parameters beside metrics.
//!
//! A [`Comparison`] has one row for each run, point or node. Its columns are the parameters and metrics that any row has,
//! in the order of their names, parameters first. Rows that agree in all parameters but some (the seed) can be joined:
//! each metric is then its mean over them, with the sample standard deviation.

use crate::text::number;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompareRow {
    /// What it is about: a run, a point of its sweep, or a run and a node.
    pub name: String,
    /// Parameters by name; one that is absent is a blank cell.
    pub params: BTreeMap<String, Value>,
    /// Metrics by name.
    pub metrics: BTreeMap<String, Samples>,
}

/// The values of a metric in a row: one, or those of the rows that were joined.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples(Vec<(String, f64)>);

impl Samples {
    /// One value, and the result that it is of. Rows that share a result, such as those of a seed that a node does not
    /// read or of a run with nothing to do, count it once when they are joined.
    #[must_use]
    pub fn one(of: impl Into<String>, value: f64) -> Self {
        Self(vec![(of.into(), value)])
    }

    fn join(&mut self, other: Self) {
        let new = other.0.into_iter().filter(|(of, _)| !self.0.iter().any(|(known, _)| known == of));
        self.0.extend(new.collect::<Vec<_>>());
    }

    fn mean(&self) -> f64 {
        self.0.iter().map(|(_, value)| value).sum::<f64>() / self.0.len() as f64
    }

    /// Sample standard deviation; none for fewer than two values.
    fn deviation(&self) -> Option<f64> {
        let (mean, count) = (self.mean(), self.0.len());
        let squares: f64 = self.0.iter().map(|(_, value)| (value - mean).powi(2)).sum();
        (count > 1).then(|| (squares / (count - 1) as f64).sqrt())
    }

    fn words(&self) -> String {
        match self.deviation() {
            Some(deviation) => format!("{} ± {}", number(self.mean()), number(deviation)),
            None => number(self.mean()),
        }
    }

    fn json(&self, joined: bool) -> Value {
        match joined {
            true => json!({ "mean": self.mean(), "std": self.deviation(), "count": self.0.len() }),
            false => json!(self.mean()),
        }
    }
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareFormat {
    /// Aligned columns, for people.
    Table,
    /// One object with a list of rows; numbers in full.
    Json,
    /// RFC 4180, numbers in full; a mean has its deviation in a column of its own.
    Csv,
    /// As GitHub and most viewers draw it.
    Markdown,
}

/// A table of rows.
#[derive(Debug, Clone)]
pub struct Comparison {
    rows: Vec<CompareRow>,
    joined: bool,
}

impl Comparison {
    /// A table of these rows, in their order.
    #[must_use]
    pub fn new(rows: Vec<CompareRow>) -> Self {
        Self { rows, joined: false }
    }

    /// Joins rows that differ in nothing but the parameters `over`.
    #[must_use]
    pub fn mean_over(self, over: &[String]) -> Self {
        let mut groups: Vec<(CompareRow, usize)> = Vec::new();
        for mut row in self.rows {
            row.params.retain(|name, _| !over.contains(name));
            let Some((group, count)) = groups.iter_mut().find(|(group, _)| group.params == row.params) else {
                groups.push((row, 1));
                continue;
            };
            *count += 1;
            row.metrics.into_iter().for_each(|(name, more)| group.metrics.entry(name).or_default().join(more));
        }
        let named = |(row, count): (CompareRow, usize)| match count {
            1 => row,
            _ => CompareRow { name: format!("{} and {} more", row.name, count - 1), ..row },
        };
        Self { rows: groups.into_iter().map(named).collect(), joined: true }
    }

    /// Leaves out parameters that are the same in every row.
    #[must_use]
    pub fn only_changed(mut self) -> Self {
        let changed: BTreeSet<String> = self.param_names().into_iter().filter(|name| self.differs(name)).collect();
        for row in &mut self.rows {
            row.params.retain(|name, _| changed.contains(name));
        }
        self
    }

    /// Leaves out parameters and metrics whose names `keep` refuses.
    #[must_use]
    pub fn columns(mut self, keep: impl Fn(&str) -> bool) -> Self {
        for row in &mut self.rows {
            row.params.retain(|name, _| keep(name));
            row.metrics.retain(|name, _| keep(name));
        }
        self
    }

    /// Orders rows by a metric or parameter, those without it last. False if no row has it.
    pub fn sort_by(&mut self, column: &str, descending: bool) -> bool {
        let known = self.rows.iter().any(|row| row.metrics.contains_key(column) || row.params.contains_key(column));
        let key = |row: &CompareRow| match (row.metrics.get(column), row.params.get(column)) {
            (Some(samples), _) => (0, samples.mean(), String::new()),
            (None, Some(Value::Number(number))) => (0, number.as_f64().unwrap_or_default(), String::new()),
            (None, Some(value)) => (1, 0.0, plain(value)),
            (None, None) => (2, 0.0, String::new()),
        };
        self.rows.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            let within = a.1.total_cmp(&b.1).then_with(|| a.2.cmp(&b.2));
            a.0.cmp(&b.0).then(if descending { within.reverse() } else { within })
        });
        known
    }

    /// Names of all columns: parameters, then metrics.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        self.param_names().into_iter().chain(self.metric_names()).collect()
    }

    /// The table as text.
    #[must_use]
    pub fn render(&self, format: CompareFormat) -> String {
        match format {
            CompareFormat::Table => aligned(&self.cells()),
            CompareFormat::Markdown => markdown(&self.cells()),
            CompareFormat::Csv => self.csv(),
            CompareFormat::Json => format!("{:#}\n", self.json()),
        }
    }

    fn param_names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.rows.iter().flat_map(|row| row.params.keys()).collect();
        names.into_iter().cloned().collect()
    }

    fn metric_names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.rows.iter().flat_map(|row| row.metrics.keys()).collect();
        names.into_iter().cloned().collect()
    }

    fn differs(&self, param: &str) -> bool {
        let mut values = self.rows.iter().map(|row| row.params.get(param));
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// Head and rows as people read them.
    fn cells(&self) -> Vec<Vec<String>> {
        let (params, metrics) = (self.param_names(), self.metric_names());
        let head = std::iter::once(String::new()).chain(params.iter().chain(&metrics).cloned()).collect();
        let cells = |row: &CompareRow| {
            let params = params.iter().map(|name| row.params.get(name).map_or_else(String::new, plain));
            let metrics = metrics.iter().map(|name| row.metrics.get(name).map_or_else(String::new, Samples::words));
            std::iter::once(row.name.clone()).chain(params).chain(metrics).collect()
        };
        std::iter::once(head).chain(self.rows.iter().map(cells)).collect()
    }

    fn csv(&self) -> String {
        let (params, metrics) = (self.param_names(), self.metric_names());
        let mut head = vec!["name".to_owned()];
        head.extend(params.iter().cloned());
        for metric in &metrics {
            head.push(metric.clone());
            if self.joined {
                head.extend([format!("{metric} std"), format!("{metric} count")]);
            }
        }
        let line = |row: &CompareRow| {
            let mut cells = vec![row.name.clone()];
            cells.extend(params.iter().map(|name| row.params.get(name).map_or_else(String::new, plain)));
            for samples in metrics.iter().map(|metric| row.metrics.get(metric)) {
                let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
                cells.push(text(samples.map(Samples::mean)));
                if self.joined {
                    cells.push(text(samples.and_then(Samples::deviation)));
                    cells.push(samples.map_or_else(String::new, |samples| samples.0.len().to_string()));
                }
            }
            csv_line(&cells)
        };
        csv_line(&head) + &self.rows.iter().map(line).collect::<String>()
    }

    fn json(&self) -> Value {
        let row = |row: &CompareRow| {
            let metrics = row.metrics.iter().map(|(name, samples)| (name.clone(), samples.json(self.joined)));
            json!({ "name": row.name, "params": row.params, "metrics": metrics.collect::<Map<_, _>>() })
        };
        json!({ "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn widths(cells: &[Vec<String>]) -> Vec<usize> {
    let columns = cells.first().map_or(0, Vec::len);
    let width = |at: usize| cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    (0..columns).map(|at| width(at).unwrap_or(0)).collect()
}

fn aligned(cells: &[Vec<String>]) -> String {
    let widths = widths(cells);
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    cells.iter().map(line).collect()
}

fn markdown(cells: &[Vec<String>]) -> String {
    let escaped: Vec<Vec<String>> =
        cells.iter().map(|row| row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect()).collect();
    let widths = widths(&escaped);
    let mut text = String::new();
    for (at, row) in escaped.iter().enumerate() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if at == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat((*width).max(3))).collect();
            text.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
    }
    text
}

fn csv_line(cells: &[String]) -> String {
    let quoted = |cell: &String| {
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
    };
    format!("{}\n", cells.iter().map(quoted).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<CompareRow> {
        let row = |name: &str, ipc: u32, seed: u32, accuracy: f64| CompareRow {
            name: name.to_owned(),
            params: BTreeMap::from([
                ("ipc".to_owned(), json!(ipc)),
                ("model".to_owned(), json!("a|b")),
                ("seed".to_owned(), json!(seed)),
            ]),
            metrics: BTreeMap::from([("accuracy".to_owned(), Samples::one(name, accuracy))]),
        };
        vec![row("r1", 1, 0, 50.0), row("r2", 1, 1, 54.0), row("r3", 10, 0, 70.0)]
    }

    #[test]
    fn rows_are_shown_in_every_format() {
        let table = Comparison::new(rows()).only_changed();
        insta::assert_snapshot!(table.render(CompareFormat::Table), @r"
            ipc  seed  accuracy
        r1  1    0     50
        r2  1    1     54
        r3  10   0     70
        ");
        let all = Comparison::new(rows());
        assert!(
            all.render(CompareFormat::Markdown).starts_with("|    | ipc | model | seed | accuracy |\n| --- | --- |")
        );
        assert!(all.render(CompareFormat::Markdown).contains("| r1 | 1   | a\\|b  | 0    | 50       |"));
        assert_eq!(all.render(CompareFormat::Csv).lines().nth(1), Some("r1,1,a|b,0,50"));
        let json: Value = serde_json::from_str(&all.render(CompareFormat::Json)).unwrap();
        assert_eq!(
            json["rows"][2],
            json!({"name": "r3", "params": {"ipc": 10, "model": "a|b", "seed": 0},
                                           "metrics": {"accuracy": 70.0}})
        );
    }

    #[test]
    fn seeds_are_joined_into_mean_and_deviation() {
        let table = Comparison::new(rows()).mean_over(&["seed".to_owned()]).only_changed();
        insta::assert_snapshot!(table.render(CompareFormat::Table), @r"
                       ipc  accuracy
        r1 and 1 more  1    52 ± 2.8284
        r3             10   70
        ");
        let csv = table.render(CompareFormat::Csv);
        assert_eq!(csv.lines().next(), Some("name,ipc,accuracy,accuracy std,accuracy count"));
        assert_eq!(csv.lines().nth(2), Some("r3,10,70,,1"));
    }

    #[test]
    fn a_result_that_rows_share_counts_once() {
        let row = |seed: u32, of: &str, accuracy| CompareRow {
            name: format!("seed={seed}"),
            params: BTreeMap::from([("seed".to_owned(), json!(seed))]),
            metrics: BTreeMap::from([
                ("accuracy".to_owned(), Samples::one(of, accuracy)),
                ("images".to_owned(), Samples::one("k:data", 200.0)),
            ]),
        };
        // The third is the first again, of a later run.
        let rows = vec![row(1, "k:1", 50.0), row(2, "k:2", 54.0), row(1, "k:1", 50.0)];
        let table = Comparison::new(rows).mean_over(&["seed".to_owned()]);
        let row = &serde_json::from_str::<Value>(&table.render(CompareFormat::Json)).unwrap()["rows"][0]["metrics"];
        assert_eq!((&row["accuracy"]["mean"], &row["accuracy"]["count"]), (&json!(52.0), &json!(2)));
        assert_eq!(row["images"], json!({"mean": 200.0, "std": null, "count": 1}));
    }

    #[test]
    fn rows_are_sorted_and_columns_chosen() {
        let mut table = Comparison::new(rows());
        assert!(table.sort_by("accuracy", true));
        assert_eq!(table.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["r3", "r2", "r1"]);
        assert!(!table.sort_by("nothing", false));
        let table = table.columns(|name| name == "accuracy");
        assert_eq!(table.column_names(), ["accuracy"]);
    }

    #[test]
    fn cells_of_csv_are_quoted() {
        assert_eq!(csv_line(&["a,b".into(), "say \"x\"".into(), "c".into()]), "\"a,b\",\"say \"\"x\"\"\",c\n");
    }
}
