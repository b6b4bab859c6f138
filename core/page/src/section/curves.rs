//! Metrics over the iterations of distillations, and accuracy over the epochs of evaluations.

use super::ChartView;
use super::images::{counts_stages, stage};
use super::named::{Named, all_results};
use crate::detail::{Detail, LeftOut};
use crate::draw::{COLOURS, Line, LineChart, Point};
use crate::gather::{Gathered, Node, without_seed};
use crate::words::{pairs, plain};
use pddflow_artifact::Curve;
use pddflow_artifact::statistics::{mean, sample_deviation};
use std::collections::{BTreeMap, BTreeSet};

/// Charts of a run.
const MOST_CHARTS: usize = 36;
/// The metric that is shown first.
const LOSS: &str = "loss";
const PERCENT: f64 = 100.0;
/// Fewer points than this are no curve.
const LEAST_POINTS: usize = 3;

/// The charts of a run: accuracies first.
pub(crate) fn curves(gathered: &Gathered<'_>, detail: &Detail, left_out: &LeftOut) -> Vec<ChartView> {
    let mut charts = accuracy_charts(&all_results(gathered));
    charts.extend(metric_charts(gathered));
    left_out.count(charts.len().min(MOST_CHARTS), charts.len(), "charts");
    charts.truncate(MOST_CHARTS);
    let longest = charts.iter().flat_map(|chart| &chart.lines).map(|line| line.points.len()).max().unwrap_or(0);
    if longest > detail.points {
        left_out.say(format!("Lines are drawn with at most {} points, their peaks among them.", detail.points));
    }
    charts.iter().map(|chart| drawn(chart, detail)).collect()
}

/// A chart with its legend.
pub(super) fn drawn(chart: &LineChart, detail: &Detail) -> ChartView {
    let banded = chart.lines.iter().flat_map(|line| &line.points).any(|point| point.spread.is_some());
    ChartView {
        title: chart.title.clone(),
        note: if banded { "mean, and its standard deviation as a band".to_owned() } else { String::new() },
        svg: chart.draw(detail.points),
        legend: chart.lines.iter().map(|line| (line.colour, line.name.clone())).collect(),
    }
}

/// Lines in charts of as many as there are colours.
pub(super) fn charts_of(lines: &[(String, Vec<Point>)], like: &LineChart) -> Vec<LineChart> {
    let several = lines.len() > COLOURS;
    let named = lines.chunks(COLOURS).enumerate().map(|(part, lines)| {
        let line = |(colour, (name, points)): (usize, &(String, Vec<Point>))| Line {
            name: name.clone(),
            colour,
            points: points.clone(),
        };
        let title = if several { format!("{} ({})", like.title, part + 1) } else { like.title.clone() };
        LineChart { title, lines: lines.iter().enumerate().map(line).collect(), ..like.clone() }
    });
    named.collect()
}

/// Mean and spread of values.
pub(super) fn point(x: f64, values: &[f64]) -> Point {
    let y = mean(values);
    Point { x, y, spread: sample_deviation(values).map(|deviation| (y - deviation, y + deviation)) }
}

/// A distillation of one stage with one seed.
struct Distilled {
    /// Its family and axes, without stage and seed.
    family: String,
    name: String,
    stage: usize,
    curve: Curve,
}

