//! The node of kind `figure`.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{read, schema};
use pddflow_artifact::{Files, Results, Scores};
use pddflow_cache::KeyPart;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use serde_json::Value;

use super::params::{FigureParams, check};
use super::{histogram, lines};
use crate::drawing::{Chart, bitmap, svg};
use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the files change for the same parameters.
const REVISION: u32 = 4;

/// See the module.
pub(crate) struct FigureKind;

impl Kind for FigureKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "figure".into(),
            summary: "Draws results as lines or scores as a histogram: SVG, PNG and the numbers as CSV.".into(),
            inputs: vec![
                port("results", "results", Arity::Many, "the results of evaluations, for lines"),
                port("scores", "scores", Arity::Optional, "the scores of training examples, for a histogram"),
            ],
            outputs: vec![port("files", "files", Arity::One, "figure.svg, figure.png and figure.csv")],
            parameters: schema::<FigureParams>,
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(with)
    }

    fn key_parts(&self, _: &Surroundings, _: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![part("revision", REVISION)])
    }

    fn collects_seeds(&self) -> bool {
        true
    }

    fn run(
        &self,
        _: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: FigureParams = read(node.with)?;
        let mut results = Vec::new();
        for artifact in inputs.port("results") {
            results.push(Results::decode(&context.get(&artifact.digest).during("reading results")?)?);
        }
        let chart = match (results.as_slice(), inputs.port("scores")) {
            ([_, ..], []) => lines::chart(&results, &params)?,
            ([], [scores]) => {
                let bytes = context.get(&scores.digest).during("reading scores")?;
                histogram::chart(&Scores::decode(&bytes)?, &params)?
            }
            _ => {
                return Err(fail("figure_source", "a figure shows either results or scores")
                    .with_help("wire one of `results` and `scores`"));
            }
        };
        let files = files(&chart, &params)?;
        let mut outputs = Outputs::default();
        outputs.artifacts.insert("files".into(), context.put(&files.encode()?).during("storing the figure")?);
        Ok(outputs)
    }
}

fn files(chart: &Chart, params: &FigureParams) -> NodeResult<Files> {
    let contents = [
        ("figure.svg", svg(chart, params.width, params.height)?.into_bytes()),
        ("figure.png", bitmap(chart, params.width, params.height)?),
        ("figure.csv", chart.csv().into_bytes()),
    ];
    let mut files = Files::new();
    for (name, bytes) in contents {
        files.insert(name, bytes).map_err(|error| NodeError::internal(error.to_string()))?;
    }
    Ok(files)
}
