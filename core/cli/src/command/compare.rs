//! `pddflow compare`: parameters and metrics of runs, sweep points and nodes in one table.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::past::{self, Latest};
use crate::problem::Problem;
use clap::ValueEnum;
use pddflow_cache::Store;
use pddflow_pipeline::NodeId;
use pddflow_report::{CompareFormat, CompareRow, Comparison};
use pddflow_runner::{PastRun, PastState, PlannedNode};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const EXAMPLES: &str = "\
Examples:
  pddflow compare                                            the last runs of the pipeline that ran last
  pddflow compare baseline last --only-changed
  pddflow compare --nodes 'eval*' --over seed --sort accuracy --descending
  pddflow compare last --nodes 'eval*' --format markdown";

/// Compare parameters and metrics of runs, sweep points or nodes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The runs: ids or prefixes of them, tags, `last`, `last~1` and so on [default: the last 10 of one pipeline]
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Only runs of the pipeline with this name
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// One row for each node that matches a pattern, such as `eval*`, with its axes as parameters
    #[arg(long, value_name = "PATTERN")]
    nodes: Option<String>,
    /// Only these columns, such as `lr` or `*accuracy`; may be repeated
    #[arg(long, value_name = "PATTERN")]
    columns: Vec<String>,
    /// Hide parameters that are the same in every row
    #[arg(long)]
    only_changed: bool,
    /// Average over rows that differ only in this parameter (mean and standard deviation); may be repeated
    #[arg(long, value_name = "PARAM")]
    over: Vec<String>,
    /// Sort the rows by a column
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// Sort in descending order
    #[arg(long, requires = "sort")]
    descending: bool,
    /// Output format; `--json` is the same as `--format json`
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    format: TableFormat,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    /// Aligned columns
    Table,
    /// JSON
    Json,
    /// Comma-separated values
    Csv,
    /// Markdown
    Markdown,
}

/// Runs that are compared when none is named.
const MOST_RUNS: usize = 10;

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let rows: Vec<CompareRow> = runs(&store, self)?
            .iter()
            .flat_map(|run| match &self.nodes {
                Some(pattern) => rows_of_nodes(&store, run, pattern),
                None => rows_of_points(&store, run),
            })
            .collect();
        let mut table = Comparison::new(rows);
        if !self.over.is_empty() {
            table = table.mean_over(&self.over);
        }
        if self.only_changed {
            table = table.only_changed();
        }
        if let Some(column) = &self.sort
            && !table.sort_by(column, self.descending)
        {
            let message = format!("no row has a column `{column}`");
            let help = format!("the columns are: {}", table.column_names().join(", "));
            return Err(Problem::usage("unknown_column", message).with_help(help));
        }
        if !self.columns.is_empty() {
            table = table.columns(|name| self.columns.iter().any(|pattern| matches(pattern, name)));
        }
        let format = match self.format {
            _ if output.json() => CompareFormat::Json,
            TableFormat::Table => CompareFormat::Table,
            TableFormat::Json => CompareFormat::Json,
            TableFormat::Csv => CompareFormat::Csv,
            TableFormat::Markdown => CompareFormat::Markdown,
        };
        output.data(&table.render(format));
        Ok(Exit::Ok)
    }
}

/// The runs, the earliest first.
fn runs(store: &Store, args: &Args) -> Result<Vec<PastRun>, Problem> {
    let wanted = args.pipeline.as_deref();
    if !args.runs.is_empty() {
        return args.runs.iter().map(|name| past::named(store, name, wanted)).collect();
    }
    let last = Latest::find(store, 1, |head| wanted.is_none_or(|wanted| head.pipeline == wanted))?;
    let Some(last) = last.read(store)?.pop() else { return Ok(Vec::new()) };
    let mut found = Latest::find(store, MOST_RUNS, |head| head.pipeline == last.head.pipeline)?.read(store)?;
    found.reverse();
    Ok(found)
}

fn name_of(run: &PastRun) -> String {
    run.head.tags.first().cloned().unwrap_or_else(|| run.head.run.clone())
}