fn metric_charts(gathered: &Gathered<'_>) -> Vec<LineChart> {
    let curves: Vec<(&Node<'_>, Curve)> =
        gathered.of_type("curve").filter_map(|(node, output)| Some((node, gathered.curve(output)?))).collect();
    let nodes: Vec<&Node<'_>> = curves.iter().map(|(node, _)| *node).collect();
    let mut all = Vec::new();
    for (node, curve) in &curves {
        let (family, mut axes) = without_seed(node.planned);
        axes.retain(|(axis, _)| !counts_stages(axis, &family, &nodes));
        let name = if axes.is_empty() { family.clone() } else { pairs(&axes) };
        all.push(Distilled { family, name, stage: stage(node), curve: curve.clone() });
    }
    let mut charts = Vec::new();
    let mut families: Vec<&String> = Vec::new();
    all.iter().for_each(|one| {
        if !families.contains(&&one.family) {
            families.push(&one.family);
        }
    });
    for family in families {
        let of_family: Vec<&Distilled> = all.iter().filter(|one| one.family == *family).collect();
        let metrics: BTreeSet<&String> = of_family.iter().flat_map(|one| one.curve.series.keys()).collect();
        let (first, rest): (Vec<&String>, Vec<&String>) = metrics.into_iter().partition(|name| *name == LOSS);
        for metric in first.into_iter().chain(rest) {
            charts.extend(metric_chart(family, metric, &of_family));
        }
    }
    charts
}

fn metric_chart(family: &str, metric: &str, of_family: &[&Distilled]) -> Vec<LineChart> {
    let last = |one: &&Distilled| one.curve.series.get(metric).and_then(|points| points.last()).map(|point| point.0);
    let stages: BTreeSet<usize> = of_family.iter().map(|one| one.stage).collect();
    // Stages follow each other on the axis, each as long as its longest curve.
    let (mut begin, mut begins) = (0, BTreeMap::new());
    for stage in &stages {
        begins.insert(*stage, begin);
        begin += of_family.iter().filter(|one| one.stage == *stage).filter_map(last).max().unwrap_or(0) + 1;
    }
    let mut names: Vec<&String> = Vec::new();
    of_family.iter().for_each(|one| {
        if !names.contains(&&one.name) {
            names.push(&one.name);
        }
    });
    let mut lines = Vec::new();
    for name in names {
        let mut points: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for one in of_family.iter().filter(|one| one.name == *name) {
            let begin = begins.get(&one.stage).copied().unwrap_or(0);
            for (iteration, value) in one.curve.series.get(metric).into_iter().flatten() {
                points.entry(begin + iteration).or_default().push(*value);
            }
        }
        if points.len() >= LEAST_POINTS {
            let points = points.into_iter().map(|(x, values)| point(x as f64, &values)).collect();
            lines.push((name.clone(), points));
        }
    }
    let bounds = begins.iter().filter(|_| stages.len() > 1);
    let like = LineChart {
        title: format!("{family}: {metric}"),
        x_label: if stages.len() > 1 { "iterations of all stages" } else { "iteration" }.to_owned(),
        y_label: metric.replace('_', " "),
        bounds: bounds.map(|(stage, begin)| (*begin as f64, stage.to_string())).collect(),
        may_be_log: true,
        lines: Vec::new(),
    };
    charts_of(&lines, &like)
}

fn accuracy_charts(results: &[Named]) -> Vec<LineChart> {
    let mut facets: Vec<String> = Vec::new();
    let facet = |named: &Named| named.results.labels.get("ipc").map(plain).unwrap_or_default();
    for named in results {
        let ipc = facet(named);
        if !facets.contains(&ipc) {
            facets.push(ipc);
        }
    }
    let mut charts = Vec::new();
    for ipc in &facets {
        let here: Vec<&Named> = results.iter().filter(|named| facet(named) == *ipc).collect();
        charts.extend(accuracy_chart(ipc, &here));
    }
    charts
}

fn accuracy_chart(ipc: &str, here: &[&Named]) -> Vec<LineChart> {
    // Moments of a result: stages follow each other, each as long as its last epoch.
    let longest = |stage: usize| {
        let points = here.iter().flat_map(|named| &named.results.curve);
        points
            .filter(|point| point.phase.is_none() && point.reading.stage == stage)
            .map(|point| point.reading.epoch)
            .max()
            .unwrap_or(0)
    };
    let points = || here.iter().flat_map(|named| &named.results.curve).filter(|point| point.phase.is_none());
    let stages: BTreeSet<usize> = points().map(|point| point.reading.stage).collect();
    let (mut begin, mut begins) = (0, BTreeMap::new());
    for stage in &stages {
        begins.insert(*stage, begin);
        begin += longest(*stage);
    }
    let mut names: Vec<&String> = Vec::new();
    here.iter().for_each(|named| {
        if !names.contains(&&named.name) {
            names.push(&named.name);
        }
    });
    let mut lines = Vec::new();
    for name in names {
        let mut moments: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for named in here.iter().filter(|named| named.name == *name) {
            for point in named.results.curve.iter().filter(|point| point.phase.is_none()) {
                let x = begins.get(&point.reading.stage).copied().unwrap_or(0) + point.reading.epoch;
                moments
                    .entry(x)
                    .or_default()
                    .extend(point.reading.accuracies.iter().map(|accuracy| PERCENT * accuracy));
            }
        }
        if moments.len() >= LEAST_POINTS {
            lines.push((name.clone(), moments.into_iter().map(|(x, values)| point(x as f64, &values)).collect()));
        }
    }
    let title =
        if ipc.is_empty() { "Test accuracy".to_owned() } else { format!("Test accuracy, {ipc} images per class") };
    let bounds = begins.iter().filter(|_| stages.len() > 1);
    let like = LineChart {
        title,
        x_label: "epoch".to_owned(),
        y_label: "accuracy in percent".to_owned(),
        bounds: bounds.map(|(stage, begin)| (*begin as f64, format!("stage {stage}"))).collect(),
        ..LineChart::default()
    };
    charts_of(&lines, &like)
}
