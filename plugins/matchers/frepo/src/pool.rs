//! Nets that are trained on the set while it changes.
//!
//! | named state of net j | what |
//! |---|---|
//! | `net.J.weight.I` | weight I; none before its first step, when it is drawn anew from the key of its birth |
//! | `net.J.first.I`, `net.J.second.I` | averages of Adam for the learnable weight I |
//! | `net.J.age`, `net.J.steps` | age, and steps since its birth |

use pddflow_sdk::{Iteration, Keep, Key, Mode, Part, Result, Rows, Tensor, centred, grad};

/// Decays of the averages of Adam, and what is added to the root.
const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
/// What is left of running statistics in a step, and what the model leaves.
const LEFT: (f64, f64) = (0.1, 0.9);

/// How nets are trained and replaced.
pub(crate) struct Life {
    /// Nets in the pool.
    pub(crate) nets: usize,
    /// Steps after which a net is replaced by a fresh one.
    pub(crate) max_age: u64,
    /// Learning rate.
    pub(crate) lr: f64,
    /// Images of the set in a step, all of them if there are fewer.
    pub(crate) batch: usize,
}

/// The pool.
pub(crate) struct Pool<'a, 'call> {
    life: Life,
    run: &'a Iteration<'call>,
    learnable: Vec<bool>,
}

impl<'a, 'call> Pool<'a, 'call> {
    pub(crate) fn new(life: Life, run: &'a Iteration<'call>) -> Result<Self> {
        let learnable = run.weights()?.iter().map(|weight| weight.learnable).collect();
        Ok(Self { life, run, learnable })
    }

    /// A net at random.
    pub(crate) fn draw(&self, key: Key<'call>) -> Result<usize> {
        let order = key.permutation(self.life.nets)?.to_i64_vec()?;
        Ok(order.first().map_or(0, |first| *first as usize))
    }

    fn number(&self, net: usize, name: &str) -> Result<Option<f64>> {
        self.run.state(&format!("net.{net}.{name}"))?.map(|value| value.scalar()).transpose()
    }

    fn keep(&self, net: usize, name: &str, value: f64) -> Result<()> {
        self.run.keep_state(&format!("net.{net}.{name}"), &Tensor::full(self.run.call(), &[], value)?)
    }

    /// Ages of new pools are spread evenly.
    fn age(&self, net: usize) -> Result<f64> {
        let spread = (net as u64 * self.life.max_age / self.life.nets as u64) as f64;
        Ok(self.number(net, "age")?.unwrap_or(spread))
    }

    /// The weights of a net.
    pub(crate) fn net(&self, net: usize) -> Result<Vec<Tensor<'call>>> {
        let kept = |at: usize| self.run.state(&format!("net.{net}.weight.{at}"));
        if self.number(net, "steps")?.is_none_or(|steps| steps == 0.0) {
            return self.run.start_weights(self.run.key().fold("weights")?);
        }
        let weights = (0..self.learnable.len()).map(kept).collect::<Result<Option<Vec<_>>>>()?;
        weights.ok_or_else(|| pddflow_sdk::Error::new("a net of the pool is not whole"))
    }

    /// One step of a net on the set as it is now; one that is old is replaced at its next turn.
    pub(crate) fn advance(&self, net: usize, weights: &[Tensor<'call>]) -> Result<()> {
        let age = self.age(net)?;
        if age > self.life.max_age as f64 {
            self.keep(net, "age", 0.0)?;
            return self.keep(net, "steps", 0.0);
        }
        let steps = self.number(net, "steps")?.unwrap_or(0.0) + 1.0;
        let mut moved = Vec::new();
        let leaves = weights.iter().zip(&self.learnable).map(|(weight, learnable)| match learnable {
            true => weight.detach()?.variable().inspect(|leaf| moved.push(leaf.clone())),
            false => Ok(weight.clone()),
        });
        let leaves = leaves.collect::<Result<Vec<_>>>()?;
        let [images, labels] = self.batch()?;
        let forward = self.run.forward(&leaves, &images, Mode::Train, self.run.key().fold("train")?)?;
        let loss = (&(&forward.logits - &labels)?.square()?.sum(&[1], false)?.mean(&[], false)? * 0.5)?;
        let mut gradients = grad(&loss, &moved, Keep::No)?.into_iter();
        let mut statistics = forward.statistics.into_iter();
        for (at, weight) in weights.iter().enumerate() {
            let new = match self.learnable[at] {
                true => match gradients.next() {
                    Some(gradient) => self.stepped((net, at), weight, &gradient, steps)?,
                    None => weight.clone(),
                },
                false => match statistics.next() {
                    // new = 0.9 old + 0.1 batch, of which a tenth of the old and nine tenths of the batch are wanted.
                    Some(new) => {
                        let batch = (&(&new.detach()? - &(weight * LEFT.1)?)? * (1.0 / (1.0 - LEFT.1)))?;
                        (&(weight * LEFT.0)? + &(&batch * (1.0 - LEFT.0))?)?
                    }
                    None => weight.clone(),
                },
            };
            self.run.keep_state(&format!("net.{net}.weight.{at}"), &new)?;
        }
        self.keep(net, "age", age + 1.0)?;
        self.keep(net, "steps", steps)
    }

    /// Images and centred labels that a net is trained on; constant.
    fn batch(&self) -> Result<[Tensor<'call>; 2]> {
        let rows = Rows::all(Part::Union).at_most(self.life.batch, self.run.key().fold("rows")?);
        let set = self.run.set(&rows)?;
        Ok([set.images.detach()?, centred(&set.labels.detach()?, self.run.problem().classes)?])
    }

    /// A weight after a step of Adam.
    fn stepped(
        &self,
        (net, at): (usize, usize),
        weight: &Tensor<'call>,
        gradient: &Tensor<'call>,
        steps: f64,
    ) -> Result<Tensor<'call>> {
        let average = |part: &str, decay: f64, new: &Tensor<'call>| -> Result<Tensor<'call>> {
            let (name, new) = (format!("net.{net}.{part}.{at}"), (new * (1.0 - decay))?);
            let old = if steps > 1.0 { self.run.state(&name)? } else { None };
            let average = match old {
                Some(old) => (&(&old * decay)? + &new)?,
                None => new,
            };
            self.run.keep_state(&name, &average)?;
            Ok(average)
        };
        let gradient = gradient.detach()?;
        let first = average("first", BETAS[0], &gradient)?;
        let second = average("second", BETAS[1], &gradient.square()?)?;
        let [of_first, of_second] = BETAS.map(|decay| 1.0 - libm::pow(decay, steps));
        let root = (&(&second * (1.0 / of_second))?.sqrt()? + EPSILON)?;
        weight - &(&(&first / &root)? * (self.life.lr / of_first))?
    }
}
