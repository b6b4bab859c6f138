//! `pddflow plan`: what would run, and why.

use crate::args::{PipelineArgs, PlaceArgs, SelectArgs};
use crate::exit::Exit;
use crate::freshness::{first_of, words};
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_cache::KeyPart;
use pddflow_nodes::{PluginInfo, Registry};
use pddflow_pipeline::{NodeId, PlanNode};
use pddflow_report::{Paint, count};
use pddflow_runner::{Freshness, Kinds as _, Task};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
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
    /// List every node of a family instead of one line for those that are alike
    #[arg(long)]
    instances: bool,
}

/// States in the order in which they are counted.
const STATES: [&str; 4] = ["fresh", "stale", "unknown", "invalid"];

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let opened = Opened::new(&self.pipeline, &self.place)?.chosen(&self.select.selection(&self.pipeline)?)?;
        let states = opened.freshness();
        print(&opened, &states, self.instances, output);
        let failed = |state: &Freshness| match state {
            Freshness::Fresh { .. } => false,
            // A node that cannot run would fail.
            Freshness::Invalid { .. } => true,
            _ => self.check,
        };
        Ok(if states.iter().any(failed) { Exit::NodeFailed } else { Exit::Ok })
    }
}

/// Prints the state of every node, those of a family that are alike on one line unless all `instances` are wanted.
pub(crate) fn print(opened: &Opened, states: &[Freshness], instances: bool, output: &Output) {
    let pairs: Vec<(&PlanNode, &Freshness)> = opened.plan.nodes.iter().zip(states).collect();
    let bound = bound_to_files(opened);
    if output.json() {
        let nodes: Vec<Value> = pairs.iter().map(|(node, state)| as_json(node, state)).collect();
        let plan = json!({ "pipeline": opened.plan.name, "params": opened.plan.params, "nodes": nodes, "plugin_files": bound });
        output.value(&plan);
    } else {
        output.data(&as_text(&pairs, instances, output.paint));
        for Bound { plugin, file, nodes } in bound {
            output.note(&format!(
                "note: {} depend on the bytes of {}, because {plugin} declares no `revision`: a rebuild makes them stale",
                first_of(&nodes),
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

/// A line of the plan: nodes of one family that are alike.
struct Group<'a> {
    family: &'a str,
    nodes: Vec<&'a NodeId>,
    state: &'a Freshness,
    reasons: Vec<String>,
    /// The nodes whose results decide.
    waits_for: BTreeSet<usize>,
}

/// The nodes in groups, in the order of the plan; each alone where all `instances` are wanted.
fn groups<'a>(pairs: &[(&'a PlanNode, &'a Freshness)], instances: bool) -> Vec<Group<'a>> {
    let places: BTreeMap<&NodeId, usize> = pairs.iter().enumerate().map(|(at, (node, _))| (&node.id, at)).collect();
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut known: BTreeMap<(&str, &str, Vec<String>), usize> = BTreeMap::new();
    for (node, state) in pairs {
        let (word, _, reasons) = words(state);
        // What is waited for differs from node to node, and is told for all of them.
        let (reasons, waits_for) = match state {
            Freshness::Unknown { waits_for } if !instances => {
                (Vec::new(), waits_for.iter().filter_map(|id| places.get(id).copied()).collect())
            }
            _ => (reasons, BTreeSet::new()),
        };
        let key = (node.family.as_str(), word, reasons.clone());
        let found = known.get(&key).copied().filter(|_| !instances).and_then(|at| groups.get_mut(at));
        if let Some(group) = found {
            group.nodes.push(&node.id);
            group.waits_for.extend(waits_for);
            continue;
        }
        known.insert(key, groups.len());
        groups.push(Group { family: &node.family, nodes: vec![&node.id], state, reasons, waits_for });
    }
    groups
}

/// The names of nodes, families that have several among them as `family[*]`.
fn families(pairs: &[(&PlanNode, &Freshness)], places: &BTreeSet<usize>) -> Vec<String> {
    let mut found: Vec<(&PlanNode, usize)> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (node, _) in places.iter().filter_map(|at| pairs.get(*at)) {
        match known.get(node.family.as_str()).and_then(|at| found.get_mut(*at)) {
            Some((_, number)) => *number += 1,
            None => {
                known.insert(&node.family, found.len());
                found.push((node, 1));
            }
        }
    }
    let name = |(node, number): (&PlanNode, usize)| match number {
        1 => node.id.to_string(),
        _ => format!("{}[*]", node.family),
    };
    found.into_iter().map(name).collect()
}

fn as_text(pairs: &[(&PlanNode, &Freshness)], instances: bool, paint: Paint) -> String {
    let groups = groups(pairs, instances);
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    pairs.iter().for_each(|(node, _)| *sizes.entry(node.family.as_str()).or_default() += 1);
    let label = |group: &Group<'_>| match group.nodes.as_slice() {
        [alone] => alone.to_string(),
        _ => format!("{}[*]", group.family),
    };
    let width = groups.iter().map(|group| label(group).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for group in &groups {
        let (word, tone, _) = words(group.state);
        let word = paint.tone(tone, &format!("{word:<8}"));
        let mut reasons = group.reasons.clone();
        if !group.waits_for.is_empty() {
            reasons.push(format!("depends on the result of {}", first_of(&families(pairs, &group.waits_for))));
        }
        let all = sizes.get(group.family).copied().unwrap_or_default();
        match (group.nodes.len(), reasons.first_mut()) {
            (1, _) => {}
            (some, Some(first)) if some < all => *first = format!("{some} of {all} nodes: {first}"),
            (some, Some(first)) => *first = format!("{}: {first}", count(some, "node")),
            (some, None) if some < all => reasons.push(format!("{some} of {all} nodes")),
            (some, None) => reasons.push(count(some, "node")),
        }
        let mut reasons = reasons.iter();
        let first = format!("{word}{:<width$}  {}", label(group), reasons.next().map_or("", String::as_str));
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
