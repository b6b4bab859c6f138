//! The loss of CAFE, and its gradient by the images.
//!
//! With f_1, f_2, .. the model's maps in order of depth and last its features, means over the images of a class, and M the class
//! means of the synthetic features (one row for each class):
//!
//! ```text
//!   sum over layers l of weights[l] * sum over classes c of | mean f_l(synthetic c) - mean f_l(real c) |^2      layer-wise alignment
//! + weight_inner * summed cross-entropy of the rows features(real) M^T with the real labels                    discrimination
//! + mean cross-entropy of the net on the real images            (a constant to the images; counted in the loss only, as released)
//! ```
//!
//! The real side is constant. Classes go one by one, so that memory does not grow with their number. The second term joins them
//! by M: its gradient by M is taken first, with M known from a pass without a tape, and enters the pass of each class as a fixed
//! factor of the class's row of M. Nets with batch normalisation see all classes in one pass instead.

use crate::Cafe;
use pddflow_sdk::{ClassBatch, Error, Forward, Iteration, Keep, Key, Mode, Result, Tensor, grad, total};

/// What a step needs of the real images.
struct Real<'call> {
    /// For each class, its mean in each layer.
    means: Vec<Vec<Tensor<'call>>>,
    /// Gradient of the summed cross-entropy by M, `[class, feature]`.
    by_means: Tensor<'call>,
    /// What the loss holds besides the alignment.
    rest: f64,
}

impl Cafe {
    /// Gradient by the images, and the loss.
    pub(crate) fn gradient<'call>(
        &self,
        run: &Iteration<'call>,
        net: &[Tensor<'call>],
        key: Key<'call>,
    ) -> Result<(Tensor<'call>, f64)> {
        let groups = run.class_groups()?;
        let forward = |batch: &ClassBatch<'call>| run.forward(net, &batch.set.images, Mode::Train, key);
        let synthetic = |classes: &[usize]| run.synthetic(classes, None, &self.augment, key);
        let mut means = Vec::new();
        for classes in &groups {
            let mut batch = synthetic(classes)?;
            batch.set.images = batch.set.images.detach()?;
            means.extend(batch.means(&[forward(&batch)?.features])?.concat());
        }
        let real = self.real_side(run, &groups, &Tensor::stack(&means, 0)?, forward, key)?;
        let (gradient, aligned) = run.sum_over(&groups, |classes| {
            let batch = synthetic(classes)?;
            let layers = layers(forward(&batch)?);
            let (mut aligned, mut joined) = (Vec::new(), Vec::new());
            for (class, means) in classes.iter().zip(batch.means(&layers)?) {
                for ((mean, wanted), weight) in means.iter().zip(&real.means[*class]).zip(self.layer_weights(&layers)?)
                {
                    aligned.push(&mean.squared_distance(wanted)? * weight);
                }
                let features = means.last().ok_or_else(|| Error::shape("the model gives no features"))?;
                let row = real.by_means.slice(0, *class, class + 1, 1)?.reshape(&features.shape()?)?;
                joined.push(&features.dot(&row)? * self.weight_inner);
            }
            // The gradient of the second term, without its value, which is in `rest`.
            let joined = total(joined)?;
            &total(aligned)? + &(&joined - &joined.detach()?)?
        })?;
        Ok((gradient, real.rest + aligned))
    }

    fn real_side<'call>(
        &self,
        run: &Iteration<'call>,
        groups: &[Vec<usize>],
        means: &Tensor<'call>,
        forward: impl Fn(&ClassBatch<'call>) -> Result<Forward<'call>>,
        key: Key<'call>,
    ) -> Result<Real<'call>> {
        let (means, mut found) = ([means.variable()?], Vec::new());
        let (mut inner, mut own, mut count) = (0.0, 0.0, 0.0);
        let by_means = total(groups.iter().map(|classes| {
            let batch = run.real(classes, self.batch, &self.augment, key)?;
            let (forward, labels) = (forward(&batch)?, &batch.set.labels);
            let rows = labels.shape()?[0] as f64;
            count += rows;
            own += forward.logits.cross_entropy(labels)?.scalar()? * rows;
            let term = (&forward.features.matmul(&means[0].permute(&[1, 0])?)?.cross_entropy(labels)? * rows)?;
            inner += term.detach()?.scalar()?;
            found.extend(batch.means(&layers(forward))?);
            Ok(grad(&term, &means, Keep::No)?.remove(0))
        }))?;
        Ok(Real { means: found, by_means, rest: self.weight_inner * inner + own / count })
    }

    fn layer_weights(&self, layers: &[Tensor<'_>]) -> Result<Vec<f64>> {
        let count = layers.len();
        match &self.weights {
            None => Ok((0..count).map(|layer| if layer + 3 < count { 0.1 } else { 1.0 }).collect()),
            Some(weights) if weights.len() == count => Ok(weights.clone()),
            Some(weights) => Err(Error::shape(format!(
                "`weights` has {} numbers, but the model gives {count} layers: {} maps and the features",
                weights.len(),
                count - 1
            ))),
        }
    }
}

/// The model's maps in order, and its features.
fn layers(forward: Forward<'_>) -> Vec<Tensor<'_>> {
    let mut layers = forward.maps;
    layers.push(forward.features);
    layers
}
