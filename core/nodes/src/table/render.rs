//! A table as Markdown, CSV and JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arrange::{Arranged, Cell};
use super::node::{Published, TableParams};

/// The table in the form that papers and web pages take.
pub(super) fn markdown(table: &Arranged, params: &TableParams) -> String {
    let mut text = params.title.as_ref().map_or_else(String::new, |title| format!("# {title}\n\n"));
    let published = !params.published.is_empty();
    let head = table.columns.iter().flat_map(|column| {
        let own = escape(column);
        let theirs = published.then(|| format!("{own} (published)"));
        std::iter::once(own).chain(theirs)
    });
    let head: Vec<String> = std::iter::once(escape(&params.corner())).chain(head).collect();
    let _ = writeln!(text, "| {} |", head.join(" | "));
    let _ = writeln!(text, "|---{}|", "|---:".repeat(head.len() - 1));
    for row in &table.rows {
        let mut line = vec![escape(row)];
        for column in &table.columns {
            line.push(table.cell(row, column).map_or_else(|| "–".to_owned(), |cell| spread(cell, params.digits)));
            if published {
                let found = params.published(row, column);
                line.push(found.map_or_else(|| "–".to_owned(), |found| published_text(found, params.digits)));
            }
        }
        let _ = writeln!(text, "| {} |", line.join(" | "));
    }
    let _ = writeln!(text, "\n{}", caption(table));
    for source in sources(params) {
        let _ = writeln!(text, "Published: {source}.");
    }
    text
}

/// One line for each cell, for spreadsheets and programs.
pub(super) fn csv(table: &Arranged, params: &TableParams) -> String {
    let columns = params.columns.clone().unwrap_or_else(|| "column".to_owned());
    let mut text =
        format!("{},{},mean,std,nets,reading,published_mean,published_std\n", field(&params.rows), field(&columns));
    for cell in ordered(table) {
        let (mean, std) = cell.spread();
        let published = params.published(&cell.row, &cell.column);
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let (nets, rules) = (cell.accuracies.len(), cell.rules.join("; "));
        let _ = writeln!(
            text,
            "{},{},{mean},{std},{nets},{},{},{}",
            field(&cell.row),
            field(&cell.column),
            field(&rules),
            number(published.map(|found| found.mean)),
            number(published.and_then(|found| found.std)),
        );
    }
    text
}

/// Everything, with the accuracy of each net.
pub(super) fn json(table: &Arranged, params: &TableParams) -> Value {
    let cell = |cell: &Cell| {
        let (mean, std) = cell.spread();
        json!({
            "row": cell.row, "column": cell.column, "mean": mean, "std": std,
            "nets": cell.accuracies.len(), "accuracies": cell.accuracies, "readings": cell.rules,
        })
    };
    json!({
        "format": 1,
        "title": params.title,
        "unit": "percent",
        "std": "population",
        "rows": { "label": params.rows, "values": table.rows },
        "columns": { "label": params.columns, "values": table.columns },
        "cells": ordered(table).into_iter().map(cell).collect::<Vec<Value>>(),
        "published": params.published,
    })
}

fn ordered(table: &Arranged) -> Vec<&Cell> {
    let of_row =
        |row: &'_ String| table.columns.iter().filter_map(|column| table.cell(row, column)).collect::<Vec<_>>();
    table.rows.iter().flat_map(of_row).collect()
}

fn spread(cell: &Cell, digits: usize) -> String {
    let (mean, std) = cell.spread();
    match cell.accuracies.len() {
        1 => format!("{mean:.digits$}"),
        _ => format!("{mean:.digits$} ± {std:.digits$}"),
    }
}

fn published_text(published: &Published, digits: usize) -> String {
    let mean = published.mean;
    published.std.map_or_else(|| format!("{mean:.digits$}"), |std| format!("{mean:.digits$} ± {std:.digits$}"))
}

/// Says what the numbers are: how many nets, which moment.
fn caption(table: &Arranged) -> String {
    let mut counts: Vec<usize> = table.cells.iter().map(|cell| cell.accuracies.len()).collect();
    counts.sort_unstable();
    let nets = match (counts.first(), counts.last()) {
        (Some(1), Some(1)) => "1 net".to_owned(),
        (Some(least), Some(most)) if least == most => format!("mean ± population standard deviation over {most} nets"),
        (Some(least), Some(most)) => format!("mean ± population standard deviation over {least} to {most} nets"),
        _ => "no results".to_owned(),
    };
    let mut rules: Vec<&str> = table.cells.iter().flat_map(|cell| &cell.rules).map(String::as_str).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules = if rules.is_empty() { String::new() } else { format!("; reading: {}", rules.join(", ")) };
    format!("Test accuracy in percent, {nets}{rules}.")
}

fn sources(params: &TableParams) -> Vec<&str> {
    let mut sources: Vec<&str> = params.published.iter().filter_map(|found| found.source.as_deref()).collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// A field by RFC 4180.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::arrange::{REPORTED, arrange, tests::result};
    use super::*;

    fn params() -> TableParams {
        serde_json::from_value(json!({
            "columns": "ipc",
            "published": [{ "row": "a|b", "column": 10, "mean": 48.9, "std": 0.6, "source": "some paper" }],
        }))
        .unwrap()
    }

    #[test]
    fn the_three_forms_say_the_same() {
        let results = [result("a|b", 10, &[0.5, 0.52]), result("c, d", 1, &[0.25])];
        let table = arrange(&results, "method", Some("ipc"), REPORTED).unwrap();
        assert_eq!(
            markdown(&table, &params()),
            "| method \\\\ ipc | 1 | 1 (published) | 10 | 10 (published) |\n\
             |---|---:|---:|---:|---:|\n\
             | a\\|b | – | – | 51.0 ± 1.0 | 48.9 ± 0.6 |\n\
             | c, d | 25.0 | – | – | – |\n\n\
             Test accuracy in percent, mean ± population standard deviation over 1 to 2 nets; reading: last epoch.\n\
             Published: some paper.\n"
        );
        let csv = csv(&table, &params());
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "method,ipc,mean,std,nets,reading,published_mean,published_std");
        assert_eq!(lines[1], "a|b,10,51,1,2,last epoch,48.9,0.6");
        assert_eq!(lines[2], "\"c, d\",1,25,0,1,last epoch,,");
        let json = json(&table, &params());
        assert_eq!(json["cells"][0]["accuracies"], json!([50.0, 52.0]));
        assert_eq!(json["columns"]["values"], json!(["1", "10"]));
    }
}
