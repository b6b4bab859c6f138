//! The net whose features a selection compares: one that is wired, else one that is trained here.

use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_host::{Net, Sgd, WeightRole, WeightSpec};
use pddflow_runner::{Inputs, NodeContext, NodeError, Progress};
use pddflow_tensor::augment::Policy;
use pddflow_tensor::{RandomKey, Tensor};

use crate::choice::PluginChoice;
use crate::nets::{Epoch, Trainee, features, initial_weights, train_part};
use crate::plugins::Plugins;
use crate::splits::Prepared;
use crate::stored::{Experts, Pool, Wanted, net_data, specs_of};

/// How the net is trained here: the evaluation recipes' step rule, without augmentation.
const RULE: Sgd = Sgd { lr: 0.01, momentum: 0.9, weight_decay: 5e-4 };
/// Images in a step of that training.
const BATCH: usize = 256;

/// The model and the images.
pub struct FeatureNet<'a> {
    pub plugins: &'a Plugins,
    pub choice: &'a PluginChoice,
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
        let weights = match wired(inputs, &wanted, context)? {
            Some(weights) => weights,
            None => self.trained(&Trainee { model: &model, specs: &specs }, epochs, key, context)?,
        };
        features(&model, &weights, &self.data.train.samples().images)
    }

    fn trained(
        &self,
        trainee: &Trainee<'_>,
        epochs: u64,
        key: RandomKey,
        context: &NodeContext<'_>,
    ) -> NodeResult<Vec<Tensor>> {
        let weights =
            initial_weights(trainee.specs, key.fold("weights"), self.data.tensors.dtype, &self.data.tensors.device);
        let mut net = Net::new(weights.during("drawing first weights")?);
        let rule = Epoch { batch: BATCH, rule: RULE, augment: Policy::none(), cutmix: None };
        for epoch in 0..epochs {
            let (samples, key) = (self.data.train.samples(), key.fold("epoch").fold_u64(epoch));
            let stop = || context.cancelled();
            let part = train_part(trainee, &mut net, samples, &rule, key, (0, &stop))?;
            if stop() {
                return Err(NodeError::cancelled());
            }
            context.progress(Progress { done: epoch + 1, total: epochs, unit: "epochs", loss: Some(part.loss) });
        }
        Ok(net.weights)
    }
}

/// The weights of the wired net, if one is.
fn wired(inputs: &Inputs, wanted: &Wanted<'_>, context: &NodeContext<'_>) -> NodeResult<Option<Vec<Tensor>>> {
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
        _ => Err(fail("two_nets", "both `trajectories` and `weights` are wired, and one net gives the features")
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
                .with_help("use a model with instance norm, or leave the port out to train the net here"))
        }
    }
}
