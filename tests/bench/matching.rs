//! Distillation, step by step as the methods' official scripts do it.

use std::collections::VecDeque;

use pddflow_tensor::augment::{self, Draw, Policy};
use pddflow_tensor::{Device, Keep, RandomKey, Result, Tensor, grad, tape_bytes};

use crate::network::{CLASSES, Norm, features, labels, logits, normal, weights};

/// Real images of a class in one batch.
const REAL: usize = 256;
/// The same of IDC.
const IDC_REAL: usize = 64;
/// Cells per side of a stored image of IDC.
const FACTOR: usize = 2;
/// Bytes of tapes that a student keeps, as the matcher `mtt` does.
const TAPE_BUDGET: u64 = 256 << 20;
/// Step size of the student.
const STEP_SIZE: f64 = 0.01;
pub(crate) const POLICY: &str = "dsa:color_crop_cutout_flip_scale_rotate";
/// Keeps the cosine defined (the constant of the official code).
const COSINE_EPS: f64 = 1e-6;

/// Synthetic images with their momentum, and real images of one class.
pub(crate) struct Matching {
    width: usize,
    /// Images per class.
    ipc: usize,
    policy: Policy,
    real: Tensor,
    images: Tensor,
    momentum: Tensor,
}

impl Matching {
    pub(crate) fn new(width: usize, ipc: usize) -> Result<Self> {
        let key = RandomKey::new(0);
        let images = normal(&[CLASSES * ipc, 3, 32, 32], key.fold("images"))?;
        Ok(Self {
            width,
            ipc,
            policy: Policy::parse(POLICY)?,
            real: normal(&[REAL, 3, 32, 32], key.fold("real"))?,
            momentum: images.mul_scalar(0.0)?,
            images,
        })
    }

    /// The synthetic images of a class, out of all of them.
    fn of_class(&self, images: &Tensor, class: usize) -> Result<Tensor> {
        images.slice(0, class * self.ipc, (class + 1) * self.ipc, 1)
    }

    fn step(&mut self, slope: &Tensor) -> Result<()> {
        self.momentum = self.momentum.mul_scalar(0.5)?.add(slope)?;
        self.images = self.images.sub(&self.momentum)?;
        Ok(())
    }

    /// Distribution matching: distance of mean features, summed over classes, and one image step.
    pub(crate) fn dm(&mut self, iteration: u64) -> Result<()> {
        let key = RandomKey::new(1).fold_u64(iteration);
        let weights = weights(self.width, 3, 4, key)?;
        let images = self.images.variable()?;
        let mut distances = Vec::new();
        for class in 0..CLASSES {
            let key = key.fold("augment").fold_u64(class as u64);
            let real = augment::apply(&self.policy, &self.real, Draw::Siamese, key)?;
            let real = features(&weights, &real, Norm::Instance)?.mean(&[0], false)?;
            let own = augment::apply(&self.policy, &self.of_class(&images, class)?, Draw::Siamese, key)?;
            let own = features(&weights, &own, Norm::Instance)?.mean(&[0], false)?;
            distances.push(real.sub(&own)?.square()?.sum_all()?);
        }
        let loss = Tensor::stack(&distances, 0)?.sum_all()?;
        self.step(&grad(&[loss], &[images], None, Keep::No)?[0])
    }

    /// Gradient matching of one class (DC with Siamese augmentation): cosine distance of the weights' gradients, and its gradient
    /// by the images.
    pub(crate) fn dc_class(&mut self, iteration: u64) -> Result<()> {
        let weights = self.variables(iteration)?;
        let images = self.of_class(&self.images, 0)?.variable()?;
        let loss = self.dc_distance(&weights, &images, 0, RandomKey::new(2).fold_u64(iteration))?;
        grad(&[loss], &[images], None, Keep::No)?;
        Ok(())
    }

    /// All classes against one net, and one step of the images.
    pub(crate) fn dc(&mut self, iteration: u64) -> Result<()> {
        let weights = self.variables(iteration)?;
        let images = self.images.variable()?;
        let mut slope = self.images.mul_scalar(0.0)?;
        // Class by class, as each has a graph of its own: the sum of the slopes is the slope of the sum.
        for class in 0..CLASSES {
            let key = RandomKey::new(2).fold_u64(iteration).fold_u64(class as u64);
            let loss = self.dc_distance(&weights, &self.of_class(&images, class)?, class, key)?;
            slope = slope.add(&grad(&[loss], std::slice::from_ref(&images), None, Keep::No)?[0])?;
        }
        self.step(&slope)
    }

    /// One step of IDC on a class: images of which each is decoded to four, squared distance of the convolutions' gradients.
    pub(crate) fn idc(&mut self, iteration: u64) -> Result<()> {
        let key = RandomKey::new(4).fold_u64(iteration);
        let weights = self.variables(iteration)?;
        let images = self.images.variable()?;
        let real = self.real.slice(0, 0, IDC_REAL, 1)?;
        let real = self.slopes(&weights, &real, 0, key, Keep::No)?;
        let own = self.slopes(&weights, &decode(&self.of_class(&images, 0)?)?, 0, key, Keep::OnTape)?;
        let mut distances = Vec::new();
        for (real, own) in real.iter().zip(&own).filter(|(real, _)| real.rank() == 4) {
            distances.push(real.sub(own)?.square()?.sum_all()?);
        }
        let loss = Tensor::stack(&distances, 0)?.sum_all()?;
        self.step(&grad(&[loss], &[images], None, Keep::No)?[0])
    }

