//! How many examples have which score: Markdown, CSV, JSON and SVG.

use std::fmt::Write as _;

use pddflow_artifact::Files;
use pddflow_artifact::failure::{During, NodeResult};
use serde_json::{Value, json};

use crate::drawing::{self, Axis, Chart, Marks};

/// Whole scores get a bar each up to this many; more are put together in bars of equal width.
const MOST_BARS: u64 = 40;
/// Size of the picture.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;

/// The examples with a score from `from` up to `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bar {
    from: u64,
    /// The last score in it.
    to: u64,
    examples: usize,
    /// Of them, those that every run failed to learn.
    never_learned: usize,
}

/// `histogram.md`, `histogram.csv`, `histogram.json` and `histogram.svg`; `never` marks examples that every run failed to learn.
///
/// # Errors
/// The chart cannot be drawn.
pub fn files(scores: &[u64], never: &[bool], title: &str, made_by: &Value) -> NodeResult<Files> {
    let bars = bars(scores, never);
    let json = serde_json::to_vec_pretty(&json(&bars, made_by)).during("writing the histogram")?;
    Files::of([
        ("histogram.md", markdown(&bars).into_bytes()),
        ("histogram.csv", csv(&bars).into_bytes()),
        ("histogram.json", json),
        ("histogram.svg", svg(&bars, title)?.into_bytes()),
    ])
}

/// Bars from 0 to the highest score; `never` marks examples that every run failed to learn.
fn bars(scores: &[u64], never: &[bool]) -> Vec<Bar> {
    let highest = scores.iter().copied().max().unwrap_or(0);
    let width = (highest + 1).div_ceil(MOST_BARS);
    let starts = (0..=highest / width).map(|bar| bar * width);
    let empty = |from: u64| Bar { from, to: from + width - 1, examples: 0, never_learned: 0 };
    let mut bars: Vec<Bar> = starts.map(empty).collect();
    for (score, never) in scores.iter().zip(never) {
        let place = usize::try_from(score / width).unwrap_or(usize::MAX);
        if let Some(bar) = bars.get_mut(place) {
            bar.examples += 1;
            bar.never_learned += usize::from(*never);
        }
    }
    bars
}

/// For people.
fn markdown(bars: &[Bar]) -> String {
    let total = total(bars).max(1) as f64;
    let mut text = String::from("| score | examples | share | never learned |\n|---:|---:|---:|---:|\n");
    for bar in bars.iter().filter(|bar| bar.examples > 0) {
        let share = 100.0 * bar.examples as f64 / total;
        let _ = writeln!(text, "| {} | {} | {share:.1} % | {} |", label(bar), bar.examples, bar.never_learned);
    }
    text
}

/// For spreadsheets: every bar, also empty ones.
fn csv(bars: &[Bar]) -> String {
    let mut text = String::from("from,to,examples,never_learned\n");
    for bar in bars {
        let _ = writeln!(text, "{},{},{},{}", bar.from, bar.to, bar.examples, bar.never_learned);
    }
    text
}

/// For programs.
fn json(bars: &[Bar], made_by: &Value) -> Value {
    let one = |bar: &Bar| {
        json!({
            "from": bar.from, "to": bar.to, "examples": bar.examples, "never_learned": bar.never_learned,
        })
    };
    json!({ "made_by": made_by, "bars": bars.iter().map(one).collect::<Vec<Value>>() })
}

/// For papers: the examples that no run learned are the upper part of a bar.
fn chart(bars: &[Bar], title: &str) -> Chart {
    let bar = |bar: &Bar| drawing::Bar {
        from: bar.from as f64 - 0.5,
        to: bar.to as f64 + 0.5,
        count: bar.examples as u64,
        marked: bar.never_learned as u64,
    };
    let drawn: Vec<drawing::Bar> = bars.iter().map(bar).collect();
    let highest = bars.iter().map(|bar| bar.examples).max().unwrap_or(0);
    Chart {
        title: Some(title.to_owned()),
        x_label: "score".to_owned(),
        y_label: "training examples".to_owned(),
        x: Axis::of_bars(&drawn),
        y: Axis::count(highest as f64),
        marks: Marks::Bars(drawn),
    }
}

/// The same as SVG.
fn svg(bars: &[Bar], title: &str) -> NodeResult<String> {
    drawing::svg(&chart(bars, title), WIDTH, HEIGHT)
}

fn label(bar: &Bar) -> String {
    if bar.from == bar.to { bar.from.to_string() } else { format!("{} to {}", bar.from, bar.to) }
}

fn total(bars: &[Bar]) -> usize {
    bars.iter().map(|bar| bar.examples).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_scores_have_a_bar_each() {
        let found = bars(&[0, 2, 2, 0, 3], &[false, false, true, false, true]);
        let counts: Vec<(u64, u64, usize, usize)> =
            found.iter().map(|bar| (bar.from, bar.to, bar.examples, bar.never_learned)).collect();
        assert_eq!(counts, [(0, 0, 2, 0), (1, 1, 0, 0), (2, 2, 2, 1), (3, 3, 1, 1)]);
        assert_eq!(csv(&found).lines().nth(3), Some("2,2,2,1"));
        assert!(markdown(&found).contains("| 2 | 2 | 40.0 % | 1 |"), "{}", markdown(&found));
    }

    #[test]
    fn many_scores_share_bars_and_none_is_lost() {
        let scores: Vec<u64> = (0..=200).collect();
        let found = bars(&scores, &[false; 201]);
        assert!(found.len() <= usize::try_from(MOST_BARS).unwrap());
        assert_eq!(total(&found), 201);
        assert_eq!((found[1].from, found[1].to), (6, 11));
    }

    #[test]
    fn the_picture_has_a_rectangle_for_each_part() {
        let text = svg(&bars(&[0, 1, 1], &[false, false, true]), "a < b").unwrap();
        // The background, two learned parts, one never learned.
        assert!(text.matches("<rect").count() >= 4, "{text}");
        assert!(text.contains("a &lt; b"), "{text}");
    }
}
