//! Tables over runs, sweep points and nodes: parameters beside metrics.
//!
//! A [`Comparison`] has one row for each node of each run. Rows that agree in all parameters but some (the seed) can be
//! joined: each metric is then its mean over them, with the sample standard deviation. For people, rows are named by the
//! parameters in which they differ, and the values of one parameter (images per class) may be columns; the best of each
//! column is marked. Programs get every row with all it has.

use crate::paint::{Paint, Tone};
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

/// How people see a comparison.
#[derive(Debug, Clone)]
pub struct CompareView {
    /// The parameter whose values are columns, if rows differ in it.
    pub across: String,
    /// Most characters of a line, if there is a limit.
    pub width: Option<usize>,
    /// Colours.
    pub paint: Paint,
}

/// A table of rows.
#[derive(Debug, Clone)]
pub struct Comparison {
    rows: Vec<CompareRow>,
    /// How many were joined into each row.
    counts: Vec<usize>,
    joined: bool,
}

/// A table as people read it.
struct Sheet {
    cells: Vec<Vec<Cell>>,
    /// How many columns at its left are parameters and not values.
    labels: usize,
}

#[derive(Clone, Default)]
struct Cell {
    text: String,
    is_best: bool,
}

impl Cell {
    fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_best: false }
    }
}

impl Comparison {
    /// A table of these rows, in their order.
    #[must_use]
    pub fn new(rows: Vec<CompareRow>) -> Self {
        Self { counts: vec![1; rows.len()], rows, joined: false }
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
            1 => (row, 1),
            _ => (CompareRow { name: format!("{} and {} more", row.name, count - 1), ..row }, count),
        };
        let (rows, counts) = groups.into_iter().map(named).unzip();
        Self { rows, counts, joined: true }
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
        let mut rows: Vec<(CompareRow, usize)> =
            std::mem::take(&mut self.rows).into_iter().zip(self.counts.drain(..)).collect();
        rows.sort_by(|(a, _), (b, _)| {
            let (a, b) = (key(a), key(b));
            let within = a.1.total_cmp(&b.1).then_with(|| a.2.cmp(&b.2));
            a.0.cmp(&b.0).then(if descending { within.reverse() } else { within })
        });
        (self.rows, self.counts) = rows.into_iter().unzip();
        known
    }

    /// Names of all columns: parameters, then metrics.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        self.param_names().into_iter().chain(self.metric_names()).collect()
    }

    /// The table as text.
    #[must_use]
    pub fn render(&self, format: CompareFormat, view: &CompareView) -> String {
        match format {
            CompareFormat::Csv => self.csv(),
            CompareFormat::Json => format!("{:#}\n", self.json()),
            CompareFormat::Table => self.for_people(view, |sheet| aligned(sheet, view)),
            CompareFormat::Markdown => self.for_people(view, markdown),
        }
    }

    /// One table, or one for each metric where a parameter has its values as columns.
    fn for_people(&self, view: &CompareView, write: impl Fn(&Sheet) -> String) -> String {
        let metrics = self.metric_names();
        if !self.differs(&view.across) || metrics.is_empty() {
            return write(&self.list());
        }
        let one = |metric: &String| {
            let head = if metrics.len() > 1 { format!("{metric}\n\n") } else { String::new() };
            head + &write(&self.across(&view.across, metric))
        };
        metrics.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    fn param_names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.rows.iter().flat_map(|row| row.params.keys()).collect();
        names.into_iter().cloned().collect()
    }

    /// Names of the metrics.
    #[must_use]
    pub fn metric_names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.rows.iter().flat_map(|row| row.metrics.keys()).collect();
        names.into_iter().cloned().collect()
    }

    fn differs(&self, param: &str) -> bool {
        let mut values = self.rows.iter().map(|row| row.params.get(param));
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// A line for each row: its parameters, then its metrics. The name comes first where parameters do not tell the rows
    /// apart.
    fn list(&self) -> Sheet {
        let (params, metrics) = (self.param_names(), self.metric_names());
        let different: BTreeSet<Vec<String>> = self.rows.iter().map(|row| labels(row, &params)).collect();
        let named = different.len() < self.rows.len() || params.is_empty();
        let several = self.counts.iter().any(|count| *count > 1);
        let mut head: Vec<Cell> = named.then(Cell::default).into_iter().chain(params.iter().map(Cell::of)).collect();
        head.extend(several.then(|| Cell::of("seeds")));
        let at_left = head.len();
        head.extend(metrics.iter().map(Cell::of));
        let bests: Vec<Option<f64>> = metrics.iter().map(|name| best(name, self.rows.iter())).collect();
        let line = |(row, count): (&CompareRow, &usize)| {
            let mut line: Vec<Cell> = named.then(|| Cell::of(row.name.as_str())).into_iter().collect();
            line.extend(labels(row, &params).into_iter().map(Cell::of));
            line.extend(several.then(|| Cell::of(count.to_string())));
            line.extend(metrics.iter().zip(&bests).map(|(name, best)| value(row.metrics.get(name), *best)));
            line
        };
        let lines = self.rows.iter().zip(&self.counts).map(line);
        Sheet { cells: std::iter::once(head).chain(lines).collect(), labels: at_left }
    }

    /// The values of a parameter as columns, one metric in the cells.
    fn across(&self, across: &str, metric: &str) -> Sheet {
        let params: Vec<String> = self.param_names().into_iter().filter(|name| name != across).collect();
        let mut values: Vec<&Value> = self.rows.iter().filter_map(|row| row.params.get(across)).collect();
        values.sort_by(|a, b| match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => plain(a).cmp(&plain(b)),
        });
        values.dedup();
        let several = self.counts.iter().any(|count| *count > 1);
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (row, count) in self.rows.iter().zip(&self.counts) {
            let Some(at) = values.iter().position(|value| row.params.get(across) == Some(*value)) else { continue };
            let own = labels(row, &params);
            // Several rows of one place, such as those of several runs, are lines of their own.
            let found = lines.iter_mut().find(|(labels, _, cells)| *labels == own && cells[at].is_none());
            match found {
                Some((_, most, cells)) => (*most, cells[at]) = ((*most).max(*count), Some(row)),
                None => {
                    let mut cells = vec![None; values.len()];
                    cells[at] = Some(row);
                    lines.push((own, *count, cells));
                }
            }
        }
        let mut head: Vec<Cell> = params.iter().map(Cell::of).collect();
        head.extend(several.then(|| Cell::of("seeds")));
        let at_left = head.len();
        head.extend(values.iter().map(|value| Cell::of(format!("{across} {}", plain(value)))));
        let bests: Vec<Option<f64>> =
            (0..values.len()).map(|at| best(metric, lines.iter().filter_map(|(_, _, cells)| cells[at]))).collect();
        let line = |(labels, count, cells): &Line<'_>| {
            let mut line: Vec<Cell> = labels.iter().map(Cell::of).collect();
            line.extend(several.then(|| Cell::of(count.to_string())));
            line.extend(
                cells.iter().zip(&bests).map(|(row, best)| value(row.and_then(|row| row.metrics.get(metric)), *best)),
            );
            line
        };
        Sheet { cells: std::iter::once(head).chain(lines.iter().map(line)).collect(), labels: at_left }
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

