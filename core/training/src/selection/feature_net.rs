//! The net that a selection asks for features or classes: one that is wired, else one that is trained here.

use std::sync::Arc;

use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_host::{Model, Net, WeightRole, WeightSpec};
use pddflow_runner::{Inputs, NodeContext};
use pddflow_tensor::augment::Policy;
use pddflow_tensor::{RandomKey, Tensor};

use crate::accuracy::features;
use crate::choice::PluginChoice;
use crate::init::initial_weights;
use crate::plugins::Plugins;
use crate::splits::{Prepared, TensorOptions};
use crate::stored::{Experts, Pool, Wanted, net_data, specs_of};
use crate::trainer::{
    Architecture, EpochKeys, Hyperparameters, Job, Keeps, Loss, LrSchedule, NetState, Observer, Optimizer, Schedule,
    Segment, Trainer,
};

/// Learning rate of the training here: that of the evaluation recipes.
const LR: f64 = 0.01;

/// The rest: as the evaluation recipes have it, without augmentation.
fn settings(epochs: u64) -> Hyperparameters {
    Hyperparameters {
        schedule: LrSchedule::Script { schedule: Schedule::Constant, epochs, warm_up: 0 },
        loss: Loss::default(),
        optimizer: Optimizer::default(),
        momentum: 0.9,
        nesterov: false,
        weight_decay: 5e-4,
        batch: 256,
        augment: Policy::none(),
        cutmix: None,
        carry_momentum: false,
        average: None,
        flat: None,
    }
}

/// The model and the images.
pub struct FeatureNet<'a> {
    /// Where the model is.
    pub plugins: &'a Plugins,
    /// The model.
    pub choice: &'a PluginChoice,
    /// The images.
    pub data: &'a Prepared,
}

impl FeatureNet<'_> {
    /// Features of the training images, row after row, and their width.
    pub fn features(
        &self,
        inputs: &Inputs,
        epochs: u64,
        key: RandomKey,
        context: &NodeContext<'_>,
    ) -> NodeResult<(Vec<f32>, usize)> {
        let (model, weights) = self.net(inputs, epochs, key, context)?;
        features(&model, &weights, &self.data.train.samples().images)
    }

    /// The model and the weights of the net.
    ///
    /// # Errors
    /// What is wired does not fit, or the training fails.
    pub fn net(
        &self,
        inputs: &Inputs,
        epochs: u64,
        key: RandomKey,
        context: &NodeContext<'_>,
    ) -> NodeResult<(Arc<Model>, Vec<Tensor>)> {
        let registry = self.plugins.open()?;
        let model = registry.model(&self.choice.id, &self.choice.config).map_err(|error| from_plugin(&error))?;
        let about = net_data(self.data);
        let specs = specs_of(&model, &about)?;
        let wanted = Wanted {
            choice: self.choice,
            specs: &specs,
            data: &about,
            device: &self.data.tensors.device,
            dtype: self.data.tensors.dtype,
        };
        let weights = match wired_net(inputs, &wanted, context)? {
            Some(weights) => weights,
            None => self.trained(Architecture { model: &model, specs: &specs }, epochs, key, context)?,
        };
        Ok((model, weights))
    }

    fn trained(
        &self,
        architecture: Architecture<'_>,
        epochs: u64,
        key: RandomKey,
        context: &NodeContext<'_>,
    ) -> NodeResult<Vec<Tensor>> {
        let tensors = &self.data.tensors;
        let job = Job {
            trainer: Trainer {
                architecture,
                segments: &[Segment::new(self.data.train.samples().clone(), LR)],
                settings: &settings(epochs),
                keys: EpochKeys::ByEpoch,
            },
            observer: &Fresh { specs: architecture.specs, key: key.fold("weights"), tensors },
            nets: 0..1,
            key: &|_| key,
            keeps: Keeps::Weights,
            device: &tensors.device,
            shards: &[],
        };
        Ok(job.run(context)?.pop().map(|net| net.net.weights).unwrap_or_default())
    }
}

/// A net with random first weights.
struct Fresh<'a> {
    specs: &'a [WeightSpec],
    key: RandomKey,
    tensors: &'a TensorOptions,
}

impl Observer for Fresh<'_> {
    type Notes = ();

    fn begin(&self, state: &mut NetState<()>, _: usize) -> NodeResult<()> {
        let TensorOptions { device, dtype } = self.tensors;
        state.net = Net::new(initial_weights(self.specs, self.key, *dtype, device).during("drawing first weights")?);
        Ok(())
    }

    fn epoch(&self, _: &mut NetState<()>, _: u64, _: &dyn Fn() -> bool) -> NodeResult<()> {
        Ok(())
    }
}

/// The weights of the net at the port `trajectories` or `weights`, if one is wired: the first one, as last kept.
///
/// # Errors
/// It does not fit what is wanted, both ports are wired, or statistics of the net are not stored.
pub fn wired_net(inputs: &Inputs, wanted: &Wanted<'_>, context: &NodeContext<'_>) -> NodeResult<Option<Vec<Tensor>>> {
    let (trajectories, weights) = (inputs.port("trajectories"), inputs.port("weights"));
    match (trajectories, weights) {
        ([], []) => Ok(None),
        (trajectories, []) => {
            let experts = Experts::open(context, trajectories)?.check(trajectories, wanted)?;
            check_no_statistics(wanted.specs)?;
            let last = experts.epochs().last().copied().unwrap_or(0);
            experts.snapshot(0, last, wanted).map(Some)
        }
        ([], weights) => {
            let pool = Pool::open(context, weights)?;
            pool.check(weights, wanted)?;
            pool.at(0, wanted).map(Some)
        }
        _ => Err(fail("two_nets", "both `trajectories` and `weights` are wired, and one net is asked")
            .with_help("leave one of the two ports out")),
    }
}

/// Snapshots hold no running statistics, without which such a net cannot be asked in evaluation mode.
fn check_no_statistics(specs: &[WeightSpec]) -> NodeResult<()> {
    match specs.iter().find(|spec| spec.role == WeightRole::Statistic) {
        None => Ok(()),
        Some(spec) => {
            let message = format!("trajectories do not hold the model's running statistics, such as `{}`", spec.name);
            Err(fail("net_statistics", message)
                .with_help("use a model with instance norm, or wire a net with all its weights into `weights`"))
        }
    }
}
