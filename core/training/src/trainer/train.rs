//! One net through the segments of its training.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::Net;
use pddflow_runner::NodeError;
use pddflow_tensor::{Device, RandomKey, Tensor};

use super::net::{NetState, Observer, Position, Unobserved};
use super::segment::Segment;
use super::settings::Hyperparameters;
use super::step::{Architecture, Batch, train_step};

/// Values of the images of all batches in work at once; it bounds the memory of several nets side by side. Four batches of
/// 256 images of CIFAR: about 2 GB with ConvNet-3 of width 128.
const VALUES_AT_ONCE: usize = 1 << 22;

/// How the key of an epoch follows from that of its net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochKeys {
    /// `stage`, number of the segment, epoch. A net that was trained through the first segments elsewhere goes on as if it
    /// had been here.
    ByStage {
        /// Segments that were done elsewhere.
        before: usize,
    },
    /// `epoch`, epoch: for a single segment.
    ByEpoch,
    /// The epoch alone: for a single segment whose key is its own.
    Plain,
}

/// A model, the segments of its training and their hyperparameters.
#[derive(Clone, Copy)]
pub struct Trainer<'a> {
    /// The model.
    pub architecture: Architecture<'a>,
    /// In their order.
    pub segments: &'a [Segment],
    /// Of every segment.
    pub settings: &'a Hyperparameters,
    /// Where randomness comes from.
    pub keys: EpochKeys,
}

