//! One training step on one batch.
//!
//! | what | key of its randomness, below the epoch's |
//! |---|---|
//! | augmentation of batch b | `augment`, b |
//! | CutMix of batch b | `cutmix`, b |
//! | the model's own (dropout) | `model`, b |

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_host::{Labels, Mode, Model, Net, WeightRole, WeightSpec};
use pddflow_tensor::augment::{self, Draw};
use pddflow_tensor::{Keep, RandomKey, Tensor, TensorError, grad, trace};

use super::loss::Loss;
use super::settings::Hyperparameters;
use super::teacher::Teacher;
use crate::samples::Samples;

/// A model with the list of its weights.
#[derive(Clone, Copy)]
pub struct Architecture<'a> {
    /// Its forward pass.
    pub model: &'a Model,
    /// Its weights.
    pub specs: &'a [WeightSpec],
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
pub(super) struct Batch<'a> {
    /// Its images.
    pub(super) samples: &'a Samples,
    /// Who labels them in place of their own labels.
    pub(super) teacher: Option<&'a Teacher>,
    /// Its number in the epoch, from 0.
    pub(super) number: usize,
    /// The epoch's random key.
    pub(super) key: RandomKey,
}

/// What one step gave.
pub(super) struct Stepped {
    /// The mean loss before the step, as a tensor, so that a device need not wait.
    pub(super) loss: Tensor,
    /// What the net said before the step: `[row, class]`.
    pub(super) logits: Tensor,
}

/// One step on one batch.
pub(super) fn train_step(
    architecture: Architecture<'_>,
    net: &mut Net,
    batch: &Batch<'_>,
    settings: &Hyperparameters,
    lr: f64,
) -> NodeResult<Stepped> {
    let _span = trace::span("step");
    let Architecture { model, specs } = architecture;
    let (keys, samples) = (BatchKeys::new(batch.key, batch.number), batch.samples);
    let images =
        augment::apply(&settings.augment, &samples.images, Draw::PerImage, keys.augment).during("augmenting")?;
    let (images, partner, ratio) = match settings.cutmix {
        Some(probability) => augment::cutmix(&images, samples.labels.tensor(), probability, keys.cutmix),
        None => Ok((images, samples.labels.tensor().clone(), 1.0)),
    }
    .during("mixing images")?;
    let wanted = match batch.teacher {
        Some(teacher) => Wanted::Taught(teacher, teacher.labels(&images)?),
        None => Wanted::Mixed { own: &samples.labels, partner, ratio },
    };
    let weights = on_tape(specs, &net.weights).during("training")?;
    let forward = model.forward(&weights, &images, Mode::Train, keys.model).during("training")?;
    let loss = wanted.loss(settings.loss, &forward.logits).during("training")?;
    let mut gradients = slopes(specs, &weights, &loss).during("training")?;
    if let Some(flat) = settings.flat {
        // Running statistics are those of the first pass.
        let mut moved = net.weights.clone();
        let up = flat.climb(&gradients).during("training")?;
        for (place, up) in places(specs, WeightRole::Learnable).into_iter().zip(up) {
            moved[place] = moved[place].add(&up).during("training")?;
        }
        let moved = on_tape(specs, &moved).during("training")?;
        let logits = model.forward(&moved, &images, Mode::Train, keys.model).during("training")?.logits;
        let loss = wanted.loss(settings.loss, &logits).during("training")?;
        let second = slopes(specs, &moved, &loss).during("training")?;
        gradients = flat.direction(&gradients, &second).during("training")?;
    }
    let stepped = Stepped { loss: loss.detach(), logits: forward.logits.detach() };
    replace_statistics(specs, net, forward.statistics);
    // With the tape go the other holders of the weights, which then move in place.
    drop((weights, loss, forward.logits, forward.features, forward.maps));
    step(specs, net, &gradients, (settings, lr)).during("training")?;
    Ok(stepped)
}

/// What a net is to say of a batch.
enum Wanted<'a> {
    /// `ratio` of the own labels, the rest of those of the partners.
    Mixed { own: &'a Labels, partner: Tensor, ratio: f64 },
    /// What a teacher says of the images as they are.
    Taught(&'a Teacher, Labels),
}

impl Wanted<'_> {
    fn loss(&self, loss: Loss, logits: &Tensor) -> Result<Tensor, TensorError> {
        let (own, partner, ratio) = match self {
            Self::Taught(teacher, labels) => return loss.of(&teacher.softened(logits)?, labels),
            Self::Mixed { own, partner, ratio } => (*own, partner, *ratio),
        };
        let whole = loss.of(logits, own)?;
        if ratio == 1.0 {
            return Ok(whole);
        }
        let partner = match own {
            Labels::Hard(_) => Labels::Hard(partner.clone()),
            Labels::Soft(_) => Labels::Soft(partner.clone()),
        };
        whole.mul_scalar(ratio)?.add(&loss.of(logits, &partner)?.mul_scalar(1.0 - ratio)?)
    }
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
    (settings, lr): (&Hyperparameters, f64),
) -> Result<(), TensorError> {
    let places = places(specs, WeightRole::Learnable);
    if let Some(rule) = settings.adaptive(lr) {
        return rule.step(net, &places, gradients);
    }
    let descent = settings.descent(lr);
    let mut buffers: Vec<Option<Tensor>> = net.momentum.take().into_iter().flatten().map(Some).collect();
    buffers.resize(gradients.len(), None);
    for ((place, gradient), buffer) in places.into_iter().zip(gradients).zip(&mut buffers) {
        descent.step(&mut net.weights[place], gradient, buffer)?;
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
