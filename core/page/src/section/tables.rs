//! Tables of results: those of `table` nodes, or one of all results where there is no such node.

use super::named::{Named, all_results};
use crate::detail::LeftOut;
use crate::gather::{Gathered, Node};
use crate::words::plain;
use pddflow_artifact::statistics::BySeed;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// The version of `table.json` that is read.
const FORMAT: u64 = 3;
const NONE: &str = "–";
const PERCENT: f64 = 100.0;

/// A table with its parts.
pub(crate) struct TableView {
    pub(crate) title: String,
    /// The node that gave it; empty for one that was made here.
    pub(crate) node: String,
    pub(crate) corner: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    pub(crate) caption: String,
    pub(crate) sources: Vec<String>,
}

pub(crate) struct Column {
    pub(crate) name: String,
    /// Whether its numbers are those of papers.
    pub(crate) published: bool,
}

pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) cells: Vec<Cell>,
    pub(crate) reading: String,
}

/// A number with its spread; empty texts for none.
#[derive(Default)]
pub(crate) struct Cell {
    pub(crate) mean: String,
    pub(crate) spread: String,
    /// The numbers in full, for the script; empty for none.
    pub(crate) value: String,
    pub(crate) deviation: String,
    /// What more is known: seeds and nets, or the source.
    pub(crate) more: String,
    /// How much a measured number is above the published one.
    pub(crate) above: String,
    /// Whether no measured number of its column is higher.
    pub(crate) best: bool,
}

/// The tables of a run.
pub(crate) fn tables(gathered: &Gathered<'_>, left_out: &LeftOut) -> Vec<TableView> {
    let mut found = Vec::new();
    for (node, output) in gathered.of_type("table") {
        let Some(files) = gathered.files(output) else { continue };
        let Some((_, bytes)) = files.iter().find(|(name, _)| name.ends_with(".json")) else { continue };
        let Ok(json) = serde_json::from_slice::<Value>(bytes) else { continue };
        // Other kinds have tables of their own, such as a histogram, which are shown elsewhere.
        if json.get("cells").is_none() {
            continue;
        }
        match serde_json::from_value::<TableFile>(json) {
            Ok(file) if file.format == FORMAT => found.extend(view(&file, node)),
            _ => left_out.say(format!("The table of {} has a form that this program does not know.", node.planned.id)),
        }
    }
    if found.is_empty() {
        found.extend(of_results(&all_results(gathered)));
    }
    found
}

#[derive(Deserialize)]
struct TableFile {
    format: u64,
    title: Option<String>,
    rows: RowsFile,
    columns: ColumnsFile,
    cells: Vec<CellFile>,
    #[serde(default)]
    differences: Vec<DifferenceFile>,
    #[serde(default)]
    published: Vec<PublishedFile>,
}

#[derive(Deserialize)]
struct RowsFile {
    label: Value,
    values: Vec<RowFile>,
}

#[derive(Deserialize)]
struct RowFile {
    label: String,
    reading: Option<String>,
}

#[derive(Deserialize)]
struct ColumnsFile {
    label: Value,
    values: Vec<String>,
}

#[derive(Deserialize)]
struct CellFile {
    row: String,
    column: String,
    mean: f64,
    std_between_seeds: Option<f64>,
    std_between_nets: Option<f64>,
    seeds: usize,
    nets: usize,
    readings: Vec<String>,
}

#[derive(Deserialize)]
struct DifferenceFile {
    rows: [String; 2],
    reading: String,
    column: String,
    mean: f64,
    half_width: Option<f64>,
    seeds: usize,
}

#[derive(Deserialize)]
struct PublishedFile {
    row: String,
    column: String,
    mean: Option<f64>,
    std: Option<f64>,
    text: Option<String>,
    source: Option<String>,
    reading: Option<String>,
}

