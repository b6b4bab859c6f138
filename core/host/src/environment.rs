//! What the program gives to a matcher during an outer iteration.
//!
//! A node implements [`Environment`]; the host translates the C calls of a matcher into its methods. The union of the new
//! set with earlier ones is *not* part of it: the host computes it from `learnables`, the matcher's `decode` and `previous`.
//!
//! | rule | why |
//! |---|---|
//! | everything random is a function of the key that is passed in | bit-for-bit repetition |
//! | tensors given out are detached, except learnables | a matcher differentiates by what it names itself |
//! | whatever lasts longer than one iteration lives here (momentum, named state, save point) | checkpoints contain it |

use crate::types::{Batch, Decoded, Forward, Mode, Net, Problem, Segment, TrainSpec, WeightSpec};
use pddflow_tensor::{RandomKey, Tensor, TensorError};

/// Why the environment could not do what a matcher asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct EnvironmentError {
    /// Diagnostic code, e.g. `pddflow::nodes::class_size`.
    pub code: String,
    /// What failed; lower case, no full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Whether the run was cancelled; then nothing failed.
    pub cancelled: bool,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl EnvironmentError {
    /// An error with a code and a message.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), help: None, cancelled: false, source: None }
    }

    /// The run was cancelled.
    #[must_use]
    pub fn cancelled() -> Self {
        Self { cancelled: true, ..Self::new("pddflow::host::cancelled", "the run was cancelled") }
    }

    /// Adds advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<TensorError> for EnvironmentError {
    fn from(error: TensorError) -> Self {
        Self { source: None, ..Self::new("pddflow::tensor", error.to_string()) }
    }
}

/// Result of an environment's method.
pub type EnvironmentResult<T> = Result<T, EnvironmentError>;

/// The usual [`Environment::tape_budget`]: ten inner steps on ten images, or five on a hundred by a narrow net, fit in.
const TAPE_BUDGET: u64 = 256 << 20;

/// What a node offers to the matcher that it runs; see the module's rules.
pub trait Environment {
    /// The task.
    fn problem(&self) -> &Problem;

    /// Whether the run should stop; asked at every host call of a matcher, so it must be cheap.
    fn cancelled(&self) -> bool;

    /// Bytes of tapes that a matcher may keep only so that it need not compute them again; changes no result.
    fn tape_budget(&self) -> u64 {
        TAPE_BUDGET
    }

    /// Numbers of real images, of one class or of all, without repeats; all of the class when it has fewer than `count`.
    ///
    /// # Errors
    /// `class` out of range.
    fn choose_rows(&mut self, class: Option<usize>, count: usize, key: RandomKey) -> EnvironmentResult<Vec<usize>>;

    /// The real images of these numbers, in that order.
    ///
    /// # Errors
    /// There is no such number, or the data cannot be read.
    fn real_rows(&mut self, rows: &[usize]) -> EnvironmentResult<Batch>;

    /// The real images that [`choose_rows`](Self::choose_rows) chooses.
    ///
    /// # Errors
    /// Those of both.
    fn real_batch(&mut self, class: Option<usize>, count: usize, key: RandomKey) -> EnvironmentResult<Batch> {
        let rows = self.choose_rows(class, count, key)?;
        self.real_rows(&rows)
    }

    /// Number of real images of a class; 0 for a class that does not exist.
    fn class_size(&self, class: usize) -> usize;

    /// The learnables in the order of the description: name and present value. The host makes them leaves of the tape.
    fn learnables(&self) -> Vec<(String, Tensor)>;

    /// Earlier sets, decoded and constant, class-contiguous within each set; `None` at the first stage and when conditioning is off.
    fn previous(&self) -> Option<Decoded>;

    /// How many models there are. Whatever follows here means the one that was chosen last.
    fn models(&self) -> usize {
        usize::from(!self.weight_specs().is_empty())
    }

    /// Chooses one of them, by its place; the host asks for those that there are only, and for the first before every iteration.
    fn choose_model(&mut self, _index: usize) {}

    /// The model's weights, in order; empty when no model is given.
    fn weight_specs(&self) -> &[WeightSpec];

    /// Fresh random weights.
    ///
    /// # Errors
    /// No model is given.
    fn fresh_weights(&mut self, key: RandomKey) -> EnvironmentResult<Vec<Tensor>>;

    /// Weights to start matching from: one net of the pool that `advance` made, chosen by the key, else fresh ones.
    ///
    /// # Errors
    /// No model is given, or the pool cannot be read.
    fn start_weights(&mut self, key: RandomKey) -> EnvironmentResult<Vec<Tensor>>;

    /// A segment of an expert trajectory: start epoch uniform in `min_start..max_start`, `length` epochs long.
    ///
    /// # Errors
    /// No trajectories are wired, or they are too short.
    fn trajectory(&mut self, min_start: u64, max_start: u64, length: u64, key: RandomKey)
    -> EnvironmentResult<Segment>;

    /// Runs the model.
    ///
    /// # Errors
    /// No model is given, or the model failed.
    fn forward(&mut self, weights: &[Tensor], x: &Tensor, mode: Mode, key: RandomKey) -> EnvironmentResult<Forward>;

    /// Trains a net; its weights and momentum are replaced, and are detached.
    ///
    /// # Errors
    /// The data is empty, a loss is not finite, or the model failed.
    fn train(&mut self, net: &mut Net, spec: &TrainSpec) -> EnvironmentResult<()>;

    /// One step of a learnable's optimiser, with its learning rate multiplied by `rate` (1 for none; schedules).
    ///
    /// The gradient has the learnable's shape and is detached and finite: the host has checked both.
    ///
    /// # Errors
    /// There is no learnable of that name.
    fn step(&mut self, name: &str, gradient: &Tensor, rate: f64) -> EnvironmentResult<()>;

    /// Replaces the value of a learnable (matchers with an optimiser of their own); its momentum stays.
    ///
    /// # Errors
    /// There is no learnable of that name.
    fn assign(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()>;

    /// A named tensor kept across iterations; `None` before the first `state_put`.
    fn state_get(&self, name: &str) -> Option<Tensor>;

    /// Keeps a named tensor across iterations and in checkpoints.
    ///
    /// # Errors
    /// The tensor cannot be kept.
    fn state_put(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()>;

    /// Remembers all learnables, their momentum and the named state as the last good state; replaces an earlier one.
    ///
    /// # Errors
    /// The state cannot be kept.
    fn save_point(&mut self) -> EnvironmentResult<()>;

    /// Goes back to the save point, if there is one; says whether there was.
    ///
    /// # Errors
    /// The state cannot be read.
    fn roll_back(&mut self) -> EnvironmentResult<bool>;

    /// Goes back to how everything was when this iteration began, so that it can be run again; says whether it can. The host does so once
    /// when a number is not finite, and then looks at each operation.
    fn rewind(&mut self) -> bool {
        false
    }

    /// Reports a number of this iteration.
    fn metric(&mut self, name: &str, value: f64);

    /// Reports a line of text.
    fn log(&mut self, text: &str);
}
