//! A table as Markdown, CSV and JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pddflow_artifact::{DATA_USED, SCORE_READINGS};
use serde_json::{Value, json};

use super::arrange::{Arranged, Cell, RowDifference, published_json};
use super::params::{Published, TableParams};
use crate::observe::rule_text;
use pddflow_artifact::Names;

/// Where there is nothing.
const NONE: &str = "–";
/// What the scores are, below a table that has some.
const SCORES: &str =
    " HLR and IOR are differences of accuracies in points, LRS and ARS scores from 0 to 100 (DD-Ranking).";
const DATA: &str = " `data_used` is the share of the real training images that the sets were made from, in percent.";
/// Marks of footnotes.
const MARKS: [&str; 9] = ["¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"];
/// The reading of a published number that does not say which it is.
const UNSTATED: &str = "reading not stated";

/// The table in the form that papers and web pages take. The last column says which reading the measured numbers are.
pub(super) fn markdown(table: &Arranged, params: &TableParams) -> String {
    let mut text = params.title.as_ref().map_or_else(String::new, |title| format!("# {title}\n\n"));
    let mut notes: Vec<String> = Vec::new();
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
                line.push(found.map_or_else(
                    || NONE.to_owned(),
                    |found| published_text(found, params.digits) + mark(other_reading(table, row, found), &mut notes),
                ));
            }
        }
        let _ = writeln!(text, "| {} | {} |", line.join(" | "), reading(table, row));
    }
    text.push_str(&differences(table, params));
    let _ = writeln!(text, "\n{}", caption(table));
    for (note, mark) in notes.iter().zip(MARKS.iter().cycle()) {
        let _ = writeln!(text, "{mark} {note}.");
    }
    for source in sources(params) {
        let _ = writeln!(text, "Published: {source}.");
    }
    text
}

/// The reading of a published number where it is not that of the measured ones in its row.
fn other_reading<'a>(table: &Arranged, row: usize, published: &'a Published) -> Option<&'a str> {
    let Some(stated) = &published.reading else { return Some(UNSTATED) };
    let mut measured = table.cells.iter().filter(|cell| cell.row == row).flat_map(|cell| &cell.rules).peekable();
    let same = measured.peek().is_some() && measured.all(|rule| rule == stated);
    (!same).then(|| rule_text(stated))
}

/// The mark of a footnote; the same words have the same mark.
fn mark(words: Option<&str>, notes: &mut Vec<String>) -> &'static str {
    let Some(words) = words else { return "" };
    let place = notes.iter().position(|note| note == words).unwrap_or_else(|| {
        notes.push(words.to_owned());
        notes.len() - 1
    });
    MARKS[place % MARKS.len()]
}

/// The table of differences between rows.
fn differences(table: &Arranged, params: &TableParams) -> String {
    if table.differences.is_empty() {
        return String::new();
    }
    let mut text = "\n| difference |".to_owned();
    table.columns.iter().for_each(|column| text.push_str(&format!(" {} |", escape(column))));
    let _ = writeln!(text, "\n|---{}|", "|---:".repeat(table.columns.len()));
    let several = params.row_readings().len() > 1;
    let mut lines: Vec<(&[String; 2], &str)> = Vec::new();
    for found in &table.differences {
        if !lines.contains(&(&found.rows, &found.reading)) {
            lines.push((&found.rows, &found.reading));
        }
    }
    for (rows, reading) in lines {
        let reading_note = if several { format!(" ({})", rule_text(reading)) } else { String::new() };
        let _ = write!(text, "| {} − {}{reading_note} |", escape(&rows[0]), escape(&rows[1]));
        for column in &table.columns {
            let here =
                |found: &&RowDifference| found.rows == *rows && found.reading == reading && found.column == *column;
            let found = table.differences.iter().find(here);
            let _ =
                write!(text, " {} |", found.map_or_else(|| NONE.to_owned(), |found| difference(found, params.digits)));
        }
        text.push('\n');
    }
    let seeds = |found: &RowDifference| found.difference.seeds;
    let least = table.differences.iter().map(seeds).min().unwrap_or(0);
    let most = table.differences.iter().map(seeds).max().unwrap_or(0);
    text.push_str("\nDifference in points, ");
    text.push_str(&match (least, most) {
        (_, 1) => "one seed, which has no interval.\n".to_owned(),
        (least, most) => {
            format!("mean over {} ± half of the 95 % confidence interval (paired t).\n", range(least, most, "seed"))
        }
    });
    text
}

