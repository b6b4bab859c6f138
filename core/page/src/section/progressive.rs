//! What progressive distillation is judged by: accuracy by stage, the same sets used in other ways, the difficulty of the
//! real images, and class-incremental learning.

use super::ChartView;
use super::curves::{charts_of, drawn, point};
use super::named::{Named, all_results};
use crate::detail::Detail;
use crate::draw::{Bar, LineChart, Point, bars};
use crate::gather::{Gathered, Node};
use crate::words::plain;
use pddflow_artifact::CurvePoint;
use std::collections::{BTreeMap, BTreeSet};

const PERCENT: f64 = 100.0;
/// Whole scores get a bar each up to so many.
const MOST_BARS: f64 = 40.0;
/// Shades of a matrix.
const SHADES: f64 = 8.0;

/// The charts and matrices.
pub(crate) struct Progressive {
    pub(crate) charts: Vec<ChartView>,
    pub(crate) matrices: Vec<Matrix>,
}

/// Accuracy after each phase of class-incremental learning.
pub(crate) struct Matrix {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    /// Name and cells: text, spread and shade of each.
    pub(crate) rows: Vec<(String, Vec<Shaded>)>,
}

/// A cell of a matrix.
pub(crate) struct Shaded {
    pub(crate) text: String,
    pub(crate) spread: String,
    /// As the style sheet names it, `h0` to `h8`; empty for no value.
    pub(crate) shade: String,
}

/// What of it a run has.
pub(crate) fn progressive(gathered: &Gathered<'_>, detail: &Detail) -> Progressive {
    let results = all_results(gathered);
    let mut charts: Vec<ChartView> = by_stage(&results).iter().map(|chart| drawn(chart, detail)).collect();
    charts.extend(modes(&results).iter().map(|chart| drawn(chart, detail)));
    charts.extend(difficulties(gathered));
    Progressive { charts, matrices: matrix(&results).into_iter().collect() }
}

/// The accuracy at the end of each stage.
fn by_stage(results: &[Named]) -> Vec<LineChart> {
    let mut lines: Vec<(String, BTreeMap<usize, Vec<f64>>)> = Vec::new();
    let longest: Vec<&Named> = results.iter().filter(|named| is_longest(named, results)).collect();
    for named in &longest {
        let ends = ends(&named.results.curve, |point| point.reading.stage);
        if ends.len() < 2 {
            continue;
        }
        let ipc = named.results.labels.get("ipc").map(plain).unwrap_or_default();
        let name = if several_ipc(&longest) { format!("{}, ipc {ipc}", named.name) } else { named.name.clone() };
        let line = line_of(&mut lines, name);
        for (stage, point) in ends {
            line.entry(stage).or_default().extend(point.reading.accuracies.iter().map(|accuracy| PERCENT * accuracy));
        }
    }
    let like = LineChart {
        title: "Accuracy after each stage".to_owned(),
        x_label: "stage".to_owned(),
        y_label: "accuracy in percent".to_owned(),
        ..LineChart::default()
    };
    charts_of(&drawn_lines(lines), &like)
}

/// Whether no other result of the same method, used in the same way, goes on to later stages; and no phases are in it.
fn is_longest(named: &Named, all: &[Named]) -> bool {
    let label = |named: &Named, name: &str| named.results.labels.get(name).map(plain);
    let stages = |named: &Named| named.results.curve.iter().map(|point| point.reading.stage).max().unwrap_or(0);
    let like = |other: &&Named| {
        other.results.method == named.results.method
            && ["training", "model"].iter().all(|name| label(other, name) == label(named, name))
    };
    let longest = all.iter().filter(like).map(stages).max().unwrap_or(0);
    named.results.curve.iter().all(|point| point.phase.is_none()) && stages(named) == longest
}

