//! Matchers in Python as a plugin: `{ python: { file: my_matcher.py } }`.
//!
//! The file has a function `loss(problem, batch)` that gives a loss of real and synthetic images, which PyTorch differentiates, or the
//! gradient itself. It runs in a process of the user's interpreter that lives as long as the node; `python/src/pddflow/matcher.py`, which
//! is that process, says what the function is given.
//!
//! | what | who does it |
//! |---|---|
//! | weights to start from, real images, the union with earlier sets, their Siamese augmentation | the host, by the keys that `dm` uses |
//! | the loss and its gradient by the augmented synthetic images | the function |
//! | that gradient pulled back to the learnable images, the optimiser's step, checkpoints | the host |
//!
//! So the function knows nothing of stages, and the matcher is progressive like any other. Tensors are exchanged through an unlinked file
//! (shared memory where the system has `/dev/shm`), which the process maps; messages are lines of JSON over a socket.
//!
//! | the function or its process | what follows |
//! |---|---|
//! | raises, ends, crashes, is too slow, takes too much memory, prints without end | what it printed, with its traceback, is in the node's log; the error says which |
//! | gives what is no loss, a number that is not finite, a gradient of another shape | an error that says what was expected |
//! | imports a file beside it that `files` does not name | an error: a change of that file would not be seen |
//!
//! Keys have the bytes of the files and the versions of the interpreter and of `packages`. What the function computes must depend on its
//! arguments and on nothing else: the process may be a new one in every iteration.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod call;
mod frame;
#[cfg(unix)]
mod printed;
#[cfg(unix)]
mod process;
#[cfg(not(unix))]
#[path = "unsupported.rs"]
mod process;
#[cfg(unix)]
mod shared;
mod versions;

use call::Setup;
use frame::Frame;
use pddflow_sdk::{
    Description, Error, Identity, ImageInit, Iteration, Keep, Learnable, Matcher, Need, Problem, Result, Tensor,
    gradients,
};
use process::Processes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Parameters of a matcher in Python.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Python {
    /// The file with the function, relative to the pipeline file. Its bytes enter the key.
    #[schemars(extend("format" = "file"), length(min = 1))]
    file: String,
    /// Name of the function.
    #[serde(default = "loss")]
    function: String,
    /// Further files that it imports or reads, relative to the pipeline file. Their bytes enter the key.
    #[serde(default)]
    #[schemars(extend("items" = json!({ "type": "string", "format": "file" })))]
    files: Vec<String>,
    /// Parameters of the function's own: it finds them in `problem.parameters`.
    #[serde(default)]
    with: Map<String, Value>,
    /// The interpreter: a name on the search path, or an absolute path. Its version enters the key.
    #[serde(default = "python3")]
    python: String,
    /// Packages whose versions enter the key; an absent one is a version too.
    #[serde(default = "packages")]
    packages: Vec<String>,
    /// Threads of PyTorch on the processor: sums may be rounded differently with other numbers of them.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    threads: usize,
    /// Seconds that an iteration may take; the start of the interpreter has at least 300.
    #[serde(default = "patience")]
    #[schemars(range(min = 1.0))]
    patience: f64,
    /// Memory that the interpreter may take on the processor, in GiB.
    #[serde(default = "memory")]
    #[schemars(range(min = 0.1))]
    memory: f64,
    /// Learning rate of the images.
    #[serde(default = "rate")]
    #[schemars(range(min = 0.0))]
    lr: f64,
    /// Momentum of the images.
    #[serde(default = "half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum: f64,
    /// How the images start.
    #[serde(default = "real")]
    init: ImageInit,
    /// Real images per class and iteration; 0 for none.
    #[serde(default = "batch")]
    batch: usize,
    /// Augmentation of both sides, one draw for all images of a class: `dsa:...`, or `none`. Leave out `flip` for digits.
    #[serde(default = "augment")]
    augment: String,
    /// Whether the function is given the weights of a net: of the wired pool, or else fresh random ones.
    #[serde(default = "yes")]
    net: bool,
    #[serde(skip)]
    processes: Processes,
}

fn loss() -> String {
    "loss".to_owned()
}
fn python3() -> String {
    "python3".to_owned()
}
fn packages() -> Vec<String> {
    ["torch", "numpy"].map(str::to_owned).to_vec()
}
fn one() -> usize {
    1
}
fn patience() -> f64 {
    600.0
}
fn memory() -> f64 {
    32.0
}
fn rate() -> f64 {
    1.0
}
fn half() -> f64 {
    0.5
}
fn real() -> ImageInit {
    ImageInit::Real
}
fn batch() -> usize {
    256
}
fn augment() -> String {
    "dsa:color_crop_cutout_flip_scale_rotate".to_owned()
}
fn yes() -> bool {
    true
}

