//! A table as Markdown, CSV and JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arrange::{Arranged, Cell, published_json};
use super::params::{Published, TableParams};
use crate::observe::rule_text;

/// Where there is nothing.
const NONE: &str = "–";

/// The table in the form that papers and web pages take. The last column says which reading the measured numbers are.
pub(super) fn markdown(table: &Arranged, params: &TableParams) -> String {
    let mut text = params.title.as_ref().map_or_else(String::new, |title| format!("# {title}\n\n"));
    let with_published = |column: &String| table.published.iter().any(|placed| placed.column == *column);
    let mut head = vec![escape(&params.corner())];
    for column in &table.columns {
        head.push(escape(column));
        head.extend(with_published(column).then(|| format!("{} (published)", escape(column))));
    }
    let _ = writeln!(text, "| {} | reading |", head.join(" | "));
    let _ = writeln!(text, "|---{}|---|", "|---:".repeat(head.len() - 1));
    for (row, head) in table.rows.iter().enumerate() {
        let mut line = vec![escape(&head.label)];
        for column in &table.columns {
            line.push(table.cell(row, column).map_or_else(|| NONE.to_owned(), |cell| spread(cell, params.digits)));
            if with_published(column) {
                let found = table.published(row, column);
                line.push(found.map_or_else(|| NONE.to_owned(), |found| published_text(found, params.digits)));
            }
        }
        let _ = writeln!(text, "| {} | {} |", line.join(" | "), reading(table, row));
    }
    let _ = writeln!(text, "\n{}", caption(table));
    for source in sources(params) {
        let _ = writeln!(text, "Published: {source}.");
    }
    text
}

/// One line for each cell, for spreadsheets and programs.
pub(super) fn csv(table: &Arranged, params: &TableParams) -> String {
    let columns = params.columns.as_ref().map_or_else(|| "column".to_owned(), super::super::observe::Names::heading);
    let mut text = format!(
        "{},{},reading,mean,std,nets,results,pooled_over,published_mean,published_std,published_text,published_source,\
         published_reading\n",
        field(&params.rows.heading()),
        field(&columns)
    );
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let words = |value: Option<&String>| value.map_or_else(String::new, |value| field(value));
    for (row, column) in places(table) {
        let measured = table.cell(row, column).map_or_else(
            || ",,,,,".to_owned(),
            |cell| {
                let (mean, std) = cell.spread();
                let (nets, results) = (cell.accuracies.len(), cell.results);
                format!(
                    "{},{mean},{std},{nets},{results},{}",
                    field(&joined(&cell.rules)),
                    field(&joined(&cell.pooled))
                )
            },
        );
        let published = table.published(row, column);
        let _ = writeln!(
            text,
            "{},{},{measured},{},{},{},{},{}",
            field(&table.rows[row].label),
            field(column),
            number(published.and_then(|found| found.mean)),
            number(published.and_then(|found| found.std)),
            words(published.and_then(|found| found.text.as_ref())),
            words(published.and_then(|found| found.source.as_ref())),
            words(published.and_then(|found| found.reading.as_ref())),
        );
    }
    text
}

/// Everything, with the accuracy of each net.
pub(super) fn json(table: &Arranged, params: &TableParams) -> Value {
    let cell = |(row, column): (usize, &str)| {
        let cell = table.cell(row, column)?;
        let (mean, std) = cell.spread();
        Some(json!({
            "row": table.rows[row].label, "column": column, "mean": mean, "std": std,
            "nets": cell.accuracies.len(), "accuracies": cell.accuracies, "readings": cell.rules,
            "results": cell.results, "pooled_over": cell.pooled,
        }))
    };
    let rows: Vec<Value> = table.rows.iter().map(|row| json!({ "label": row.label, "reading": row.reading })).collect();
    json!({
        "format": 2,
        "title": params.title,
        "unit": "percent",
        "std": "population",
        "rows": { "label": params.rows, "values": rows },
        "columns": { "label": params.columns, "values": table.columns },
        "cells": places(table).into_iter().filter_map(cell).collect::<Vec<Value>>(),
        "published": table.published.iter().map(|placed| published_json(table, placed)).collect::<Vec<Value>>(),
    })
}

/// The places at which there is something, row by row.
fn places(table: &Arranged) -> Vec<(usize, &str)> {
    let all = (0..table.rows.len()).flat_map(|row| table.columns.iter().map(move |column| (row, column.as_str())));
    all.filter(|(row, column)| table.cell(*row, column).is_some() || table.published(*row, column).is_some()).collect()
}

