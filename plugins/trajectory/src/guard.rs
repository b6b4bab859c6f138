//! Blow-ups: noticed, undone, counted.
//!
//! The learned learning rate can run away within a few iterations, and everything with it. A state is good if the loss that it gives is;
//! such states are saved from time to time. After a blow-up the run goes back to the last of them, draws another segment and makes
//! smaller steps: their rate halves, and then recovers by 2 % with every good iteration.

use pddflow_sdk::{Error, Iteration, Result, Tensor};

/// Name of the state tensor.
const STATE: &str = "guard";
/// What a blow-up leaves of the rate.
const CUT: f64 = 0.5;
/// Growth of the rate in a good iteration, up to 1.
const RECOVERY: f64 = 1.02;
/// A state is saved if its loss is at most this times the average of recent good ones.
const SAVED: f64 = 1.5;
/// Weight of the newest loss in that average.
const NEWEST: f64 = 0.1;
/// Good iterations between two save points.
const INTERVAL: f64 = 10.0;
/// Age of a save point that was never made.
const NEVER: f64 = 1e6;

/// What a blow-up is, and how often it may happen.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest normalised loss.
    pub loss: f64,
    /// Largest learning rate of the student.
    pub rate: f64,
    /// Blow-ups in a row that are survived.
    pub retries: u64,
}

impl Limits {
    /// Why a loss at a learning rate is a blow-up, if it is one.
    pub(crate) fn blow_up(&self, loss: f64, rate: f64) -> Option<String> {
        if !rate.is_finite() || rate > self.rate {
            Some(format!("the learning rate became {rate}, above `lr_limit` {}", self.rate))
        } else if !loss.is_finite() {
            Some(format!("the loss became {loss} at learning rate {rate}"))
        } else if loss > self.loss {
            Some(format!("the loss became {loss:.4}, above `loss_limit` {}, at learning rate {rate}", self.loss))
        } else {
            None
        }
    }
}

/// Watches one outer iteration.
#[derive(Debug)]
pub(crate) struct Guard<'a, 'call> {
    run: &'a Iteration<'call>,
    retries: u64,
    /// What steps are multiplied by.
    rate: f64,
    blow_ups: f64,
    /// Of recent good losses; 0 before the first.
    average: f64,
    /// Good iterations since the last save point.
    age: f64,
}

impl<'a, 'call> Guard<'a, 'call> {
    /// Goes on from the last iteration; `retries` blow-ups in a row are undone.
    pub(crate) fn open(run: &'a Iteration<'call>, retries: u64) -> Result<Self> {
        let kept = run.state(STATE)?.map(|state| state.to_f64_vec()).transpose()?.unwrap_or_default();
        let [rate, blow_ups, average, age] = kept.try_into().unwrap_or([1.0, 0.0, 0.0, NEVER]);
        Ok(Self { run, retries, rate, blow_ups, average, age })
    }

    /// After a good loss, before the steps: saves the state when it is time. Gives what the steps are multiplied by.
    pub(crate) fn good(&mut self, loss: f64) -> Result<f64> {
        let first = self.average == 0.0;
        self.average = if first { loss } else { (1.0 - NEWEST) * self.average + NEWEST * loss };
        self.age += 1.0;
        if self.age >= INTERVAL && (first || loss <= SAVED * self.average) {
            self.run.save_point()?;
            self.age = 0.0;
        }
        let rate = self.rate;
        self.rate = (rate * RECOVERY).min(1.0);
        self.keep()?;
        self.run.metric("blow_ups", self.blow_ups)?;
        Ok(rate)
    }

    /// After a blow-up: back to the last good state; an error if it happened too often in a row, this being attempt number `attempt`
    /// from 0.
    pub(crate) fn bad(&mut self, attempt: u64, why: &str) -> Result<()> {
        if attempt >= self.retries {
            return Err(Error::numeric(format!(
                "{why}; this happened {} times in a row, each time from the last good state and with half the steps; lower `lr` or \
                 `lr_lr`, or start at a smaller `lr_teacher`",
                attempt + 1
            )));
        }
        let back = self.run.roll_back()?;
        self.rate *= CUT;
        self.blow_ups += 1.0;
        let undone = if back { "back to the last good state" } else { "nothing to undo yet" };
        self.run.log(&format!("{why}; {undone}, next segment with steps times {:.3}", self.rate))?;
        self.keep()
    }

    fn keep(&self) -> Result<()> {
        let numbers = [self.rate, self.blow_ups, self.average, self.age];
        self.run.keep_state(STATE, &Tensor::from_f64(self.run.call(), &numbers, &[numbers.len()])?)
    }
}
