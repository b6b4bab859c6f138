//! `pddflow compare`: parameters and metrics of the nodes of runs in one table.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::past::{self, Latest};
use crate::place;
use crate::problem::Problem;
use clap::ValueEnum;
use pddflow_cache::Store;
use pddflow_pipeline::NodePattern;
use pddflow_report::{CompareFormat, CompareRow, CompareView, Comparison, Samples};
use pddflow_runner::{PastRun, PastState, PlannedNode};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const EXAMPLES: &str = "\
Examples:
  pddflow compare                             the last runs of the pipeline that ran last
  pddflow compare baseline last               two runs
  pddflow compare --nodes eval --each-seed    a row for each seed
  pddflow compare --columns '*loss' --nodes 'dm[*]' --across iterations
  pddflow compare --format csv > results.csv  every row with all parameters and metrics";

/// Compare the results of runs: methods, images per class, seeds, parameters of sweeps
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The runs: ids or prefixes of them, tags, `last`, `last~1` and so on [default: the last 10 of one pipeline in which
    /// anything ran]
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Only runs of the pipeline with this name
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// The nodes to compare: a node, a family or a pattern, such as `eval` or `eval[of=dm]` [default: those with metrics
    /// that no other node with metrics needs, such as evaluations]
    #[arg(long, value_name = "NODE")]
    nodes: Option<String>,
    /// Only these metrics and parameters, such as `*accuracy` or `lr`; may be repeated [default: the accuracy, or else all
    /// metrics, and the parameters in which rows differ]
    #[arg(long, value_name = "PATTERN")]
    columns: Vec<String>,
    /// The parameter whose values are columns
    #[arg(long, value_name = "PARAM", default_value = "ipc")]
    across: String,
    /// Average over rows that differ only in this parameter (mean and standard deviation); may be repeated
    #[arg(long, value_name = "PARAM", default_value = SEED)]
    over: Vec<String>,
    /// A row for each seed instead of the mean over seeds
    #[arg(long, conflicts_with = "over")]
    each_seed: bool,
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

/// The parameter that makes repetitions.
const SEED: &str = "seed";
/// The column that tells runs apart.
const RUN: &str = "run";
/// The metric that is shown where no columns are chosen.
const MAIN_METRIC: &str = "accuracy";

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
        let rows = self.rows(&store)?;
        let mut table = Comparison::new(rows);
        if !self.each_seed {
            table = table.mean_over(&self.over);
        }
        if let Some(column) = &self.sort
            && !table.sort_by(column, self.descending)
        {
            let message = format!("no row has a column `{column}`");
            let help = format!("the columns are: {}", table.column_names().join(", "));
            return Err(Problem::usage("unknown_column", message).with_help(help));
        }
        let format = match self.format {
            _ if output.json() => CompareFormat::Json,
            TableFormat::Table => CompareFormat::Table,
            TableFormat::Json => CompareFormat::Json,
            TableFormat::Csv => CompareFormat::Csv,
            TableFormat::Markdown => CompareFormat::Markdown,
        };
        let for_people = matches!(format, CompareFormat::Table | CompareFormat::Markdown);
        if for_people {
            table = table.only_changed();
        }
        if !self.columns.is_empty() {
            table = self.chosen_columns(table);
        } else if for_people {
            table = usual_columns(table, output);
        }
        let width = if format == CompareFormat::Table { place::width() } else { None };
        output.data(&table.render(format, &CompareView { across: self.across.clone(), width, paint: output.paint }));
        Ok(Exit::Ok)
    }

    /// The metrics that are named, and the parameters that are; all parameters where none is.
    fn chosen_columns(&self, table: Comparison) -> Comparison {
        let is_named = |name: &str| self.columns.iter().any(|pattern| matches(pattern, name));
        let metrics = table.metric_names();
        let is_param = |name: &str| !metrics.iter().any(|metric| metric == name);
        let names_params = table.column_names().iter().any(|name| is_param(name) && is_named(name));
        table.columns(|name| is_named(name) || is_param(name) && (!names_params || name == self.across))
    }

    fn rows(&self, store: &Store) -> Result<Vec<CompareRow>, Problem> {
        let pattern = self.nodes.as_deref().map(NodePattern::parse).transpose()?;
        let runs = runs(store, self)?;
        let mut rows: Vec<CompareRow> = Vec::new();
        let mut seen = BTreeSet::new();
        for run in &runs {
            let mut found = results(store, run);
            match &pattern {
                Some(pattern) => {
                    found.retain(|(_, planned, _)| pattern.means(&planned.family, &planned.axes, &planned.point));
                }
                None => keep_last(&mut found),
            }
            for (_, planned, metrics) in found {
                let row = row(run, planned, metrics);
                // A result that several runs have is told once, unless the runs were asked for.
                let key = run.nodes.get(&planned.id).and_then(|node| node.key);
                if self.runs.is_empty() && !seen.insert((key, without_run(&row))) {
                    continue;
                }
                rows.push(row);
            }
        }
        let different: BTreeSet<String> = rows.iter().map(without_run).collect();
        if self.runs.is_empty() && different.len() == rows.len() {
            rows.iter_mut().for_each(|row| {
                row.params.remove(RUN);
            });
        }
        Ok(rows)
    }
}

