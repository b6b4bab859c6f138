//! What a matcher needs besides data: found missing before anything runs where possible, else when its node begins.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::{Description, InputShape, LearnableRole, Need, Problem, ValueRange};
use pddflow_runner::pipeline::InputProblem;
use pddflow_tensor::RandomKey;
use pddflow_training::plugins::Plugins;
use pddflow_training::recipe::has_script;
use pddflow_training::splits::TensorOptions;
use serde_json::Value;

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
    let has_model = !params.models().is_empty() || wired("start") || wired("trajectories");
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
    (networks, tensors): (&[Network], bool),
) -> NodeResult<()> {
    let has = Has {
        model: !networks.is_empty(),
        experts: !networks.is_empty() && networks.iter().all(|network| !network.experts.is_empty()),
        start: !networks.is_empty() && networks.iter().all(Network::has_start),
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

/// The recipe that the matcher gives its set, as far as it is known.
#[must_use]
pub fn made_recipe(found: (&Plugins, &TensorOptions), params: &DistillParams) -> Option<Value> {
    Some(usual_description(found, params)?.recipe)
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
    let models = params.models().len();
    if models > 1 && !description.needs.contains(&Need::Models) {
        let message = format!("matcher `{id}` works with one model, and this node has {models}");
        let help = "give one in `model:`, or choose a matcher that works with several, such as `dm`";
        return Some(Missing { port: "", code: "one_model", message, help });
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
            Need::Horizon | Need::Models => return None,
        };
        let given = if models > 1 && !port.is_empty() { "has none for some of its models" } else { "is given none" };
        let message = format!("matcher `{id}` needs {what}, and this node {given}");
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nets_of_some_models_only_are_not_what_a_matcher_needs_of_all() {
        let params = json!({ "matcher": "m", "models": ["a", "b"], "ipc": 1, "iterations": 1 });
        let params: DistillParams = serde_json::from_value(params).unwrap();
        let description = |needs: &[Need]| Description {
            learnables: Vec::new(),
            needs: needs.to_vec(),
            model_required: true,
            input: None,
            given: std::collections::BTreeMap::new(),
            recipe: json!({}),
        };
        let has = |start| Has { model: true, experts: false, start, tensors: false };
        let told =
            |needs: &[Need], start| missing(&params, &description(needs), &has(start)).map(|found| found.message);
        let several = [Need::Models, Need::StartWeights];
        let text = told(&several, false).unwrap();
        assert!(text.ends_with("needs start weights, and this node has none for some of its models"), "{text}");
        assert_eq!(told(&several, true), None);
        assert_eq!(told(&[Need::Models], false), None);
        assert!(told(&[Need::StartWeights], true).unwrap().contains("works with one model, and this node has 2"));
    }
}
