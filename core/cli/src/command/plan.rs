//! `pddflow plan`: what would run, and why.

use crate::args::{PipelineArgs, PlaceArgs, SelectArgs};
use crate::exit::Exit;
use crate::freshness::words;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_pipeline::PlanNode;
use pddflow_report::{Paint, count};
use pddflow_runner::Freshness;
use serde_json::{Value, json};
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  pddflow plan pipelines/quickstart.yaml
  pddflow plan pipelines/quickstart.yaml --set seed=1 --json
  pddflow plan pipelines/quickstart.yaml --check      exit code 1 if a node is stale";

/// Show which nodes are fresh and which are stale, and why; runs nothing
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Exit with code 1 if any node is stale
    #[arg(long)]
    check: bool,
}

/// States in the order in which they are counted.
const STATES: [&str; 4] = ["fresh", "stale", "unknown", "invalid"];

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let opened = Opened::new(&self.pipeline, &self.place)?.select(&self.select)?;
        let states = opened.freshness();
        print(&opened, &states, output);
        let failed = |state: &Freshness| match state {
            Freshness::Fresh { .. } => false,
            // A node that cannot run would fail.
            Freshness::Invalid { .. } => true,
            _ => self.check,
        };
        Ok(if states.iter().any(failed) { Exit::NodeFailed } else { Exit::Ok })
    }
}

/// Prints the state of every node.
pub(crate) fn print(opened: &Opened, states: &[Freshness], output: &Output) {
    let pairs: Vec<(&PlanNode, &Freshness)> = opened.plan.nodes.iter().zip(states).collect();
    if output.json() {
        let nodes: Vec<Value> = pairs.iter().map(|(node, state)| as_json(node, state)).collect();
        output.value(&json!({ "pipeline": opened.plan.name, "params": opened.plan.params, "nodes": nodes }));
    } else {
        output.data(&as_text(&pairs, output.paint));
    }
}

fn as_text(pairs: &[(&PlanNode, &Freshness)], paint: Paint) -> String {
    let width = pairs.iter().map(|(node, _)| node.id.as_str().chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (node, state) in pairs {
        let (word, tone, reasons) = words(state);
        let word = paint.tone(tone, &format!("{word:<8}"));
        let mut reasons = reasons.iter();
        let first = format!("{word}{:<width$}  {}", node.id, reasons.next().map_or("", String::as_str));
        let _ = writeln!(text, "{}", first.trim_end());
        for reason in reasons {
            let _ = writeln!(text, "{:8}{:width$}  {reason}", "", "");
        }
    }
    let counted = STATES.map(|name| (name, pairs.iter().filter(|(_, state)| words(state).0 == name).count()));
    let counted: Vec<String> =
        counted.iter().filter(|(_, number)| *number > 0).map(|(name, number)| format!("{number} {name}")).collect();
    let _ = writeln!(text, "{}: {}", count(pairs.len(), "node"), counted.join(", "));
    text
}

fn as_json(node: &PlanNode, state: &Freshness) -> Value {
    let mut value = json!({ "node": node.id, "kind": node.kind, "state": words(state).0 });
    match state {
        Freshness::Fresh { key, .. } => value["key"] = json!(key),
        Freshness::Stale { key, reasons } => {
            value["key"] = json!(key);
            value["reasons"] = json!(reasons);
        }
        Freshness::Unknown { waits_for } => value["waits_for"] = json!(waits_for),
        Freshness::Invalid { error } => value["error"] = json!(error),
        _ => {}
    }
    value
}