/// A line with a column for each value of a parameter: labels, how many were joined, and the row of each column.
type Line<'a> = (Vec<String>, usize, Vec<Option<&'a CompareRow>>);

fn labels(row: &CompareRow, params: &[String]) -> Vec<String> {
    params.iter().map(|name| row.params.get(name).map_or_else(String::new, plain)).collect()
}

/// The best value of a metric of several rows, if more is better or worse for that metric.
fn best<'a>(metric: &str, rows: impl Iterator<Item = &'a CompareRow>) -> Option<f64> {
    let values: Vec<f64> = rows.filter_map(|row| row.metrics.get(metric)).map(Samples::mean).collect();
    if values.len() < 2 || metric.ends_with("_std") {
        None
    } else if metric.contains("accuracy") {
        values.into_iter().max_by(f64::total_cmp)
    } else if metric.contains("loss") || metric.contains("error") {
        values.into_iter().min_by(f64::total_cmp)
    } else {
        None
    }
}

fn value(samples: Option<&Samples>, best: Option<f64>) -> Cell {
    let text = samples.map_or_else(String::new, Samples::words);
    Cell { text, is_best: samples.is_some() && samples.map(Samples::mean) == best }
}

/// The width of each column; a mark of the best takes one character.
fn widths(cells: &[Vec<Cell>]) -> Vec<usize> {
    let columns = cells.first().map_or(0, Vec::len);
    let length = |cell: &Cell| cell.text.chars().count() + usize::from(cell.is_best);
    (0..columns).map(|at| cells.iter().filter_map(|row| row.get(at)).map(length).max().unwrap_or(0)).collect()
}

