//! The student: plain gradient descent on the synthetic set.

use crate::segment::Segment;
use crate::settings::Settings;
use crate::vector;
use pddflow_sdk::{
    DType, Draw, Error, Iteration, Keep, Key, Labelled, Mode, Part, Result, Rows, Tensor, grad, gradients, tape_bytes,
};
use std::collections::VecDeque;
use std::ops::Range;

/// Most tensors that kept tapes name; a call may have 65,536.
const HANDLES: usize = 8192;

/// A student on the union of the new set with earlier ones. Mini-batches are chunks of a random order of all images, from the last chunk
/// (which may be short) backwards; then a new order is drawn.
///
/// The tapes of its last steps are kept for the way back: as many as fit the host's budget, and always the last one's. What was dropped
/// is computed again when it is needed, by the same operations, so that no bit depends on the budget.
#[derive(Debug)]
pub struct Student<'a, 'call> {
    run: &'a Iteration<'call>,
    augment: &'a str,
    /// All weights of the model at the start; the statistics among them stay.
    weights: Vec<Tensor<'call>>,
    learnable: Vec<bool>,
    /// Images of the set, and of a mini-batch.
    images: usize,
    batch: usize,
    /// Where images have several rows of which a step sees one: those of each image, and how many they are at most.
    variants: Option<(Vec<Range<usize>>, usize)>,
    key: Key<'call>,
    /// The set as decoded from the learnables.
    set: Labelled<'call>,
    /// The same values as leaves of the tape; labels only if they are learned.
    leaf: Labelled<'call>,
    learned_labels: bool,
    budget: u64,
    kept: VecDeque<Taped<'call>>,
}

/// A step's gradient on the tape.
#[derive(Debug)]
struct Taped<'call> {
    step: usize,
    bytes: u64,
    theta: Vec<Tensor<'call>>,
    gradient: Vec<Tensor<'call>>,
}

/// A step's gradient g, and what a seed pulls back to: `d <seed, g>`, the seed constant.
#[derive(Debug)]
pub struct BackwardStep<'call> {
    /// g, the gradient of the mean cross-entropy by the weights.
    pub gradient: Vec<Tensor<'call>>,
    /// By the weights (the Hessian's product with the seed); empty if not asked for.
    pub theta: Vec<Tensor<'call>>,
    /// By the rows of the set, and their labels if those are learned.
    pub rows: Vec<Tensor<'call>>,
}

impl<'a, 'call> Student<'a, 'call> {
    pub(crate) fn new(
        run: &'a Iteration<'call>,
        segment: &Segment<'call>,
        settings: &'a Settings<'_>,
        key: Key<'call>,
    ) -> Result<Self> {
        let set = run.set(&Rows::all(Part::Union))?;
        let rows = set.images.shape()?[0];
        let variants = match settings.variants {
            0 | 1 => None,
            several => Some((variants(run, rows, several)?, several)),
        };
        let images = variants.as_ref().map_or(rows, |(rows, _)| rows.len());
        let batch = settings.batch.unwrap_or(run.problem().classes * run.problem().ipc).clamp(1, images);
        let learned_labels = set.labels.dtype()? != DType::I64 && set.labels.is_on_tape()?;
        let labels = if learned_labels { set.labels.variable()? } else { set.labels.detach()? };
        let leaf = Labelled { images: set.images.variable()?, labels };
        let (weights, learnable) = (segment.weights.clone(), segment.learnable.clone());
        let (augment, budget, kept) = (settings.augment, run.call().tape_budget()?, VecDeque::new());
        Ok(Self {
            run,
            augment,
            weights,
            learnable,
            images,
            variants,
            batch,
            key,
            set,
            leaf,
            learned_labels,
            budget,
            kept,
        })
    }

