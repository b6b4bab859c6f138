//! The units of work, step by step as the methods' official scripts do them.

use pddflow_tensor::augment::{self, Draw, Policy};
use pddflow_tensor::{Device, Keep, RandomKey, Result, Tensor, grad};

use crate::network::{features, logits, weights};

const CLASSES: usize = 10;
const IMAGES_PER_CLASS: usize = 10;
/// Real images of a class in one batch.
const REAL: usize = 256;
/// Steps of a student in one iteration of trajectory matching.
const STEPS: usize = 5;
/// Step size of the student.
const STEP_SIZE: f64 = 0.01;
const POLICY: &str = "dsa:color_crop_cutout_flip_scale_rotate";
/// Keeps the cosine defined (the constant of the official code).
const COSINE_EPS: f64 = 1e-6;

/// Data and state that repetitions share.
pub(crate) struct Bench {
    width: usize,
    policy: Policy,
    real: Tensor,
    images: Tensor,
    momentum: Tensor,
}

impl Bench {
    pub(crate) fn new(width: usize) -> Result<Self> {
        let key = RandomKey::new(0);
        let images = normal(&[CLASSES * IMAGES_PER_CLASS, 3, 32, 32], key.fold("images"))?;
        Ok(Self {
            width,
            policy: Policy::parse(POLICY)?,
            real: normal(&[REAL, 3, 32, 32], key.fold("real"))?,
            momentum: images.mul_scalar(0.0)?,
            images,
        })
    }

    /// Distribution matching: distance of mean features, summed over classes, and one image step.
    pub(crate) fn dm(&mut self, iteration: u64) -> Result<()> {
        let key = RandomKey::new(1).fold_u64(iteration);
        let weights = weights(self.width, CLASSES, key)?;
        let images = self.images.variable()?;
        let mut distances = Vec::new();
        for class in 0..CLASSES {
            let key = key.fold("augment").fold_u64(class as u64);
            let real = augment::apply(&self.policy, &self.real, Draw::Siamese, key)?;
            let real = features(&weights, &real)?.mean(&[0], false)?;
            let own = images.slice(0, class * IMAGES_PER_CLASS, (class + 1) * IMAGES_PER_CLASS, 1)?;
            let own = augment::apply(&self.policy, &own, Draw::Siamese, key)?;
            let own = features(&weights, &own)?.mean(&[0], false)?;
            distances.push(real.sub(&own)?.square()?.sum_all()?);
        }
        let loss = Tensor::stack(&distances, 0)?.sum_all()?;
        let slope = grad(&[loss], &[images], None, Keep::No)?.swap_remove(0);
        self.momentum = self.momentum.mul_scalar(0.5)?.add(&slope)?;
        self.images = self.images.sub(&self.momentum)?;
        Ok(())
    }

    /// Gradient matching of one class: cosine distance of the weights' gradients, and its gradient by
    /// the images.
    pub(crate) fn dsa(&mut self, iteration: u64) -> Result<()> {
        let key = RandomKey::new(2).fold_u64(iteration);
        let weights = weights(self.width, CLASSES, key)?.iter().map(Tensor::variable).collect::<Result<Vec<_>>>()?;
        let images = self.images.slice(0, 0, IMAGES_PER_CLASS, 1)?.variable()?;
        let gradients = |images: &Tensor, keep: Keep| {
            let x = augment::apply(&self.policy, images, Draw::Siamese, key.fold("augment"))?;
            let labels = Tensor::from_i64(vec![0; x.shape()[0]], &[x.shape()[0]], &Device::Cpu)?;
            grad(&[logits(&weights, &x)?.cross_entropy(&labels)?], &weights, None, keep)
        };
        let real = gradients(&self.real, Keep::No)?;
        let own = gradients(&images, Keep::OnTape)?;
        let mut distances = Vec::new();
        for (real, own) in real.iter().zip(&own).filter(|(real, _)| real.rank() > 1) {
            distances.push(cosine_distance(real, own)?);
        }
        let loss = Tensor::stack(&distances, 0)?.sum_all()?;
        grad(&[loss], &[images], None, Keep::No)?;
        Ok(())
    }

