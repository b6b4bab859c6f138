//! Results as lines.

use pddflow_artifact::Results;
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params::suggestion;
use pddflow_artifact::statistics::BySeed;
use serde_json::Value;

use super::params::FigureParams;
use crate::drawing::{Axis, Chart, Line, Marks, Point, Points, Scale, Spread};
use crate::observe::{ChoiceLabels, PoolRule, observe};

const PERCENT: f64 = 100.0;

/// The chart of results. Results at the same place of a line are pooled by seed.
pub(super) fn chart(results: &[Results], params: &FigureParams) -> NodeResult<Chart> {
    let mut gathered: Vec<Gathered<'_>> = Vec::new();
    let by: Vec<&str> = params.lines.0.iter().map(String::as_str).chain([params.x.as_str()]).collect();
    let observations = observe(results, &by, &params.reading)?;
    let choices = ChoiceLabels::of(&observations, &by);
    let rule = PoolRule { arranged_by: by, allowed: &params.pool };
    for observation in &observations {
        let x = observation.value(&params.x).as_ref().and_then(number);
        let name = observation.text(&params.lines, &choices)?;
        let place = gathered.iter().position(|known| known.name == name && known.x == x).unwrap_or_else(|| {
            gathered.push(Gathered { name, x, percent: BySeed::default(), seen: Vec::new() });
            gathered.len() - 1
        });
        let point = &mut gathered[place];
        let at = x.map_or_else(String::new, |x| format!(" at {} {x}", params.x));
        let name = format!("the line `{}`{at}", point.name);
        if rule.admit(&mut point.seen, observation.result, &name)?.is_none() {
            continue;
        }
        point.percent.add(observation.seed(), observation.accuracies.iter().map(|share| PERCENT * share));
    }
    check_places(results, &gathered, params)?;
    let mut lines = lines(gathered);
    let levels: Vec<Line> = params.shares.iter().flat_map(|share| shares_of(&lines, *share)).collect();
    lines.extend(levels);
    let places: Vec<f64> = lines.iter().flat_map(|line| along(line).iter().map(|point| point.x)).collect();
    let reach = |spread: &Spread| {
        let std = if params.error_bars { spread.std } else { 0.0 };
        [spread.mean - std, spread.mean + std]
    };
    let heights: Vec<f64> = lines.iter().flat_map(spreads).flat_map(reach).collect();
    Ok(Chart {
        title: params.title.clone(),
        x_label: params.x_label.clone().unwrap_or_else(|| name_of(&params.x).to_owned()),
        y_label: params.y_label.clone().unwrap_or_else(|| "test accuracy (%)".to_owned()),
        x: Axis::over(&places, params.x_scale),
        y: Axis::percent(&heights),
        marks: Marks::Lines { lines, error_bars: params.error_bars },
    })
}

struct Gathered<'a> {
    name: String,
    /// None on a level line.
    x: Option<f64>,
    percent: BySeed,
    /// The results that it is made of.
    seen: Vec<&'a Results>,
}

/// A number, also where it is written as a text.
fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.filter(|number| number.is_finite())
}

fn check_places(results: &[Results], gathered: &[Gathered<'_>], params: &FigureParams) -> NodeResult<()> {
    if gathered.iter().all(|one| one.x.is_none()) {
        let names = results.first().map(Results::label_names).unwrap_or_default();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("no result has a number as `{}`", params.x);
        return Err(fail("no_label", message).with_help(suggestion(&params.x, &known)));
    }
    let below = gathered.iter().filter_map(|one| one.x).find(|x| *x <= 0.0);
    match below {
        Some(x) if params.x_scale == Scale::Log => {
            let message = format!("{x} has no place on a logarithmic axis");
            Err(fail("log_scale", message).with_help("write `x_scale: linear`"))
        }
        _ => Ok(()),
    }
}

fn lines(gathered: Vec<Gathered<'_>>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for Gathered { name, x, percent, .. } in gathered {
        let std = percent.deviation().unwrap_or(0.0);
        let y = Spread { mean: percent.mean(), std, seeds: percent.seeds(), nets: percent.nets() };
        let Some(x) = x else {
            lines.push(Line { name, points: Points::Level(y) });
            continue;
        };
        let known = lines.iter_mut().find_map(|line| match &mut line.points {
            Points::Along(points) if line.name == name => Some(points),
            _ => None,
        });
        match known {
            Some(points) => points.push(Point { x, y }),
            None => lines.push(Line { name, points: Points::Along(vec![Point { x, y }]) }),
        }
    }
    for line in &mut lines {
        if let Points::Along(points) = &mut line.points {
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
        }
    }
    lines
}

