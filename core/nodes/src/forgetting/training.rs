//! Trains the nets, batch by batch, and counts.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::{Labels, Model, Net, Sgd, WeightSpec};
use pddflow_runner::{NodeContext, NodeError, Progress};
use pddflow_tensor::augment::Policy;
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use pddflow_training::nets::{Batch, Epoch, Momentum, Trainee, initial_weights, train_step};
use pddflow_training::selection::Tally;
use pddflow_training::splits::Split;
use pddflow_training::tensor_file::{Named, decode, encode};
use serde::{Deserialize, Serialize};

use super::params::ForgettingParams;

/// Version of the checkpoint's form; a checkpoint of another version is not continued.
const VERSION: u32 = 1;

/// What all runs share.
pub(super) struct Training<'a> {
    pub(super) params: &'a ForgettingParams,
    pub(super) model: &'a Model,
    pub(super) specs: &'a [WeightSpec],
    pub(super) augment: Policy,
    pub(super) train: &'a Split,
    pub(super) dtype: DType,
    pub(super) device: &'a Device,
}

/// What was counted over all runs.
pub(super) struct Counted {
    /// Of each training example.
    pub(super) scores: Vec<u64>,
    /// Runs in which each example was never right.
    pub(super) never: Vec<u64>,
}

struct State {
    run: u64,
    epoch: u64,
    /// Batches of the epoch that are done.
    batch: usize,
    net: Net,
    tally: Tally,
    /// Whether each example was right in this epoch, as far as it was presented.
    correct: Vec<bool>,
    counted: Counted,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    version: u32,
    run: u64,
    epoch: u64,
    batch: usize,
}

impl Training<'_> {
    /// Trains all runs; continues from the node's checkpoint if there is one.
    pub(super) fn run(&self, context: &NodeContext<'_>) -> NodeResult<Counted> {
        let mut state = match context.checkpoint()? {
            Some(bytes) => self.restore(&bytes).or_else(|error| {
                context.warn(format!("starting over: {}", error.message));
                self.begin()
            })?,
            None => self.begin()?,
        };
        while state.run < self.params.runs {
            self.epoch(&mut state, context)?;
        }
        Ok(state.counted)
    }

    /// The rest of one epoch.
    fn epoch(&self, state: &mut State, context: &NodeContext<'_>) -> NodeResult<()> {
        let key = self.run_key(state.run).fold("epoch").fold_u64(state.epoch);
        let order = key.fold("order").permutation(self.train.rows());
        let batches: Vec<&[usize]> = order.chunks(self.params.batch).collect();
        let (mut loss_sum, from) = (0.0, state.batch);
        while let Some(rows) = batches.get(state.batch) {
            if context.cancelled() {
                if context.checkpoint_due() {
                    context.save_checkpoint(&to_checkpoint(state)?)?;
                }
                return Err(NodeError::cancelled());
            }
            loss_sum += self.batch(state, rows, key)?;
            state.batch += 1;
            let loss = loss_sum / (state.batch - from) as f64;
            self.report(state, batches.len(), loss, context);
            if context.checkpoint_due() {
                context.save_checkpoint(&to_checkpoint(state)?)?;
            }
        }
        let right = state.correct.iter().filter(|right| **right).count() as f64 / state.correct.len().max(1) as f64;
        context.metric("train_accuracy", state.run * self.params.epochs + state.epoch, 100.0 * right);
        self.close_epoch(state)
    }

    fn batch(&self, state: &mut State, rows: &[usize], key: RandomKey) -> NodeResult<f64> {
        let lr = self.params.lr_at(state.epoch);
        let epoch = Epoch {
            batch: self.params.batch,
            rule: Sgd { lr, momentum: self.params.momentum, weight_decay: self.params.weight_decay },
            augment: self.augment.clone(),
            cutmix: None,
        };
        let momentum = if self.params.nesterov { Momentum::Nesterov } else { Momentum::Classical };
        let samples = self.train.take(rows).during("taking a training batch")?;
        let trainee = Trainee { model: self.model, specs: self.specs };
        let batch = Batch { samples: &samples, number: state.batch, key };
        let stepped = train_step(&trainee, &mut state.net, &batch, &epoch, momentum)?;
        let loss = stepped.loss.item().during("reading the training loss")?;
        if !loss.is_finite() {
            let (run, epoch, batch) = (state.run + 1, state.epoch, state.batch);
            let message = format!("the training loss is {loss} in run {run}, epoch {epoch}, batch {batch}");
            return Err(fail("loss_not_finite", message).with_help("lower `lr`, or use another model or normalisation"));
        }
        self.note_correct(state, rows, &samples.labels, &stepped.logits)?;
        Ok(loss)
    }

    /// Ties of logits go to the lower class, as everywhere.
    fn note_correct(&self, state: &mut State, rows: &[usize], labels: &Labels, logits: &Tensor) -> NodeResult<()> {
        let doing = "reading what a net said";
        let said = logits.argmax(1).during(doing)?.to_i64_vec().during(doing)?;
        let labels = labels.tensor().to_i64_vec().during(doing)?;
        for ((row, said), label) in rows.iter().zip(said).zip(labels) {
            state.correct[*row] = said == label;
        }
        Ok(())
    }

    fn close_epoch(&self, state: &mut State) -> NodeResult<()> {
        state.tally.note(&state.correct);
        state.batch = 0;
        state.epoch += 1;
        if state.epoch < self.params.epochs {
            return Ok(());
        }
        let counts = state.tally.scores().into_iter().zip(&state.tally.learned);
        let sums = state.counted.scores.iter_mut().zip(&mut state.counted.never);
        for ((sum, never), (score, learned)) in sums.zip(counts) {
            *sum += score;
            *never += u64::from(!learned);
        }
        state.run += 1;
        state.epoch = 0;
        if state.run < self.params.runs {
            state.net = self.first_net(state.run)?;
            state.tally = Tally::new(self.train.rows());
        }
        Ok(())
    }

    fn begin(&self) -> NodeResult<State> {
        let rows = self.train.rows();
        Ok(State {
            run: 0,
            epoch: 0,
            batch: 0,
            net: self.first_net(0)?,
            tally: Tally::new(rows),
            correct: vec![false; rows],
            counted: Counted { scores: vec![0; rows], never: vec![0; rows] },
        })
    }

    fn first_net(&self, run: u64) -> NodeResult<Net> {
        let key = self.run_key(run).fold("weights");
        Ok(Net::new(initial_weights(self.specs, key, self.dtype, self.device).during("drawing first weights")?))
    }

    fn run_key(&self, run: u64) -> RandomKey {
        RandomKey::new(self.params.seed).fold("forgetting").fold_u64(run)
    }

    fn report(&self, state: &State, batches: usize, loss: f64, context: &NodeContext<'_>) {
        let epochs = self.params.epochs;
        context.progress(Progress {
            done: (state.run * epochs + state.epoch) * batches as u64 + state.batch as u64,
            total: self.params.runs * epochs * batches as u64,
            unit: "batches",
            loss: Some(loss),
        });
    }

    fn restore(&self, bytes: &[u8]) -> NodeResult<State> {
        let (tensors, note) = decode::<Note>(bytes, self.device)?;
        if note.version != VERSION {
            return Err(fail("checkpoint", format!("the checkpoint has version {}, not {VERSION}", note.version)));
        }
        let series = |prefix: &str| -> Vec<Tensor> {
            (0..).map_while(|place| tensors.get(&format!("{prefix}{place}")).cloned()).collect()
        };
        let numbers = |name: &str| read_counts(&tensors, name, self.train.rows());
        let (weights, momentum) = (series("weight"), series("momentum"));
        if weights.len() != self.specs.len() {
            return Err(fail("checkpoint", "the checkpoint has not all weights"));
        }
        Ok(State {
            run: note.run,
            epoch: note.epoch,
            batch: note.batch,
            net: Net { weights, momentum: (!momentum.is_empty()).then_some(momentum) },
            tally: Tally {
                events: numbers("tally.events")?,
                last: flags(&numbers("tally.last")?),
                learned: flags(&numbers("tally.learned")?),
                epochs: note.epoch,
            },
            correct: flags(&numbers("correct")?),
            counted: Counted { scores: numbers("counted.scores")?, never: numbers("counted.never")? },
        })
    }
}

