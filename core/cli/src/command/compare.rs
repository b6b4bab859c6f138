//! `pddflow compare`: parameters and metrics of runs, sweep points and nodes in one table.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::past;
use crate::problem::Problem;
use clap::ValueEnum;
use pddflow_cache::Store;
use pddflow_report::{CompareFormat, CompareRow, Comparison};
use pddflow_runner::{PastRun, PastState};
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
    let named = wanted.map(str::to_owned);
    let pipeline = match named {
        Some(pipeline) => Some(pipeline),
        None => past::latest(store, 1, |_| true)?.pop().map(|run| run.pipeline),
    };
    let mut found = past::latest(store, MOST_RUNS, |run| pipeline.as_ref().is_none_or(|name| run.pipeline == *name))?;
    found.reverse();
    Ok(found)
}

fn name_of(run: &PastRun) -> String {
    run.tags.first().cloned().unwrap_or_else(|| run.id.clone())
}

/// One row for each point of a run's sweep, or one for the run: metrics are named after their nodes.
fn rows_of_points(store: &Store, run: &PastRun) -> Vec<CompareRow> {
    let mut rows = Vec::new();
    for point in points(&run.sweep) {
        let mut params = flat(&run.params);
        params.extend(point.clone());
        let mut metrics = BTreeMap::new();
        for (name, node) in run.nodes.iter().filter(|(_, node)| has_result(node.state)) {
            let Some(name) = at_point(name, &point) else { continue };
            metrics.extend(past::metrics(store, node).into_iter().map(|(of, value)| (format!("{name}.{of}"), value)));
        }
        let words: Vec<String> = point.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        let name = if words.is_empty() { name_of(run) } else { format!("{} {}", name_of(run), words.join(" ")) };
        rows.push(CompareRow { name, params, metrics });
    }
    rows
}

/// One row for each node whose name matches.
fn rows_of_nodes(store: &Store, run: &PastRun, pattern: &str) -> Vec<CompareRow> {
    let nodes = run.nodes.iter().filter(|(name, node)| matches(pattern, name) && has_result(node.state));
    let row = |(name, node): (&String, &pddflow_runner::PastNode)| {
        let (family, axes) = parsed(name);
        let mut params = flat(&run.params);
        params.insert("node".to_owned(), Value::from(family));
        params.extend(axes.into_iter().map(|(axis, value)| (axis.to_owned(), yaml_value(value))));
        CompareRow { name: format!("{} {name}", name_of(run)), params, metrics: past::metrics(store, node) }
    };
    nodes.map(row).collect()
}

fn has_result(state: PastState) -> bool {
    matches!(state, PastState::Fresh | PastState::Ran)
}

/// Every combination of the values of a sweep's axes; one empty point without axes.
fn points(sweep: &[(String, Vec<Value>)]) -> Vec<BTreeMap<String, Value>> {
    let mut points = vec![BTreeMap::new()];
    for (axis, values) in sweep {
        let with = |point: &BTreeMap<String, Value>, value: &Value| {
            let mut point = point.clone();
            point.insert(axis.clone(), value.clone());
            point
        };
        points = points.iter().flat_map(|point| values.iter().map(move |value| with(point, value))).collect();
    }
    points
}

/// The name of a node without the axes of a sweep, if it belongs to the point.
fn at_point(name: &str, point: &BTreeMap<String, Value>) -> Option<String> {
    let (family, axes) = parsed(name);
    let mut rest = Vec::new();
    for (axis, value) in axes {
        match point.get(axis) {
            Some(wanted) if *wanted != yaml_value(value) => return None,
            Some(_) => {}
            None if axis == INDEX => rest.push(value.to_owned()),
            None => rest.push(format!("{axis}={value}")),
        }
    }
    Some(if rest.is_empty() { family.to_owned() } else { format!("{family}[{}]", rest.join(",")) })
}

/// The name of the only axis of a family that is indexed by its value alone.
const INDEX: &str = "index";

/// Family and axes in the name of a node: `eval[model=resnet18,k=3]`, `distill[3]`, `data`.
fn parsed(name: &str) -> (&str, Vec<(&str, &str)>) {
    let Some((family, rest)) = name.split_once('[') else { return (name, Vec::new()) };
    let inner = rest.strip_suffix(']').unwrap_or(rest);
    // A comma within quotes belongs to the value.
    let mut quoted = false;
    let parts = inner.split(move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    (family, parts.map(|part| part.split_once('=').unwrap_or((INDEX, part))).collect())
}

/// A value as it stands in the name of a node.
fn yaml_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
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
    fn names_of_nodes_are_taken_apart() {
        assert_eq!(parsed("data"), ("data", vec![]));
        assert_eq!(parsed("distill[3]"), ("distill", vec![("index", "3")]));
        assert_eq!(parsed("e[a=1,b=\"x,y\"]"), ("e", vec![("a", "1"), ("b", "\"x,y\"")]));
        let point = BTreeMap::from([("stages".to_owned(), json!(3))]);
        assert_eq!(at_point("d[stages=3,k=1]", &point).as_deref(), Some("d[k=1]"));
        assert_eq!(at_point("d[stages=1,k=1]", &point), None);
        assert_eq!(at_point("data", &point).as_deref(), Some("data"));
        assert_eq!(at_point("d[2]", &point).as_deref(), Some("d[2]"));
    }

    #[test]
    fn a_sweep_has_the_product_of_its_axes_as_points() {
        assert_eq!(points(&[]).len(), 1);
        let axes = [("a".to_owned(), vec![json!(1), json!(2)]), ("b".to_owned(), vec![json!("x"), json!("y")])];
        let all = points(&axes);
        assert_eq!((all.len(), &all[1]["a"], &all[1]["b"]), (4, &json!(1), &json!("y")));
        assert_eq!(flat(json!({"a": {"b": 1}, "c": [2]}).as_object().unwrap())["a.b"], 1);
    }
}
