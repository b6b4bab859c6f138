//! Steps that methods share: images of some classes on both sides, the gradient of a loss over the classes, nets as leaves of the tape.

use crate::error::{Error, Result};
use crate::iteration::{Iteration, Labelled, Rows, WeightInfo};
use crate::matcher::Start;
use crate::random::Key;
use crate::tensor::{Keep, Tensor, grad};
use pddflow_abi::{Draw, Mode, SetPart as Part};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::panic::Location;

/// How synthetic images start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageInit {
    /// Standard normal noise in the normalised space.
    Noise,
    /// Random real images of the class.
    Real,
}

impl From<ImageInit> for Start {
    fn from(init: ImageInit) -> Self {
        match init {
            ImageInit::Noise => Self::Noise(1.0),
            ImageInit::Real => Self::Real,
        }
    }
}

/// Labelled images of some classes, class by class.
#[derive(Clone, Debug)]
pub struct ClassBatch<'call> {
    /// All of them: images `[row, channel, height, width]`.
    pub set: Labelled<'call>,
    /// Rows of each class.
    sizes: Vec<usize>,
}

impl<'call> ClassBatch<'call> {
    #[track_caller]
    fn new(parts: &[Labelled<'call>]) -> Result<Self> {
        let sizes = parts.iter().map(|part| Ok(part.images.shape()?[0])).collect::<Result<_>>()?;
        let join = |of: for<'p> fn(&'p Labelled<'call>) -> &'p Tensor<'call>| match parts {
            [only] => Ok(of(only).clone()),
            _ => Tensor::concat(&parts.iter().map(|part| of(part).clone()).collect::<Vec<_>>(), 0),
        };
        Ok(Self { set: Labelled { images: join(|part| &part.images)?, labels: join(|part| &part.labels)? }, sizes })
    }

    /// For each class the means over its images in each of `layers`, `[row, ..]` as a net gave them: without the first axis.
    ///
    /// # Errors
    /// A layer has fewer rows than there are images.
    #[track_caller]
    pub fn means(&self, layers: &[Tensor<'call>]) -> Result<Vec<Vec<Tensor<'call>>>> {
        let mut start = 0;
        let of_class = |size: &usize| {
            start += size;
            let mean = |layer: &Tensor<'call>| match self.sizes.len() {
                1 => layer.mean(&[0], false),
                _ => layer.slice(0, start - size, start, 1)?.mean(&[0], false),
            };
            layers.iter().map(mean).collect()
        };
        let (means, place) = (self.sizes.iter().map(of_class).collect::<Result<_>>(), Location::caller());
        means.map_err(|error| error.at(place))
    }
}

/// A net's weights, the chosen ones as leaves of the tape.
#[derive(Clone, Debug)]
pub struct Leaves<'call> {
    /// All weights, in the model's order.
    pub weights: Vec<Tensor<'call>>,
    /// The chosen ones among them.
    pub chosen: Vec<Tensor<'call>>,
}

impl<'call> Leaves<'call> {
    /// Gradient of the mean cross-entropy over a batch by the chosen weights.
    ///
    /// # Errors
    /// What the host refuses.
    #[track_caller]
    pub fn gradient(
        &self,
        run: &Iteration<'call>,
        batch: &Labelled<'call>,
        mode: Mode,
        keep: Keep,
    ) -> Result<Vec<Tensor<'call>>> {
        let logits = run.forward(&self.weights, &batch.images, mode, run.key())?.logits;
        grad(&logits.cross_entropy(&batch.labels)?, &self.chosen, keep)
    }
}

impl<'call> Iteration<'call> {
    /// Whether the model has running statistics (batch normalisation).
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn has_statistics(&self) -> Result<bool> {
        Ok(self.weights()?.iter().any(|weight| !weight.learnable))
    }

    /// The classes one by one.
    #[must_use]
    pub fn classes_apart(&self) -> Vec<Vec<usize>> {
        (0..self.problem().classes).map(|class| vec![class]).collect()
    }