fn to_checkpoint(state: &State) -> NodeResult<Vec<u8>> {
    let mut tensors = Named::new();
    for (place, weight) in state.net.weights.iter().enumerate() {
        tensors.insert(format!("weight{place}"), weight.clone());
    }
    for (place, buffer) in state.net.momentum.iter().flatten().enumerate() {
        tensors.insert(format!("momentum{place}"), buffer.clone());
    }
    let bits = |flags: &[bool]| flags.iter().map(|flag| u64::from(*flag)).collect::<Vec<_>>();
    let arrays = [
        ("tally.events", state.tally.events.clone()),
        ("tally.last", bits(&state.tally.last)),
        ("tally.learned", bits(&state.tally.learned)),
        ("correct", bits(&state.correct)),
        ("counted.scores", state.counted.scores.clone()),
        ("counted.never", state.counted.never.clone()),
    ];
    for (name, values) in arrays {
        #[expect(clippy::cast_possible_wrap, reason = "counts of epochs")]
        let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
        let rows = values.len();
        let tensor = Tensor::from_i64(values, &[rows], &Device::Cpu).during("writing a checkpoint")?;
        tensors.insert(name.to_owned(), tensor);
    }
    encode(&tensors, &Note { version: VERSION, run: state.run, epoch: state.epoch, batch: state.batch })
}

fn read_counts(tensors: &Named, name: &str, rows: usize) -> NodeResult<Vec<u64>> {
    let tensor = tensors.get(name).filter(|tensor| tensor.shape() == [rows]);
    let tensor =
        tensor.ok_or_else(|| fail("checkpoint", format!("the checkpoint has no `{name}` of {rows} examples")))?;
    let values = tensor.to_i64_vec().during("reading a checkpoint")?;
    Ok(values.into_iter().map(i64::unsigned_abs).collect())
}

fn flags(numbers: &[u64]) -> Vec<bool> {
    numbers.iter().map(|number| *number != 0).collect()
}
