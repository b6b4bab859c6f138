//! Blow-ups: noticed, undone, counted.
//!
//! The learned step size can run away within a few iterations, and everything with it. A state is good if the loss that it gives is;
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
    /// Largest step size.
    pub step_size: f64,
    /// Blow-ups in a row that are survived.
    pub retries: u64,
}

/// Watches one outer iteration.
#[derive(Debug)]
pub struct Guard<'a, 'call> {
    run: &'a Iteration<'call>,
    limits: Limits,
    rate: f64,
    blow_ups: f64,
    /// Of recent good losses; 0 before the first.
    average: f64,
    /// Good iterations since the last save point.
    age: f64,
    last: String,
}

impl<'a, 'call> Guard<'a, 'call> {
    /// Goes on from the last iteration.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open(run: &'a Iteration<'call>, limits: Limits) -> Result<Self> {
        let kept = run.state(STATE)?.map(|state| state.to_f64_vec()).transpose()?.unwrap_or_default();
        let [rate, blow_ups, average, age] = kept.try_into().unwrap_or([1.0, 0.0, 0.0, NEVER]);
        Ok(Self { run, limits, rate, blow_ups, average, age, last: String::new() })
    }

    /// Whether a loss at a step size is good; if not, remembers why.
    pub fn accepts(&mut self, loss: f64, step_size: f64) -> bool {
        let Limits { loss: highest, step_size: longest, .. } = self.limits;
        self.last = if !step_size.is_finite() || step_size > longest {
            format!("the step size became {step_size}, above `step_size_limit` {longest}")
        } else if !loss.is_finite() {
            format!("the loss became {loss} at step size {step_size}")
        } else if loss > highest {
            format!("the loss became {loss:.4}, above `loss_limit` {highest}, at step size {step_size}")
        } else {
            return true;
        };
        false
    }

    /// Whether the length of a gradient is good; if not, remembers why.
    pub fn accepts_gradient(&mut self, length: f64) -> bool {
        if !length.is_finite() {
            self.last = format!("the length of the gradient became {length}");
        }
        length.is_finite()
    }

    /// After a good loss, before the steps: saves the state when it is time. Gives the rate of the steps.
    ///
    /// # Errors
    /// The state cannot be kept.
    pub fn good(&mut self, loss: f64) -> Result<f64> {
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

    /// After a blow-up: back to the last good state.
    ///
    /// # Errors
    /// It happened too often in a row, this being attempt number `attempt` from 0.
    pub fn bad(&mut self, attempt: u64) -> Result<()> {
        if attempt >= self.limits.retries {
            return Err(Error::numeric(format!(
                "{}; this happened {} times in a row, each time from the last good state and with half the steps; lower `lr` or \
                 `lr_step_size`, or start at a smaller `lr_teacher`",
                self.last,
                attempt + 1
            )));
        }
        let back = self.run.roll_back()?;
        self.rate *= CUT;
        self.blow_ups += 1.0;
        let undone = if back { "back to the last good state" } else { "nothing to undo yet" };
        self.run.log(&format!("{}; {undone}, next segment with steps times {:.3}", self.last, self.rate))?;
        self.keep()
    }

    fn keep(&self) -> Result<()> {
        let numbers = [self.rate, self.blow_ups, self.average, self.age];
        self.run.keep_state(STATE, &Tensor::from_f64(self.run.call(), &numbers, &[numbers.len()])?)
    }
}
