//! The node of kind `evaluate`.

use pddflow_cache::KeyPart;
use pddflow_host::Role;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs};
use pddflow_tensor::RandomKey;
use pddflow_tensor::augment::Policy;
use serde_json::Value;

use super::params::{EvaluateParams, Holdout, check};
use super::protocol::{Protocol, Test};
use super::recipe::StepSize;
use super::report::report;
use super::stages::stages;
use super::summary::Summary;
use crate::Library;
use crate::choice::{open_registry, plugin_digest};
use crate::failure::{During, NodeResult, fail, from_plugin};
use crate::kind::{Kind, part, port};
use crate::nets::Schedule;
use crate::params::{read, schema};
use crate::sets::{load_sets, one_artifact};
use crate::splits::Split;

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 1;

/// See the module.
pub(crate) struct EvaluateKind;

impl Kind for EvaluateKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "evaluate".into(),
            summary: "Trains nets on sets and tests them on real images.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the real data; its test split is what counts"),
                port("sets", "set", Arity::Some, "the sets, in the order of their stages"),
            ],
            outputs: vec![port("results", "results", Arity::One, "accuracy of each net, mean, spread and curve")],
            parameters: schema::<EvaluateParams>(),
            seeded: true,
        }
    }

    fn check(&self, library: &Library, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(library, with)
    }

    fn key_parts(&self, library: &Library, with: &Value) -> Result<Vec<KeyPart>, NodeError> {
        let params: EvaluateParams = read(with)?;
        let mut parts = library.numeric_parts(REVISION);
        parts.push(part("model", plugin_digest(library, Role::Model, &params.model)?));
        Ok(parts)
    }

    fn run(
        &self,
        library: &Library,
        node: &PlanNode,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: EvaluateParams = read(&node.with)?;
        let data = library.splits().prepare(library, context.store(), &one_artifact(inputs, "data")?.digest)?;
        let test = data.test(library)?;
        if test.rows() == 0 {
            return Err(fail("empty_data", "the data set has no test images"));
        }
        let sets = load_sets(library, context.store(), inputs.port("sets"), &data)?;
        let held_out = params.holdout.map(|holdout| held_out(&data.train, holdout, params.seed)).transpose()?;
        let registry = open_registry(library)?;
        let model = registry.model(&params.model.id, &params.model.config).map_err(|error| from_plugin(&error))?;
        let specs = model.weights(data.shape, data.classes).during("asking the model for its weights")?;
        let numbers = Numbers::of(&params)?;
        let protocol = Protocol {
            model: &model,
            specs: &specs,
            dtype: library.dtype(),
            device: library.device(),
            stages: &stages(&sets, params.training, numbers.lr, data.classes)?,
            epochs: numbers.epochs,
            schedule: numbers.schedule,
            momentum: numbers.momentum,
            weight_decay: numbers.weight_decay,
            batch: numbers.batch,
            augment: numbers.augment,
            cutmix: (numbers.cutmix > 0.0).then_some(numbers.cutmix),
            carry_momentum: numbers.carry_momentum,
            curve_every: params.curve_every,
            seed: params.seed,
            test: test_of(&test),
            held_out: held_out.as_ref().map(test_of),
        };
        let nets = protocol.run(params.nets, context)?;
        report(&Summary::of(&nets), &params, &node.with, (&data, &sets), context.store())
    }
}

fn test_of(split: &Split) -> Test<'_> {
    Test { images: &split.samples().images, labels: split.classes_of_rows() }
}

/// Real images of the training split to choose an epoch by: the same share of every class, at least one.
fn held_out(train: &Split, holdout: Holdout, seed: u64) -> NodeResult<Split> {
    let key = RandomKey::new(seed).fold("held out");
    let mut rows = Vec::new();
    for (class, own) in train.class_rows().iter().enumerate().filter(|(_, own)| !own.is_empty()) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a row count")]
        let count = ((own.len() as f64 * holdout.fraction) as usize).max(1);
        rows.extend(key.fold_u64(class as u64).choose(own.len(), count.min(own.len())).into_iter().map(|at| own[at]));
    }
    train.part(&rows).during("taking held-out images")
}

/// The recipe's numbers; `check` has filled all of them in.
struct Numbers {
    epochs: u64,
    lr: StepSize,
    momentum: f64,
    weight_decay: f64,
    schedule: Schedule,
    batch: usize,
    augment: Policy,
    cutmix: f64,
    carry_momentum: bool,
}

impl Numbers {
    fn of(params: &EvaluateParams) -> NodeResult<Self> {
        let preset = params.recipe.recipe();
        let augment = params.augment.as_deref().unwrap_or(preset.augment);
        Ok(Self {
            epochs: params.epochs.unwrap_or(preset.epochs),
            lr: params.lr.unwrap_or(preset.lr),
            momentum: params.momentum.unwrap_or(preset.momentum),
            weight_decay: params.weight_decay.unwrap_or(preset.weight_decay),
            schedule: params.schedule.unwrap_or(preset.schedule),
            batch: params.batch.unwrap_or(preset.batch),
            augment: Policy::parse(augment).during("reading `augment`")?,
            cutmix: params.cutmix.unwrap_or(preset.cutmix),
            carry_momentum: params.carry_momentum.unwrap_or(preset.carry_momentum),
        })
    }
}
