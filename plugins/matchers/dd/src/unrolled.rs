//! A short training and the gradient through it.

use pddflow_sdk::{Error, Iteration, Keep, Key, Labelled, Mode, Result, Tensor, grad, gradients, tape_bytes};
use pddflow_trajectory::vector;

/// Most tensors that kept tapes name; a call may have 65,536.
const HANDLES: usize = 16384;

/// A net on its way through the groups of images.
pub(crate) struct Unrolled<'a, 'call> {
    run: &'a Iteration<'call>,
    rates: &'a [f64],
    /// Row numbers and classes of each group.
    groups: Vec<[Tensor<'call>; 2]>,
    /// The learnable images, as a leaf of the tape.
    images: Tensor<'call>,
    start: Vec<Tensor<'call>>,
    key: Key<'call>,
}

/// Of the loss behind the last step.
pub(crate) struct Found<'call> {
    pub(crate) loss: f64,
    /// Share of the real batch that is right.
    pub(crate) accuracy: f64,
    /// Gradient by all learnable images.
    pub(crate) images: Tensor<'call>,
    /// Gradient by the rate of each step.
    pub(crate) rates: Vec<f64>,
}

/// Weights as leaves, and the gradient of a step by them, on the tape.
type Taped<'call> = (Vec<Tensor<'call>>, Vec<Tensor<'call>>);

impl<'a, 'call> Unrolled<'a, 'call> {
    pub(crate) fn new(
        run: &'a Iteration<'call>,
        rows: &[Vec<usize>],
        rates: &'a [f64],
        key: Key<'call>,
    ) -> Result<Self> {
        let problem = run.problem();
        let group = |rows: &Vec<usize>| {
            let numbers: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
            let classes: Vec<i64> = rows.iter().map(|row| (row / problem.ipc) as i64).collect();
            Ok([numbers, classes].map(|list| Tensor::from_i64(run.call(), &list, &[rows.len()])))
        };
        let groups = rows.iter().map(group).collect::<Result<Vec<_>>>()?;
        let groups = groups.into_iter().map(|[rows, classes]| Ok([rows?, classes?])).collect::<Result<_>>()?;
        let (images, start) = (run.learnable("images")?, run.start_weights(key.fold("weights")?)?);
        Ok(Self { run, rates, groups, images, start, key })
    }

    fn taped(&self, step: usize, theta: &[Tensor<'call>]) -> Result<Taped<'call>> {
        let theta: Vec<_> = theta.iter().map(Tensor::variable).collect::<Result<_>>()?;
        let [rows, classes] = &self.groups[step % self.groups.len()];
        let key = self.key.fold("model")?.fold_u64(step as u64)?;
        let forward = self.run.forward(&theta, &self.images.gather(0, rows)?, Mode::Train, key)?;
        let gradient = grad(&forward.logits.cross_entropy(classes)?, &theta, Keep::OnTape)?;
        Ok((theta, gradient))
    }

    /// Trains the net and goes back through all steps. The tapes of the last steps are kept as far as the host has room; the others are made
    /// again by the same operations, so that no bit depends on it.
    pub(crate) fn gradient(&self, real: &Labelled<'call>) -> Result<Found<'call>> {
        let budget = self.run.call().tape_budget()?;
        let most = HANDLES / (2 * self.start.len()).max(1);
        let (mut passed, mut kept, mut bytes) = (Vec::new(), std::collections::VecDeque::new(), 0);
        let mut theta = self.start.clone();
        for (step, rate) in self.rates.iter().enumerate() {
            let taped = self.taped(step, &theta)?;
            passed.push(theta);
            theta = vector::add_scaled(&vector::detached(&taped.0)?, &vector::detached(&taped.1)?, -rate)?;
            let size = tape_bytes(&taped.1)?;
            kept.push_back((size, taped));
            bytes += size;
            while kept.len() > 1 && (bytes > budget || kept.len() > most) {
                bytes -= kept.pop_front().map_or(0, |(size, _)| size);
            }
        }
        let theta: Vec<_> = theta.iter().map(Tensor::variable).collect::<Result<_>>()?;
        let logits = self.run.forward(&theta, &real.images, Mode::Eval, self.key.fold("real")?)?.logits;
        let loss = logits.cross_entropy(&real.labels)?;
        let (value, accuracy) = (loss.detach()?.scalar()?, logits.detach()?.accuracy(&real.labels)?);
        let mut seed = grad(&loss, &theta, Keep::No)?;
        let mut rates = vec![0.0; self.rates.len()];
        let mut images: Option<Tensor<'call>> = None;
        for (step, rate) in self.rates.iter().enumerate().rev() {
            let before = passed.pop().ok_or_else(|| Error::new("there is a step too many"))?;
            let (leaves, gradient) = match kept.pop_back() {
                Some((_, taped)) => taped,
                None => self.taped(step, &before)?,
            };
            rates[step] = -vector::dot(&seed, &vector::detached(&gradient)?)?;
            let mut inputs = leaves;
            inputs.push(self.images.clone());
            let mut pulled = gradients(&gradient, Some(&vector::scaled(&seed, -rate)?), &inputs, Keep::No)?;
            if let Some(own) = pulled.pop() {
                images = Some(match images {
                    Some(sum) => (&sum + &own)?,
                    None => own,
                });
            }
            seed = vector::add_scaled(&seed, &pulled, 1.0)?;
        }
        let images = images.ok_or_else(|| Error::new("there is no step"))?;
        Ok(Found { loss: value, accuracy, images, rates })
    }
}
