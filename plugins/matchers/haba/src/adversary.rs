//! The net that tells images of different hallucinators alike.

use crate::hallucinator::NAMES;
use pddflow_sdk::{Forward, Iteration, Keep, Key, Labelled, Mode, Part, Result, Rows, Tensor, WeightInfo, grad};

/// Of the contrastive loss.
const TEMPERATURE: f64 = 0.07;
/// Added to products of lengths, and to squares of one.
const EPSILON: f64 = 1e-14;
/// Taken from the likeness of a row with itself, so that it does not count.
const NEVER: f64 = 1e9;

/// How it sees images and learns.
pub(crate) struct Rules<'a> {
    pub(crate) hallucinators: usize,
    /// Bases of a batch; all if not given.
    pub(crate) batch: Option<usize>,
    pub(crate) augment: &'a str,
    pub(crate) contrast: f64,
    pub(crate) lr: f64,
    pub(crate) momentum: f64,
}

/// Weights and momentum are named state, `adversary.PLACE` and `adversary.momentum.PLACE`.
pub(crate) struct Adversary<'a, 'call> {
    pub(crate) run: &'a Iteration<'call>,
    pub(crate) rules: Rules<'a>,
}

impl<'call> Adversary<'_, 'call> {
    /// Its weights: fresh ones before its first step.
    fn weights(&self) -> Result<Vec<Tensor<'call>>> {
        let count = self.run.weights()?.len();
        let kept = |place: usize| self.run.state(&format!("adversary.{place}"));
        match (0..count).map(kept).collect::<Result<Option<Vec<_>>>>()? {
            Some(weights) => Ok(weights),
            None => self.run.fresh_weights(self.run.key().fold("adversary")?.fold("weights")?),
        }
    }

    /// New images of two different hallucinators, those of the second behind those of the first, augmented; on the tape.
    fn pair(&self, key: Key<'call>) -> Result<Labelled<'call>> {
        let count = self.rules.hallucinators;
        let set = self.run.set(&Rows::all(Part::New))?;
        let bases = set.images.shape()?[0] / count;
        let chosen = match self.rules.batch.filter(|batch| *batch < bases) {
            Some(batch) => key.fold("bases")?.choose(bases, batch)?.to_i64_vec()?,
            None => (0..bases as i64).collect(),
        };
        let first = key.fold("first")?.below(count as u64)?;
        let second = (first + 1 + key.fold("second")?.below(count as u64 - 1)?) % count as u64;
        let rows = |number: u64| chosen.iter().map(move |basis| basis * count as i64 + number as i64);
        let rows: Vec<i64> = rows(first).chain(rows(second)).collect();
        let rows = Tensor::from_i64(self.run.call(), &rows, &[rows.len()])?;
        let images = self.run.augment(
            self.rules.augment,
            pddflow_sdk::Draw::PerImage,
            &set.images.gather(0, &rows)?,
            key.fold("augment")?,
        )?;
        Ok(Labelled { images, labels: set.labels.gather(0, &rows)? })
    }

    /// The mean of (1 + cosine) / 2, and its gradient by all that images are made of.
    pub(crate) fn likeness(&self, attempt: Key<'call>) -> Result<(f64, Vec<Tensor<'call>>)> {
        let key = attempt.fold("adversary")?;
        let forward = self.run.forward(&self.weights()?, &self.pair(key)?.images, Mode::Train, key.fold("model")?)?;
        let alike = (&(&cosines(&forward.features)? + 1.0)?.mean(&[], false)? * 0.5)?;
        let value = alike.detach()?.scalar()?;
        self.run.metric("likeness", value)?;
        let inputs = NAMES.iter().map(|name| self.run.learnable(name)).collect::<Result<Vec<_>>>()?;
        Ok((value, grad(&alike, &inputs, Keep::No)?))
    }

    /// One step of the net.
    pub(crate) fn train(&self) -> Result<()> {
        let key = self.run.key().fold("adversary")?;
        let leaves = self.run.leaves(&self.weights()?, |weight: &WeightInfo| weight.learnable)?;
        let pair = self.pair(key)?;
        let images = pair.images.detach()?;
        let Forward { logits, features, .. } =
            self.run.forward(&leaves.weights, &images, Mode::Train, key.fold("model")?)?;
        let apart = (&(&cosines(&features)?.negated()? + 1.0)?.mean(&[], false)? * 0.5)?;
        let against = (&(&apart + &contrast(self.run, &features, &pair.labels)?)? * self.rules.contrast)?;
        let loss = (&logits.cross_entropy(&pair.labels)? + &against)?;
        self.run.metric("adversary_loss", loss.detach()?.scalar()?)?;
        let mut slopes = grad(&loss, &leaves.chosen, Keep::No)?.into_iter();
        for (place, about) in self.run.weights()?.iter().enumerate() {
            let name = format!("adversary.{place}");
            let before = leaves.weights[place].detach()?;
            let Some(slope) = about.learnable.then(|| slopes.next()).flatten() else {
                self.run.keep_state(&name, &before)?;
                continue;
            };
            let momentum = format!("adversary.momentum.{place}");
            let step = match self.run.state(&momentum)? {
                Some(kept) => (&(&kept * self.rules.momentum)? + &slope)?,
                None => slope,
            };
            self.run.keep_state(&name, &(&before - &(&step * self.rules.lr)?)?)?;
            self.run.keep_state(&momentum, &step)?;
        }
        Ok(())
    }
}

/// Cosine of each row of the first half with its partner in the second.
fn cosines<'call>(features: &Tensor<'call>) -> Result<Tensor<'call>> {
    let rows = features.shape()?[0];
    features.slice(0, 0, rows / 2, 1)?.cosine(&features.slice(0, rows / 2, rows, 1)?, EPSILON)
}

/// The supervised contrastive loss: for each row the mean over the other rows of its class of minus the logarithm of the share that this row has
/// in the likeness to all other rows; the mean of that.
fn contrast<'call>(run: &Iteration<'call>, features: &Tensor<'call>, labels: &Tensor<'call>) -> Result<Tensor<'call>> {
    let rows = features.shape()?[0];
    let unit = (features / &(&features.square()?.sum(&[1], true)? + EPSILON)?.sqrt()?)?;
    let alike = (&unit.affine(&unit, None)? * (1.0 / TEMPERATURE))?;
    let own = Tensor::arange(run.call(), rows)?.one_hot(rows)?;
    let shares = (&alike - &(&alike - &(&own * NEVER)?)?.log_sum_exp(1, true)?)?;
    let of_class = labels.one_hot(run.problem().classes)?;
    let same = (&of_class.affine(&of_class, None)? - &own)?;
    let of_rows = (&(&same * &shares)?.sum(&[1], false)? / &same.sum(&[1], false)?)?;
    of_rows.mean(&[], false)?.negated()
}
