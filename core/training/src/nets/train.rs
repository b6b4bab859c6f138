//! Training: steps, epochs, and the two ways in which images come.
//!
//! | what | key of its randomness, below the key passed in |
//! |---|---|
//! | order of the images | `order` |
//! | augmentation of batch b | `augment`, b |
//! | CutMix of batch b | `cutmix`, b |
//! | the model's own (dropout) | `model`, b |

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::{Labels, Mode, Model, Net, Sgd, WeightRole, WeightSpec};
use pddflow_tensor::augment::{self, Draw, Policy};
use pddflow_tensor::{Keep, RandomKey, Tensor, TensorError, grad};

use super::data::Samples;
use super::sgd::{Momentum, momentum_step};

/// How one epoch trains.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Images in a step; the last one may be short.
    pub batch: usize,
    /// Step rule.
    pub rule: Sgd,
    /// Augmentation, drawn per image.
    pub augment: Policy,
    /// Probability of CutMix in a batch.
    pub cutmix: Option<f64>,
}

/// A model with the list of its weights.
pub struct Trainee<'a> {
    /// Its forward pass.
    pub model: &'a Model,
    /// Its weights.
    pub specs: &'a [WeightSpec],
}

/// Trains `net` once over `samples`, in a random order; returns the mean loss per batch.
pub fn train_epoch(
    trainee: &Trainee<'_>,
    net: &mut Net,
    samples: &Samples,
    epoch: &Epoch,
    key: RandomKey,
) -> NodeResult<f64> {
    Ok(train_part(trainee, net, samples, epoch, key, (0, &|| false))?.loss)
}

/// Some batches of an epoch.
pub struct Part {
    /// Mean loss of the batches.
    pub loss: f64,
    /// The batch to go on with; `None` when the epoch is over.
    pub next: Option<usize>,
}

/// The same from batch `from` on, until `stop` says so after a batch. An epoch in parts is the epoch in one, bit for bit.
pub fn train_part(
    trainee: &Trainee<'_>,
    net: &mut Net,
    samples: &Samples,
    epoch: &Epoch,
    key: RandomKey,
    (from, stop): (usize, &dyn Fn() -> bool),
) -> NodeResult<Part> {
    let order = key.fold("order").permutation(samples.rows());
    train_rows(trainee, net, (samples, &order), epoch, key, (from, stop))
}

/// Trains `net` on at least `count` of `samples` in full batches, without replacement until all were seen.
pub fn train_samples(
    trainee: &Trainee<'_>,
    net: &mut Net,
    samples: &Samples,
    count: usize,
    epoch: &Epoch,
    key: RandomKey,
) -> NodeResult<f64> {
    let total = count.div_ceil(epoch.batch.max(1)) * epoch.batch;
    let mut order = Vec::with_capacity(total);
    let mut round = 0;
    while order.len() < total {
        let wanted = samples.rows().min(total - order.len());
        order.extend(key.fold("order").fold_u64(round).choose(samples.rows(), wanted));
        round += 1;
    }
    Ok(train_rows(trainee, net, (samples, &order), epoch, key, (0, &|| false))?.loss)
}

/// Trains `net` on rows of `samples` in this order, in batches from number `from` on, until `stop` says so after a batch. An
/// order in parts is the order in one, bit for bit.
pub fn train_rows(
    trainee: &Trainee<'_>,
    net: &mut Net,
    (samples, order): (&Samples, &[usize]),
    epoch: &Epoch,
    key: RandomKey,
    (from, stop): (usize, &dyn Fn() -> bool),
) -> NodeResult<Part> {
    if order.is_empty() {
        return Err(fail("empty_data", "there is no image to train on"));
    }
    let mut losses = Vec::new();
    let mut next = None;
    let batches = order.chunks(epoch.batch.max(1)).enumerate();
    let count = batches.len();
    for (number, rows) in batches.skip(from) {
        let batch = samples.take(rows).during("taking a training batch")?;
        let batch = Batch { samples: &batch, number, key };
        losses.push(train_step(trainee, net, &batch, epoch, Momentum::Classical)?.loss);
        if number + 1 < count && stop() {
            next = Some(number + 1);
            break;
        }
    }
    Ok(Part { loss: mean_loss(&losses, from)?, next })
}

fn mean_loss(losses: &[Tensor], from: usize) -> NodeResult<f64> {
    let mut sum = 0.0;
    for (number, loss) in (from..).zip(losses) {
        let value = loss.item().during("reading the training loss")?;
        if !value.is_finite() {
            return Err(fail("loss_not_finite", format!("the training loss of batch {number} is {value}"))
                .with_help("lower the step size, or look for images that are not finite"));
        }
        sum += value;
    }
    Ok(sum / losses.len().max(1) as f64)
}

struct BatchKeys {
    augment: RandomKey,
    cutmix: RandomKey,
    model: RandomKey,
}

impl BatchKeys {
    fn new(key: RandomKey, number: usize) -> Self {
        let of = |purpose: &str| key.fold(purpose).fold_u64(number as u64);
        Self { augment: of("augment"), cutmix: of("cutmix"), model: of("model") }
    }
}