impl Trainer<'_> {
    /// Epochs of all segments together.
    pub fn epochs(&self) -> u64 {
        self.epochs_before(self.segments.len())
    }

    /// Epochs of all segments that are done.
    pub fn done(&self, at: &Position) -> u64 {
        self.epochs_before(at.segment) + at.epoch
    }

    fn epochs_before(&self, segment: usize) -> u64 {
        self.segments.iter().take(segment).map(|segment| segment.schedule(self.settings).epochs()).sum()
    }

    /// Whether there is nothing left to do.
    pub fn is_over(&self, at: &Position) -> bool {
        at.segment >= self.segments.len() || self.epochs() == 0
    }

    /// How many nets may be in work at once: one for each core, unless their batches are large. A device of its own is busy
    /// with one.
    pub fn width(&self, device: &Device) -> usize {
        if *device != Device::Cpu {
            return 1;
        }
        let values = |segment: &Segment| {
            let image: usize = segment.samples.images.shape().iter().skip(1).product();
            image * segment.count().min(self.settings.batch)
        };
        let values = self.segments.iter().map(values).max().unwrap_or(0);
        (VALUES_AT_ONCE / values.max(1)).clamp(1, rayon::current_num_threads())
    }

    /// Trains a net through all segments; `key` is the net's. `stop` is asked after every batch. Where weights are averaged, the
    /// net that comes back has the average.
    ///
    /// # Errors
    /// As those of [`Self::advance`]; cancelled where `stop` says so.
    pub fn finish(&self, net: Net, key: RandomKey, stop: &dyn Fn() -> bool) -> NodeResult<Net> {
        let mut state = NetState { net, ..NetState::new(0) };
        while !self.is_over(&state.at) {
            self.advance(&mut state, key, &Unobserved, (stop, stop))?;
            if stop() && !self.is_over(&state.at) {
                return Err(NodeError::cancelled());
            }
        }
        match state.average.is_empty() {
            true => Ok(state.net),
            false => Ok(Net { weights: state.average, momentum: state.net.momentum }),
        }
    }

    /// Trains to the end of the present epoch, or until `pause` says so after a batch. `key` is the net's; `stop` ends what
    /// the observer does half way.
    ///
    /// # Errors
    /// There is no image, the loss is not finite, the model or the observer fails: with the place in the training.
    pub fn advance<O: Observer>(
        &self,
        state: &mut NetState<O::Notes>,
        key: RandomKey,
        observer: &O,
        (pause, stop): (&dyn Fn() -> bool, &dyn Fn() -> bool),
    ) -> NodeResult<()> {
        let Some(segment) = self.segments.get(state.at.segment) else { return Ok(()) };
        let epoch = state.at.epoch;
        let trained = self.part(state, segment, key, observer, (pause, stop));
        trained.map_err(|error| {
            let message = format!("{}, epoch {epoch}: {}", segment.label(), error.message);
            NodeError { message, ..error }
        })
    }

    fn part<O: Observer>(
        &self,
        state: &mut NetState<O::Notes>,
        segment: &Segment,
        key: RandomKey,
        observer: &O,
        (pause, stop): (&dyn Fn() -> bool, &dyn Fn() -> bool),
    ) -> NodeResult<()> {
        if state.at.batch == 0 {
            self.begin_epoch(state, segment, observer)?;
        }
        let key = self.epoch_key(key, &state.at);
        let order = segment.order(self.settings.batch, key);
        if order.is_empty() {
            return Err(fail("empty_data", "there is no image to train on"));
        }
        let lr = segment.schedule(self.settings).lr(segment.lr, state.at.epoch);
        let batches: Vec<&[usize]> = order.chunks(self.settings.batch.max(1)).collect();
        let (from, mut losses) = (state.at.batch, Vec::new());
        while let Some(rows) = batches.get(state.at.batch) {
            let samples = segment.samples.take(rows).during("taking a training batch")?;
            let teacher = segment.teacher.as_deref();
            let batch = Batch { samples: &samples, teacher, number: state.at.batch, key };
            if let (true, Some(left)) = (state.average.is_empty(), self.settings.average) {
                state.take_in(left).during("averaging weights")?;
            }
            let stepped = train_step(self.architecture, &mut state.net, &batch, self.settings, lr)?;
            if let Some(left) = self.settings.average {
                state.take_in(left).during("averaging weights")?;
            }
            losses.push(stepped.loss);
            observer.batch(&mut state.notes, rows, &stepped.logits)?;
            state.at.batch += 1;
            if state.at.batch < batches.len() && pause() {
                break;
            }
        }
        state.loss = mean_loss(&losses, from)?;
        if state.at.batch < batches.len() { Ok(()) } else { self.end_epoch(state, segment, observer, stop) }
    }

    fn begin_epoch<O: Observer>(
        &self,
        state: &mut NetState<O::Notes>,
        segment: &Segment,
        observer: &O,
    ) -> NodeResult<()> {
        let begins = state.at.epoch == 0;
        if begins && segment.teacher.is_none() {
            self.settings.loss.check(&segment.samples.labels)?;
        }
        if begins && segment.fresh {
            observer.begin(state, segment.phase)?;
            state.average.clear();
        }
        let anew = begins && !self.settings.carry_momentum;
        if anew || segment.schedule(self.settings).empties_momentum(state.at.epoch) {
            state.net.momentum = None;
        }
        Ok(())
    }

    fn end_epoch<O: Observer>(
        &self,
        state: &mut NetState<O::Notes>,
        of: &Segment,
        observer: &O,
        stop: &dyn Fn() -> bool,
    ) -> NodeResult<()> {
        let done = state.at.epoch + 1;
        observer.epoch(state, done, stop)?;
        let Position { segment, .. } = state.at;
        state.at = match done >= of.schedule(self.settings).epochs() {
            true => Position { segment: segment + 1, epoch: 0, batch: 0 },
            false => Position { segment, epoch: done, batch: 0 },
        };
        Ok(())
    }

    fn epoch_key(&self, net: RandomKey, at: &Position) -> RandomKey {
        let key = match self.keys {
            EpochKeys::ByStage { before } => net.fold("stage").fold_u64((before + at.segment) as u64),
            EpochKeys::ByEpoch => net.fold("epoch"),
            EpochKeys::Plain => net,
        };
        key.fold_u64(at.epoch)
    }
}

/// Losses are read after a part, all at once, so that a device need not wait at every batch.
fn mean_loss(losses: &[Tensor], from: usize) -> NodeResult<f64> {
    if losses.is_empty() {
        return Ok(0.0);
    }
    let together =
        Tensor::stack(losses, 0).and_then(|losses| losses.to_f64_vec()).during("reading the training loss")?;
    if let Some((number, value)) = (from..).zip(&together).find(|(_, value)| !value.is_finite()) {
        return Err(fail("loss_not_finite", format!("the training loss of batch {number} is {value}"))
            .with_help("lower the learning rate, or look for images that are not finite"));
    }
    Ok(together.iter().sum::<f64>() / losses.len() as f64)
}
