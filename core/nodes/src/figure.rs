//! The kind `figure`: results as lines with error bars, scores as a histogram.

use pddflow_artifact::Scores;
use pddflow_artifact::failure::{During, fail};
use pddflow_artifact::params::{read, schema};
use pddflow_cache::KeyPart;
use pddflow_figures::figure::{self, FigureParams, check};
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use serde_json::Value;

use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};
use crate::table::results;

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
        let results = results(inputs, context)?;
        let files = match (results.as_slice(), inputs.port("scores")) {
            ([_, ..], []) => figure::of_results(&results, &params)?,
            ([], [scores]) => {
                let bytes = context.get(&scores.digest).during("reading scores")?;
                figure::of_scores(&Scores::decode(&bytes)?, &params)?
            }
            _ => {
                return Err(fail("figure_source", "a figure shows either results or scores")
                    .with_help("wire one of `results` and `scores`"));
            }
        };
        let mut outputs = Outputs::default();
        outputs.artifacts.insert("files".into(), context.put(&files.encode()?).during("storing the figure")?);
        Ok(outputs)
    }
}