/// A level line at a share of each level line; the share of a mean has no deviation of its own.
fn shares_of(lines: &[Line], share: f64) -> Vec<Line> {
    let share_of = |line: &Line| match &line.points {
        Points::Level(level) => Some(Line {
            name: format!("{}% of {}", PERCENT * share, line.name),
            points: Points::Level(Spread { mean: share * level.mean, std: 0.0, ..*level }),
        }),
        Points::Along(_) => None,
    };
    lines.iter().filter_map(share_of).collect()
}

fn along(line: &Line) -> &[Point] {
    match &line.points {
        Points::Along(points) => points,
        Points::Level(_) => &[],
    }
}

fn spreads(line: &Line) -> Vec<&Spread> {
    match &line.points {
        Points::Along(points) => points.iter().map(|point| &point.y).collect(),
        Points::Level(level) => vec![level],
    }
}

/// What people call an axis.
fn name_of(x: &str) -> &str {
    match x {
        "ipc" => "images per class",
        "classes_seen" => "classes seen",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::tests::result;

    fn params(with: Value) -> FigureParams {
        serde_json::from_value(with).unwrap()
    }

    #[test]
    fn results_of_one_place_are_pooled_and_points_ascend() {
        let results = [
            result("dm", json!({ "ipc": 50 }), &[0.5], &[]),
            result("dm", json!({ "ipc": 10, "order": 0 }), &[0.25], &[]),
            result("dm", json!({ "ipc": 10, "order": 1 }), &[0.75], &[]),
            result("full", json!({ "ipc": "full" }), &[0.9], &[]),
        ];
        let error = chart(&results, &params(json!({}))).unwrap_err();
        assert!(error.message.contains("differ in `order`: 0 and 1"), "{}", error.message);
        let chart = chart(&results, &params(json!({ "pool": ["order"] }))).unwrap();
        let std = 25.0 * 2.0_f64.sqrt();
        let csv =
            format!("line,images per class,mean,std,seeds,nets\ndm,10,50,{std},1,2\ndm,50,50,0,1,1\nfull,,90,0,1,1\n");
        assert_eq!(chart.csv(), csv);
        assert_eq!(chart.x.ticks, [10.0, 50.0]);
    }

    #[test]
    fn shares_are_level_lines_below_those_of_results() {
        let results = [
            result("dm", json!({ "ipc": 10 }), &[0.5], &[]),
            result("full", json!({ "ipc": "full" }), &[0.8, 0.9], &[]),
        ];
        let chart = chart(&results, &params(json!({ "shares": [0.5] }))).unwrap();
        let last = chart.csv().lines().last().unwrap().to_owned();
        assert!(last.starts_with("50% of full,,42.5") && last.ends_with(",0,1,2"), "{last}");
    }

    #[test]
    fn phases_are_points() {
        let results = [result("dm", json!({}), &[0.5, 0.5], &[(1, 1, 5), (2, 1, 5)])];
        let chart = chart(&results, &params(json!({ "x": "classes_seen" }))).unwrap();
        assert_eq!(chart.csv(), "line,classes seen,mean,std,seeds,nets\ndm,20,0,0,1,2\ndm,40,10,0,1,2\n");
    }

    #[test]
    fn an_axis_without_numbers_is_refused() {
        let results = [result("dm", json!({ "ipc": 1 }), &[0.5], &[])];
        let error = chart(&results, &params(json!({ "x": "ip" }))).unwrap_err();
        assert!(error.help.unwrap().contains("did you mean `ipc`"), "{}", error.message);
        let results = [result("dm", json!({ "ipc": 0 }), &[0.5], &[])];
        let error = chart(&results, &params(json!({ "x_scale": "log" }))).unwrap_err();
        assert_eq!(error.code, "pddflow::nodes::log_scale");
    }
}