/// The same sets used at once, one after the other, and progressively.
fn modes(results: &[Named]) -> Vec<LineChart> {
    let training = |named: &Named| named.results.labels.get("training").map(plain);
    let sets = |named: &Named| named.results.labels.get("sets").and_then(serde_json::Value::as_u64);
    let mut methods: Vec<(&str, Vec<&Named>)> = Vec::new();
    for named in results.iter().filter(|named| training(named).is_some() && sets(named).is_some_and(|sets| sets > 0)) {
        match methods.iter_mut().find(|(method, _)| *method == named.results.method) {
            Some((_, members)) => members.push(named),
            None => methods.push((&named.results.method, vec![named])),
        }
    }
    let mut charts = Vec::new();
    for (method, members) in methods {
        let ways: BTreeSet<String> = members.iter().filter_map(|named| training(named)).collect();
        if ways.len() < 2 {
            continue;
        }
        let lines = ways.into_iter().map(|way| {
            let mut line: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            for named in members.iter().filter(|named| training(named).as_deref() == Some(&way)) {
                let count = sets(named).and_then(|sets| usize::try_from(sets).ok()).unwrap_or(0);
                let accuracies = named.results.reported.accuracies.iter();
                line.entry(count).or_default().extend(accuracies.map(|accuracy| PERCENT * accuracy));
            }
            (way, line)
        });
        let like = LineChart {
            title: format!("{method}: the same sets, used in several ways"),
            x_label: "sets".to_owned(),
            y_label: "accuracy in percent".to_owned(),
            ..LineChart::default()
        };
        charts.extend(charts_of(&drawn_lines(lines.collect()), &like));
    }
    charts
}

/// The last point of each place, in the order of the places.
fn ends<P: Ord>(curve: &[CurvePoint], place: impl Fn(&CurvePoint) -> P) -> BTreeMap<P, &CurvePoint> {
    curve.iter().map(|point| (place(point), point)).collect()
}

fn several_ipc(results: &[&Named]) -> bool {
    results.iter().filter_map(|named| named.results.labels.get("ipc")).map(plain).collect::<BTreeSet<_>>().len() > 1
}

fn line_of(lines: &mut Vec<(String, BTreeMap<usize, Vec<f64>>)>, name: String) -> &mut BTreeMap<usize, Vec<f64>> {
    let place = lines.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
        lines.push((name, BTreeMap::new()));
        lines.len() - 1
    });
    &mut lines[place].1
}

fn drawn_lines(lines: Vec<(String, BTreeMap<usize, Vec<f64>>)>) -> Vec<(String, Vec<Point>)> {
    let points =
        |line: BTreeMap<usize, Vec<f64>>| line.into_iter().map(|(x, values)| point(x as f64, &values)).collect();
    lines.into_iter().map(|(name, line)| (name, points(line))).collect()
}

/// How many real images are how difficult, with the bounds of the bins that were cut out of them.
fn difficulties(gathered: &Gathered<'_>) -> Vec<ChartView> {
    let mut charts = Vec::new();
    for (at, node) in gathered.nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|output| output.artifact == "scores") {
            let Some(scores) = gathered.scores(output) else { continue };
            let bounds = bounds(gathered, at, &scores.scores);
            let drawn = histogram(&scores.scores);
            charts.push(ChartView {
                title: format!("{}: {} scores", node.planned.id, scores.method),
                note: if bounds.is_empty() {
                    String::new()
                } else {
                    "the lines bound the bins of the stages".to_owned()
                },
                svg: bars(&drawn, &bounds, ("score", "training images")),
                legend: Vec::new(),
            });
        }
    }
    charts
}

fn histogram(scores: &[f64]) -> Vec<Bar> {
    let (low, high) =
        scores.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    if low > high {
        return Vec::new();
    }
    let whole = scores.iter().all(|score| score.fract() == 0.0);
    let width = match whole {
        true => ((high - low + 1.0) / MOST_BARS).ceil().max(1.0),
        false => ((high - low) / 30.0).max(f64::MIN_POSITIVE),
    };
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for score in scores {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place of a few dozen")]
        let place = (((score - low) / width).floor() as u64).min(MOST_BARS as u64);
        *counts.entry(place).or_default() += 1;
    }
    let bar = |(place, count): (u64, usize)| {
        let from = low + place as f64 * width;
        Bar { from, to: from + width, count }
    };
    counts.into_iter().map(bar).collect()
}

