//! The alignment loss, and its gradient by the images.
//!
//! With f1, f2, .. the model's maps in order of depth and last its features, means over the images of a class, and M the class
//! means of the synthetic features (one row for each class):
//!
//! ```text
//!   sum over layers l of weights[l] * sum over classes c of | mean f_l(synthetic c) - mean f_l(real c) |^2
//! + weight_inner * summed cross-entropy of the rows features(real) M^T with the real labels
//! + mean cross-entropy of the net on the real images (a constant to the images; counted in the loss only)
//! ```
//!
//! The real side is constant. Classes go one by one, so that memory does not grow with their number. The second term joins them
//! by M: its gradient by M is taken first, with M known from a pass without a tape, and enters the pass of each class as a fixed
//! factor of the class's row of M. Nets with batch normalisation see all classes in one pass instead.

use crate::Config;
use pddflow_sdk::{Draw, Error, Forward, Iteration, Keep, Key, Labelled, Mode, Part, Result, Rows, Tensor, grad};

/// How synthetic images are aligned with real ones.
pub(crate) struct Alignment<'a> {
    config: &'a Config,
    /// Classes that go through the net together.
    groups: Vec<Vec<usize>>,
}

/// What a step needs of the real images.
struct Real<'call> {
    /// For each class, its mean in each layer.
    means: Vec<Vec<Tensor<'call>>>,
    /// Gradient of the summed cross-entropy by M, `[class, feature]`.
    pull: Tensor<'call>,
    /// That cross-entropy, and the net's mean one.
    inner: f64,
    own: f64,
}

impl<'a> Alignment<'a> {
    pub(crate) fn new(config: &'a Config, run: &Iteration<'_>) -> Result<Self> {
        let classes = run.problem().classes;
        let joined = run.weights()?.iter().any(|weight| !weight.learnable);
        let groups =
            if joined { vec![(0..classes).collect()] } else { (0..classes).map(|class| vec![class]).collect() };
        Ok(Self { config, groups })
    }

