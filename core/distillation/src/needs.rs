//! What a matcher needs besides data: found missing before anything runs where possible, else when its node begins.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::{Description, InputShape, LearnableRole, Need, Problem, ValueRange};
use pddflow_runner::pipeline::InputProblem;
use pddflow_tensor::RandomKey;
use pddflow_training::plugins::Plugins;
use pddflow_training::recipe::has_script;
use pddflow_training::splits::TensorOptions;

use crate::network::Network;
use crate::params::DistillParams;

const NO_MODEL_HELP: &str = "give `model:` in the parameters";

/// What a node is given.
struct Has {
    model: bool,
    experts: bool,
    start: bool,
    tensors: bool,
}

/// One that is not met, in words.
struct Missing {
    /// The input that would meet it; empty for a parameter.
    port: &'static str,
    code: &'static str,
    message: String,
    help: &'static str,
}

/// Whether the inputs meet what the matcher says that it needs for small colour images. What it needs for the data as they
/// are is known, and checked, when the node runs.
///
/// # Errors
/// An input or a parameter is missing.
pub fn check_planned(
    found: (&Plugins, &TensorOptions),
    params: &DistillParams,
    count: &dyn Fn(&str) -> usize,
) -> Result<(), InputProblem> {
    let Some(description) = usual_description(found, params) else { return Ok(()) };
    let wired = |port: &str| count(port) > 0;
    let has_start = wired("start") || params.pretrain.is_some();
    let has_model = params.model.is_some() || wired("start") || wired("trajectories");
    let has = Has { model: has_model, experts: wired("trajectories"), start: has_start, tensors: wired("tensors") };
    match missing(params, &description, &has) {
        Some(Missing { port, message, help, .. }) => {
            Err(InputProblem { port: port.into(), message, help: help.into() })
        }
        None => Ok(()),
    }
}

/// Whether what the node was given meets what the matcher needs.
pub(crate) fn check_given(
    params: &DistillParams,
    description: &Description,
    (network, tensors): (Option<&Network>, bool),
) -> NodeResult<()> {
    let has = Has {
        model: network.is_some(),
        experts: network.is_some_and(|network| !network.experts.is_empty()),
        start: network.is_some_and(Network::has_start),
        tensors,
    };
    match missing(params, description, &has) {
        Some(Missing { code, message, help, .. }) => Err(fail(code, message).with_help(help)),
        None => Ok(()),
    }
}

/// Whether it is known that a distillation with these parameters learns no learning rate of the set.
#[must_use]
pub fn learns_no_rate(found: (&Plugins, &TensorOptions), params: &DistillParams) -> bool {
    usual_description(found, params)
        .filter(|made| made.input.is_none())
        .is_some_and(|made| made.learnables.iter().all(|learnable| learnable.role != LearnableRole::LearningRate))
}

/// Whether it is known that a distillation with these parameters makes a set that is of use step by step only.
#[must_use]
pub fn makes_script(found: (&Plugins, &TensorOptions), params: &DistillParams) -> bool {
    usual_description(found, params).is_some_and(|made| has_script(&made.recipe))
}

/// Whether the matcher's steps may depend on how many there are: it says so, or cannot say now.
#[must_use]
pub fn needs_horizon(found: (&Plugins, &TensorOptions), params: &DistillParams) -> bool {
    usual_description(found, params).is_none_or(|description| description.needs.contains(&Need::Horizon))
}

fn missing(params: &DistillParams, description: &Description, has: &Has) -> Option<Missing> {
    let id = &params.matcher.id;
    let tensors = match &description.input {
        Some(purpose) if !has.tensors => Some((
            format!("matcher `{id}` works from {purpose}, and this node is given none"),
            "wire what makes it, such as a node of the kind `generator`, into `tensors`",
        )),
        None if has.tensors => Some((
            format!("matcher `{id}` takes no tensors"),
            "leave `tensors` out of `needs`, or choose a matcher that works from them",
        )),
        _ => None,
    };
    if let Some((message, help)) = tensors {
        return Some(Missing { port: "tensors", code: "not_wired", message, help });
    }
    if description.model_required && !has.model {
        let message = format!("matcher `{id}` needs a model");
        return Some(Missing { port: "", code: "no_model", message, help: NO_MODEL_HELP });
    }
    description.needs.iter().find_map(|need| {
        let (met, port, what, help) = match need {
            Need::Trajectories => (
                has.experts,
                "trajectories",
                "expert trajectories",
                "wire a `train` node into `trajectories`, or choose a matcher that starts from random nets",
            ),
            Need::StartWeights => (
                has.start,
                "start",
                "start weights",
                "wire an `advance` node into `start`, or choose a matcher that starts from random nets",
            ),
            Need::Evaluation => (
                params.evaluation.is_some(),
                "",
                "evaluations during distillation",
                "give `evaluation: { every: 100 }` in the parameters",
            ),
            Need::Horizon => return None,
        };
        let message = format!("matcher `{id}` needs {what}, and this node is given none");
        (!met).then_some(Missing { port, code: "not_wired", message, help })
    })
}

/// What the matcher says for small colour images; `None` if it refuses these, as it may well take those of the data set.
fn usual_description(found: (&Plugins, &TensorOptions), params: &DistillParams) -> Option<Description> {
    let matcher = found.0.open().ok()?.matcher(&params.matcher.id, &params.matcher.config).ok()?;
    matcher.describe(&usual_problem(found.1, params)).ok()
}

fn usual_problem(tensors: &TensorOptions, params: &DistillParams) -> Problem {
    let classes = 10;
    let one = |value: f64| vec![value; 3];
    Problem {
        classes,
        shape: InputShape { channels: 3, height: 32, width: 32 },
        ipc: params.ipc,
        learnable_rows: classes * params.ipc,
        horizon: None,
        seed_key: RandomKey::new(params.seed),
        device: tensors.device.clone(),
        dtype: tensors.dtype,
        value_range: ValueRange { min: one(0.0), max: one(1.0), mean: one(0.5), std: one(0.25) },
    }
}
