//! The node of kind `forgetting`.

use std::collections::BTreeMap;

use pddflow_artifact::Scores;
use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_artifact::params::{read, schema};
use pddflow_cache::KeyPart;
use pddflow_figures::score_histogram;
use pddflow_host::Role;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::sets::one_artifact;
use pddflow_training::splits::Prepared;
use pddflow_training::trainer::Architecture;
use serde_json::{Value, json};

use super::count::{Counted, Counter};
use super::params::{ForgettingParams, check};
use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 2;
/// Name of these scores in tables and pictures.
const METHOD: &str = "forgetting";

/// See the module.
pub(crate) struct ForgettingKind;

impl Kind for ForgettingKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 1 << 30, gpus: 1 }
    }

    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "forgetting".into(),
            summary: "Counts how often each training example is forgotten while nets are trained.".into(),
            inputs: vec![port("data", "dataset", Arity::One, "the real data")],
            outputs: vec![
                port("scores", "scores", Arity::One, "the counts of each training example, summed over the runs"),
                port("histogram", "table", Arity::One, "how many examples have which score: .md, .csv, .json, .svg"),
            ],
            parameters: schema::<ForgettingParams>,
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings, with)
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let params: ForgettingParams = read(node.with)?;
        let mut parts = surroundings.numeric_parts(REVISION);
        parts.push(part("model", surroundings.plugins().key(Role::Model, &params.model.id)?));
        Ok(parts)
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: ForgettingParams = read(node.with)?;
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        if data.train.rows() == 0 {
            return Err(fail("empty_data", "the data set has no training images"));
        }
        let registry = surroundings.plugins().open()?;
        let model = registry.model(&params.model.id, &params.model.config).map_err(|error| from_plugin(&error))?;
        let specs = model.weights(data.shape, data.classes).during("asking the model for its weights")?;
        let counter = Counter {
            params: &params,
            architecture: Architecture { model: &model, specs: &specs },
            settings: params.settings()?,
            train: &data.train,
            tensors: surroundings.tensors(),
            context,
        };
        let counted = counter.run()?;
        finish(&params, &data, counted, node.with, context)
    }
}

fn finish(
    params: &ForgettingParams,
    data: &Prepared,
    counted: Counted,
    with: &Value,
    context: &NodeContext<'_>,
) -> NodeResult<Outputs> {
    let Counted { scores, never } = counted;
    let never: Vec<bool> = never.into_iter().map(|runs| runs == params.runs as u64).collect();
    let made_by = json!({ "kind": "forgetting", "parameters": with });
    let title = format!("forgetting events over {} epochs, {} runs", params.epochs, params.runs);
    let files = score_histogram::files(&scores, &never, &title, &made_by)?;
    let rows = scores.len() as f64;
    let share = |count: usize| 100.0 * count as f64 / rows;
    let metrics = BTreeMap::from([
        ("mean_score".to_owned(), scores.iter().sum::<u64>() as f64 / rows),
        ("never_forgotten".to_owned(), share(scores.iter().filter(|score| **score == 0).count())),
        ("never_learned".to_owned(), share(never.iter().filter(|never| **never).count())),
    ]);
    let scores = Scores {
        method: METHOD.to_owned(),
        made_by,
        images: data.dataset.train_digest(),
        scores: scores.into_iter().map(|score| score as f64).collect(),
    };
    let artifacts = BTreeMap::from([
        ("scores".to_owned(), context.put(&scores.encode()?).during("storing the scores")?),
        ("histogram".to_owned(), context.put(&files.encode()?).during("storing the histogram")?),
    ]);
    Ok(Outputs { artifacts, metrics })
}