/// The lower bounds of the bins that `filter` nodes cut by these scores, with their numbers.
fn bounds(gathered: &Gathered<'_>, scores_node: usize, scores: &[f64]) -> Vec<(f64, String)> {
    let cuts = |node: &&Node<'_>| {
        node.planned.kind == "filter"
            && node.planned.inputs.get("scores").is_some_and(|from| from.iter().any(|(at, _)| *at == scores_node))
    };
    let mut lows: Vec<f64> = gathered.nodes.iter().filter(cuts).filter_map(|node| lower_bound(node, scores)).collect();
    lows.sort_by(f64::total_cmp);
    lows.dedup();
    lows.into_iter().enumerate().map(|(at, low)| (low, (at + 1).to_string())).collect()
}

fn lower_bound(node: &Node<'_>, scores: &[f64]) -> Option<f64> {
    let with = &node.planned.with;
    if let Some(low) = with["range"][0].as_f64() {
        return Some(low);
    }
    if let (Some(edges), Some(number)) = (with["bin"]["edges"].as_array(), with["bin"]["number"].as_u64()) {
        return edges.get(usize::try_from(number).ok()?.checked_sub(1)?)?.as_f64();
    }
    // Of classes that are cut apart there is no common bound.
    if with["per_class"].as_bool() == Some(true) {
        return None;
    }
    let share = with["quantile"][0].as_f64()?;
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let place = (share * sorted.len() as f64) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied()
}

/// Accuracy on all classes seen so far, after each phase.
fn matrix(results: &[Named]) -> Option<Matrix> {
    let mut rows: Vec<(String, BTreeMap<usize, Vec<f64>>)> = Vec::new();
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    for named in results {
        let phases = ends(&named.results.curve, |point| point.phase.map_or(0, |phase| phase.number));
        for (number, point) in phases.into_iter().filter(|(number, _)| *number > 0) {
            seen.insert(number, point.phase.map_or(0, |phase| phase.classes_seen));
            let accuracies = point.reading.accuracies.iter().map(|accuracy| PERCENT * accuracy);
            line_of(&mut rows, named.name.clone()).entry(number).or_default().extend(accuracies);
        }
    }
    let means =
        || rows.iter().flat_map(|(_, row)| row.values()).map(|values| pddflow_artifact::statistics::mean(values));
    let (low, high) = means().fold((f64::INFINITY, 0.0_f64), |(low, high), mean| (low.min(mean), high.max(mean)));
    let cell = |values: Option<&Vec<f64>>| {
        let Some(values) = values else {
            return Shaded { text: "–".into(), spread: String::new(), shade: String::new() };
        };
        let point = point(0.0, values);
        let share = if high > low { (point.y - low) / (high - low) } else { 1.0 };
        Shaded {
            text: format!("{:.1}", point.y),
            spread: point.spread.map_or_else(String::new, |(_, high)| format!("± {:.1}", high - point.y)),
            shade: format!("h{:.0}", share * SHADES),
        }
    };
    let shown =
        rows.iter().map(|(name, row)| (name.clone(), seen.keys().map(|number| cell(row.get(number))).collect()));
    (!rows.is_empty()).then(|| Matrix {
        title: "Accuracy in percent on the classes seen so far".to_owned(),
        columns: seen.iter().map(|(number, classes)| format!("phase {number}, {classes} classes")).collect(),
        rows: shown.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_is_in_a_bar() {
        for scores in [vec![0.0, 1.0, 1.0, 200.0], vec![0.25, 0.5, 0.75], vec![3.0; 5], vec![]] {
            let bars = histogram(&scores);
            assert_eq!(bars.iter().map(|bar| bar.count).sum::<usize>(), scores.len());
            assert!(bars.len() <= 41);
        }
    }
}