/// One row for each point of a run's sweep, or one for the run: metrics are named after their nodes.
fn rows_of_points(store: &Store, run: &PastRun) -> Vec<CompareRow> {
    let row = |point: BTreeMap<&str, &Value>| {
        let mut params = flat(&run.head.params);
        for (axis, value) in &point {
            params.insert(column(&params, axis), (*value).clone());
        }
        let mut metrics = BTreeMap::new();
        let is_here =
            |node: &&PlannedNode| node.point.iter().all(|(axis, value)| point.get(axis.as_str()) == Some(&value));
        for planned in run.plan.iter().filter(is_here) {
            let Some(node) = run.nodes.get(&planned.id) else { continue };
            let name = NodeId::of(&planned.family, &planned.axes);
            metrics.extend(past::metrics(store, node).into_iter().map(|(of, value)| (format!("{name}.{of}"), value)));
        }
        let words: Vec<String> = point.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        let name = std::iter::once(name_of(run)).chain(words).collect::<Vec<_>>().join(" ");
        CompareRow { name, params, metrics }
    };
    points(&run.head.sweep).into_iter().map(row).collect()
}

/// One row for each node whose name matches. Of the axes of a sweep only those are filled in that the node depends on.
fn rows_of_nodes(store: &Store, run: &PastRun, pattern: &str) -> Vec<CompareRow> {
    let mut shared = flat(&run.head.params);
    for (axis, _) in &run.head.sweep {
        shared.remove(&column(&shared, axis));
    }
    let row = |planned: &PlannedNode| {
        let node = run.nodes.get(&planned.id).filter(|node| has_result(node.state))?;
        let mut params = shared.clone();
        params.insert("node".to_owned(), Value::from(planned.family.as_str()));
        params.extend(planned.point.iter().map(|(axis, value)| (column(&flat(&run.head.params), axis), value.clone())));
        params.extend(planned.axes.iter().cloned());
        Some(CompareRow {
            name: format!("{} {}", name_of(run), planned.id),
            params,
            metrics: past::metrics(store, node),
        })
    };
    run.plan.iter().filter(|planned| matches(pattern, &planned.id)).filter_map(row).collect()
}

fn has_result(state: PastState) -> bool {
    matches!(state, PastState::Fresh | PastState::Ran)
}

/// Every combination of the values of a sweep's axes; one empty point without axes.
fn points(sweep: &[(String, Vec<Value>)]) -> Vec<BTreeMap<&str, &Value>> {
    let mut points = vec![BTreeMap::new()];
    for (axis, values) in sweep {
        let with = |point: &BTreeMap<_, _>, value| point.clone().into_iter().chain([(axis.as_str(), value)]).collect();
        points = points.iter().flat_map(|point| values.iter().map(move |value| with(point, value))).collect();
    }
    points
}

/// The parameter that an axis of a sweep sets: axes are named as shortly as they can be told apart.
fn column(params: &BTreeMap<String, Value>, axis: &str) -> String {
    let axis = axis.strip_prefix("params.").unwrap_or(axis);
    let ending = format!(".{axis}");
    let nested = params.keys().find(|path| path.ends_with(&ending));
    match nested {
        Some(path) if !params.contains_key(axis) => path.clone(),
        _ => axis.to_owned(),
    }
}

/// Nested parameters by their paths.
fn flat(params: &Map<String, Value>) -> BTreeMap<String, Value> {
    fn add(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                members.iter().for_each(|(name, value)| add(&format!("{path}.{name}"), value, found));
            }
            value => {
                found.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    params.iter().for_each(|(name, value)| add(name, value, &mut found));
    found
}

/// Whether a text matches a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_match_whole_names() {
        let check = |pattern, text, expected| assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        check("eval", "eval", true);
        check("eval", "eval[1]", false);
        check("eval*", "eval[1]", true);
        check("*accuracy", "eval.accuracy", true);
        check("e*a*y", "eval.accuracy", true);
        check("e*x*y", "eval.accuracy", false);
        check("a*a", "a", false);
        check("*", "", true);
    }

    #[test]
    fn a_sweep_has_the_product_of_its_axes_as_points() {
        assert_eq!(points(&[]).len(), 1);
        let axes = [("a".to_owned(), vec![json!(1), json!(2)]), ("b".to_owned(), vec![json!("x"), json!("y")])];
        let all = points(&axes);
        assert_eq!((all.len(), all[1]["a"], all[1]["b"]), (4, &json!(1), &json!("y")));
    }

    #[test]
    fn an_axis_fills_the_column_of_its_parameter() {
        let params = flat(json!({"model": {"width": 1}, "seed": 0, "k": [2]}).as_object().unwrap());
        assert_eq!((&params["model.width"], &params["k"]), (&json!(1), &json!([2])));
        let check = |axis, expected| assert_eq!(column(&params, axis), expected);
        check("seed", "seed");
        check("width", "model.width");
        check("params.seed", "seed");
        check("elsewhere", "elsewhere");
    }
}