    /// The classes that go through the net in one pass: one by one, so that memory does not grow with their number, but all together
    /// for a net with batch normalisation, whose statistics are over all of them.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn class_groups(&self) -> Result<Vec<Vec<usize>>> {
        Ok(match self.has_statistics()? {
            true => vec![(0..self.problem().classes).collect()],
            false => self.classes_apart(),
        })
    }

    /// The same where only synthetic images are on the tape: as many consecutive classes together as have at most 256 of them, because
    /// small passes leave a device idle.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn synthetic_groups(&self) -> Result<Vec<Vec<usize>>> {
        /// Images of one pass.
        const MOST: usize = 256;
        let classes = self.problem().classes;
        let together = match self.has_statistics()? {
            true => classes,
            false => (MOST * classes / self.set(&Rows::all(Part::Union))?.labels.shape()?[0].max(1)).max(1),
        };
        Ok((0..classes).collect::<Vec<_>>().chunks(together).map(<[usize]>::to_vec).collect())
    }

    /// `count` real images of each class, augmented; constant. The images of class c are drawn by `key.fold_u64(c).fold("real")` and
    /// augmented with the one draw of `key.fold_u64(c).fold("augment")`, which [`synthetic`](Self::synthetic) shares: the Siamese
    /// augmentation of DSA.
    ///
    /// # Errors
    /// A class does not exist, or the augmentation policy is unknown.
    #[track_caller]
    pub fn real(&self, classes: &[usize], count: usize, augment: &str, key: Key<'call>) -> Result<ClassBatch<'call>> {
        let of_class = |class: &usize| {
            let key = key.fold_u64(*class as u64)?;
            self.siamese(self.real_batch(Some(*class), count, key.fold("real")?)?, augment, key)
        };
        let (parts, place) = (classes.iter().map(of_class).collect::<Result<Vec<_>>>(), Location::caller());
        ClassBatch::new(&parts.map_err(|error| error.at(place))?)
    }

    /// The synthetic images of each class, of the union with earlier sets, augmented as [`real`](Self::real) is with the same key; on
    /// the tape. Of more than `limit` in a class, that many are drawn by `key.fold_u64(class).fold("synthetic")`.
    ///
    /// # Errors
    /// A class does not exist, or the augmentation policy is unknown.
    #[track_caller]
    pub fn synthetic(
        &self,
        classes: &[usize],
        limit: Option<usize>,
        augment: &str,
        key: Key<'call>,
    ) -> Result<ClassBatch<'call>> {
        let of_class = |class: &usize| {
            let key = key.fold_u64(*class as u64)?;
            let rows = Rows::all(Part::Union).of_class(*class);
            let rows = match limit {
                Some(limit) => rows.at_most(limit, key.fold("synthetic")?),
                None => rows,
            };
            self.siamese(self.set(&rows)?, augment, key)
        };
        let (parts, place) = (classes.iter().map(of_class).collect::<Result<Vec<_>>>(), Location::caller());
        ClassBatch::new(&parts.map_err(|error| error.at(place))?)
    }

    #[track_caller]
    fn siamese(&self, set: Labelled<'call>, augment: &str, key: Key<'call>) -> Result<Labelled<'call>> {
        let images = self.augment(augment, Draw::Siamese, &set.images, key.fold("augment")?)?;
        Ok(Labelled { images, ..set })
    }

    /// `loss` summed over groups of classes: its gradient by the learnable `images`, and its value. Each group's gradient is taken at
    /// once, so that only one group's graph is alive.
    ///
    /// # Errors
    /// There is no class, or what the host refuses.
    #[track_caller]
    pub fn sum_over(
        &self,
        groups: &[Vec<usize>],
        loss: impl Fn(&[usize]) -> Result<Tensor<'call>>,
    ) -> Result<(Tensor<'call>, f64)> {
        let (images, place) = (self.learnable("images"), Location::caller());
        self.sum_over_by(&images.map_err(|error| error.at(place))?, groups, loss)
    }

    /// The same with the gradient by a tensor on the tape, such as the images of a set that are made of other learnables.
    ///
    /// # Errors
    /// There is no class, or what the host refuses.
    #[track_caller]
    pub fn sum_over_by(
        &self,
        by: &Tensor<'call>,
        groups: &[Vec<usize>],
        loss: impl Fn(&[usize]) -> Result<Tensor<'call>>,
    ) -> Result<(Tensor<'call>, f64)> {
        let (by, mut values, mut sum) = ([by.clone()], Vec::new(), None);
        for classes in groups {
            let loss = loss(classes)?;
            values.push(loss.detach()?);
            let own = grad(&loss, &by, Keep::No)?.remove(0);
            sum = Some(match sum {
                Some(before) => (&before + &own)?,
                None => own,
            });
        }
        Ok((sum.ok_or_else(nothing)?, scalars(&values)?.iter().sum()))
    }

    /// The loss of distribution matching (DM): the squared distance between the mean features of real images of each class, constant,
    /// and of synthetic ones, both augmented as [`real`](Self::real) says with `key.fold("class")`. `psi` are the weights of the net that
    /// gives the features, in training mode; `count` are the real images of each class. The classes are some of
    /// [`synthetic_groups`](Self::synthetic_groups); the real images of each go through the net by themselves unless its statistics are
    /// over all of them.
    ///
    /// # Errors
    /// What the host refuses.
    #[track_caller]
    pub fn feature_distance(
        &self,
        psi: &[Tensor<'call>],
        classes: &[usize],
        (count, augment): (usize, &str),
        key: Key<'call>,
    ) -> Result<Tensor<'call>> {
        let (draw, pass) = (key.fold("class")?, key.fold("forward")?);
        let means = |batch: &ClassBatch<'call>| -> Result<Tensor<'call>> {
            let features = self.forward(psi, &batch.set.images, Mode::Train, pass)?.features;
            Tensor::stack(&batch.means(&[features])?.concat(), 0)
        };
        let synthetic = means(&self.synthetic(classes, None, augment, draw)?)?;
        let together = if self.has_statistics()? { classes.len() } else { 1 };
        let real = classes.chunks(together).map(|classes| means(&self.real(classes, count, augment, draw)?)?.detach());
        synthetic.squared_distance(&Tensor::concat(&real.collect::<Result<Vec<_>>>()?, 0)?)
    }

    /// A net's weights with the statistics of batch normalisation set from 16 real images of every class, as the authors of DC do. A net
    /// without such statistics stays as it is.
    ///
    /// # Errors
    /// What the host refuses.
    #[track_caller]
    pub fn with_statistics(&self, weights: &[Tensor<'call>], key: Key<'call>) -> Result<Vec<Tensor<'call>>> {
        /// Real images of each class.
        const COUNT: usize = 16;
        if !self.has_statistics()? {
            return Ok(weights.to_vec());
        }
        let mut images = Vec::new();
        for class in 0..self.problem().classes {
            images.push(self.real_batch(Some(class), COUNT, key.fold_u64(class as u64)?)?.images);
        }
        let mut new = self.forward(weights, &Tensor::concat(&images, 0)?, Mode::Train, key)?.statistics.into_iter();
        let about = self.weights()?;
        let replaced =
            weights.iter().zip(about).map(|(old, about)| if about.learnable { Some(old.clone()) } else { new.next() });
        replaced.collect::<Option<_>>().ok_or_else(|| Error::new("the model gave fewer statistics than it has"))
    }

    /// A net's weights with those that `choose` picks as leaves of the tape.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn leaves(&self, weights: &[Tensor<'call>], choose: impl Fn(&WeightInfo) -> bool) -> Result<Leaves<'call>> {
        let mut leaves = Leaves { weights: weights.to_vec(), chosen: Vec::new() };
        for (weight, _) in leaves.weights.iter_mut().zip(self.weights()?).filter(|(_, about)| choose(about)) {
            *weight = weight.variable()?;
            leaves.chosen.push(weight.clone());
        }
        Ok(leaves)
    }
}