impl Matcher for Python {
    const ID: &'static str = "python";
    const SUMMARY: &'static str = "A loss or gradient by a function of yours in Python, with PyTorch";
    const REVISION: u32 = 1;
    const IDENTIFIES: bool = true;

    fn check(&self) -> Result<()> {
        let is_path = self.python.contains(['/', '\\']);
        if self.python.is_empty() || is_path && !std::path::Path::new(&self.python).is_absolute() {
            let message = format!("`python` is `{}`: give a name on the search path, or an absolute path", self.python);
            return Err(Error::config(message));
        }
        let identifier = |text: &str| {
            !text.is_empty()
                && !text.starts_with(|letter: char| letter.is_ascii_digit())
                && text.chars().all(|letter| letter == '_' || letter.is_alphanumeric())
        };
        if !identifier(&self.function) {
            return Err(Error::config(format!("`function` is `{}`, which is no name of a function", self.function)));
        }
        Ok(())
    }

    fn identify(&self, identity: &mut Identity<'_>) -> Result<()> {
        versions::of(&self.python, &self.packages)?.iter().try_for_each(|(name, version)| identity.add(name, version))
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        if self.net {
            description.need(Need::Model)?;
        }
        description.learnable(&Learnable::images(problem, self.init, self.lr).with_momentum(self.momentum))?;
        description.recipe(&pddflow_sdk::recipe(1000, &self.augment))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let mut frame = Frame::default();
        let synthetic = self.fill(run, &mut frame)?;
        let images = Tensor::concat(&synthetic, 0)?;
        let (dtype, shape) = (images.dtype()?, images.shape()?);
        frame.reserve("gradient", dtype, &shape);
        let key = run.key().fold("python")?;
        let problem = run.problem();
        let call = json!({
            "iteration": run.number(),
            // Every generator of NumPy and PyTorch accepts a seed of this size.
            "seed": key.below(1 << 31)?,
            "classes": problem.classes,
            "shape": [problem.channels, problem.height, problem.width],
            "ipc": problem.ipc,
            "mean": problem.mean,
            "std": problem.std,
            "parameters": self.with,
            "tensors": frame.tensors(),
        });
        let answer = self.processes.call(run, &self.setup(), &call, &frame)?;
        let gradient = Tensor::from_bytes(run.call(), &answer.gradient, dtype, &shape)?;
        let gradient = gradients(&[images], Some(&[gradient]), &[run.learnable("images")?], Keep::No)?.remove(0);
        run.step("images", &gradient)?;
        for (name, value) in &answer.metrics {
            run.metric(name, *value)?;
        }
        run.metric("loss", answer.loss)
    }
}

impl Python {
    /// Puts what the function is given into the frame, and gives the synthetic images of each class as they are on the tape.
    fn fill<'call>(&self, run: &Iteration<'call>, frame: &mut Frame) -> Result<Vec<Tensor<'call>>> {
        let (classes, draw) = (run.problem().classes, run.key().fold("class")?);
        // Tensors of one name are rows of one tensor, so that each side is put in as a whole.
        let real = match self.batch {
            0 => Vec::new(),
            batch => (0..classes)
                .map(|class| Ok(run.real(&[class], batch, &self.augment, draw)?.set))
                .collect::<Result<Vec<_>>>()?,
        };
        let made = (0..classes).map(|class| Ok(run.synthetic(&[class], None, &self.augment, draw)?.set));
        let made = made.collect::<Result<Vec<_>>>()?;
        for (name, sides) in [("real", &real), ("synthetic", &made)] {
            sides.iter().try_for_each(|set| frame.append(name, &set.images.detach()?))?;
            sides.iter().try_for_each(|set| frame.append(&format!("{name}_labels"), &set.labels.detach()?))?;
        }
        if self.net {
            let weights = run.start_weights(run.key().fold("net")?)?;
            for (about, weight) in run.weights()?.iter().zip(&weights) {
                frame.append(&format!("net {}", about.name), &weight.detach()?)?;
            }
        }
        Ok(made.into_iter().map(|set| set.images).collect())
    }

    fn setup(&self) -> Setup<'_> {
        Setup {
            python: &self.python,
            file: &self.file,
            function: &self.function,
            files: &self.files,
            threads: self.threads,
            patience: std::time::Duration::from_secs_f64(self.patience),
            memory: (self.memory * f64::from(1 << 30)) as u64,
        }
    }
}

pddflow_sdk::plugin!(matcher Python);