    /// Gradient by the images, and the loss.
    pub(crate) fn gradient<'call>(
        &self,
        run: &Iteration<'call>,
        weights: &[Tensor<'call>],
        key: Key<'call>,
    ) -> Result<(Tensor<'call>, f64)> {
        let forward = |x: &[Tensor<'call>]| run.forward(weights, &Tensor::concat(x, 0)?, Mode::Train, key);
        let real = self.real(run, &self.class_means(run, forward, key)?, forward, key)?;
        let images = run.learnable("images")?;
        let (mut gradient, mut loss) = (None, self.config.weight_inner * real.inner + real.own);
        for group in &self.groups {
            let x = self.synthetic(run, group, key)?;
            let (aligned, joined) = self.terms(group, &x, &layers(forward(&x)?), &real)?;
            loss += aligned.detach()?.scalar()?;
            let own = grad(&(&aligned + &joined)?, std::slice::from_ref(&images), Keep::No)?.remove(0);
            gradient = Some(sum(gradient, own)?);
        }
        Ok((gradient.ok_or_else(no_class)?, loss))
    }

    /// For the synthetic images of a group: the first term of the loss, and what has the gradient of the second.
    fn terms<'call>(
        &self,
        group: &[usize],
        x: &[Tensor<'call>],
        layers: &[Tensor<'call>],
        real: &Real<'call>,
    ) -> Result<(Tensor<'call>, Tensor<'call>)> {
        let factors = self.factors(layers.len())?;
        let (mut aligned, mut joined) = (None, None);
        for (class, means) in group.iter().zip(class_means(layers, x)?) {
            for ((mean, wanted), factor) in means.iter().zip(&real.means[*class]).zip(&factors) {
                aligned = Some(sum(aligned, (&mean.squared_distance(wanted)? * *factor)?)?);
            }
            let features = means.last().ok_or_else(no_class)?;
            let pull = real.pull.slice(0, *class, class + 1, 1)?.reshape(&features.shape()?)?;
            joined = Some(sum(joined, (&features.dot(&pull)? * self.config.weight_inner)?)?);
        }
        Ok((aligned.ok_or_else(no_class)?, joined.ok_or_else(no_class)?))
    }

    /// Weights of the layers.
    fn factors(&self, layers: usize) -> Result<Vec<f64>> {
        match &self.config.weights {
            None => Ok((0..layers).map(|layer| if layer + 3 < layers { 0.1 } else { 1.0 }).collect()),
            Some(weights) if weights.len() == layers => Ok(weights.clone()),
            Some(weights) => Err(Error::shape(format!(
                "`weights` has {} numbers, but the model gives {layers} layers: {} maps and the features",
                weights.len(),
                layers - 1
            ))),
        }
    }

    /// M, without a tape.
    fn class_means<'call>(
        &self,
        run: &Iteration<'call>,
        forward: impl Fn(&[Tensor<'call>]) -> Result<Forward<'call>>,
        key: Key<'call>,
    ) -> Result<Tensor<'call>> {
        let mut rows = Vec::new();
        for group in &self.groups {
            let x: Vec<Tensor<'call>> =
                self.synthetic(run, group, key)?.iter().map(Tensor::detach).collect::<Result<_>>()?;
            let features = forward(&x)?.features;
            rows.extend(class_means(&[features], &x)?.into_iter().flatten());
        }
        Tensor::stack(&rows, 0)
    }

    fn real<'call>(
        &self,
        run: &Iteration<'call>,
        means: &Tensor<'call>,
        forward: impl Fn(&[Tensor<'call>]) -> Result<Forward<'call>>,
        key: Key<'call>,
    ) -> Result<Real<'call>> {
        let means = means.variable()?;
        let transposed = means.permute(&[1, 0])?;
        let mut real = Real { means: Vec::new(), pull: means.detach()?, inner: 0.0, own: 0.0 };
        let (mut pull, mut count) = (None, 0.0);
        for group in &self.groups {
            let batches: Vec<Labelled<'call>> =
                group.iter().map(|class| self.real_batch(run, *class, key)).collect::<Result<_>>()?;
            let x: Vec<Tensor<'call>> = batches.iter().map(|batch| batch.images.clone()).collect();
            let labels: Vec<Tensor<'call>> = batches.into_iter().map(|batch| batch.labels).collect();
            let labels = Tensor::concat(&labels, 0)?;
            let found = forward(&x)?;
            let rows = labels.shape()?[0] as f64;
            count += rows;
            real.own += found.logits.cross_entropy(&labels)?.scalar()? * rows;
            let inner = (&found.features.matmul(&transposed)?.cross_entropy(&labels)? * rows)?;
            real.inner += inner.detach()?.scalar()?;
            pull = Some(sum(pull, grad(&inner, std::slice::from_ref(&means), Keep::No)?.remove(0))?);
            real.means.extend(class_means(&layers(found), &x)?);
        }
        real.own /= count;
        real.pull = pull.unwrap_or(real.pull);
        Ok(real)
    }

    fn real_batch<'call>(&self, run: &Iteration<'call>, class: usize, key: Key<'call>) -> Result<Labelled<'call>> {
        let key = key.fold_u64(class as u64)?;
        let real = run.real_batch(Some(class), self.config.batch, key.fold("real")?)?;
        Ok(Labelled { images: self.augmented(run, &real.images, key)?, labels: real.labels })
    }

    /// The synthetic images of each class of a group; on the tape.
    fn synthetic<'call>(&self, run: &Iteration<'call>, group: &[usize], key: Key<'call>) -> Result<Vec<Tensor<'call>>> {
        let of_class = |class: &usize| {
            let set = run.set(&Rows::all(Part::Union).of_class(*class))?;
            self.augmented(run, &set.images, key.fold_u64(*class as u64)?)
        };
        group.iter().map(of_class).collect()
    }

    /// With the draw that belongs to the key, which both sides of a class share.
    fn augmented<'call>(&self, run: &Iteration<'call>, x: &Tensor<'call>, key: Key<'call>) -> Result<Tensor<'call>> {
        if self.config.augment == "none" {
            return Ok(x.clone());
        }
        run.augment(&self.config.augment, Draw::Siamese, x, key.fold("augment")?)
    }
}

/// The model's maps in order, and its features.
fn layers(forward: Forward<'_>) -> Vec<Tensor<'_>> {
    let mut layers = forward.maps;
    layers.push(forward.features);
    layers
}

/// For each part of the rows, its mean in each layer.
fn class_means<'call>(layers: &[Tensor<'call>], parts: &[Tensor<'call>]) -> Result<Vec<Vec<Tensor<'call>>>> {
    let (mut found, mut start) = (Vec::new(), 0);
    for part in parts {
        let end = start + part.shape()?[0];
        let mean = |layer: &Tensor<'call>| match parts.len() {
            1 => layer.mean(&[0], false),
            _ => layer.slice(0, start, end, 1)?.mean(&[0], false),
        };
        found.push(layers.iter().map(mean).collect::<Result<_>>()?);
        start = end;
    }
    Ok(found)
}

fn sum<'call>(before: Option<Tensor<'call>>, term: Tensor<'call>) -> Result<Tensor<'call>> {
    match before {
        Some(before) => &before + &term,
        None => Ok(term),
    }
}

fn no_class() -> Error {
    Error::new("there is no class")
}
