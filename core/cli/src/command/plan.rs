//! `pddflow plan`: what would run, and why.

use crate::args::{PipelineArgs, PlaceArgs, SelectArgs};
use crate::exit::Exit;
use crate::freshness::words;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_cache::KeyPart;
use pddflow_nodes::{PluginInfo, Registry};
use pddflow_pipeline::PlanNode;
use pddflow_report::{Paint, count};
use pddflow_runner::{Freshness, Kinds as _, Task};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

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
    let bound = bound_to_files(opened);
    if output.json() {
        let nodes: Vec<Value> = pairs.iter().map(|(node, state)| as_json(node, state)).collect();
        let plan = json!({ "pipeline": opened.plan.name, "params": opened.plan.params, "nodes": nodes, "plugin_files": bound });
        output.value(&plan);
    } else {
        output.data(&as_text(&pairs, output.paint));
        for Bound { plugin, file, nodes } in bound {
            output.note(&format!(
                "note: {} depend on the bytes of {}, because {plugin} declares no `revision`: a rebuild makes them stale",
                nodes.join(", "),
                file.display()
            ));
        }
    }
}

/// Nodes that are named by the bytes of a plugin's file.
#[derive(Serialize)]
struct Bound {
    plugin: String,
    file: PathBuf,
    nodes: Vec<String>,
}

/// The plugins without a revision that the plan uses, with their nodes.
fn bound_to_files(opened: &Opened) -> Vec<Bound> {
    let plugins = opened.library.opened_registry().map(Registry::list).unwrap_or_default();
    let unnumbered: Vec<&PluginInfo> = plugins.iter().filter(|plugin| plugin.revision.is_none()).collect();
    if unnumbered.is_empty() {
        return Vec::new();
    }
    let parts: Vec<_> = opened
        .plan
        .nodes
        .iter()
        .map(|node| (node, opened.library.key_parts(Task::of(node)).unwrap_or_default()))
        .collect();
    let bound = unnumbered.into_iter().map(|plugin| {
        let (role, key) = (plugin.role.to_string(), plugin.key());
        let uses = |parts: &[KeyPart]| parts.iter().any(|part| part.name == role && part.value == key.as_str());
        let nodes = parts.iter().filter(|(_, parts)| uses(parts)).map(|(node, _)| node.id.to_string()).collect();
        Bound { plugin: format!("{role} `{}`", plugin.id), file: plugin.file.clone(), nodes }
    });
    bound.filter(|bound| !bound.nodes.is_empty()).collect()
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
