//! The kind `generator`: a small decoder that makes images of latents; see `pddflow_training::generator`.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_artifact::params::{read, schema};
use pddflow_artifact::{Files, NamedTensors, Pixels};
use pddflow_cache::KeyPart;
use pddflow_figures::images::Grid;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_tensor::Tensor;
use pddflow_training::generator::{Fitted, GeneratorParams, Samples, check, fit};
use pddflow_training::sets::one_artifact;
use pddflow_training::splits::Prepared;
use pddflow_training::stored::net_data;
use serde_json::{Value, json};

use crate::kind::{Kind, port};
use crate::surroundings::Surroundings;

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 1;

/// See the module.
pub(crate) struct GeneratorKind;

impl Kind for GeneratorKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 1 << 30, gpus: 1 }
    }

    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "generator".into(),
            summary: "Trains a small decoder that makes images of latents, for matchers that learn latents.".into(),
            inputs: vec![port("data", "dataset", Arity::One, "the real data")],
            outputs: vec![
                port("tensors", "tensors", Arity::One, "the decoder, and the latents of the training images"),
                port(
                    "samples",
                    "files",
                    Arity::One,
                    "a PNG: images of each class, what the decoder makes of their latents, and of points between two of them",
                ),
            ],
            parameters: schema::<GeneratorParams>,
            seeded: true,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(with)
    }

    fn key_parts(&self, surroundings: &Surroundings, _: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(surroundings.numeric_parts(REVISION))
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: GeneratorParams = read(node.with)?;
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        let Fitted { tensors, error, samples } = fit(&data, &params, context)?;
        let made_by = json!({ "kind": "generator", "parameters": node.with });
        let tensors = NamedTensors { tensors, data: Some(net_data(&data)), made_by };
        let artifacts = BTreeMap::from([
            ("tensors".to_owned(), context.put(&tensors.encode()?).during("storing the generator")?),
            ("samples".to_owned(), context.put(&picture(&samples, &data)?).during("storing the samples")?),
        ]);
        Ok(Outputs { artifacts, metrics: BTreeMap::from([("reconstruction_error".to_owned(), error)]) })
    }
}

/// The samples side by side, a row for each class.
fn picture(samples: &Samples, data: &Prepared) -> NodeResult<Vec<u8>> {
    let pixels = |images: &Tensor| {
        Pixels::of(images, (&samples.classes, data.classes), data.dataset.preprocessing())
            .during("undoing the normalisation")
    };
    let all = [pixels(&samples.real)?, pixels(&samples.again)?, pixels(&samples.between)?];
    let png = Grid { columns: None, scale: None }.draw(&all)?;
    let mut files = Files::new();
    files.insert("samples.png".to_owned(), png).map_err(|error| NodeError::internal(error.to_string()))?;
    Ok(files.encode()?)
}