fn reading(table: &Arranged, row: usize) -> String {
    let rules = table.cells.iter().filter(|cell| cell.row == row).flat_map(|cell| &cell.rules);
    let rules: BTreeSet<&str> = rules.map(|rule| rule_text(rule)).collect();
    if rules.is_empty() { NONE.to_owned() } else { rules.into_iter().collect::<Vec<_>>().join("; ") }
}

fn spread(cell: &Cell, digits: usize) -> String {
    let (mean, std) = cell.spread();
    match cell.accuracies.len() {
        1 => format!("{mean:.digits$}"),
        _ => format!("{mean:.digits$} ± {std:.digits$}"),
    }
}

fn published_text(published: &Published, digits: usize) -> String {
    match (&published.text, published.mean, published.std) {
        (Some(text), ..) => escape(text),
        (None, Some(mean), Some(std)) => format!("{mean:.digits$} ± {std:.digits$}"),
        (None, Some(mean), None) => format!("{mean:.digits$}"),
        (None, None, _) => NONE.to_owned(),
    }
}

/// Says what the numbers are: how many nets, and what they are pooled over.
fn caption(table: &Arranged) -> String {
    let mut counts: Vec<usize> = table.cells.iter().map(|cell| cell.accuracies.len()).collect();
    counts.sort_unstable();
    let nets = match (counts.first(), counts.last()) {
        (Some(1), Some(1)) => "1 net".to_owned(),
        (Some(least), Some(most)) if least == most => format!("mean ± population standard deviation over {most} nets"),
        (Some(least), Some(most)) => format!("mean ± population standard deviation over {least} to {most} nets"),
        _ => "no results".to_owned(),
    };
    let pooled: BTreeSet<&String> = table.cells.iter().flat_map(|cell| &cell.pooled).collect();
    let names: Vec<String> = pooled.into_iter().map(|name| format!("`{name}`")).collect();
    let pooled = if names.is_empty() { String::new() } else { format!(", pooled over {}", names.join(", ")) };
    format!("Test accuracy in percent, {nets}{pooled}.")
}

fn sources(params: &TableParams) -> BTreeSet<&str> {
    params.published.iter().filter_map(|found| found.source.as_deref()).collect()
}

fn joined(words: &BTreeSet<String>) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
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
    use super::super::arrange::arrange;
    use super::*;
    use crate::observe::tests::result;

    fn params() -> TableParams {
        serde_json::from_value(json!({
            "columns": "ipc",
            "published": [
                { "row": "a|b", "column": 10, "mean": 48.9, "std": 0.6, "source": "some paper" },
                { "row": "d", "column": 10, "text": "about 50" },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn the_three_forms_say_the_same() {
        let results =
            [result("a|b", json!({ "ipc": 10 }), &[0.5, 0.52], &[]), result("c, d", json!({ "ipc": 1 }), &[0.25], &[])];
        let table = arrange(&results, &params()).unwrap();
        assert_eq!(
            markdown(&table, &params()),
            "| method \\\\ ipc | 1 | 10 | 10 (published) | reading |\n\
             |---|---:|---:|---:|---|\n\
             | a\\|b | – | 51.0 ± 1.0 | 48.9 ± 0.6 | last epoch |\n\
             | c, d | 25.0 | – | – | last epoch |\n\
             | d | – | – | about 50 | – |\n\n\
             Test accuracy in percent, mean ± population standard deviation over 1 to 2 nets.\n\
             Published: some paper.\n"
        );
        let csv = csv(&table, &params());
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(
            lines[0],
            "method,ipc,reading,mean,std,nets,results,pooled_over,published_mean,published_std,published_text,\
             published_source,published_reading"
        );
        assert_eq!(lines[1], "a|b,10,last,51,1,2,1,,48.9,0.6,,some paper,");
        assert_eq!(lines[2], "\"c, d\",1,last,25,0,1,1,,,,,,");
        assert_eq!(lines[3], "d,10,,,,,,,,,about 50,,");
        let json = json(&table, &params());
        assert_eq!(json["cells"][0]["accuracies"], json!([50.0, 52.0]));
        assert_eq!(json["columns"]["values"], json!(["1", "10"]));
        assert_eq!(json["published"][1]["text"], "about 50");
    }
}
