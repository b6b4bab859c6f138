//! `pddflow plan`: what would run, and why.

use crate::args::PlanArgs;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_pipeline::PlanNode;
use pddflow_report::{Paint, Tone, count};
use pddflow_runner::Freshness;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Most nodes that a reason names.
const NAMED: usize = 3;
/// States in the order in which they are counted.
const STATES: [&str; 4] = ["fresh", "stale", "unknown", "invalid"];

pub(crate) fn plan(args: &PlanArgs, output: &Output) -> Result<Exit, Problem> {
    let opened = Opened::new(&args.pipeline, &args.place)?.select(&args.select)?;
    let states = opened.freshness();
    let pairs: Vec<(&PlanNode, &Freshness)> = opened.plan.nodes.iter().zip(&states).collect();
    if output.json() {
        let nodes: Vec<Value> = pairs.iter().map(|(node, state)| as_json(node, state)).collect();
        output.value(&json!({ "pipeline": opened.plan.name, "params": opened.plan.params, "nodes": nodes }));
    } else {
        output.data(&as_text(&pairs, output.paint));
    }
    // A node that cannot run would fail.
    let invalid = states.iter().any(|state| matches!(state, Freshness::Invalid { .. }));
    Ok(if invalid { Exit::NodeFailed } else { Exit::Ok })
}

/// The first few names, and how many there are besides.
pub(crate) fn first_of<T: ToString>(nodes: &[T]) -> String {
    let names: Vec<String> = nodes.iter().take(NAMED).map(T::to_string).collect();
    match nodes.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Name, colour and reasons of a state.
pub(crate) fn words(state: &Freshness) -> (&'static str, Tone, Vec<String>) {
    match state {
        Freshness::Fresh { .. } => ("fresh", Tone::Good, Vec::new()),
        Freshness::Stale { reasons, .. } => ("stale", Tone::Warn, reasons.iter().map(ToString::to_string).collect()),
        Freshness::Unknown { waits_for } => {
            ("unknown", Tone::Faint, vec![format!("depends on what {} will give", first_of(waits_for))])
        }
        Freshness::Invalid { error } => {
            let help = error.help.as_ref().map(|help| format!("help: {help}"));
            ("invalid", Tone::Bad, std::iter::once(error.to_string()).chain(help).collect())
        }
        _ => ("unknown", Tone::Faint, Vec::new()),
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
