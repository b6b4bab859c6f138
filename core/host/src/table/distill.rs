//! Group `distill`: what a matcher works with during an outer iteration.

use super::choice;
use super::model::{check_count, check_weights};
use crate::call::{Phase, State, enter};
use crate::environment::Environment;
use crate::error::Fault;
use crate::problem::Numbers;
use crate::raw;
use crate::types::{Net, TrainData, TrainSpec, WeightRole};
use crate::view::{self, Part};
use pddflow_abi::{self as abi, Call, SetPart, Status, Text, TrainSource};
use pddflow_tensor::Tensor;
use pddflow_tensor::augment::{self, Draw, Policy};

pub(super) static DISTILL: abi::DistillGroup = abi::DistillGroup {
    size: size_of::<abi::DistillGroup>() as u32,
    revision: 1,
    problem: Some(problem),
    class_size: Some(class_size),
    real_batch: Some(real_batch),
    set: Some(set),
    learnable: Some(learnable),
    step: Some(step),
    assign: Some(assign),
    start_weights: Some(start_weights),
    trajectory: Some(trajectory),
    train: Some(train),
    state_get: Some(state_get),
    state_put: Some(state_put),
    save_point: Some(save_point),
    roll_back: Some(roll_back),
    augment: Some(augment),
};

const NAME_LIMIT: u64 = 256;

pub(super) fn outside() -> Fault {
    Fault::new(Status::Unsupported, "only available in `iterate`")
}

pub(super) fn environment<'a>(state: &'a mut State<'_>) -> Result<&'a mut dyn Environment, Fault> {
    match &mut state.environment {
        Some(environment) => Ok(&mut **environment),
        None => Err(outside()),
    }
}

fn class_of(state: &mut State<'_>, class: i64) -> Result<Option<usize>, Fault> {
    let classes = environment(state)?.problem().classes;
    match usize::try_from(class) {
        Ok(class) if class < classes => Ok(Some(class)),
        Err(_) if class == -1 => Ok(None),
        _ => Err(Fault::invalid(format!("class {class} is not one of the {classes} classes, nor -1 for all"))),
    }
}

extern "C" fn problem(call: *mut Call, out: *mut abi::Problem) -> i32 {
    enter(call, "distill.problem", |state| {
        raw::sized(out, "the result")?;
        let numbers = Numbers::of(environment(state)?.problem());
        let raw_problem = numbers.copy();
        state.views.problem = Some(numbers);
        raw::store(out, raw_problem)
    })
}

extern "C" fn class_size(call: *mut Call, class: u64, out: *mut u64) -> i32 {
    enter(call, "distill.class_size", |state| {
        let size = environment(state)?.class_size(raw::index(class, "class")?);
        raw::store(out, size as u64)
    })
}

extern "C" fn real_batch(
    call: *mut Call,
    class: i64,
    count: u64,
    key: *const abi::RandomKey,
    images: *mut abi::Tensor,
    labels: *mut abi::Tensor,
) -> i32 {
    enter(call, "distill.real_batch", |state| {
        let class = class_of(state, class)?;
        if count == 0 {
            return Err(Fault::invalid("a batch of 0 images was asked for"));
        }
        let batch = environment(state)?.real_batch(class, raw::index(count, "count")?, raw::key(key)?)?;
        state.give(images, batch.images)?;
        state.give(labels, batch.labels)
    })
}

extern "C" fn set(
    call: *mut Call,
    request: *const abi::SetRequest,
    images: *mut abi::Tensor,
    labels: *mut abi::Tensor,
) -> i32 {
    enter(call, "distill.set", |state| {
        let given = raw::sized(request, "the request")?;
        let all = [(SetPart::New as u32, Part::New), (SetPart::Union as u32, Part::Union)];
        let part = choice(given.part, &all, "part")?;
        let class = class_of(state, given.class_index)?;
        let limit = raw::index(given.limit, "limit")?;
        let key = pddflow_tensor::RandomKey::from_words(given.key.words);
        let found = view::rows(state, part, class, (limit, key))?;
        state.give(images, found.images)?;
        let labels_found = found.labels.tensor().clone();
        state.give(labels, labels_found)
    })
}