/// Aligned columns; those at the right that do not fit into the width are left out and named.
fn aligned(sheet: &Sheet, view: &CompareView) -> String {
    const GAP: usize = 2;
    let widths = widths(&sheet.cells);
    let (mut shown, mut width) = (0, 0);
    for (at, column) in widths.iter().enumerate() {
        width += column + if at == 0 { 0 } else { GAP };
        // Labels and one value are shown in any case.
        if at > sheet.labels && view.width.is_some_and(|most| width > most) {
            break;
        }
        shown = at + 1;
    }
    let line = |row: &Vec<Cell>| {
        let cells = row.iter().zip(&widths).take(shown).map(|(cell, width)| {
            let padding = " ".repeat(width.saturating_sub(cell.text.chars().count() + usize::from(cell.is_best)));
            match cell.is_best {
                true => format!("{}{padding}", view.paint.tone(Tone::Good, &format!("{}*", cell.text))),
                false => format!("{}{padding}", cell.text),
            }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text: String = sheet.cells.iter().map(line).collect();
    if sheet.cells.iter().flatten().any(|cell| cell.is_best) {
        text.push_str("* the best of its column\n");
    }
    if let Some(left_out) =
        sheet.cells.first().and_then(|head| head.get(shown..)).filter(|left_out| !left_out.is_empty())
    {
        let names: Vec<&str> = left_out.iter().map(|cell| cell.text.as_str()).collect();
        text.push_str(&format!("no room for: {} (`--columns` chooses)\n", names.join(", ")));
    }
    text
}

fn markdown(sheet: &Sheet) -> String {
    let escaped = |cell: &Cell| {
        let text = cell.text.replace('|', "\\|").replace('\n', " ");
        Cell::of(if cell.is_best { format!("**{text}**") } else { text })
    };
    let cells: Vec<Vec<Cell>> = sheet.cells.iter().map(|row| row.iter().map(escaped).collect()).collect();
    let widths = widths(&cells);
    let mut text = String::new();
    for (at, row) in cells.iter().enumerate() {
        let row: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", cell.text)).collect();
        text.push_str(&format!("| {} |\n", row.join(" | ")));
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

    fn view() -> CompareView {
        CompareView { across: "ipc".to_owned(), width: None, paint: Paint::plain() }
    }

    fn list() -> CompareView {
        CompareView { across: String::new(), ..view() }
    }

    #[test]
    fn rows_are_shown_in_every_format() {
        let table = Comparison::new(rows()).only_changed();
        insta::assert_snapshot!(table.render(CompareFormat::Table, &list()), @r"
        ipc  seed  accuracy
        1    0     50
        1    1     54
        10   0     70*
        * the best of its column
        ");
        let all = Comparison::new(rows());
        let text = all.render(CompareFormat::Markdown, &list());
        assert!(text.starts_with("| ipc | model | seed | accuracy |\n| --- | "), "{text}");
        assert!(text.contains("| 1   | a\\|b  | 0    | 50       |"), "{text}");
        assert!(text.contains("| 10  | a\\|b  | 0    | **70**   |"), "{text}");
        assert_eq!(all.render(CompareFormat::Csv, &view()).lines().nth(1), Some("r1,1,a|b,0,50"));
        let json: Value = serde_json::from_str(&all.render(CompareFormat::Json, &view())).unwrap();
        assert_eq!(
            json["rows"][2],
            json!({"name": "r3", "params": {"ipc": 10, "model": "a|b", "seed": 0},
                                           "metrics": {"accuracy": 70.0}})
        );
    }

    #[test]
    fn seeds_are_joined_into_mean_and_deviation() {
        let table = Comparison::new(rows()).mean_over(&["seed".to_owned()]).only_changed();
        insta::assert_snapshot!(table.render(CompareFormat::Table, &list()), @r"
        ipc  seeds  accuracy
        1    2      52 ± 2.8284
        10   1      70*
        * the best of its column
        ");
        let csv = table.render(CompareFormat::Csv, &view());
        assert_eq!(csv.lines().next(), Some("name,ipc,accuracy,accuracy std,accuracy count"));
        assert_eq!(csv.lines().nth(2), Some("r3,10,70,,1"));
    }

    #[test]
    fn the_values_of_a_parameter_are_columns_with_the_best_of_each() {
        let row = |method: &str, ipc: u32, accuracy: f64| CompareRow {
            name: format!("{method}{ipc}"),
            params: BTreeMap::from([("ipc".to_owned(), json!(ipc)), ("method".to_owned(), json!(method))]),
            metrics: BTreeMap::from([("accuracy".to_owned(), Samples::one(format!("{method}{ipc}"), accuracy))]),
        };
        let table = Comparison::new(vec![row("dm", 10, 70.0), row("dm", 1, 50.0), row("idc", 1, 55.0)]);
        insta::assert_snapshot!(table.render(CompareFormat::Table, &view()), @r"
        method  ipc 1  ipc 10
        dm      50     70
        idc     55*
        * the best of its column
        ");
        let narrow = CompareView { width: Some(16), ..view() };
        insta::assert_snapshot!(table.render(CompareFormat::Table, &narrow), @r"
        method  ipc 1
        dm      50
        idc     55*
        * the best of its column
        no room for: ipc 10 (`--columns` chooses)
        ");
    }

    #[test]
    fn rows_that_parameters_do_not_tell_apart_have_their_names() {
        let mut table = Comparison::new(rows()).only_changed().columns(|name| name != "seed");
        assert!(table.sort_by("accuracy", false));
        insta::assert_snapshot!(table.render(CompareFormat::Table, &list()), @r"
            ipc  accuracy
        r1  1    50
        r2  1    54
        r3  10   70*
        * the best of its column
        ");
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
        let row =
            &serde_json::from_str::<Value>(&table.render(CompareFormat::Json, &view())).unwrap()["rows"][0]["metrics"];
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