/// The table, and one of the differences between its rows if it has some.
fn view(file: &TableFile, node: &Node<'_>) -> Vec<TableView> {
    let digits =
        node.planned.with["digits"].as_u64().and_then(|digits| usize::try_from(digits).ok()).unwrap_or(1).min(6);
    let has_published = |column: &str| file.published.iter().any(|found| found.column == column);
    let mut columns = Vec::new();
    for column in &file.columns.values {
        columns.push(Column { name: column.clone(), published: false });
        if has_published(column) {
            columns.push(Column { name: format!("{column} published"), published: true });
        }
    }
    let mut cells = file.cells.iter().peekable();
    let mut rows = Vec::new();
    for row in &file.rows.values {
        let mut readings = BTreeSet::new();
        let mut shown = Vec::new();
        let mut last = None;
        let mut own: Vec<&CellFile> = Vec::new();
        // Cells stand row by row and in the order of the columns; rows of one label are told apart by where that begins anew.
        while let Some(cell) = cells.next_if(|cell| {
            let place = file.columns.values.iter().position(|column| *column == cell.column);
            cell.row == row.label && place > last
        }) {
            last = file.columns.values.iter().position(|column| *column == cell.column);
            readings.extend(cell.readings.iter().map(|rule| reading_words(rule).to_owned()));
            own.push(cell);
        }
        for column in &file.columns.values {
            let measured = own.iter().find(|cell| cell.column == *column);
            let here = |found: &&PublishedFile| found.row == row.label && found.column == *column;
            let fits = |found: &&PublishedFile| {
                found.reading.is_none() || row.reading.is_none() || found.reading == row.reading
            };
            let published = file.published.iter().filter(here).find(fits).or_else(|| file.published.iter().find(here));
            shown.push(measured.map_or_else(Cell::default, |cell| measured_cell(cell, digits)));
            if has_published(column) {
                shown.push(
                    published.map_or_else(Cell::default, |found| {
                        published_cell(found, measured.map(|cell| cell.mean), digits)
                    }),
                );
            }
        }
        let reading = readings.into_iter().collect::<Vec<_>>().join("; ");
        rows.push(Row { label: row.label.clone(), cells: shown, reading });
    }
    mark_best(&columns, &mut rows);
    let corner = [heading(&file.rows.label), heading(&file.columns.label)];
    let corner = corner.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" \\ ");
    let sources: BTreeSet<String> = file.published.iter().filter_map(|found| found.source.clone()).collect();
    let mut views = vec![TableView {
        title: file.title.clone().unwrap_or_else(|| node.planned.id.clone()),
        node: node.planned.id.clone(),
        corner,
        columns,
        rows,
        caption: caption(&file.cells),
        sources: sources.into_iter().collect(),
    }];
    views.extend(differences(file, node, digits));
    views
}

fn measured_cell(cell: &CellFile, digits: usize) -> Cell {
    let deviation = cell.std_between_seeds.or(cell.std_between_nets);
    let nets = cell.std_between_seeds.and(cell.std_between_nets);
    let nets = nets.map_or_else(String::new, |nets| format!(" ({nets:.digits$})"));
    Cell {
        mean: format!("{:.digits$}", cell.mean),
        spread: deviation.map_or_else(String::new, |deviation| format!("± {deviation:.digits$}{nets}")),
        value: cell.mean.to_string(),
        deviation: deviation.map_or_else(String::new, |deviation| deviation.to_string()),
        more: counts(cell.seeds, cell.nets),
        ..Cell::default()
    }
}

fn published_cell(found: &PublishedFile, measured: Option<f64>, digits: usize) -> Cell {
    let mean = match (&found.text, found.mean) {
        (Some(text), _) => text.clone(),
        (None, Some(mean)) => format!("{mean:.digits$}"),
        (None, None) => String::new(),
    };
    let above = measured.zip(found.mean).map(|(measured, mean)| measured - mean);
    let reading = match &found.reading {
        Some(reading) => reading_words(reading).to_owned(),
        None => "reading not stated".to_owned(),
    };
    let source = found.source.as_ref().map_or_else(String::new, |source| format!("{source}, "));
    Cell {
        mean,
        spread: found.std.map_or_else(String::new, |std| format!("± {std:.digits$}")),
        value: found.mean.map_or_else(String::new, |mean| mean.to_string()),
        deviation: found.std.map_or_else(String::new, |std| std.to_string()),
        more: format!("{source}{reading}"),
        above: above.map_or_else(String::new, |above| format!("{above:+.digits$}")),
        best: false,
    }
}

fn differences(file: &TableFile, node: &Node<'_>, digits: usize) -> Option<TableView> {
    let first = file.differences.first()?;
    let mut rows: Vec<Row> = Vec::new();
    for found in &file.differences {
        let label = format!("{} − {}", found.rows[0], found.rows[1]);
        let reading = reading_words(&found.reading).to_owned();
        let place = rows.iter().position(|row| row.label == label && row.reading == reading).unwrap_or_else(|| {
            let cells = file.columns.values.iter().map(|_| Cell::default()).collect();
            rows.push(Row { label, cells, reading });
            rows.len() - 1
        });
        let Some(column) = file.columns.values.iter().position(|column| *column == found.column) else { continue };
        rows[place].cells[column] = Cell {
            mean: format!("{:+.digits$}", found.mean),
            spread: found.half_width.map_or_else(String::new, |half| format!("± {half:.digits$}")),
            value: found.mean.to_string(),
            deviation: found.half_width.map_or_else(String::new, |half| half.to_string()),
            more: pddflow_report::count(found.seeds, "seed"),
            ..Cell::default()
        };
    }
    let caption = match first.half_width {
        Some(_) => "Difference in points, mean over seeds ± half of the 95 % confidence interval (paired t).",
        None => "Difference in points, one seed, which has no interval.",
    };
    Some(TableView {
        title: "Differences".to_owned(),
        node: node.planned.id.clone(),
        corner: "difference".to_owned(),
        columns: file.columns.values.iter().map(|name| Column { name: name.clone(), published: false }).collect(),
        rows,
        caption: caption.to_owned(),
        sources: Vec::new(),
    })
}

