//! Group `distill`: what a matcher works with during an outer iteration.

use super::group::group;
use super::model::{check_count, check_weights};
use super::shared::{choice, row_numbers};
use crate::call::{Phase, State, enter, outside};
use crate::error::Fault;
use crate::problem::Numbers;
use crate::raw;
use crate::types::{Net, Optimizer, TrainData, TrainSpec, WeightRole};
use crate::view;
use pddflow_abi::{self as abi, RandomKey, SetPart, Status, Text, TrainSource};
use pddflow_tensor::Tensor;
use pddflow_tensor::augment::{self, Draw, Policy};

const NAME_LIMIT: u64 = 256;

fn name_of(name: Text) -> Result<String, Fault> {
    raw::text(name, NAME_LIMIT, "the name")
}

fn class_of(state: &mut State<'_>, class: i64) -> Result<Option<usize>, Fault> {
    let classes = state.environment()?.problem().classes;
    match usize::try_from(class) {
        Ok(class) if class < classes => Ok(Some(class)),
        Err(_) if class == -1 => Ok(None),
        _ => Err(Fault::invalid(format!("class {class} is not one of the {classes} classes, nor -1 for all"))),
    }
}

/// A value for a learnable: detached, of its shape and type.
fn shaped(state: &mut State<'_>, name: &str, value: abi::Tensor, what: &str) -> Result<Tensor, Fault> {
    let shape = view::learnable(state, name)?.shape().to_vec();
    let value = state.get(value)?.detach();
    if value.shape() != shape {
        let message = format!("{what} of `{name}` has shape {:?}, but `{name}` has {shape:?}", value.shape());
        return Err(Fault::new(Status::Shape, message));
    }
    Ok(value.cast(state.dtype)?)
}

/// An augmentation policy; nothing means none.
fn policy_of(text: Text) -> Result<Policy, Fault> {
    let text = raw::text(text, NAME_LIMIT, "the augmentation")?;
    Ok(if text.is_empty() { Policy::none() } else { Policy::parse(&text)? })
}

