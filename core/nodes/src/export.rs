//! The kind `export`: a folder with everything that is needed to train on the sets without this program; see
//! `pddflow_exchange::export`.

use pddflow_artifact::failure::During;
use pddflow_artifact::params::{read_part, schema_of_parts};
use pddflow_cache::KeyPart;
use pddflow_exchange::export::{ExportParams, check, files, parts};
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::recipe::ProtocolParams;
use serde_json::Value;

use crate::evaluate::{check_learning_rates, needs_no_teacher};
use crate::images::sets_and_data;
use crate::kind::{Connected, Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the folder changes for the same parameters.
const REVISION: u32 = 10;

/// See the module.
pub(crate) struct ExportKind;

impl Kind for ExportKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "export".into(),
            summary: "Makes a folder with the sets, their recipe and how to train on them.".into(),
            inputs: vec![
                port("sets", "set", Arity::Some, "the sets, in the order of their stages"),
                port("data", "dataset", Arity::Optional, "the real data; needed for whitened sets only"),
            ],
            outputs: vec![port(
                "files",
                "files",
                Arity::One,
                "README.md, train.py, manifest.json, images.safetensors, pictures",
            )],
            parameters: || schema_of_parts(&parts()),
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(with)
    }

    fn check_inputs(&self, _: &Surroundings, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        let Ok(params) = read_part::<ExportParams>(with) else { return Ok(()) };
        check_learning_rates(with, params.training, count("sets"))
    }

    fn check_connections(&self, surroundings: &Surroundings, node: &Connected<'_>) -> Result<(), InputProblem> {
        needs_no_teacher(surroundings, node, "name another recipe, such as `recipe: dsa`")
    }

    fn key_parts(&self, _: &Surroundings, _: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![part("revision", REVISION)])
    }

    fn run(
        &self,
        _: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: ExportParams = read_part(node.with)?;
        let protocol: ProtocolParams = read_part(node.with)?;
        let (sets, data) = sets_and_data(inputs, context)?;
        let files = files((&sets, inputs.port("sets")), data.as_ref(), (&protocol, &params), context)?;
        let mut outputs = Outputs::default();
        outputs.artifacts.insert("files".into(), context.put(&files.encode()?).during("storing the export")?);
        Ok(outputs)
    }
}
