//! Tables over runs, sweep points and nodes: parameters beside metrics.
//!
//! A [`Comparison`] has one row for each thing compared. Its columns are the parameters and metrics that any row has,
//! in the order of their names, parameters first. Rows that agree in all parameters but some (the seed) can be joined:
//! each metric is then its mean over them, with the sample standard deviation.

use crate::text::number;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompareRow {
    /// What it is about: a run, or a run and a node.
    pub name: String,
    /// Parameters by name.
    pub params: BTreeMap<String, Value>,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
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

/// A metric over the rows that were joined.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Mean {
    mean: f64,
    /// None for fewer than two values.
    deviation: Option<f64>,
    count: usize,
}

#[derive(Debug, Clone)]
struct Line {
    name: String,
    params: BTreeMap<String, Value>,
    metrics: BTreeMap<String, Mean>,
}

/// A table of rows.
#[derive(Debug, Clone)]
pub struct Comparison {
    lines: Vec<Line>,
    joined: bool,
}

impl Comparison {
    /// A table of these rows, in their order.
    #[must_use]
    pub fn new(rows: Vec<CompareRow>) -> Self {
        let line = |row: CompareRow| {
            let metrics = row.metrics.into_iter().map(|(name, value)| (name, Mean::of(&[value])));
            Line { name: row.name, params: row.params, metrics: metrics.collect() }
        };
        Self { lines: rows.into_iter().map(line).collect(), joined: false }
    }

    /// Joins rows that differ in nothing but the parameters `over`.
    #[must_use]
    pub fn mean_over(self, over: &[String]) -> Self {
        let mut groups: Vec<(BTreeMap<String, Value>, Vec<Line>)> = Vec::new();
        for mut line in self.lines {
            line.params.retain(|name, _| !over.contains(name));
            match groups.iter_mut().find(|(params, _)| *params == line.params) {
                Some((_, lines)) => lines.push(line),
                None => groups.push((line.params.clone(), vec![line])),
            }
        }
        let lines = groups.into_iter().map(|(params, lines)| joined(params, &lines)).collect();
        Self { lines, joined: true }
    }

    /// Leaves out parameters that are the same in every row.
    #[must_use]
    pub fn only_changed(mut self) -> Self {
        let changed: BTreeSet<String> = self.param_names().into_iter().filter(|name| self.differs(name)).collect();
        for line in &mut self.lines {
            line.params.retain(|name, _| changed.contains(name));
        }
        self
    }

    /// Leaves out parameters and metrics whose names `keep` refuses.
    #[must_use]
    pub fn columns(mut self, keep: impl Fn(&str) -> bool) -> Self {
        for line in &mut self.lines {
            line.params.retain(|name, _| keep(name));
            line.metrics.retain(|name, _| keep(name));
        }
        self
    }

    /// Orders rows by a metric or parameter, those without it last. False if no row has it.
    pub fn sort_by(&mut self, column: &str, descending: bool) -> bool {
        let known = self.lines.iter().any(|line| line.metrics.contains_key(column) || line.params.contains_key(column));
        let key = |line: &Line| match (line.metrics.get(column), line.params.get(column)) {
            (Some(mean), _) => (0, mean.mean, String::new()),
            (None, Some(Value::Number(number))) => (0, number.as_f64().unwrap_or_default(), String::new()),
            (None, Some(value)) => (1, 0.0, plain(value)),
            (None, None) => (2, 0.0, String::new()),
        };
        self.lines.sort_by(|a, b| {
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
        let names: BTreeSet<&String> = self.lines.iter().flat_map(|line| line.params.keys()).collect();
        names.into_iter().cloned().collect()
    }

    fn metric_names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.lines.iter().flat_map(|line| line.metrics.keys()).collect();
        names.into_iter().cloned().collect()
    }

    fn differs(&self, param: &str) -> bool {
        let mut values = self.lines.iter().map(|line| line.params.get(param));
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// Head and rows as people read them.
    fn cells(&self) -> Vec<Vec<String>> {
        let (params, metrics) = (self.param_names(), self.metric_names());
        let head = std::iter::once(String::new()).chain(params.iter().chain(&metrics).cloned()).collect();
        let row = |line: &Line| {
            let params = params.iter().map(|name| line.params.get(name).map_or_else(String::new, plain));
            let metrics = metrics.iter().map(|name| line.metrics.get(name).map_or_else(String::new, Mean::words));
            std::iter::once(line.name.clone()).chain(params).chain(metrics).collect()
        };
        std::iter::once(head).chain(self.lines.iter().map(row)).collect()
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
        let mut text = csv_line(&head);
        for line in &self.lines {
            let mut row = vec![line.name.clone()];
            row.extend(params.iter().map(|name| line.params.get(name).map_or_else(String::new, plain)));
            for metric in &metrics {
                let mean = line.metrics.get(metric);
                row.push(mean.map_or_else(String::new, |mean| mean.mean.to_string()));
                if self.joined {
                    row.push(mean.and_then(|mean| mean.deviation).map_or_else(String::new, |std| std.to_string()));
                    row.push(mean.map_or_else(String::new, |mean| mean.count.to_string()));
                }
            }
            text.push_str(&csv_line(&row));
        }
        text
    }

    fn json(&self) -> Value {
        let metric = |mean: &Mean| {
            if self.joined {
                json!({ "mean": mean.mean, "std": mean.deviation, "count": mean.count })
            } else {
                json!(mean.mean)
            }
        };
        let row = |line: &Line| {
            let metrics: Map<String, Value> =
                line.metrics.iter().map(|(name, mean)| (name.clone(), metric(mean))).collect();
            json!({ "name": line.name, "params": line.params, "metrics": metrics })
        };
        json!({ "rows": self.lines.iter().map(row).collect::<Vec<_>>() })
    }
}

impl Mean {
    fn of(values: &[f64]) -> Self {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Self { mean, deviation, count }
    }

    fn words(&self) -> String {
        match self.deviation {
            Some(deviation) => format!("{} ± {}", number(self.mean), number(deviation)),
            None => number(self.mean),
        }
    }
}

fn joined(params: BTreeMap<String, Value>, lines: &[Line]) -> Line {
    let names: BTreeSet<&String> = lines.iter().flat_map(|line| line.metrics.keys()).collect();
    let mean = |name: &String| {
        let values: Vec<f64> = lines.iter().filter_map(|line| line.metrics.get(name)).map(|mean| mean.mean).collect();
        (name.clone(), Mean::of(&values))
    };
    let metrics = names.into_iter().map(mean).collect();
    let first = lines.first().map(|line| line.name.clone()).unwrap_or_default();
    let name = if lines.len() > 1 { format!("{first} and {} more", lines.len() - 1) } else { first };
    Line { name, params, metrics }
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
            metrics: BTreeMap::from([("accuracy".to_owned(), accuracy)]),
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
    fn rows_are_sorted_and_columns_chosen() {
        let mut table = Comparison::new(rows());
        assert!(table.sort_by("accuracy", true));
        assert_eq!(table.lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["r3", "r2", "r1"]);
        assert!(!table.sort_by("nothing", false));
        let table = table.columns(|name| name == "accuracy");
        assert_eq!(table.column_names(), ["accuracy"]);
    }

    #[test]
    fn cells_of_csv_are_quoted() {
        assert_eq!(csv_line(&["a,b".into(), "say \"x\"".into(), "c".into()]), "\"a,b\",\"say \"\"x\"\"\",c\n");
    }
}
