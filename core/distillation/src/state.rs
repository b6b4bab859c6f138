//! What lasts from one outer iteration to the next, and its form in a checkpoint.
//!
//! | tensor in a checkpoint | what |
//! |---|---|
//! | `value.<learnable>`, `momentum.<learnable>` | a learnable and its optimiser's buffer |
//! | `named.<name>` | a tensor that the matcher keeps |
//! | `good.value.<learnable>` and so on | the same at the save point |
//! | `best.value.<learnable>` and so on | the same where an evaluation was best |

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::{LearnableSpec, Sgd};
use pddflow_tensor::{Device, Tensor, TensorError};
use pddflow_training::tensor_file::{Named, decode, encode};
use pddflow_training::trainer::sgd_step;
use serde::{Deserialize, Serialize};

use crate::curve::Curves;

/// One tensor that is being optimised.
#[derive(Clone, Debug)]
pub(crate) struct Learnable {
    /// What the matcher said of it.
    pub(crate) spec: LearnableSpec,
    /// Its present value, detached.
    pub(crate) value: Tensor,
    /// The buffer of its optimiser.
    pub(crate) momentum: Option<Tensor>,
}

impl Learnable {
    /// One step of its optimiser, its learning rate multiplied by `rate`.
    pub(crate) fn step(&mut self, gradient: &Tensor, rate: f64) -> Result<(), TensorError> {
        let rule = Sgd { lr: self.spec.optimizer.lr * rate, ..self.spec.optimizer };
        let (value, momentum) = sgd_step(&self.value, &gradient.detach(), self.momentum.as_ref(), &rule)?;
        self.momentum = momentum;
        self.value = match self.spec.floor {
            Some(floor) => value.clamp(floor, f64::INFINITY)?,
            None => value,
        };
        Ok(())
    }

    /// Brings the value back into its interval, if it has one.
    pub(crate) fn clamp(&mut self) -> Result<(), TensorError> {
        if let Some((low, high)) = self.spec.clamp {
            self.value = self.value.clamp(low, high)?;
        }
        Ok(())
    }
}

/// What a save point keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// The learnables in the order of the description.
    pub(crate) learnables: Vec<Learnable>,
    /// Tensors that the matcher keeps.
    pub(crate) named: Named,
}

/// The whole state. Cloning it is cheap: tensors share their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The number of the next iteration.
    pub(crate) iteration: u64,
    /// What is being optimised and kept.
    pub(crate) now: Kept,
    /// The last good state, if the matcher asked for one.
    pub(crate) good: Option<Kept>,
    /// Metrics so far.
    pub(crate) curves: Curves,
    /// The iteration after which the set was evaluated last; 0 for never.
    pub(crate) evaluated: u64,
    /// What was best in the evaluations.
    pub(crate) best: Option<Best>,
}

/// A set that was better than all before it.
#[derive(Clone, Debug)]
pub(crate) struct Best {
    /// Iterations that had been done.
    pub(crate) iteration: u64,
    /// Mean accuracy of the evaluation, 0 to 1.
    pub(crate) accuracy: f64,
    /// The learnables.
    pub(crate) kept: Kept,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    version: u32,
    iteration: u64,
    good: bool,
    curves: Curves,
    evaluated: u64,
    /// Iteration and accuracy.
    best: Option<(u64, f64)>,
}

/// Version of the checkpoint's form; a checkpoint of another version is not continued.
const VERSION: u32 = 2;

impl State {
    /// Bytes of a checkpoint.
    pub(crate) fn to_checkpoint(&self) -> NodeResult<Vec<u8>> {
        let mut tensors = Named::new();
        put(&mut tensors, "", &self.now);
        if let Some(good) = &self.good {
            put(&mut tensors, "good.", good);
        }
        if let Some(best) = &self.best {
            put(&mut tensors, "best.", &best.kept);
        }
        let note = Note {
            version: VERSION,
            iteration: self.iteration,
            good: self.good.is_some(),
            curves: self.curves.clone(),
            evaluated: self.evaluated,
            best: self.best.as_ref().map(|best| (best.iteration, best.accuracy)),
        };
        encode(&tensors, &note)
    }

    /// The state of a checkpoint; `fresh` is the state at iteration 0, for the specs.
    pub(crate) fn from_checkpoint(bytes: &[u8], fresh: &Self, device: &Device) -> NodeResult<Self> {
        let (tensors, note) = decode::<Note>(bytes, device)?;
        if note.version != VERSION {
            return Err(fail("checkpoint", format!("the checkpoint has version {}, not {VERSION}", note.version)));
        }
        Ok(Self {
            iteration: note.iteration,
            now: take(&tensors, "", &fresh.now)?,
            good: if note.good { Some(take(&tensors, "good.", &fresh.now)?) } else { None },
            curves: note.curves,
            evaluated: note.evaluated,
            best: match note.best {
                Some((iteration, accuracy)) => {
                    Some(Best { iteration, accuracy, kept: take(&tensors, "best.", &fresh.now)? })
                }
                None => None,
            },
        })
    }
}

fn put(tensors: &mut Named, prefix: &str, kept: &Kept) {
    for learnable in &kept.learnables {
        let name = &learnable.spec.name;
        tensors.insert(format!("{prefix}value.{name}"), learnable.value.clone());
        if let Some(momentum) = &learnable.momentum {
            tensors.insert(format!("{prefix}momentum.{name}"), momentum.clone());
        }
    }
    for (name, tensor) in &kept.named {
        tensors.insert(format!("{prefix}named.{name}"), tensor.clone());
    }
}

fn take(tensors: &Named, prefix: &str, fresh: &Kept) -> NodeResult<Kept> {
    let mut kept = Kept::default();
    for learnable in &fresh.learnables {
        let name = &learnable.spec.name;
        let value = tensors.get(&format!("{prefix}value.{name}"));
        let value = value.filter(|value| value.shape() == learnable.value.shape());
        let value = value.ok_or_else(|| fail("checkpoint", format!("the checkpoint has no learnable `{name}`")))?;
        let momentum = tensors.get(&format!("{prefix}momentum.{name}")).cloned();
        kept.learnables.push(Learnable { spec: learnable.spec.clone(), value: value.clone(), momentum });
    }
    let own = format!("{prefix}named.");
    for (name, tensor) in tensors {
        if let Some(name) = name.strip_prefix(&own) {
            kept.named.insert(name.to_owned(), tensor.clone());
        }
    }
    Ok(kept)
}
