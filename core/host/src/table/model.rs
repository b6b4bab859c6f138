//! Group `model`: how a matcher reaches the models of its node.

use super::group::group;
use super::shared::choice;
use crate::call::{State, enter, outside};
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Mode, RandomKey, Status, Text};
use pddflow_tensor::Tensor;

/// Fails unless `count` is the number of the model's weights.
pub(super) fn check_count(state: &State<'_>, count: u64) -> Result<(), Fault> {
    let environment = state.environment.as_ref().ok_or_else(outside)?;
    let specs = environment.weight_specs().len() as u64;
    if count == specs {
        return Ok(());
    }
    Err(Fault::invalid(format!("{count} weights were given or asked for, but the model has {specs}")))
}

/// Fails unless these tensors are the model's weights in order.
pub(super) fn check_weights(state: &State<'_>, weights: &[Tensor]) -> Result<(), Fault> {
    check_count(state, weights.len() as u64)?;
    let environment = state.environment.as_ref().ok_or_else(outside)?;
    for (spec, weight) in environment.weight_specs().iter().zip(weights) {
        if spec.shape != weight.shape() {
            let message = format!(
                "weight `{}` has shape {:?}, but the one given has {:?}",
                spec.name,
                spec.shape,
                weight.shape()
            );
            return Err(Fault::new(Status::Shape, message));
        }
    }
    Ok(())
}

group! { MODEL: ModelGroup, "model", revision 1;
    enter fn count(state) -> u64 {
        state.environment()?.weight_specs().len() as u64
    }

    enter fn weight(state, index: u64, out: *mut abi::WeightInfo) {
        let State { environment, views, .. } = state;
        let specs = environment.as_ref().ok_or_else(outside)?.weight_specs();
        let place = raw::index(index, "index")?;
        let spec = specs.get(place).ok_or_else(|| Fault::invalid(format!("the model has no weight {index}")))?;
        let shapes = views.weight_shapes.entry(views.model).or_insert_with(|| {
            specs.iter().map(|spec| spec.shape.iter().map(|axis| *axis as u64).collect()).collect()
        });
        let shape = &shapes[place];
        let info = abi::WeightInfo {
            size: size_of::<abi::WeightInfo>() as u32,
            kind: spec.role as u32,
            name: Text::new(&spec.name),
            shape: shape.as_ptr(),
            rank: shape.len() as u64,
        };
        raw::store_sized(out, &info)?;
    }

    enter fn fresh(state, key: *const RandomKey, out: *mut abi::Tensor, count: u64) {
        check_count(state, count)?;
        let weights = state.environment()?.fresh_weights(raw::key(key)?)?;
        check_weights(state, &weights)?;
        state.give_all(out, weights)?;
    }

    enter fn forward(
        state,
        weights: *const abi::Tensor,
        count: u64,
        images: abi::Tensor,
        mode: u32,
        key: *const RandomKey,
        out: *mut abi::ForwardResult,
    ) {
        let mut result = raw::sized(out, "the result")?;
        let weights = state.get_all(weights, count, "the weights")?;
        check_weights(state, &weights)?;
        let images = state.get(images)?;
        let mode = choice(mode, &[Mode::Train, Mode::Eval].map(|mode| (mode as u32, mode)), "mode")?;
        let forward = state.environment()?.forward(&weights, &images, mode, raw::key(key)?)?;
        let (names, maps): (Vec<String>, Vec<Tensor>) = forward.maps.into_iter().unzip();
        state.views.map_names = names;
        result.map_count = maps.len() as u64;
        result.statistic_count = forward.statistics.len() as u64;
        let room = raw::index(result.map_capacity, "map_capacity")?;
        state.give_all(result.maps, maps.into_iter().take(room).collect())?;
        let room = raw::index(result.statistic_capacity, "statistic_capacity")?;
        state.give_all(result.statistics, forward.statistics.into_iter().take(room).collect())?;
        result.moment_count = forward.moments.len() as u64;
        let room = raw::index(result.moment_capacity, "moment_capacity")?;
        state.give_all(result.moments, forward.moments.into_iter().take(room).collect())?;
        state.give(&raw mut result.logits, forward.logits)?;
        state.give(&raw mut result.features, forward.features)?;
        raw::store_sized(out, &result)?;
    }

    enter fn map_name(state, index: u64) -> Text {
        let place = raw::index(index, "index")?;
        let name = state.views.map_names.get(place);
        Text::new(name.ok_or_else(|| Fault::invalid(format!("the last forward gave no map {index}")))?)
    }

    enter fn models(state) -> u64 {
        state.environment()?.models() as u64
    }

    enter fn choose(state, index: u64) {
        let place = raw::index(index, "index")?;
        let environment = state.environment()?;
        let models = environment.models();
        if place >= models {
            return Err(Fault::invalid(format!("there is no model {index}: the node has {models}")));
        }
        environment.choose_model(place);
        state.views.model = place;
    }
}
