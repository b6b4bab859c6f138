//! The kind `table`: results side by side.

use pddflow_artifact::Results;
use pddflow_artifact::failure::{During, NodeResult};
use pddflow_artifact::params::{read, schema};
use pddflow_cache::KeyPart;
use pddflow_figures::table::{self, TableParams, check};
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use serde_json::Value;

use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the files change for the same parameters.
const REVISION: u32 = 3;

/// See the module.
pub(crate) struct TableKind;

impl Kind for TableKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "table".into(),
            summary: "Sets results side by side: Markdown, CSV and JSON.".into(),
            inputs: vec![port("results", "results", Arity::Some, "the results of evaluations")],
            outputs: vec![port("table", "table", Arity::One, "table.md, table.csv and table.json")],
            parameters: schema::<TableParams>,
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
        let params: TableParams = read(node.with)?;
        let results = results(inputs, context)?;
        let files = table::files(&results, &params)?;
        let mut outputs = Outputs::default();
        outputs.artifacts.insert("table".into(), context.put(&files.encode()?).during("storing the table")?);
        Ok(outputs)
    }
}

/// The results at port `results`.
pub(crate) fn results(inputs: &Inputs, context: &NodeContext<'_>) -> NodeResult<Vec<Results>> {
    let read = |digest| Ok(Results::decode(&context.get(digest).during("reading results")?)?);
    inputs.port("results").iter().map(|artifact| read(&artifact.digest)).collect()
}
