//! Early stopping: the state that predicts real images best.

use crate::nets::{features, kernel, random_nets};
use pddflow_sdk::{Iteration, Part, Result, Rows, Tensor, centred, ridge_regression};

/// Name of the state tensor.
const STATE: &str = "validation";

/// How the best state is found.
pub(crate) struct Rules {
    /// Iterations between two validations; 0 for none.
    pub(crate) every: u64,
    /// Nets of a validation.
    pub(crate) nets: usize,
    /// Real images of each class in it.
    pub(crate) images: usize,
    /// Iterations without a lower loss after which nothing is done any more.
    pub(crate) patience: u64,
    /// Ridge of the regression.
    pub(crate) ridge: f64,
}

/// What is known of the validations so far.
pub(crate) struct Validation<'a, 'call> {
    rules: Rules,
    run: &'a Iteration<'call>,
    /// The lowest loss; none before the first validation.
    best: Option<f64>,
    /// Iterations since then.
    since: f64,
    over: bool,
}

impl<'a, 'call> Validation<'a, 'call> {
    /// Goes on from the last iteration.
    pub(crate) fn open(rules: Rules, run: &'a Iteration<'call>) -> Result<Self> {
        let kept = run.state(STATE)?.map(|state| state.to_f64_vec()).transpose()?.unwrap_or_default();
        let [best, since, over] = kept.try_into().unwrap_or([-1.0, 0.0, 0.0]);
        Ok(Self { rules, run, best: (best >= 0.0).then_some(best), since, over: over > 0.0 })
    }

    /// Whether nothing is done any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// After an iteration: validates where it is time, and goes back to the best state at the end. `loss` is that of scores of images of classes.
    pub(crate) fn look(
        &mut self,
        loss: impl Fn(&Tensor<'call>, &Tensor<'call>) -> Result<Tensor<'call>>,
    ) -> Result<()> {
        let (every, done) = (self.rules.every, self.run.number() + 1);
        if every == 0 {
            return Ok(());
        }
        self.since += 1.0;
        let mut is_best = false;
        if done.is_multiple_of(every) {
            let loss = self.scores().and_then(|(scores, wanted)| loss(&scores, &wanted))?.detach()?.scalar()?;
            self.run.metric("validation_loss", loss)?;
            is_best = self.best.is_none_or(|best| loss < best);
            if is_best {
                (self.best, self.since) = (Some(loss), 0.0);
            }
        }
        self.keep()?;
        if is_best {
            self.run.save_point()?;
        }
        let stops = self.best.is_some() && self.since >= self.rules.patience as f64;
        if (stops || done == self.run.horizon()?) && !is_best {
            self.run.roll_back()?;
        }
        if stops {
            self.over = true;
            self.run.log(&format!("no lower loss on real images in {} iterations: stopped", self.since))?;
            self.run.metric("stopped", 1.0)?;
            self.keep()?;
        }
        Ok(())
    }

    fn keep(&self) -> Result<()> {
        let numbers = [self.best.unwrap_or(-1.0), self.since, f64::from(u8::from(self.over))];
        self.run.keep_state(STATE, &Tensor::from_f64(self.run.call(), &numbers, &[numbers.len()])?)
    }

    /// Scores of the same real images by the same nets every time, and their classes.
    fn scores(&self) -> Result<(Tensor<'call>, Tensor<'call>)> {
        let (run, classes) = (self.run, self.run.problem().classes);
        let key = run.node_key()?.fold("validation")?;
        let nets = random_nets(run, self.rules.nets, key.fold("net")?)?;
        let set = run.set(&Rows::all(Part::Union))?;
        let own = features(run, &nets, &set.images.detach()?)?;
        let (mut between, mut wanted) = (Vec::new(), Vec::new());
        for class in 0..classes {
            let key = key.fold("real")?.fold_u64(class as u64)?;
            let real = run.real_batch(Some(class), self.rules.images, key)?;
            between.push(kernel(&features(run, &nets, &real.images)?, &own)?);
            wanted.push(real.labels);
        }
        let (between, wanted) = (Tensor::concat(&between, 0)?, Tensor::concat(&wanted, 0)?);
        let labels = centred(&set.labels.detach()?, classes)?;
        let scores = ridge_regression(&kernel(&own, &own)?, &between, &labels, self.rules.ridge)?;
        Ok((scores, wanted))
    }
}
