//! `pddflow graph`: the graph of a pipeline.

use crate::args::{PipelineArgs, PlaceArgs};
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use clap::ValueEnum;
use pddflow_pipeline::{Detail, Plan};
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  pddflow graph pipelines/quickstart.yaml
  pddflow graph pipelines/quickstart.yaml --format svg > graph.svg
  pddflow graph pipelines/quickstart.yaml --format dot | dot -Tpng > graph.png";

/// Draw the graph of a pipeline
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    format: GraphFormat,
    /// Draw every instance of a family instead of one box
    #[arg(long)]
    instances: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// One line per node
    Text,
    /// Graphviz
    Dot,
    /// Mermaid, which Markdown viewers draw
    Mermaid,
    /// SVG image
    Svg,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let opened = Opened::new(&self.pipeline, &self.place)?;
        if output.json() {
            output.value(&as_json(&opened.plan));
            return Ok(Exit::Ok);
        }
        let view = opened.plan.view(if self.instances { Detail::Instances } else { Detail::Families });
        output.data(&match self.format {
            GraphFormat::Text => view.text(),
            GraphFormat::Dot => view.dot(),
            GraphFormat::Mermaid => view.mermaid(),
            GraphFormat::Svg => view.svg(),
        });
        Ok(Exit::Ok)
    }
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