/// The numbers of scalars that are off the tape, read together: a device is waited for once.
///
/// # Errors
/// One is on the tape or not a scalar.
#[track_caller]
pub fn scalars(list: &[Tensor<'_>]) -> Result<Vec<f64>> {
    match list {
        [] => Ok(Vec::new()),
        [only] => Ok(vec![only.scalar()?]),
        _ => Tensor::stack(list, 0)?.to_f64_vec(),
    }
}

/// The sum of tensors of one shape.
///
/// # Errors
/// There is none, or the shapes differ.
#[track_caller]
pub fn total<'call>(terms: impl IntoIterator<Item = Result<Tensor<'call>>>) -> Result<Tensor<'call>> {
    let mut terms = terms.into_iter();
    let mut sum = terms.next().ok_or_else(nothing)??;
    for term in terms {
        sum = (&sum + &term?)?;
    }
    Ok(sum)
}

fn nothing() -> Error {
    Error::shape("there is nothing to sum over")
}

/// The distance of two lists of gradients in DC: [`cosine_distance`] of each pair of tensors with two axes or more, summed. Biases and
/// norms add nothing.
///
/// # Errors
/// The shapes differ.
#[track_caller]
pub fn gradient_distance<'call>(real: &[Tensor<'call>], synthetic: &[Tensor<'call>]) -> Result<Tensor<'call>> {
    total(real.iter().zip(synthetic).filter_map(|(a, b)| match a.shape() {
        Ok(axes) if axes.len() < 2 => None,
        _ => Some(cosine_distance(a, b)),
    }))
}

/// `1 - cosine` of each pair of rows, summed: all axes but the first are one row's, so a convolution has a row for each output channel
/// (DC's distance of one tensor). Products of lengths are raised by 1e-6, as in the authors' code.
///
/// # Errors
/// The shapes differ.
#[track_caller]
pub fn cosine_distance<'call>(a: &Tensor<'call>, b: &Tensor<'call>) -> Result<Tensor<'call>> {
    const EPSILON: f64 = 1e-6;
    let cosine = b.flatten_rows()?.cosine(&a.flatten_rows()?, EPSILON)?;
    (&cosine.negated()? + 1.0)?.sum(&[], false)
}
