//! The student: plain gradient descent on the synthetic set.

use crate::segment::Segment;
use crate::vector;
use pddflow_sdk::{
    DType, Draw, Error, Iteration, Keep, Key, Labelled, Mode, Part, Result, Rows, Tensor, grad, gradients, tape_bytes,
};

/// How the student is trained.
#[derive(Clone, Copy, Debug)]
pub struct Inner<'a> {
    /// Number of steps.
    pub steps: usize,
    /// Images in a step; those of one set if not given.
    pub batch: Option<usize>,
    /// Augmentation, drawn per image; `none` for none.
    pub augment: &'a str,
}

/// One step: which rows of the set (all if `None`), and the key of their augmentation.
#[derive(Debug)]
struct Step<'call> {
    rows: Option<Tensor<'call>>,
    key: Key<'call>,
}

/// A student on the union of the new set with earlier ones. Mini-batches are chunks of a random order of all rows, from the last chunk
/// (which may be short) backwards; then a new order is drawn.
#[derive(Debug)]
pub struct Student<'a, 'call> {
    run: &'a Iteration<'call>,
    segment: &'a Segment<'call>,
    augment: &'a str,
    steps: Vec<Step<'call>>,
    /// As decoded from the learnables.
    set: Labelled<'call>,
    /// The same values as leaves of the tape; labels only if they are learned.
    leaf: Labelled<'call>,
}

/// A step's gradient on the tape.
#[derive(Debug)]
pub struct Taped<'call> {
    theta: Vec<Tensor<'call>>,
    gradient: Vec<Tensor<'call>>,
}

/// What a seed of a step's gradient `g` pulls back to: `d <seed, g>` by the weights, the rows of the set, and their labels.
#[derive(Debug)]
pub struct Pulled<'call> {
    /// By the weights (the Hessian's product with the seed); empty if not asked for.
    pub theta: Vec<Tensor<'call>>,
    /// By the rows of the set, and their labels if those are learned.
    pub rows: Vec<Tensor<'call>>,
}

impl<'a, 'call> Student<'a, 'call> {
    /// Draws the mini-batches of all steps.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn new(
        run: &'a Iteration<'call>,
        segment: &'a Segment<'call>,
        inner: &Inner<'a>,
        key: Key<'call>,
    ) -> Result<Self> {
        let set = run.set(&Rows::all(Part::Union))?;
        let rows = set.images.shape()?[0];
        let batch = inner.batch.unwrap_or(run.problem().classes * run.problem().ipc).clamp(1, rows);
        let learned = set.labels.dtype()? != DType::I64 && set.labels.is_on_tape()?;
        let labels = if learned { set.labels.variable()? } else { set.labels.detach()? };
        let leaf = Labelled { images: set.images.variable()?, labels };
        let steps = steps(rows, batch, inner.steps, key)?;
        Ok(Self { run, segment, augment: inner.augment, steps, set, leaf })
    }

    fn inputs(&self, step: usize) -> Result<Labelled<'call>> {
        let Step { rows, key } = self.steps.get(step).ok_or_else(|| Error::new("there is no such step"))?;
        let Labelled { images, labels } = &self.leaf;
        let Labelled { images, labels } = match rows {
            Some(rows) => Labelled { images: images.gather(0, rows)?, labels: labels.gather(0, rows)? },
            None => self.leaf.clone(),
        };
        if self.augment == "none" {
            return Ok(Labelled { images, labels });
        }
        Ok(Labelled { images: self.run.augment(self.augment, Draw::PerImage, &images, *key)?, labels })
    }

    /// Mean cross-entropy of a step's mini-batch.
    fn loss(&self, step: usize, theta: &[Tensor<'call>]) -> Result<Tensor<'call>> {
        let batch = self.inputs(step)?;
        let mut moved = theta.iter();
        let weights = self.segment.weights.iter().zip(&self.segment.learnable);
        let weights: Option<Vec<_>> = weights
            .map(|(weight, learnable)| if *learnable { moved.next().cloned() } else { Some(weight.clone()) })
            .collect();
        let weights = weights.ok_or_else(|| Error::shape("there are fewer weights than the model has"))?;
        let key = self.steps[step].key;
        self.run.forward(&weights, &batch.images, Mode::Train, key)?.logits.cross_entropy(&batch.labels)
    }

    /// The gradient of a step's mean cross-entropy by the learnable weights, on the tape: differentiable in the weights, the rows of
    /// the set and learned labels.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn taped(&self, step: usize, theta: &[Tensor<'call>]) -> Result<Taped<'call>> {
        let theta: Vec<_> = theta.iter().map(Tensor::variable).collect::<Result<_>>()?;
        let gradient = grad(&self.loss(step, &theta)?, &theta, Keep::OnTape)?;
        Ok(Taped { theta, gradient })
    }

    /// Derivatives of `<seed, gradient>`, the seed constant; by the weights only if `by_theta`.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn pull_back(&self, taped: &Taped<'call>, seed: &[Tensor<'call>], by_theta: bool) -> Result<Pulled<'call>> {
        let mut inputs = if by_theta { taped.theta.clone() } else { Vec::new() };
        let count = inputs.len();
        inputs.extend(self.leaves());
        let mut theta = gradients(&taped.gradient, Some(seed), &inputs, Keep::No)?;
        let rows = theta.split_off(count);
        Ok(Pulled { theta, rows })
    }

    /// The rows of the set, and their labels if those are learned, as leaves of the tape.
    fn leaves(&self) -> Vec<Tensor<'call>> {
        let learned = self.labels_are_learned().then(|| self.leaf.labels.clone());
        std::iter::once(self.leaf.images.clone()).chain(learned).collect()
    }

    fn labels_are_learned(&self) -> bool {
        self.leaf.labels.is_on_tape().unwrap_or(false)
    }

    /// Zeros in the shapes of `Pulled::rows`.
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
        let learned = self.labels_are_learned().then(|| self.set.labels.clone());
        let decoded: Vec<_> = std::iter::once(self.set.images.clone()).chain(learned).collect();
        let inputs: Vec<_> = names.iter().map(|name| self.run.learnable(name)).collect::<Result<_>>()?;
        gradients(&decoded, Some(rows), &inputs, Keep::No)
    }
}

impl<'call> Taped<'call> {
    /// The gradient's values.
    ///
    /// # Errors
    /// The run was cancelled.
    pub fn values(&self) -> Result<Vec<Tensor<'call>>> {
        vector::detached(&self.gradient)
    }

    /// Bytes that the step holds, besides its weights those of the batch and of every operation.
    ///
    /// # Errors
    /// The host cannot say.
    pub(crate) fn bytes(&self) -> Result<u64> {
        tape_bytes(&self.gradient)
    }
}

/// Chunks of random orders, from the last backwards.
fn steps<'call>(rows: usize, batch: usize, count: usize, key: Key<'call>) -> Result<Vec<Step<'call>>> {
    let (order, augment) = (key.fold("order")?, key.fold("augment")?);
    let mut chunks: Vec<Tensor<'call>> = Vec::new();
    let mut passes = 0;
    (0..count)
        .map(|step| {
            let key = augment.fold_u64(step as u64)?;
            if batch == rows {
                return Ok(Step { rows: None, key });
            }
            if chunks.is_empty() {
                let drawn = order.fold_u64(passes)?.permutation(rows)?;
                passes += 1;
                chunks = (0..rows)
                    .step_by(batch)
                    .map(|from| drawn.slice(0, from, (from + batch).min(rows), 1))
                    .collect::<Result<_>>()?;
            }
            Ok(Step { rows: chunks.pop(), key })
        })
        .collect()
}