/// A table of all results: a row for each name, a column for each number of images per class.
fn of_results(results: &[Named]) -> Option<TableView> {
    let mut columns: Vec<String> = Vec::new();
    let mut labels: Vec<String> = Vec::new();
    for named in results {
        let ipc = ipc_of(named);
        (!columns.contains(&ipc)).then(|| columns.push(ipc));
        (!labels.contains(&named.name)).then(|| labels.push(named.name.clone()));
    }
    columns.sort_by(|a, b| a.parse::<f64>().unwrap_or(f64::INFINITY).total_cmp(&b.parse().unwrap_or(f64::INFINITY)));
    let mut cells = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for label in &labels {
        let mut shown = Vec::new();
        let mut readings = BTreeSet::new();
        for column in &columns {
            let mut all = BySeed::default();
            for named in results.iter().filter(|named| named.name == *label && ipc_of(named) == *column) {
                let accuracies = &named.results.reported.accuracies;
                all.add(named.seed_number(), accuracies.iter().map(|accuracy| PERCENT * accuracy));
                readings.insert(reading_words(&named.results.rule));
            }
            if all.nets() == 0 {
                shown.push(Cell::default());
                continue;
            }
            let cell = CellFile {
                row: label.clone(),
                column: column.clone(),
                mean: all.mean(),
                std_between_seeds: all.between_seeds(),
                std_between_nets: all.between_nets(),
                seeds: all.seeds(),
                nets: all.nets(),
                readings: Vec::new(),
            };
            shown.push(measured_cell(&cell, 1));
            cells.push(cell);
        }
        let reading = readings.into_iter().collect::<Vec<_>>().join("; ");
        rows.push(Row { label: label.clone(), cells: shown, reading });
    }
    let columns: Vec<Column> = columns.into_iter().map(|name| Column { name, published: false }).collect();
    mark_best(&columns, &mut rows);
    (!cells.is_empty()).then(|| TableView {
        title: "All results".to_owned(),
        node: String::new(),
        corner: "method \\ ipc".to_owned(),
        columns,
        rows,
        caption: caption(&cells),
        sources: Vec::new(),
    })
}

fn ipc_of(named: &Named) -> String {
    named.results.labels.get("ipc").map_or_else(|| NONE.to_owned(), plain)
}

/// Marks the highest means of each column as they are shown: what differs in digits that nobody sees is no difference.
fn mark_best(columns: &[Column], rows: &mut [Row]) {
    for (at, _) in columns.iter().enumerate().filter(|(_, column)| !column.published) {
        let value = |row: &Row| row.cells.get(at).and_then(|cell| cell.mean.parse::<f64>().ok());
        let best = rows.iter().filter_map(value).fold(f64::NEG_INFINITY, f64::max);
        if rows.iter().filter_map(value).count() > 1 {
            rows.iter_mut().filter(|row| value(row) == Some(best)).for_each(|row| row.cells[at].best = true);
        }
    }
}

fn counts(seeds: usize, nets: usize) -> String {
    format!("{}, {}", pddflow_report::count(seeds, "seed"), pddflow_report::count(nets, "net"))
}

fn caption(cells: &[CellFile]) -> String {
    let range = |of: &dyn Fn(&CellFile) -> usize, what: &str| {
        let (least, most) = (cells.iter().map(of).min().unwrap_or(0), cells.iter().map(of).max().unwrap_or(0));
        let text = pddflow_report::count(most, what);
        if least == most { text } else { format!("{least} to {text}") }
    };
    let (seeds, nets) = (range(&|cell| cell.seeds, "seed"), range(&|cell| cell.nets, "net"));
    let several = cells.iter().any(|cell| cell.std_between_seeds.is_some());
    let between = match several {
        true => "between seeds (in parentheses between nets of one seed)",
        false => "between nets",
    };
    format!("Test accuracy in percent; mean ± standard deviation {between}; each of {seeds}, {nets}.")
}

fn heading(label: &Value) -> String {
    match label {
        Value::Null => String::new(),
        Value::Array(names) => names.iter().map(plain).collect::<Vec<_>>().join(" / "),
        name => plain(name),
    }
}

/// A rule by which the moment of an accuracy was chosen, in words.
pub(crate) fn reading_words(rule: &str) -> &str {
    match rule {
        "last" => "last epoch",
        "best_on_held_out" => "best on held-out",
        "best_on_test" => "best on test",
        "at_epoch" => "that epoch",
        other => other,
    }
}
