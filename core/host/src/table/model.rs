//! Group `model`: how a matcher reaches the model of its node.

use super::choice;
use super::distill::{environment, outside};
use crate::call::{State, enter};
use crate::error::Fault;
use crate::raw;
use crate::types::{Mode, WeightRole};
use pddflow_abi::{self as abi, Call, Status, Text};
use pddflow_tensor::Tensor;

pub(super) static MODEL: abi::ModelGroup = abi::ModelGroup {
    size: size_of::<abi::ModelGroup>() as u32,
    revision: 1,
    count: Some(count),
    weight: Some(weight),
    fresh: Some(fresh),
    forward: Some(forward),
    map_name: Some(map_name),
};

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

extern "C" fn count(call: *mut Call, out: *mut u64) -> i32 {
    enter(call, "model.count", |state| raw::store(out, environment(state)?.weight_specs().len() as u64))
}

extern "C" fn weight(call: *mut Call, index: u64, out: *mut abi::WeightInfo) -> i32 {
    enter(call, "model.weight", |state| {
        raw::sized(out, "the result")?;
        let State { environment, views, .. } = state;
        let specs = environment.as_ref().ok_or_else(outside)?.weight_specs();
        let place = raw::index(index, "index")?;
        let spec = specs.get(place).ok_or_else(|| Fault::invalid(format!("the model has no weight {index}")))?;
        if views.weight_shapes.is_empty() {
            views.weight_shapes =
                specs.iter().map(|spec| spec.shape.iter().map(|axis| *axis as u64).collect()).collect();
        }
        let shape = &views.weight_shapes[place];
        let kind = match spec.role {
            WeightRole::Learnable => abi::WeightKind::Learnable,
            WeightRole::Statistic => abi::WeightKind::Statistic,
        };
        let info = abi::WeightInfo {
            size: size_of::<abi::WeightInfo>() as u32,
            kind: kind as u32,
            name: Text::new(&spec.name),
            shape: shape.as_ptr(),
            rank: shape.len() as u64,
        };
        raw::store(out, info)
    })
}

extern "C" fn fresh(call: *mut Call, key: *const abi::RandomKey, out: *mut abi::Tensor, count: u64) -> i32 {
    enter(call, "model.fresh", |state| {
        check_count(state, count)?;
        let weights = environment(state)?.fresh_weights(raw::key(key)?)?;
        check_weights(state, &weights)?;
        state.give_all(out, weights)
    })
}

extern "C" fn forward(
    call: *mut Call,
    weights: *const abi::Tensor,
    count: u64,
    images: abi::Tensor,
    mode: u32,
    key: *const abi::RandomKey,
    out: *mut abi::ForwardResult,
) -> i32 {
    enter(call, "model.forward", |state| {
        let mut result = raw::sized(out, "the result")?;
        let weights = state.get_all(weights, count, "the weights")?;
        check_weights(state, &weights)?;
        let images = state.get(images)?;
        let all = [(abi::Mode::Train as u32, Mode::Train), (abi::Mode::Eval as u32, Mode::Eval)];
        let mode = choice(mode, &all, "mode")?;
        let forward = environment(state)?.forward(&weights, &images, mode, raw::key(key)?)?;
        let (names, maps): (Vec<String>, Vec<Tensor>) = forward.maps.into_iter().unzip();
        state.views.map_names = names;
        result.map_count = maps.len() as u64;
        result.statistic_count = forward.statistics.len() as u64;
        let room = raw::index(result.map_capacity, "map_capacity")?;
        state.give_all(result.maps, maps.into_iter().take(room).collect())?;
        let room = raw::index(result.statistic_capacity, "statistic_capacity")?;
        state.give_all(result.statistics, forward.statistics.into_iter().take(room).collect())?;
        state.give(&raw mut result.logits, forward.logits)?;
        state.give(&raw mut result.features, forward.features)?;
        raw::store(out, result)
    })
}

extern "C" fn map_name(call: *mut Call, index: u64, out: *mut Text) -> i32 {
    enter(call, "model.map_name", |state| {
        let place = raw::index(index, "index")?;
        let name = state.views.map_names.get(place);
        let name = name.ok_or_else(|| Fault::invalid(format!("the last forward gave no map {index}")))?;
        raw::store(out, Text::new(name))
    })
}

// A dtype's number is what `make` understands.
#[test]
fn dtype_numbers_are_those_of_the_boundary() {
    use super::dtype_number;
    assert_eq!(dtype_number(pddflow_tensor::DType::F64), abi::Dtype::F64 as u32);
}
