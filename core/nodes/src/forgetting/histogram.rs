//! How many examples have which score: Markdown, CSV, JSON and SVG.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Whole scores get a bar each up to this many; more are put together in bars of equal width.
const MOST_BARS: u64 = 40;
/// Size of the picture and its margins, in SVG units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 46.0;
const TOP: f64 = 34.0;
const RIGHT: f64 = 14.0;
/// Ticks of each axis, at most.
const TICKS: u64 = 6;

/// The examples with a score from `from` up to `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) from: u64,
    /// The last score in it.
    pub(super) to: u64,
    pub(super) examples: usize,
    /// Of them, those that every run failed to learn.
    pub(super) never_learned: usize,
}

/// Bars from 0 to the highest score; `never` marks examples that every run failed to learn.
pub(super) fn bars(scores: &[u64], never: &[bool]) -> Vec<Bar> {
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
pub(super) fn markdown(bars: &[Bar]) -> String {
    let total = total(bars).max(1) as f64;
    let mut text = String::from("| score | examples | share | never learned |\n|---:|---:|---:|---:|\n");
    for bar in bars.iter().filter(|bar| bar.examples > 0) {
        let share = 100.0 * bar.examples as f64 / total;
        let _ = writeln!(text, "| {} | {} | {share:.1} % | {} |", label(bar), bar.examples, bar.never_learned);
    }
    text
}

/// For spreadsheets: every bar, also empty ones.
pub(super) fn csv(bars: &[Bar]) -> String {
    let mut text = String::from("from,to,examples,never_learned\n");
    for bar in bars {
        let _ = writeln!(text, "{},{},{},{}", bar.from, bar.to, bar.examples, bar.never_learned);
    }
    text
}

/// For programs.
pub(super) fn json(bars: &[Bar], made_by: &Value) -> Value {
    let one = |bar: &Bar| {
        json!({
            "from": bar.from, "to": bar.to, "examples": bar.examples, "never_learned": bar.never_learned,
        })
    };
    json!({ "made_by": made_by, "bars": bars.iter().map(one).collect::<Vec<Value>>() })
}

/// A picture; no colour carries meaning alone.
pub(super) fn svg(bars: &[Bar], title: &str) -> String {
    let highest = bars.iter().map(|bar| bar.examples).max().unwrap_or(0).max(1);
    let (plot_width, plot_height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let step = plot_width / bars.len().max(1) as f64;
    let y = |examples: f64| HEIGHT - BOTTOM - plot_height * examples / highest as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let middle = LEFT + plot_width / 2.0;
    let mut words = |x: f64, y: f64, anchor: &str, words: &str| {
        let _ = writeln!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(words));
    };
    words(middle, TOP - 14.0, "middle", title);
    words(middle, HEIGHT - 10.0, "middle", "score");
    for tick in 0..TICKS {
        let examples = highest as f64 * tick as f64 / (TICKS - 1) as f64;
        words(LEFT - 6.0, y(examples) + 4.0, "end", &format!("{examples:.0}"));
    }
    let every = (bars.len() as u64).div_ceil(2 * TICKS).max(1);
    for (number, bar) in bars.iter().enumerate().filter(|(number, _)| (*number as u64).is_multiple_of(every)) {
        words(LEFT + step * (number as f64 + 0.5), HEIGHT - BOTTOM + 16.0, "middle", &bar.from.to_string());
    }
    let mut rectangle = |number: usize, from: usize, to: usize, fill: &str| {
        let (x, top, bottom) = (LEFT + step * number as f64, y(to as f64), y(from as f64));
        let (width, height) = ((step - 1.0).max(0.5), bottom - top);
        let _ = writeln!(
            text,
            "<rect x=\"{x:.2}\" y=\"{top:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>"
        );
    };
    for (number, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.examples > 0) {
        rectangle(number, 0, bar.examples - bar.never_learned, "#4477aa");
        if bar.never_learned > 0 {
            rectangle(number, bar.examples - bar.never_learned, bar.examples, "#cc3311");
        }
    }
    text + "</svg>\n"
}

fn label(bar: &Bar) -> String {
    if bar.from == bar.to { bar.from.to_string() } else { format!("{} to {}", bar.from, bar.to) }
}

fn total(bars: &[Bar]) -> usize {
    bars.iter().map(|bar| bar.examples).sum()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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
        let text = svg(&bars(&[0, 1, 1], &[false, false, true]), "a < b");
        // The background, two learned parts, one never learned.
        assert_eq!(text.matches("<rect").count(), 4);
        assert!(text.contains("a &lt; b") && text.ends_with("</svg>\n"));
    }
}