fn train_spec(state: &State<'_>, given: &abi::TrainRequest, optimizer: Optimizer) -> Result<TrainSpec, Fault> {
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
    if optimizer != Optimizer::Sgd && !(0.0..1.0).contains(&given.momentum) {
        let message = format!("momentum {} of Adam must be at least 0 and below 1", given.momentum);
        return Err(Fault::invalid(message));
    }
    Ok(TrainSpec {
        data,
        epochs: given.epochs,
        batch: raw::index(given.batch, "batch")?,
        optimizer,
        lr: given.lr,
        momentum: given.momentum,
        weight_decay: given.weight_decay,
        augment: policy_of(given.augment)?,
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

/// Trains a net of the caller's: weights and buffers, in and out.
fn train_net(state: &mut State<'_>, given: &abi::TrainRequest, optimizer: Optimizer) -> Result<(), Fault> {
    let weights = state.get_all(given.weights, given.weight_count, "the weights")?;
    check_weights(state, &weights)?;
    let specs = state.environment()?.weight_specs();
    let learnable = specs.iter().filter(|spec| spec.role == WeightRole::Learnable).count() as u64;
    let needed = match optimizer {
        Optimizer::Sgd => learnable,
        Optimizer::Adam | Optimizer::AdamW => 2 * learnable + 1,
    };
    let wants_buffers = !given.buffers.is_null();
    if wants_buffers && given.buffer_count != needed {
        let message = format!(
            "{} buffers were given for {learnable} learnable weights, whose optimiser has {needed}",
            given.buffer_count
        );
        return Err(Fault::invalid(message));
    }
    let count = if wants_buffers { given.buffer_count } else { 0 };
    let momentum = buffers_in(state, raw::slice(given.buffers, count, "the buffers")?)?;
    let mut net = Net { weights: weights.iter().map(Tensor::detach).collect(), momentum };
    let spec = train_spec(state, given, optimizer)?;
    state.environment()?.train(&mut net, &spec)?;
    check_weights(state, &net.weights)?;
    state.give_all(given.weights, net.weights)?;
    if let Some(momentum) = net.momentum.filter(|momentum| wants_buffers && momentum.len() as u64 == needed) {
        state.give_all(given.buffers, momentum)?;
    }
    Ok(())
}

group! { DISTILL: DistillGroup, "distill", revision 1;
    enter fn problem(state, out: *mut abi::Problem) {
        let State { environment, views, .. } = state;
        let problem = environment.as_ref().ok_or_else(outside)?.problem();
        // Made once, so that what the first answer points to stays valid.
        raw::store_sized(out, views.problem.get_or_insert_with(|| Numbers::of_iteration(problem)).raw())?;
    }

    enter fn class_size(state, class: u64) -> u64 {
        state.environment()?.class_size(raw::index(class, "class")?) as u64
    }

    enter fn real_batch(
        state,
        class: i64,
        count: u64,
        key: *const RandomKey,
        images: *mut abi::Tensor,
        labels: *mut abi::Tensor,
    ) {
        let class = class_of(state, class)?;
        if count == 0 {
            return Err(Fault::invalid("a batch of 0 images was asked for"));
        }
        let batch = state.environment()?.real_batch(class, raw::index(count, "count")?, raw::key(key)?)?;
        state.give(images, batch.images)?;
        state.give(labels, batch.labels)?;
    }

    enter fn set(state, request: *const abi::SetRequest, images: *mut abi::Tensor, labels: *mut abi::Tensor) {
        let given = raw::sized(request, "the request")?;
        let part = choice(given.part, &[SetPart::New, SetPart::Union].map(|part| (part as u32, part)), "part")?;
        let class = class_of(state, given.class_index)?;
        let limit = raw::index(given.limit, "limit")?;
        let key = pddflow_tensor::RandomKey::from_words(given.key.words);
        let found = view::rows(state, part, class, (limit, key))?;
        state.give(images, found.images)?;
        state.give(labels, found.labels.tensor().clone())?;
    }

    enter fn learnable(state, name: Text) -> Tensor {
        view::learnable(state, &name_of(name)?)?
    }

    enter fn step(state, name: Text, gradient: abi::Tensor, rate: f64) {
        let name = name_of(name)?;
        if !rate.is_finite() {
            return Err(Fault::new(Status::Numeric, format!("the rate of `{name}` is {rate}")));
        }
        let gradient = shaped(state, &name, gradient, "the gradient")?;
        state.views.steps.add(name.clone(), gradient.clone())?;
        if gradient.is_at_hand() {
            state.views.steps.settle()?;
        }
        state.environment()?.step(&name, &gradient, rate)?;
        view::forget(state);
    }

    enter fn assign(state, name: Text, value: abi::Tensor) {
        let name = name_of(name)?;
        let value = shaped(state, &name, value, "the value")?;
        // Zero times a number is zero exactly if the number is finite.
        if !value.mul_scalar(0.0)?.sum_all()?.item()?.is_finite() {
            return Err(Fault::new(Status::Numeric, format!("the value of `{name}` is not finite")));
        }
        state.environment()?.assign(&name, &value)?;
        view::forget(state);
    }

    enter fn start_weights(state, key: *const RandomKey, out: *mut abi::Tensor, count: u64) {
        check_count(state, count)?;
        let weights = state.environment()?.start_weights(raw::key(key)?)?;
        check_weights(state, &weights)?;
        state.give_all(out, weights)?;
    }

    enter fn trajectory(
        state,
        request: *const abi::SegmentRequest,
        start: *mut abi::Tensor,
        target: *mut abi::Tensor,
        count: u64,
        epoch: *mut u64,
    ) {
        let given = raw::sized(request, "the request")?;
        check_count(state, count)?;
        let (first, end) = (given.min_start, given.max_start);
        if first >= end {
            return Err(Fault::invalid(format!("there is no start epoch in {first}..{end}")));
        }
        let key = pddflow_tensor::RandomKey::from_words(given.key.words);
        let segment = state.environment()?.trajectory(first, end, given.length, key)?;
        for weights in [&segment.start, &segment.target] {
            check_weights(state, weights)?;
        }
        state.give_all(start, segment.start)?;
        state.give_all(target, segment.target)?;
        raw::store_if(epoch, segment.epoch)?;
    }

    enter fn train(state, request: *const abi::TrainRequest) {
        train_net(state, &raw::sized(request, "the request")?, Optimizer::Sgd)?;
    }

    enter fn state_get(state, name: Text, out: *mut abi::Tensor) {
        match state.environment()?.state_get(&name_of(name)?) {
            Some(tensor) => state.give(out, tensor)?,
            None => raw::store(out, 0)?,
        }
    }

    enter fn state_put(state, name: Text, value: abi::Tensor) {
        let value = state.get(value)?.detach();
        state.environment()?.state_put(&name_of(name)?, &value)?;
    }

    enter fn save_point(state) {
        state.environment()?.save_point()?;
    }

    enter fn roll_back(state, out: *mut u32) {
        let done = state.environment()?.roll_back()?;
        view::forget(state);
        raw::store_if(out, u32::from(done))?;
    }

    enter fn augment(state, policy: Text, draw: u32, x: abi::Tensor, key: *const RandomKey) -> Tensor {
        if state.phase != Phase::Iterate {
            return Err(outside());
        }
        let all = [(abi::Draw::Siamese as u32, Draw::Siamese), (abi::Draw::PerImage as u32, Draw::PerImage)];
        augment::apply(&policy_of(policy)?, &state.get(x)?, choice(draw, &all, "draw")?, raw::key(key)?)?
    }

    enter fn choose_rows(state, class: i64, count: u64, key: *const RandomKey) -> Tensor {
        let class = class_of(state, class)?;
        let rows = state.environment()?.choose_rows(class, raw::index(count, "count")?, raw::key(key)?)?;
        row_numbers(state, &rows)?
    }

    enter fn real_rows(state, rows: abi::Tensor, images: *mut abi::Tensor, labels: *mut abi::Tensor) {
        let numbers = state.get(rows)?.to_i64_vec()?;
        let rows = numbers.iter().map(|&row| {
            usize::try_from(row).map_err(|_| Fault::invalid(format!("there is no real image of number {row}")))
        });
        let rows = rows.collect::<Result<Vec<usize>, Fault>>()?;
        let batch = state.environment()?.real_rows(&rows)?;
        state.give(images, batch.images)?;
        state.give(labels, batch.labels)?;
    }

    enter fn train_by(state, request: *const abi::TrainRequest, optimizer: u32) {
        let all = [Optimizer::Sgd, Optimizer::Adam, Optimizer::AdamW].map(|one| (one as u32, one));
        train_net(state, &raw::sized(request, "the request")?, choice(optimizer, &all, "optimizer")?)?;
    }
}