    /// Trajectory matching: a student of some steps on all images, then the exact gradient of its distance from a target by the
    /// images and the step size, one step at a time backwards. The last step stays on the tape; the others are computed twice.
    pub(crate) fn mtt(&mut self, iteration: u64) -> Result<()> {
        let key = RandomKey::new(3).fold_u64(iteration);
        let start = weights(self.width, CLASSES, key.fold("start"))?;
        let target = weights(self.width, CLASSES, key.fold("target"))?;
        let leaf = self.images.variable()?;
        let student = Student { policy: &self.policy, labels: labels()?, key: key.fold("augment") };
        let (mut path, mut end, mut last) = (Vec::new(), start.clone(), None);
        for step in 0..STEPS {
            let keep = step + 1 == STEPS;
            let images = if keep { &leaf } else { &self.images };
            let (leaves, slopes) = student.slopes(step, &end, images, if keep { Keep::OnTape } else { Keep::No })?;
            let next = add_scaled(&end, &slopes.iter().map(Tensor::detach).collect::<Vec<_>>(), -STEP_SIZE)?;
            path.push(std::mem::replace(&mut end, next));
            last = keep.then_some((leaves, slopes));
        }
        let mut lambda = add_scaled(&end, &target, -1.0)?;
        let mut by_images = self.images.mul_scalar(0.0)?;
        let mut by_step_size = 0.0;
        while let Some(theta) = path.pop() {
            let (leaves, slopes) = match last.take() {
                Some(taped) => taped,
                None => student.slopes(path.len(), &theta, &leaf, Keep::OnTape)?,
            };
            for (lambda, slope) in lambda.iter().zip(&slopes) {
                by_step_size -= lambda.dot(&slope.detach())?.item()?;
            }
            let mut inputs = vec![leaf.clone()];
            // The first step's weights are given: nobody needs the gradient by them.
            inputs.extend(leaves.into_iter().filter(|_| !path.is_empty()));
            let mut pulled = grad(&slopes, &inputs, Some(&lambda), Keep::No)?;
            by_images = by_images.add(&pulled.remove(0).mul_scalar(-STEP_SIZE)?)?;
            lambda = add_scaled(&lambda, &pulled, -STEP_SIZE)?;
        }
        self.momentum = self.momentum.mul_scalar(0.5)?.add(&by_images)?;
        std::hint::black_box(by_step_size);
        Ok(())
    }
}

/// A net that is trained on the images.
struct Student<'a> {
    policy: &'a Policy,
    labels: Tensor,
    key: RandomKey,
}

impl Student<'_> {
    /// The weights as leaves, and the gradient of the mean cross-entropy by them.
    fn slopes(&self, step: usize, theta: &[Tensor], images: &Tensor, keep: Keep) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
        let leaves = theta.iter().map(Tensor::variable).collect::<Result<Vec<_>>>()?;
        let x = augment::apply(self.policy, images, Draw::Siamese, self.key.fold_u64(step as u64))?;
        let loss = logits(&leaves, &x)?.cross_entropy(&self.labels)?;
        let slopes = grad(&[loss], &leaves, None, keep)?;
        Ok((leaves, slopes))
    }
}

/// The class of every image.
fn labels() -> Result<Tensor> {
    let labels: Vec<i64> = (0..CLASSES as i64).flat_map(|class| [class; IMAGES_PER_CLASS]).collect();
    Tensor::from_i64(labels, &[CLASSES * IMAGES_PER_CLASS], &Device::Cpu)
}

/// `a + scale b`, tensor by tensor.
fn add_scaled(a: &[Tensor], b: &[Tensor], scale: f64) -> Result<Vec<Tensor>> {
    a.iter().zip(b).map(|(a, b)| a.add(&b.mul_scalar(scale)?)).collect()
}

/// `sum over rows of 1 - <a, b> / (|a| |b| + eps)`, a row being what belongs to one output channel.
fn cosine_distance(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let rows = [a.shape()[0], a.elements() / a.shape()[0]];
    let (a, b) = (a.reshape(&rows)?, b.reshape(&rows)?);
    let lengths = a.norm2(&[1], false)?.mul(&b.norm2(&[1], false)?)?.add_scalar(COSINE_EPS)?;
    a.mul(&b)?.sum(&[1], false)?.div(&lengths)?.neg()?.add_scalar(1.0)?.sum_all()
}

fn normal(shape: &[usize], key: RandomKey) -> Result<Tensor> {
    let values = key.normal_f64(shape.iter().product()).into_iter().map(|value| value as f32).collect();
    Tensor::from_f32(values, shape, &Device::Cpu)
}
