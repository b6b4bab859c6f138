//! A catalog with the kinds of the examples, whose parameters are checked by JSON schema.

use std::collections::BTreeMap;

use pddflow_pipeline::{
    Arity, Catalog, InputProblem, KindSpec, Options, ParamProblem, Plan, PlanNode, PortSpec, load_text,
};
use serde_json::{Value, json};

pub(crate) struct Kinds {
    specs: Vec<KindSpec>,
    validators: BTreeMap<String, jsonschema::Validator>,
}

fn port(name: &str, artifact: &str, arity: Arity) -> PortSpec {
    PortSpec { name: name.into(), artifact: artifact.into(), arity, summary: format!("The {name}.") }
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn integer() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn text() -> Value {
    json!({"type": "string"})
}

impl Kinds {
    pub(crate) fn new() -> Self {
        use Arity::{Many, One, Optional, Some};
        let kind = |name: &str, inputs: Vec<PortSpec>, outputs: Vec<PortSpec>, parameters: fn() -> Value| KindSpec {
            name: name.into(),
            summary: format!("Does {name}."),
            inputs,
            outputs,
            seeded: parameters()["properties"].get("seed").is_some(),
            parameters,
        };
        let specs = vec![
            kind("dataset", vec![], vec![port("data", "dataset", One)], || {
                object(&json!({"source": text(), "normalize": {"enum": ["standard", "none", "zca"]}}), &["source"])
            }),
            kind("advance", vec![port("sets", "set", Many)], vec![port("weights", "weights", One)], || {
                object(&json!({"model": text(), "nets": integer(), "epochs": integer(), "seed": integer()}), &["model"])
            }),
            kind(
                "train",
                vec![port("data", "dataset", One), port("start", "weights", Optional)],
                vec![port("trajectories", "trajectories", One), port("curve", "results", One)],
                || {
                    object(
                        &json!({"model": text(), "epochs": integer(), "snapshots": text(), "augment": text(), "seed": integer()}),
                        &["model"],
                    )
                },
            ),
            kind(
                "distill",
                vec![
                    port("data", "dataset", One),
                    port("trajectories", "trajectories", Many),
                    port("start", "weights", Optional),
                    port("previous", "set", Many),
                ],
                vec![port("set", "set", One), port("curve", "results", One)],
                || {
                    object(
                        &json!({
                            "ipc": integer(), "iterations": integer(), "seed": integer(),
                            "matcher": {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": {
                                "mtt": object(&json!({"syn_steps": integer(), "expert_epochs": integer(), "max_start": integer()}), &[]),
                                "dm": object(&json!({"lr": {"type": "number"}}), &[]),
                            }, "additionalProperties": false},
                        }),
                        &["ipc", "matcher"],
                    )
                },
            ),
            kind(
                "evaluate",
                vec![port("data", "dataset", One), port("sets", "set", Some)],
                vec![port("results", "results", One)],
                || {
                    object(
                        &json!({"model": text(), "training": text(), "nets": integer(), "epochs": integer(), "seed": integer()}),
                        &["model"],
                    )
                },
            ),
            kind("table", vec![port("rows", "results", Some)], vec![port("table", "table", One)], || {
                object(&json!({}), &[])
            }),
            kind(
                "export",
                vec![port("items", "set|dataset", Some), port("notes", "any", Many)],
                vec![port("files", "files", One)],
                || object(&json!({"title": text()}), &[]),
            ),
            kind(
                "twin",
                vec![],
                vec![port("log", "files", One), port("left", "set", One), port("right", "set", One)],
                || object(&json!({}), &[]),
            ),
        ];
        let compile = |spec: &KindSpec| (spec.name.clone(), jsonschema::validator_for(&(spec.parameters)()).unwrap());
        let validators = specs.iter().map(compile).collect();
        Self { specs, validators }
    }

    pub(crate) fn plan(&self, text: &str, options: &Options) -> Result<Plan, pddflow_pipeline::Diagnostics> {
        load_text("pipeline.yaml", text, self, options)
    }
}