extern "C" fn learnable(call: *mut Call, name: Text, out: *mut abi::Tensor) -> i32 {
    enter(call, "distill.learnable", |state| {
        let name = raw::text(name, NAME_LIMIT, "the name")?;
        let leaf = view::learnable(state, &name)?;
        state.give(out, leaf)
    })
}

/// A value for a learnable: detached, of its shape, finite.
fn checked(state: &mut State<'_>, name: &str, value: abi::Tensor, what: &str) -> Result<Tensor, Fault> {
    let shape = view::learnable(state, name)?.shape().to_vec();
    let value = state.get(value)?.detach();
    if value.shape() != shape {
        let message = format!("{what} of `{name}` has shape {:?}, but `{name}` has {shape:?}", value.shape());
        return Err(Fault::new(Status::Shape, message));
    }
    // Zero times a number is zero exactly if the number is finite.
    if !value.mul_scalar(0.0)?.sum_all()?.item()?.is_finite() {
        let message = format!("{what} of `{name}` is not finite");
        return Err(Fault::new(Status::Numeric, message));
    }
    Ok(value.cast(state.dtype)?)
}

extern "C" fn step(call: *mut Call, name: Text, gradient: abi::Tensor, rate: f64) -> i32 {
    enter(call, "distill.step", |state| {
        let name = raw::text(name, NAME_LIMIT, "the name")?;
        if !rate.is_finite() {
            return Err(Fault::new(Status::Numeric, format!("the rate of `{name}` is {rate}")));
        }
        let gradient = checked(state, &name, gradient, "the gradient")?;
        environment(state)?.step(&name, &gradient, rate)?;
        view::forget(state);
        Ok(())
    })
}

extern "C" fn assign(call: *mut Call, name: Text, value: abi::Tensor) -> i32 {
    enter(call, "distill.assign", |state| {
        let name = raw::text(name, NAME_LIMIT, "the name")?;
        let value = checked(state, &name, value, "the value")?;
        environment(state)?.assign(&name, &value)?;
        view::forget(state);
        Ok(())
    })
}

extern "C" fn start_weights(call: *mut Call, key: *const abi::RandomKey, out: *mut abi::Tensor, count: u64) -> i32 {
    enter(call, "distill.start_weights", |state| {
        check_count(state, count)?;
        let weights = environment(state)?.start_weights(raw::key(key)?)?;
        check_weights(state, &weights)?;
        state.give_all(out, weights)
    })
}

extern "C" fn trajectory(
    call: *mut Call,
    request: *const abi::SegmentRequest,
    start: *mut abi::Tensor,
    target: *mut abi::Tensor,
    count: u64,
    epoch: *mut u64,
) -> i32 {
    enter(call, "distill.trajectory", |state| {
        let given = raw::sized(request, "the request")?;
        check_count(state, count)?;
        let (first, end) = (given.min_start, given.max_start);
        if first >= end {
            return Err(Fault::invalid(format!("there is no start epoch in {first}..{end}")));
        }
        let key = pddflow_tensor::RandomKey::from_words(given.key.words);
        let segment = environment(state)?.trajectory(first, end, given.length, key)?;
        for weights in [&segment.start, &segment.target] {
            check_weights(state, weights)?;
        }
        state.give_all(start, segment.start)?;
        state.give_all(target, segment.target)?;
        raw::store_if(epoch, segment.epoch)
    })
}

fn train_spec(state: &State<'_>, given: &abi::TrainRequest) -> Result<TrainSpec, Fault> {
    let all = [(TrainSource::Given as u32, true), (TrainSource::Real as u32, false)];
    let data = if choice(given.source, &all, "source")? {
        let labels = state.get(given.labels)?.detach();
        TrainData::Given { images: state.get(given.images)?.detach(), labels: view::labels_of(labels) }
    } else {
        TrainData::Real { samples: raw::index(given.samples, "samples")? }
    };
    if given.batch == 0 || !(0.0..=1.0).contains(&given.cutmix) {
        let message = format!("batch {} must be at least 1 and CutMix {} a probability", given.batch, given.cutmix);
        return Err(Fault::invalid(message));
    }
    let policy = raw::text(given.augment, NAME_LIMIT, "the augmentation")?;
    Ok(TrainSpec {
        data,
        epochs: given.epochs,
        batch: raw::index(given.batch, "batch")?,
        lr: given.lr,
        momentum: given.momentum,
        weight_decay: given.weight_decay,
        augment: Policy::parse(if policy.is_empty() { "none" } else { &policy })?,
        cutmix: (given.cutmix > 0.0).then_some(given.cutmix),
        key: pddflow_tensor::RandomKey::from_words(given.key.words),
    })
}