fn difference(found: &RowDifference, digits: usize) -> String {
    let mean = found.difference.mean;
    match found.difference.half_width {
        Some(half) => format!("{mean:+.digits$} ± {half:.digits$}"),
        None => format!("{mean:+.digits$}"),
    }
}

/// `2 seeds`, `1 to 3 nets`.
fn range(least: usize, most: usize, what: &str) -> String {
    let plural = if most == 1 { "" } else { "s" };
    if least == most { format!("{most} {what}{plural}") } else { format!("{least} to {most} {what}{plural}") }
}

/// One line for each cell, for spreadsheets and programs.
pub(super) fn csv(table: &Arranged, params: &TableParams) -> String {
    let columns = params.columns.as_ref().map_or_else(|| "column".to_owned(), Names::heading);
    let mut text = format!(
        "{},{},reading,mean,std_between_seeds,std_between_nets,seeds,nets,results,pooled_over,\
         published_mean,published_std,published_text,published_source,published_reading\n",
        field(&params.rows.heading()),
        field(&columns)
    );
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let words = |value: Option<&String>| value.map_or_else(String::new, |value| field(value));
    for (row, column) in places(table) {
        let measured = table.cell(row, column).map_or_else(
            || ",,,,,,,".to_owned(),
            |cell| {
                let all = &cell.accuracies;
                let (between_seeds, between_nets) = (number(all.between_seeds()), number(all.between_nets()));
                let (rules, pooled) = (field(&joined(&cell.rules)), field(&joined(&cell.pooled)));
                let (mean, seeds, nets, results) = (all.mean(), all.seeds(), all.nets(), cell.results);
                format!("{rules},{mean},{between_seeds},{between_nets},{seeds},{nets},{results},{pooled}")
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
        let all = &cell.accuracies;
        Some(json!({
            "row": table.rows[row].label, "column": column, "mean": all.mean(),
            "std_between_seeds": all.between_seeds(), "std_between_nets": all.between_nets(),
            "seeds": all.seeds(), "nets": all.nets(), "accuracies": all.values(), "readings": cell.rules,
            "results": cell.results, "pooled_over": cell.pooled,
        }))
    };
    let difference = |found: &RowDifference| {
        json!({
            "rows": found.rows, "reading": found.reading, "column": found.column, "mean": found.difference.mean,
            "half_width": found.difference.half_width, "seeds": found.difference.seeds,
        })
    };
    let rows: Vec<Value> = table.rows.iter().map(|row| json!({ "label": row.label, "reading": row.reading })).collect();
    json!({
        "format": 3,
        "title": params.title,
        "unit": "percent",
        "std": "sample",
        "rows": { "label": params.rows, "values": rows },
        "columns": { "label": params.columns, "values": table.columns },
        "cells": places(table).into_iter().filter_map(cell).collect::<Vec<Value>>(),
        "differences": table.differences.iter().map(difference).collect::<Vec<Value>>(),
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
    let rules: Vec<&String> = rules.collect();
    // Where there are accuracies too, theirs is what the scores are of.
    let accuracies = rules.iter().any(|rule| !is_score(rule));
    let rules = rules.into_iter().filter(|rule| !accuracies || !is_score(rule));
    let rules: BTreeSet<&str> = rules.map(|rule| rule_text(rule)).collect();
    if rules.is_empty() { NONE.to_owned() } else { rules.into_iter().collect::<Vec<_>>().join("; ") }
}

/// Mean ± deviation; with several seeds the deviation between nets of one seed stands apart, in parentheses.
fn spread(cell: &Cell, digits: usize) -> String {
    let all = &cell.accuracies;
    let mean = all.mean();
    match (all.between_seeds(), all.between_nets()) {
        (Some(seeds), Some(nets)) => format!("{mean:.digits$} ± {seeds:.digits$} ({nets:.digits$})"),
        (Some(deviation), None) | (None, Some(deviation)) => format!("{mean:.digits$} ± {deviation:.digits$}"),
        (None, None) => format!("{mean:.digits$}"),
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

/// Says what the numbers are: how many seeds and nets, and what they are pooled over.
fn caption(table: &Arranged) -> String {
    let counts = |count: &dyn Fn(&Cell) -> usize| {
        let all = || table.cells.iter().map(count);
        (all().min().unwrap_or(0), all().max().unwrap_or(0))
    };
    let (least_seeds, seeds) = counts(&|cell| cell.accuracies.seeds());
    let (least_nets, nets) = counts(&|cell| cell.accuracies.nets());
    let nets_text = range(least_nets, nets, "net");
    let nets = match (seeds, nets) {
        (0, _) => "no results".to_owned(),
        (1, 1) => nets_text,
        (1, _) => format!("mean ± standard deviation over {nets_text}"),
        _ => {
            let seeds = range(least_seeds, seeds, "seed");
            format!(
                "mean ± standard deviation over {seeds}, {nets_text} in all (in parentheses the deviation between nets of one seed)"
            )
        }
    };
    let pooled: BTreeSet<&String> = table.cells.iter().flat_map(|cell| &cell.pooled).collect();
    let names: Vec<String> = pooled.into_iter().map(|name| format!("`{name}`")).collect();
    let pooled = if names.is_empty() { String::new() } else { format!(", pooled over {}", names.join(", ")) };
    let any = |wanted: &dyn Fn(&str) -> bool| table.cells.iter().flat_map(|cell| &cell.rules).any(|rule| wanted(rule));
    let scores = if any(&is_score) { SCORES } else { "" };
    let data = if any(&|rule| rule == DATA_USED) { DATA } else { "" };
    format!("Test accuracy in percent, {nets}{pooled}.{scores}{data}")
}

fn is_score(rule: &str) -> bool {
    SCORE_READINGS.contains(&rule)
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
    use pddflow_artifact::Results;

    fn params() -> TableParams {
        serde_json::from_value(json!({
            "columns": "ipc",
            "published": [
                { "row": "a|b", "column": 10, "mean": 48.9, "std": 0.6, "source": "some paper", "reading": "last" },
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
             | a\\|b | – | 51.0 ± 1.4 | 48.9 ± 0.6 | last epoch |\n\
             | c, d | 25.0 | – | – | last epoch |\n\
             | d | – | – | about 50¹ | – |\n\n\
             Test accuracy in percent, mean ± standard deviation over 1 to 2 nets.\n\
             ¹ reading not stated.\n\
             Published: some paper.\n"
        );
        let csv = csv(&table, &params());
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(
            lines[0],
            "method,ipc,reading,mean,std_between_seeds,std_between_nets,seeds,nets,results,pooled_over,\
             published_mean,published_std,published_text,published_source,published_reading"
        );
        let between_nets = 2.0_f64.sqrt();
        assert_eq!(lines[1], format!("a|b,10,last,51,,{between_nets},1,2,1,,48.9,0.6,,some paper,last"));
        assert_eq!(lines[2], "\"c, d\",1,last,25,,,1,1,1,,,,,,");
        assert_eq!(lines[3], "d,10,,,,,,,,,,,about 50,,");
        let json = json(&table, &params());
        assert_eq!(json["cells"][0]["accuracies"], json!([50.0, 52.0]));
        assert_eq!(json["columns"]["values"], json!(["1", "10"]));
        assert_eq!(json["published"][1]["text"], "about 50");
    }
    #[test]
    fn seeds_have_a_deviation_of_their_own_and_rows_an_interval() {
        let of = |method: &str, seed: u64, nets: &[f64]| Results {
            protocol: json!({ "seed": seed }),
            ..result(method, json!({}), nets, &[])
        };
        let results = [
            of("MTT", 0, &[0.25, 0.27]),
            of("MTT", 1, &[0.26, 0.28]),
            of("PDD", 0, &[0.35, 0.37]),
            of("PDD", 1, &[0.38, 0.40]),
        ];
        let params: TableParams = serde_json::from_value(json!({ "differences": [["PDD", "MTT"]] })).unwrap();
        assert_eq!(
            markdown(&arrange(&results, &params).unwrap(), &params),
            "| method | accuracy | reading |\n\
             |---|---:|---|\n\
             | MTT | 26.5 ± 0.7 (1.4) | last epoch |\n\
             | PDD | 37.5 ± 2.1 (1.4) | last epoch |\n\n\
             | difference | accuracy |\n\
             |---|---:|\n\
             | PDD − MTT | +11.0 ± 12.7 |\n\n\
             Difference in points, mean over 2 seeds ± half of the 95 % confidence interval (paired t).\n\n\
             Test accuracy in percent, mean ± standard deviation over 2 seeds, 4 nets in all (in parentheses the \
             deviation between nets of one seed).\n"
        );
    }
}