impl Catalog for Kinds {
    /// `advance` has nets; at most four pieces.
    fn shards(&self, kind: &str, with: &Value, wanted: usize) -> Option<Vec<Value>> {
        let piece = |index: usize| {
            let mut with = with.clone();
            with["shard"] = json!(index);
            with
        };
        (kind == "advance").then(|| (0..wanted.min(4)).map(piece).collect())
    }

    fn kinds(&self) -> Vec<&KindSpec> {
        self.specs.iter().collect()
    }

    fn kind(&self, name: &str) -> Option<&KindSpec> {
        self.specs.iter().find(|kind| kind.name == name)
    }

    fn check(&self, kind: &str, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let problems: Vec<ParamProblem> = self.validators[kind]
            .iter_errors(with)
            .flat_map(|error| match error.kind() {
                jsonschema::error::ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
                    .iter()
                    .map(|key| ParamProblem {
                        pointer: format!("{}/{key}", error.instance_path()),
                        message: format!("unknown parameter `{key}`"),
                        help: Some("remove it".into()),
                    })
                    .collect(),
                _ => vec![ParamProblem {
                    pointer: error.instance_path().to_string(),
                    message: error.to_string(),
                    help: None,
                }],
            })
            .collect();
        if problems.is_empty() { Ok(with.clone()) } else { Err(problems) }
    }

    fn collects_seeds(&self, kind: &str) -> bool {
        kind == "table"
    }

    fn check_inputs(&self, _: &str, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        if with["ipc"] == 99 && count("trajectories") == 0 {
            let (message, help) = ("so many images need trajectories".into(), "wire a `train` node".into());
            return Err(InputProblem { port: "trajectories".into(), message, help });
        }
        Ok(())
    }

    fn check_connections(&self, nodes: &[PlanNode], node: &PlanNode) -> Result<(), InputProblem> {
        let previous = node.inputs.get("previous").into_iter().flatten();
        if node.with["ipc"] == 98 && previous.into_iter().any(|input| nodes[input.node].with["ipc"] == 1) {
            let (message, help) = ("the set before is too small".into(), "make it larger".into());
            return Err(InputProblem { port: "previous".into(), message, help });
        }
        Ok(())
    }
}

/// The diagnostics of a text with no options, as plain text; panics when there are none.
pub(crate) fn problems(text: &str) -> String {
    problems_with(text, &Options::default())
}

pub(crate) fn problems_with(text: &str, options: &Options) -> String {
    match Kinds::new().plan(text, options) {
        Ok(plan) => panic!("no problem was found: {}", ids(&plan).join(", ")),
        Err(diagnostics) => {
            let helpless: Vec<_> = diagnostics.iter().filter(|one| one.help().is_none_or(str::is_empty)).collect();
            assert!(helpless.is_empty(), "without help: {helpless:?}");
            diagnostics.render()
        }
    }
}

pub(crate) fn plan(text: &str) -> Plan {
    plan_with(text, &Options::default())
}

pub(crate) fn plan_with(text: &str, options: &Options) -> Plan {
    match Kinds::new().plan(text, options) {
        Ok(plan) => plan,
        Err(diagnostics) => panic!("{}", diagnostics.render()),
    }
}

pub(crate) fn ids(plan: &Plan) -> Vec<&str> {
    plan.nodes.iter().map(|node| node.id.as_str()).collect()
}

/// The nodes without their places in the file.
pub(crate) fn meaning(plan: Plan) -> Vec<PlanNode> {
    let mut nodes = plan.nodes;
    nodes.iter_mut().for_each(|node| node.span = 0.into());
    nodes
}

/// The names of the producers of a port.
pub(crate) fn producers<'a>(plan: &'a Plan, node: &str, port: &str) -> Vec<&'a str> {
    let node = plan.node(node).unwrap();
    let inputs = node.inputs.get(port).map_or(&[][..], Vec::as_slice);
    inputs.iter().map(|input| plan.nodes[input.node].id.as_str()).collect()
}
