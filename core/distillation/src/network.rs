//! The nets of a distillation: the models, and of each its experts and where matching starts.

use std::sync::Arc;

use pddflow_artifact::NetData;
use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_host::{Model, Net, WeightSpec};
use pddflow_runner::{Artifact, Inputs, NodeContext};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use pddflow_training::choice::PluginChoice;
use pddflow_training::init::initial_weights;
use pddflow_training::plugins::Plugins;
use pddflow_training::recipe::LearningRate;
use pddflow_training::segments::progressive;
use pddflow_training::sets::LoadedSet;
use pddflow_training::splits::{Prepared, TensorOptions};
use pddflow_training::stored::{Experts, Pool, Wanted, model_value, net_data, specs_of};
use pddflow_training::trainer::{Architecture, EpochKeys, Hyperparameters, Segment, Trainer};
use serde_json::Value;

use crate::params::DistillParams;

/// A model with all nets of it that are wired.
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
    /// Opens what the node is given and checks that it fits: the models that are named, in that order, or the one of the nets that are
    /// wired. Empty where no model is named or wired.
    pub(crate) fn open_all(
        found: (&Plugins, &TensorOptions),
        params: &DistillParams,
        inputs: &Inputs,
        context: &NodeContext<'_>,
        about: (&Prepared, &[LoadedSet]),
    ) -> NodeResult<Vec<Self>> {
        let (experts, start) = (inputs.port("trajectories"), inputs.port("start"));
        if params.models.len() < 2 {
            let one = Self::open(found, (params, params.model.as_ref()), (experts, start), context, about)?;
            return Ok(one.into_iter().collect());
        }
        let choices = &params.models;
        let experts =
            by_model(choices, experts, |one| Ok(Experts::open(context, std::slice::from_ref(one))?.model().cloned()))?;
        let start =
            by_model(choices, start, |one| Ok(Pool::open(context, std::slice::from_ref(one))?.model().cloned()))?;
        let mut networks = Vec::with_capacity(choices.len());
        for (choice, (experts, start)) in choices.iter().zip(experts.iter().zip(&start)) {
            networks.extend(Self::open(found, (params, Some(choice)), (experts, start), context, about)?);
        }
        for port in ["start", "trajectories"] {
            let wired = |one: &Self| if port == "start" { one.pool.count() > 0 } else { !one.experts.is_empty() };
            if let (true, Some(without)) = (networks.iter().any(wired), networks.iter().find(|one| !wired(one))) {
                context.warn(format!("no nets of the model `{}` are wired into `{port}`", without.choice.id));
            }
        }
        Ok(networks)
    }

    fn open(
        (plugins, tensors): (&Plugins, &TensorOptions),
        (params, named): (&DistillParams, Option<&PluginChoice>),
        (trajectories, start): (&[Artifact], &[Artifact]),
        context: &NodeContext<'_>,
        (data, earlier): (&Prepared, &[LoadedSet]),
    ) -> NodeResult<Option<Self>> {
        let experts = Experts::open(context, trajectories)?;
        let pool = Pool::open(context, start)?;
        let Some(choice) = choice(named, &experts, &pool)? else { return Ok(None) };
        let model = plugins.open()?.model(&choice.id, &choice.config).map_err(|error| from_plugin(&error))?;
        let about = net_data(data);
        let specs = specs_of(&model, &about)?;
        let (device, dtype) = (&tensors.device, tensors.dtype);
        let wanted = Wanted { choice: &choice, specs: &specs, data: &about, device, dtype };
        pool.check(start, &wanted)?;
        let experts = experts.check(trajectories, &wanted)?;
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

/// The artifacts of a port, each with the model that it was made with, in the order of the models.
fn by_model(
    choices: &[PluginChoice],
    artifacts: &[Artifact],
    model_of: impl Fn(&Artifact) -> NodeResult<Option<Value>>,
) -> NodeResult<Vec<Vec<Artifact>>> {
    let models: Vec<Value> = choices.iter().map(model_value).collect();
    let mut found = vec![Vec::new(); models.len()];
    for artifact in artifacts {
        let made_with = model_of(artifact)?.unwrap_or_default();
        let Some(place) = models.iter().position(|model| *model == made_with) else {
            let models: Vec<String> = models.iter().map(Value::to_string).collect();
            let message = format!(
                "the nets of `{}` are of the model {made_with}, this node's models are {}",
                artifact.from,
                models.join(" and ")
            );
            let help = "give both nodes the same model, with the same parameters, or wire other nets";
            return Err(fail("net_mismatch", message).with_help(help));
        };
        found[place].push(artifact.clone());
    }
    Ok(found)
}

/// The model that is named, else that of the nets that are wired.
fn choice(named: Option<&PluginChoice>, experts: &Experts, pool: &Pool) -> NodeResult<Option<PluginChoice>> {
    if let Some(choice) = named {
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
