//! The net that labels the batches of an evaluation.

use std::sync::Arc;

use pddflow_artifact::failure::{NodeResult, fail, from_plugin};
use pddflow_runner::{Inputs, NodeContext};
use pddflow_training::recipe::NetsParams;
use pddflow_training::selection::wired_net;
use pddflow_training::splits::Prepared;
use pddflow_training::stored::{Wanted, net_data, specs_of};
use pddflow_training::trainer::{Hyperparameters, Loss, Segment, Teacher};

use super::params::TeacherParams;
use crate::surroundings::Surroundings;

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
pub(super) const NOT_WIRED: (&str, &str) = (
    "`teacher` asks a trained net for labels, and none is wired",
    "wire a `train` node into `trajectories`, or a net with all its weights into `weights`",
);
/// Nobody asks.
pub(super) const NOT_ASKED: (&str, &str) = (
    "a net is wired that labels batches, and nothing asks it",
    "write `teacher: {}`, or leave the port out of `needs`",
);