/// The main metric if there is one; what is left out is told.
fn usual_columns(table: Comparison, output: &Output) -> Comparison {
    let metrics = table.metric_names();
    if !metrics.iter().any(|name| name == MAIN_METRIC) || metrics.len() == 1 {
        return table;
    }
    let others: Vec<&str> = metrics.iter().map(String::as_str).filter(|name| *name != MAIN_METRIC).collect();
    output.note(&format!("other metrics (`--columns '*'` shows all): {}", others.join(", ")));
    table.columns(|name| name == MAIN_METRIC || !metrics.iter().any(|metric| metric == name))
}

type Metrics = BTreeMap<String, Samples>;

/// The nodes of a run that have a result, with their places in the plan.
fn results<'a>(store: &Store, run: &'a PastRun) -> Vec<(usize, &'a PlannedNode, Metrics)> {
    let result = |(at, planned): (usize, &'a PlannedNode)| {
        let node = run.nodes.get(&planned.id).filter(|node| has_result(node.state))?;
        Some((at, planned, past::metrics(store, node)))
    };
    run.plan.iter().enumerate().filter_map(result).collect()
}

/// Keeps those with metrics, if there are any, and of them those that none of the others needs.
fn keep_last(found: &mut Vec<(usize, &PlannedNode, Metrics)>) {
    if found.iter().any(|(_, _, metrics)| !metrics.is_empty()) {
        found.retain(|(_, _, metrics)| !metrics.is_empty());
    }
    let inputs = found.iter().flat_map(|(_, planned, _)| planned.inputs.values().flatten());
    let needed: BTreeSet<usize> = inputs.map(|(at, _)| *at).collect();
    found.retain(|(at, ..)| !needed.contains(at));
}

/// The parameters of a row but for its run.
fn without_run(row: &CompareRow) -> String {
    let params = row.params.iter().filter(|(name, _)| *name != RUN);
    params.map(|(name, value)| format!("{name} {value}\n")).collect()
}

/// A node of a run. Of the axes of a sweep only those are filled in that the node depends on.
fn row(run: &PastRun, planned: &PlannedNode, metrics: Metrics) -> CompareRow {
    let shared = flat(&run.head.params);
    let mut params = shared.clone();
    for (axis, _) in &run.head.sweep {
        params.remove(&column(&shared, axis));
    }
    params.insert(RUN.to_owned(), Value::from(name_of(run)));
    params.insert("node".to_owned(), Value::from(planned.family.as_str()));
    params.extend(planned.point.iter().map(|(axis, value)| (column(&shared, axis), value.clone())));
    params.extend(planned.axes.iter().cloned());
    CompareRow { name: format!("{} {}", name_of(run), planned.id), params, metrics }
}

/// The runs, the earliest first.
fn runs(store: &Store, args: &Args) -> Result<Vec<PastRun>, Problem> {
    let wanted = args.pipeline.as_deref();
    if !args.runs.is_empty() {
        return args.runs.iter().map(|name| past::named(store, name, wanted)).collect();
    }
    let last = Latest::find(store, 1, |head| wanted.is_none_or(|wanted| head.pipeline == wanted))?;
    let Some(last) = last.outlines(store)?.pop() else { return Ok(Vec::new()) };
    let all = Latest::find(store, usize::MAX, |head| head.pipeline == last.head.pipeline)?;
    let mut found = Vec::new();
    for id in all.ids {
        if found.len() >= MOST_RUNS {
            break;
        }
        // A run in which nothing ran has the results of earlier ones.
        let one = Latest { ids: vec![id], unreadable: 0 };
        let [_, ran, ..] = one.outlines(store)?.first().map(|run| run.counts).unwrap_or_default();
        if ran > 0 {
            found.extend(one.read(store)?);
        }
    }
    if found.is_empty() {
        found = Latest { ids: vec![last.head.run], unreadable: 0 }.read(store)?;
    }
    found.reverse();
    Ok(found)
}

fn name_of(run: &PastRun) -> String {
    run.head.tags.first().cloned().unwrap_or_else(|| run.head.run.clone())
}

fn has_result(state: PastState) -> bool {
    matches!(state, PastState::Fresh | PastState::Ran)
}

/// The parameter that an axis of a sweep sets: axes are named as shortly as they can be told apart.
fn column(params: &BTreeMap<String, Value>, axis: &str) -> String {
    let axis = axis.strip_prefix("params.").unwrap_or(axis);
    let ending = format!(".{axis}");
    let mut nested = params.keys().filter(|path| path.ends_with(&ending));
    match (nested.next(), nested.next()) {
        (Some(path), None) if !params.contains_key(axis) => path.clone(),
        // Several end so: which one was swept is not known, and a wrong one must not be shown.
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
    fn an_axis_fills_the_column_of_its_parameter() {
        let params = flat(json!({"model": {"width": 1}, "seed": 0, "k": [2]}).as_object().unwrap());
        assert_eq!((&params["model.width"], &params["k"]), (&json!(1), &json!([2])));
        let check = |axis, expected| assert_eq!(column(&params, axis), expected);
        check("seed", "seed");
        check("width", "model.width");
        check("params.seed", "seed");
        check("elsewhere", "elsewhere");
        let params = flat(json!({"dc": {"lr": 1}, "mtt": {"lr": 2}}).as_object().unwrap());
        assert_eq!(column(&params, "lr"), "lr", "not that of another method");
        assert_eq!(column(&params, "mtt.lr"), "mtt.lr");
    }
}