    /// Which rows of the set a step sees; all of them if `None`.
    fn drawn(&self, step: usize) -> Result<Option<Tensor<'call>>> {
        let order = match self.batch == self.images {
            true => None,
            false => {
                let chunks = self.images.div_ceil(self.batch);
                let order = self.key.fold("order")?.fold_u64((step / chunks) as u64)?.permutation(self.images)?;
                let from = (chunks - 1 - step % chunks) * self.batch;
                Some(order.slice(0, from, (from + self.batch).min(self.images), 1)?)
            }
        };
        let Some((variants, most)) = &self.variants else { return Ok(order) };
        let drawn = self.key.fold("variant")?.fold_u64(step as u64)?.below(*most as u64)? as usize;
        let images = match order {
            Some(order) => order.to_i64_vec()?,
            None => (0..self.images as i64).collect(),
        };
        let row = |image: i64| {
            let own = &variants[image as usize];
            (own.start + drawn % own.len()) as i64
        };
        let rows: Vec<i64> = images.into_iter().map(row).collect();
        Tensor::from_i64(self.run.call(), &rows, &[rows.len()]).map(Some)
    }

    /// Mean cross-entropy of a step's mini-batch.
    fn loss(&self, step: usize, theta: &[Tensor<'call>]) -> Result<Tensor<'call>> {
        let Labelled { mut images, mut labels } = self.leaf.clone();
        if let Some(rows) = self.drawn(step)? {
            (images, labels) = (images.gather(0, &rows)?, labels.gather(0, &rows)?);
        }
        let key = self.key.fold("augment")?.fold_u64(step as u64)?;
        let images = self.run.augment(self.augment, Draw::PerImage, &images, key)?;
        let mut moved = theta.iter();
        let of = |(weight, learnable): (&Tensor<'call>, &bool)| match learnable {
            true => moved.next().cloned(),
            false => Some(weight.clone()),
        };
        let weights: Option<Vec<_>> = self.weights.iter().zip(&self.learnable).map(of).collect();
        let weights = weights.ok_or_else(|| Error::shape("there are fewer weights than the model has"))?;
        self.run.forward(&weights, &images, Mode::Train, key)?.logits.cross_entropy(&labels)
    }

    /// The gradient of a step's mean cross-entropy by the learnable weights, on the tape: differentiable in the weights, the rows of
    /// the set and learned labels.
    fn taped(&self, step: usize, theta: &[Tensor<'call>]) -> Result<Taped<'call>> {
        let theta: Vec<_> = theta.iter().map(Tensor::variable).collect::<Result<_>>()?;
        let gradient = grad(&self.loss(step, &theta)?, &theta, Keep::OnTape)?;
        let bytes = if self.budget == 0 { 0 } else { tape_bytes(&gradient)? };
        Ok(Taped { step, bytes, theta, gradient })
    }

    /// The gradient g_t of a step's mean cross-entropy by the learnable weights, as values. Its tape is kept; the oldest ones go if there
    /// is no room for another like the last.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn gradient(&mut self, step: usize, theta: &[Tensor<'call>]) -> Result<Vec<Tensor<'call>>> {
        if let Some(taped) = self.kept.iter().find(|taped| taped.step == step) {
            return vector::detached(&taped.gradient);
        }
        let (next, most) = (self.kept.back().map_or(0, |last| last.bytes), HANDLES / (2 * theta.len()).max(1));
        let bytes = |kept: &VecDeque<Taped<'_>>| kept.iter().map(|taped| taped.bytes).sum::<u64>();
        while !self.kept.is_empty() && (self.kept.len() >= most || bytes(&self.kept) + next >= self.budget) {
            self.kept.pop_front();
        }
        let taped = self.taped(step, theta)?;
        let values = vector::detached(&taped.gradient)?;
        self.kept.push_back(taped);
        Ok(values)
    }

    /// The weights after a step: `theta - rate g_t`.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn next(&mut self, step: usize, theta: &[Tensor<'call>], rate: f64) -> Result<Vec<Tensor<'call>>> {
        vector::add_scaled(theta, &self.gradient(step, theta)?, -rate)
    }

    /// Derivatives of `<seed, g_t>`; by the weights only if `by_theta`. The step's tape is gone then.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn backward(
        &mut self,
        step: usize,
        theta: &[Tensor<'call>],
        seed: &[Tensor<'call>],
        by_theta: bool,
    ) -> Result<BackwardStep<'call>> {
        let place = self.kept.iter().position(|taped| taped.step == step);
        let taped = match place.and_then(|place| self.kept.remove(place)) {
            Some(taped) => taped,
            None => self.taped(step, theta)?,
        };
        let mut inputs = if by_theta { taped.theta } else { Vec::new() };
        let count = inputs.len();
        inputs.extend(self.leaves());
        let mut theta = gradients(&taped.gradient, Some(seed), &inputs, Keep::No)?;
        let rows = theta.split_off(count);
        Ok(BackwardStep { gradient: vector::detached(&taped.gradient)?, theta, rows })
    }

    /// The rows of the set, and their labels if those are learned, as leaves of the tape.
    fn leaves(&self) -> Vec<Tensor<'call>> {
        let learned = self.learned_labels.then(|| self.leaf.labels.clone());
        std::iter::once(self.leaf.images.clone()).chain(learned).collect()
    }

    /// Zeros in the shapes of [`BackwardStep::rows`].
    ///
    /// # Errors
    /// The run was cancelled.
    pub fn no_rows(&self) -> Result<Vec<Tensor<'call>>> {
        self.leaves().iter().map(|leaf| Tensor::full(self.run.call(), &leaf.shape()?, 0.0)).collect()
    }

    /// From derivatives by the rows (and labels) to derivatives by learnables, in the order of their names. Rows of earlier sets are
    /// constant, and drop out here.
    ///
    /// # Errors
    /// There is no such learnable.
    pub fn by_learnables(&self, rows: &[Tensor<'call>], names: &[&str]) -> Result<Vec<Tensor<'call>>> {
        let learned = self.learned_labels.then(|| self.set.labels.clone());
        let decoded: Vec<_> = std::iter::once(self.set.images.clone()).chain(learned).collect();
        let inputs: Vec<_> = names.iter().map(|name| self.run.learnable(name)).collect::<Result<_>>()?;
        gradients(&decoded, Some(rows), &inputs, Keep::No)
    }
}

/// The rows of each image in the union, `rows` in all, where new images have `several`. Those of earlier sets have as many if their numbers allow it,
/// else one each.
fn variants(run: &Iteration<'_>, rows: usize, several: usize) -> Result<Vec<Range<usize>>> {
    let new = run.problem().classes * run.problem().ipc * several;
    let mut images = Vec::new();
    let mut add = |from: usize, to: usize| {
        let each = if (to - from).is_multiple_of(several) { several } else { 1 };
        images.extend((from..to).step_by(each).map(|row| row..row + each));
    };
    if rows == new {
        add(0, rows);
        return Ok(images);
    }
    // Class by class, earlier images before new ones.
    let mut from = 0;
    for class in 0..run.problem().classes {
        let count = |part| Ok::<_, Error>(run.set(&Rows::all(part).of_class(class))?.images.shape()?[0]);
        let (own, all) = (count(Part::New)?, count(Part::Union)?);
        add(from, from + all - own);
        add(from + all - own, from + all);
        from += all;
    }
    Ok(images)
}
