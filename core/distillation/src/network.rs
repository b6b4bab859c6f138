//! The nets of a distillation: the model, the experts, and where matching starts.

use std::sync::Arc;

use pddflow_artifact::NetData;
use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_host::{Model, Net, WeightSpec};
use pddflow_runner::{Inputs, NodeContext};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use pddflow_training::choice::PluginChoice;
use pddflow_training::init::initial_weights;
use pddflow_training::plugins::Plugins;
use pddflow_training::recipe::LearningRate;
use pddflow_training::segments::progressive;
use pddflow_training::sets::LoadedSet;
use pddflow_training::splits::{Prepared, TensorOptions};
use pddflow_training::stored::{Experts, Pool, Wanted, net_data, specs_of};
use pddflow_training::trainer::{Architecture, EpochKeys, Hyperparameters, Segment, Trainer};

use crate::params::DistillParams;

/// The model with all nets of it that are wired.
pub(crate) struct Network {
    /// What it was chosen by.
    pub(crate) choice: PluginChoice,
    /// Its forward pass.
    pub(crate) model: Arc<Model>,
    /// Its weights.
    pub(crate) specs: Vec<WeightSpec>,
    /// Trajectories; there may be none.
    pub(crate) experts: Experts,
    pool: Pool,
    pretrain: Option<Pretraining>,
    pretrains: bool,
    /// Whether fresh nets of the pool count as nets.
    fixed_start: bool,
    data: NetData,
    pub(crate) device: Device,
    dtype: DType,
}

/// How a new net gets to where this stage starts.
struct Pretraining {
    segments: Vec<Segment>,
    settings: Hyperparameters,
}

impl Network {
    /// Opens what the node is given and checks that it fits; `None` where no model is named or wired.
    pub(crate) fn open(
        (plugins, tensors): (&Plugins, &TensorOptions),
        params: &DistillParams,
        inputs: &Inputs,
        context: &NodeContext<'_>,
        (data, earlier): (&Prepared, &[LoadedSet]),
    ) -> NodeResult<Option<Self>> {
        let experts = Experts::open(context, inputs.port("trajectories"))?;
        let pool = Pool::open(context, inputs.port("start"))?;
        let Some(choice) = choice(params, &experts, &pool)? else { return Ok(None) };
        let model = plugins.open()?.model(&choice.id, &choice.config).map_err(|error| from_plugin(&error))?;
        let about = net_data(data);
        let specs = specs_of(&model, &about)?;
        let (device, dtype) = (&tensors.device, tensors.dtype);
        let wanted = Wanted { choice: &choice, specs: &specs, data: &about, device, dtype };
        pool.check(inputs.port("start"), &wanted)?;
        let experts = experts.check(inputs.port("trajectories"), &wanted)?;
        let pretrain = pretrain(params, &pool, earlier, data.classes)?;
        let (device, data, pretrains) = (device.clone(), about, params.pretrain.is_some());
        let fixed_start = params.fixed_start;
        Ok(Some(Self { choice, model, specs, experts, pool, pretrain, pretrains, fixed_start, data, device, dtype }))
    }

    /// What stored nets must fit.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        let (choice, specs, data) = (&self.choice, &self.specs, &self.data);
        Wanted { choice, specs, data, device: &self.device, dtype: self.dtype }
    }

    /// Whether the node says where matching starts.
    pub(crate) fn has_start(&self) -> bool {
        self.pool.count() > 0 || self.pretrains
    }

    /// New weights.
    pub(crate) fn fresh_weights(&self, key: RandomKey) -> NodeResult<Vec<Tensor>> {
        initial_weights(&self.specs, key, self.dtype, &self.device).during("drawing first weights")
    }

    /// A net that was trained on the earlier sets elsewhere: of the pool, else the first snapshot of an expert. Counted round
    /// and round; `None` where there is none.
    pub(crate) fn advanced(&self, number: usize) -> NodeResult<Option<Vec<Tensor>>> {
        if !self.pool.is_fresh() {
            return self.pool.at(number % self.pool.count(), &self.wanted()).map(Some);
        }
        if self.experts.are_advanced() && self.experts.epochs().first() == Some(&0) {
            return self.experts.snapshot(number % self.experts.count(), 0, &self.wanted()).map(Some);
        }
        Ok(None)
    }

    /// A fresh net that matching always starts from, counted round and round; `None` where there is none.
    pub(crate) fn fixed(&self, number: usize) -> NodeResult<Option<Vec<Tensor>>> {
        let is_one = self.fixed_start && self.pool.count() > 0 && self.pool.is_fresh();
        is_one.then(|| self.pool.at(number % self.pool.count(), &self.wanted())).transpose()
    }

    /// A net of the pool, or a new one that is pretrained, or a new one: chosen and drawn by the key. A pool of fresh nets is as
    /// no pool, so that the first stage of a progressive pipeline is the base method, unless the pipeline says that its nets are fixed.
    pub(crate) fn start_weights(&self, key: RandomKey, stop: &dyn Fn() -> bool) -> NodeResult<Vec<Tensor>> {
        if !self.pool.is_fresh() || self.fixed_start {
            let place = key.below(self.pool.count() as u64);
            return self.pool.at(usize::try_from(place).unwrap_or(0), &self.wanted());
        }
        let weights = self.fresh_weights(key)?;
        match &self.pretrain {
            Some(Pretraining { segments, settings }) => {
                Ok(self.trainer((segments, 0), settings).finish(Net::new(weights), key.fold("warm up"), stop)?.weights)
            }
            None => Ok(weights),
        }
    }

    /// The model with its weights.
    pub(crate) fn architecture(&self) -> Architecture<'_> {
        Architecture { model: &self.model, specs: &self.specs }
    }

    /// What trains nets through these segments, before which so many were done elsewhere.
    pub(crate) fn trainer<'a>(
        &'a self,
        (segments, before): (&'a [Segment], usize),
        settings: &'a Hyperparameters,
    ) -> Trainer<'a> {
        Trainer { architecture: self.architecture(), segments, settings, keys: EpochKeys::ByStage { before } }
    }
}

/// The model by the node's parameters, else that of the nets that are wired.
fn choice(params: &DistillParams, experts: &Experts, pool: &Pool) -> NodeResult<Option<PluginChoice>> {
    if let Some(choice) = &params.model {
        return Ok(Some(choice.clone()));
    }
    let wired = experts.model().or_else(|| pool.model());
    wired.map(|model| serde_json::from_value(model.clone()).during("reading the model of the wired nets")).transpose()
}

fn pretrain(
    params: &DistillParams,
    pool: &Pool,
    earlier: &[LoadedSet],
    classes: usize,
) -> NodeResult<Option<Pretraining>> {
    let Some(training) = &params.pretrain else { return Ok(None) };
    if earlier.iter().any(|set| set.script.is_some()) {
        let message = "`pretrain` trains on earlier sets in any order, and one of them is of use step by step only";
        return Err(fail("script", message).with_help("wire an `advance` of it into `start`, which follows its steps"));
    }
    if !pool.is_fresh() {
        let message = "both `start` and `pretrain` say where matching starts";
        return Err(fail("two_starts", message).with_help("wire `start`, or give `pretrain`, not both"));
    }
    let lr = training.lr.clone().unwrap_or(LearningRate::Fixed(0.01));
    let lr = |stage: usize| lr.of_early_stage(stage, &[(stage, earlier[stage].step_size)]);
    let segments = progressive(earlier, 0, &lr, classes)?;
    Ok(if segments.is_empty() { None } else { Some(Pretraining { segments, settings: training.settings()? }) })
}