/// The buffers as they come in: all or none are 0.
fn buffers_in(state: &State<'_>, buffers: &[abi::Tensor]) -> Result<Option<Vec<Tensor>>, Fault> {
    if buffers.iter().all(|handle| *handle == 0) {
        return Ok(None);
    }
    buffers.iter().map(|handle| Ok(state.get(*handle)?.detach())).collect::<Result<_, _>>().map(Some)
}

extern "C" fn train(call: *mut Call, request: *const abi::TrainRequest) -> i32 {
    enter(call, "distill.train", |state| {
        let given = raw::sized(request, "the request")?;
        let weights = state.get_all(given.weights, given.weight_count, "the weights")?;
        check_weights(state, &weights)?;
        let specs = environment(state)?.weight_specs();
        let learnable = specs.iter().filter(|spec| spec.role == WeightRole::Learnable).count() as u64;
        let wants_buffers = !given.buffers.is_null();
        if wants_buffers && given.buffer_count != learnable {
            let message = format!("{} buffers were given, but {learnable} weights are learnable", given.buffer_count);
            return Err(Fault::invalid(message));
        }
        let count = if wants_buffers { given.buffer_count } else { 0 };
        let momentum = buffers_in(state, raw::slice(given.buffers, count, "the buffers")?)?;
        let mut net = Net { weights: weights.iter().map(Tensor::detach).collect(), momentum };
        let spec = train_spec(state, &given)?;
        environment(state)?.train(&mut net, &spec)?;
        check_weights(state, &net.weights)?;
        state.give_all(given.weights, net.weights)?;
        match net.momentum {
            Some(momentum) if wants_buffers && momentum.len() as u64 == learnable => {
                state.give_all(given.buffers, momentum)
            }
            _ => Ok(()),
        }
    })
}

extern "C" fn state_get(call: *mut Call, name: Text, out: *mut abi::Tensor) -> i32 {
    enter(call, "distill.state_get", |state| {
        let name = raw::text(name, NAME_LIMIT, "the name")?;
        match environment(state)?.state_get(&name) {
            Some(tensor) => state.give(out, tensor),
            None => raw::store(out, 0),
        }
    })
}

extern "C" fn state_put(call: *mut Call, name: Text, value: abi::Tensor) -> i32 {
    enter(call, "distill.state_put", |state| {
        let name = raw::text(name, NAME_LIMIT, "the name")?;
        let value = state.get(value)?.detach();
        Ok(environment(state)?.state_put(&name, &value)?)
    })
}

extern "C" fn save_point(call: *mut Call) -> i32 {
    enter(call, "distill.save_point", |state| Ok(environment(state)?.save_point()?))
}

extern "C" fn roll_back(call: *mut Call, out: *mut u32) -> i32 {
    enter(call, "distill.roll_back", |state| {
        let done = environment(state)?.roll_back()?;
        view::forget(state);
        raw::store_if(out, u32::from(done))
    })
}

extern "C" fn augment(
    call: *mut Call,
    policy: Text,
    draw: u32,
    x: abi::Tensor,
    key: *const abi::RandomKey,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "distill.augment", |state| {
        if state.phase != Phase::Iterate {
            return Err(outside());
        }
        let policy = Policy::parse(&raw::text(policy, NAME_LIMIT, "the augmentation")?)?;
        let all = [(abi::Draw::Siamese as u32, Draw::Siamese), (abi::Draw::PerImage as u32, Draw::PerImage)];
        let draw = choice(draw, &all, "draw")?;
        let result = augment::apply(&policy, &state.get(x)?, draw, raw::key(key)?)?;
        state.give(out, result)
    })
}
