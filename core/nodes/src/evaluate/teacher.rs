//! The net that labels the batches of an evaluation.

use std::sync::Arc;

use pddflow_artifact::failure::{NodeResult, fail, from_plugin};
use pddflow_runner::pipeline::InputProblem;
use pddflow_runner::{Inputs, NodeContext};
use pddflow_training::recipe::{NetsParams, Preset, TAUGHT, Taught};
use pddflow_training::selection::wired_net;
use pddflow_training::splits::Prepared;
use pddflow_training::stored::{Wanted, net_data, specs_of};
use pddflow_training::trainer::{Hyperparameters, Loss, Segment, Teacher};

use super::params::{EvaluateParams, TeacherParams};
use crate::distill::recipe_of_set;
use crate::kind::{Connected, input_problem};
use crate::select;
use crate::surroundings::Surroundings;

/// The ports of the net.
const PORTS: [&str; 2] = ["trajectories", "weights"];

/// Who labels the batches: as the pipeline says, else as the sets do.
pub(super) fn asked(
    params: &EvaluateParams,
    own: Option<Taught>,
    inputs: &Inputs,
) -> NodeResult<Option<TeacherParams>> {
    let teacher = params.teacher.clone().or_else(|| own.map(TeacherParams::from));
    let wired = PORTS.iter().any(|port| !inputs.port(port).is_empty());
    match &teacher {
        None if wired => Err(fail("not_asked", NOT_ASKED.0).with_help(NOT_ASKED.1)),
        Some(_) if !wired => Err(fail("not_wired", NOT_WIRED.0).with_help(NOT_WIRED.1)),
        Some(_) if params.hard_labels => {
            Err(fail("teacher", "a trained net labels the batches, and `hard_labels` asks for classes of the sets")
                .with_help("leave out `hard_labels`, or name a recipe, such as `recipe: dsa`"))
        }
        _ => Ok(teacher),
    }
}

/// The same before the work, as far as it is known how the sets are made.
pub(super) fn check_teacher(surroundings: &Surroundings, node: &Connected<'_>) -> Result<(), InputProblem> {
    let wired = PORTS.into_iter().find(|port| node.at(port).next().is_some());
    let with = node.with();
    let asks = match with["teacher"].is_object() {
        true => Some(true),
        false if with["regression"].is_object() => Some(false),
        false => own_asks(surroundings, node),
    };
    match (asks, wired) {
        (Some(true), None) => Err(input_problem(PORTS[0], NOT_WIRED.0, NOT_WIRED.1)),
        (Some(false), Some(port)) => Err(input_problem(port, NOT_ASKED.0, NOT_ASKED.1)),
        _ => Ok(()),
    }
}

/// A node that trains on sets by their own recipe and has no such port.
pub(crate) fn needs_no_teacher(
    surroundings: &Surroundings,
    node: &Connected<'_>,
    help: &str,
) -> Result<(), InputProblem> {
    if own_asks(surroundings, node) == Some(true) { Err(input_problem("sets", TAUGHT, help)) } else { Ok(()) }
}

/// Whether the recipe of the sets, if it is what counts, has a trained net label the batches; none where that is not known.
fn own_asks(surroundings: &Surroundings, node: &Connected<'_>) -> Option<bool> {
    let recipe = &node.with()["recipe"];
    if !recipe.is_null() && *recipe != serde_json::json!(Preset::Own) {
        return Some(false);
    }
    let Some(last) = node.at("sets").last() else { return Some(false) };
    match last.kind() {
        "select" => Some(select::asks_teacher(last.with())),
        "distill" => recipe_of_set(surroundings, &last).map(|recipe| recipe["teacher"].is_object()),
        _ => None,
    }
}

/// Lets the wired net label every batch of these segments.
pub(super) fn teach(
    segments: &mut [Segment],
    (params, given): (&TeacherParams, &NetsParams),
    (surroundings, data): (&Surroundings, &Prepared),
    settings: &Hyperparameters,
    (inputs, context): (&Inputs, &NodeContext<'_>),
) -> NodeResult<()> {
    if settings.loss != Loss::CrossEntropy {
        return Err(fail("teacher", "the teacher's labels are probabilities, and the recipe has another loss")
            .with_help("write `loss: cross_entropy`"));
    }
    let choice = params.model.as_ref().map_or_else(|| given.net(), Ok)?;
    let registry = surroundings.plugins().open()?;
    let model = registry.model(&choice.id, &choice.config).map_err(|error| from_plugin(&error))?;
    let about = net_data(data);
    let specs = specs_of(&model, &about)?;
    let (device, dtype) = (surroundings.device(), surroundings.dtype());
    let wanted = Wanted { choice, specs: &specs, data: &about, device, dtype };
    let weights =
        wired_net(inputs, &wanted, context)?.ok_or_else(|| fail("not_wired", NOT_WIRED.0).with_help(NOT_WIRED.1))?;
    let teacher = Arc::new(Teacher { model, weights, temperature: params.temperature });
    segments.iter_mut().for_each(|segment| segment.teacher = Some(Arc::clone(&teacher)));
    Ok(())
}

/// Nobody is there to ask, and what to do.
const NOT_WIRED: (&str, &str) = (
    "a trained net is asked for labels, by `teacher` or the sets' own recipe, and none is wired",
    "wire a `train` node into `trajectories`, or a net with all its weights into `weights`; or name a recipe, such as `recipe: dsa`",
);
/// Nobody asks.
const NOT_ASKED: (&str, &str) = (
    "a net is wired that labels batches, and nothing asks it",
    "write `teacher: {}`, or leave the port out of `needs`",
);
