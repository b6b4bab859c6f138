//! `pddflow graph`: the nodes and what they need.

use crate::args::{GraphArgs, GraphFormat};
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_pipeline::{Detail, Plan};
use serde_json::{Value, json};

pub(crate) fn graph(args: &GraphArgs, output: &Output) -> Result<Exit, Problem> {
    let opened = Opened::new(&args.pipeline, &args.place)?;
    if output.json() {
        output.value(&as_json(&opened.plan));
        return Ok(Exit::Ok);
    }
    let view = opened.plan.view(if args.instances { Detail::Instances } else { Detail::Families });
    output.data(&match args.format {
        GraphFormat::Text => view.text(),
        GraphFormat::Dot => view.dot(),
        GraphFormat::Mermaid => view.mermaid(),
        GraphFormat::Svg => view.svg(),
    });
    Ok(Exit::Ok)
}

fn as_json(plan: &Plan) -> Value {
    let name = |index: usize| plan.nodes.get(index).map(|node| &node.id);
    let edges = plan.nodes.iter().flat_map(|node| {
        let inputs = node.inputs.iter().flat_map(|(port, inputs)| inputs.iter().map(move |input| (port, input)));
        inputs.map(move |(port, input)| {
            json!({ "from": name(input.node), "output": input.output, "to": node.id, "input": port,
                    "artifact": input.artifact })
        })
    });
    let edges: Vec<Value> = edges.collect();
    let nodes: Vec<Value> =
        plan.nodes.iter().map(|node| json!({ "node": node.id, "family": node.family, "kind": node.kind })).collect();
    json!({ "pipeline": plan.name, "nodes": nodes, "edges": edges })
}