/// One batch of an epoch.
pub struct Batch<'a> {
    /// Its images.
    pub samples: &'a Samples,
    /// Its number in the epoch, from 0.
    pub number: usize,
    /// The epoch's random key.
    pub key: RandomKey,
}

/// What one step gave.
pub struct Stepped {
    /// The mean loss before the step, as a tensor, so that a device need not wait.
    pub loss: Tensor,
    /// What the net said before the step: `[row, class]`.
    pub logits: Tensor,
}

/// One step on one batch.
pub fn train_step(
    trainee: &Trainee<'_>,
    net: &mut Net,
    batch: &Batch<'_>,
    epoch: &Epoch,
    momentum: Momentum,
) -> NodeResult<Stepped> {
    let (keys, samples) = (BatchKeys::new(batch.key, batch.number), batch.samples);
    let images = augment::apply(&epoch.augment, &samples.images, Draw::PerImage, keys.augment).during("augmenting")?;
    let (images, partner, ratio) = match epoch.cutmix {
        Some(probability) => augment::cutmix(&images, samples.labels.tensor(), probability, keys.cutmix),
        None => Ok((images, samples.labels.tensor().clone(), 1.0)),
    }
    .during("mixing images")?;
    let weights = on_tape(trainee.specs, &net.weights).during("training")?;
    let forward = trainee.model.forward(&weights, &images, Mode::Train, keys.model).during("training")?;
    let loss = mixed_cross_entropy(&forward.logits, &samples.labels, partner, ratio);
    let loss = loss.during("training")?;
    let gradients = slopes(trainee.specs, &weights, &loss).during("training")?;
    let stepped = Stepped { loss: loss.detach(), logits: forward.logits.detach() };
    replace_statistics(trainee.specs, net, forward.statistics);
    // With the tape go the other holders of the weights, which then move in place.
    drop((weights, loss, forward.logits, forward.features, forward.maps));
    step(trainee.specs, net, &gradients, &epoch.rule, momentum).during("training")?;
    Ok(stepped)
}

/// Mean cross-entropy of logits `[row, class]` against hard or soft labels.
pub(crate) fn cross_entropy(logits: &Tensor, labels: &Labels) -> Result<Tensor, TensorError> {
    match labels {
        Labels::Hard(labels) => logits.cross_entropy(labels),
        Labels::Soft(labels) => logits.cross_entropy_soft(labels),
    }
}

/// `ratio` of the loss against the own labels, the rest against those of the partners.
fn mixed_cross_entropy(logits: &Tensor, labels: &Labels, partner: Tensor, ratio: f64) -> Result<Tensor, TensorError> {
    let own = cross_entropy(logits, labels)?;
    if ratio == 1.0 {
        return Ok(own);
    }
    let partner = match labels {
        Labels::Hard(_) => Labels::Hard(partner),
        Labels::Soft(_) => Labels::Soft(partner),
    };
    own.mul_scalar(ratio)?.add(&cross_entropy(logits, &partner)?.mul_scalar(1.0 - ratio)?)
}

/// The weights with each learnable one as a new leaf.
fn on_tape(specs: &[WeightSpec], weights: &[Tensor]) -> Result<Vec<Tensor>, TensorError> {
    specs
        .iter()
        .zip(weights)
        .map(|(spec, weight)| match spec.role {
            WeightRole::Learnable => weight.variable(),
            WeightRole::Statistic => Ok(weight.clone()),
        })
        .collect()
}

/// Gradients of a loss by the learnable weights.
fn slopes(specs: &[WeightSpec], weights: &[Tensor], loss: &Tensor) -> Result<Vec<Tensor>, TensorError> {
    let leaves: Vec<Tensor> =
        places(specs, WeightRole::Learnable).into_iter().map(|place| weights[place].clone()).collect();
    grad(std::slice::from_ref(loss), &leaves, None, Keep::No)
}

fn step(
    specs: &[WeightSpec],
    net: &mut Net,
    gradients: &[Tensor],
    rule: &Sgd,
    momentum: Momentum,
) -> Result<(), TensorError> {
    let mut buffers: Vec<Option<Tensor>> = net.momentum.take().into_iter().flatten().map(Some).collect();
    buffers.resize(gradients.len(), None);
    let places = places(specs, WeightRole::Learnable);
    for ((place, gradient), buffer) in places.into_iter().zip(gradients).zip(&mut buffers) {
        momentum_step(&mut net.weights[place], gradient, buffer, rule, momentum)?;
    }
    let buffers: Vec<Tensor> = buffers.into_iter().flatten().collect();
    net.momentum = (!buffers.is_empty()).then_some(buffers);
    Ok(())
}

fn replace_statistics(specs: &[WeightSpec], net: &mut Net, statistics: Vec<Tensor>) {
    for (place, value) in places(specs, WeightRole::Statistic).into_iter().zip(statistics) {
        net.weights[place] = value.detach();
    }
}

fn places(specs: &[WeightSpec], role: WeightRole) -> Vec<usize> {
    specs.iter().enumerate().filter(|(_, spec)| spec.role == role).map(|(place, _)| place).collect()
}