    fn variables(&self, iteration: u64) -> Result<Vec<Tensor>> {
        let key = RandomKey::new(2).fold_u64(iteration);
        weights(self.width, 3, 4, key)?.iter().map(Tensor::variable).collect()
    }

    /// Gradients of the mean cross-entropy of images of one class, augmented alike.
    fn slopes(&self, weights: &[Tensor], x: &Tensor, class: usize, key: RandomKey, keep: Keep) -> Result<Vec<Tensor>> {
        let x = augment::apply(&self.policy, x, Draw::Siamese, key.fold("augment"))?;
        let labels = Tensor::from_i64(vec![class as i64; x.shape()[0]], &[x.shape()[0]], &Device::Cpu)?;
        grad(&[logits(weights, &x, Norm::Instance)?.cross_entropy(&labels)?], weights, None, keep)
    }

    fn dc_distance(&self, weights: &[Tensor], images: &Tensor, class: usize, key: RandomKey) -> Result<Tensor> {
        let real = self.slopes(weights, &self.real, class, key, Keep::No)?;
        let own = self.slopes(weights, images, class, key, Keep::OnTape)?;
        let mut distances = Vec::new();
        for (real, own) in real.iter().zip(&own).filter(|(real, _)| real.rank() > 1) {
            distances.push(cosine_distance(real, own)?);
        }
        Tensor::stack(&distances, 0)?.sum_all()
    }

    /// Trajectory matching: a student of some steps on all images, then the exact gradient of its distance from a target by the
    /// images and the step size, one step at a time backwards. As many of the last steps as the usual budget holds stay on the tape.
    pub(crate) fn mtt(&mut self, iteration: u64, steps: usize) -> Result<()> {
        let key = RandomKey::new(3).fold_u64(iteration);
        let start = weights(self.width, 3, 4, key.fold("start"))?;
        let target = weights(self.width, 3, 4, key.fold("target"))?;
        let leaf = self.images.variable()?;
        let student = Student { policy: &self.policy, labels: labels(self.ipc)?, key: key.fold("augment") };
        let (mut path, mut end, mut tapes) = (Vec::new(), start.clone(), VecDeque::new());
        for step in 0..steps {
            make_room(&mut tapes);
            let (leaves, slopes) = student.slopes(step, &end, &leaf)?;
            let next = add_scaled(&end, &slopes.iter().map(Tensor::detach).collect::<Vec<_>>(), -STEP_SIZE)?;
            path.push(std::mem::replace(&mut end, next));
            tapes.push_back((tape_bytes(&slopes), leaves, slopes));
        }
        let mut lambda = add_scaled(&end, &target, -1.0)?;
        let mut by_images = self.images.mul_scalar(0.0)?;
        let mut by_step_size = 0.0;
        while let Some(theta) = path.pop() {
            let (leaves, slopes) = match tapes.pop_back() {
                Some((_, leaves, slopes)) => (leaves, slopes),
                None => student.slopes(path.len(), &theta, &leaf)?,
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
        std::hint::black_box(by_step_size);
        self.step(&by_images)
    }
}

/// A net that is trained on the images.
struct Student<'a> {
    policy: &'a Policy,
    labels: Tensor,
    key: RandomKey,
}

impl Student<'_> {
    /// The weights as leaves, and the gradient of the mean cross-entropy by them, on the tape.
    fn slopes(&self, step: usize, theta: &[Tensor], images: &Tensor) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
        let leaves = theta.iter().map(Tensor::variable).collect::<Result<Vec<_>>>()?;
        let x = augment::apply(self.policy, images, Draw::Siamese, self.key.fold_u64(step as u64))?;
        let loss = logits(&leaves, &x, Norm::Instance)?.cross_entropy(&self.labels)?;
        let slopes = grad(&[loss], &leaves, None, Keep::OnTape)?;
        Ok((leaves, slopes))
    }
}

/// Bytes, weights as leaves and gradient of a step that is on the tape.
type Taped = (u64, Vec<Tensor>, Vec<Tensor>);

/// Drops the tapes of the earliest steps until there is room for another.
fn make_room(tapes: &mut VecDeque<Taped>) {
    let next = tapes.back().map_or(0, |last| last.0);
    while !tapes.is_empty() && tapes.iter().map(|taped| taped.0).sum::<u64>() + next >= TAPE_BUDGET {
        tapes.pop_front();
    }
}

/// Each image cut into four, each part as large as the image was.
fn decode(images: &Tensor) -> Result<Tensor> {
    let side = images.shape()[2] / FACTOR;
    let mut parts = Vec::new();
    for row in 0..FACTOR {
        for column in 0..FACTOR {
            let part = images.slice(2, row * side, (row + 1) * side, 1)?;
            parts.push(part.slice(3, column * side, (column + 1) * side, 1)?);
        }
    }
    Tensor::concat(&parts, 0)?.bilinear_resize(FACTOR * side, FACTOR * side)
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
