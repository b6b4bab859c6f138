//! The node of kind `train`.

use std::collections::BTreeMap;

use pddflow_artifact::Trajectories;
use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_artifact::params::{read, schema};
use pddflow_artifact::statistics::accuracy_metrics;
use pddflow_cache::KeyPart;
use pddflow_host::Role;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Growing, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_tensor::RandomKey;
use pddflow_tensor::augment::Policy;
use pddflow_training::sets::one_artifact;
use pddflow_training::splits::{Prepared, Split};
use pddflow_training::stored::{Pool, Wanted, info, net_data, specs_of};
use pddflow_training::trainer::{
    Architecture, EpochKeys, Hyperparameters, Job, Keeps, Loss, LrSchedule, Optimizer, Segment, Trainer,
};
use serde_json::{Value, json};

use super::experts::{Expert, Experts};
use super::params::{TrainParams, check};
use super::report::results;
use crate::kind::{Kind, port};
use crate::shard::{self, Shard};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 2;

/// See the module.
pub(crate) struct TrainKind;

impl Kind for TrainKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 1 << 30, gpus: 1 }
    }

    fn spec(&self) -> KindSpec {
        let (shards, shard) = shard::ports();
        KindSpec {
            name: "train".into(),
            summary: "Trains nets on the real data and keeps their weights on the way: experts.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the real data"),
                port(
                    "start",
                    "weights",
                    Arity::Many,
                    "what the nets begin with, in shards; fresh ones if there is none",
                ),
                shards,
            ],
            outputs: vec![
                port(
                    "trajectories",
                    "trajectories",
                    Arity::One,
                    "the learnable weights of each net at the epochs kept",
                ),
                port("results", "results", Arity::One, "test accuracy of each net over the epochs"),
                shard,
            ],
            parameters: schema::<TrainParams>,
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings, with)
    }

    fn shards(&self, with: &Value, wanted: usize) -> Option<Vec<Value>> {
        let params: TrainParams = read(with).ok()?;
        Some(shard::pieces(with, params.nets.count, wanted))
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let params: TrainParams = read(&Shard::take(node.with)?.0)?;
        let mut parts = surroundings.numeric_parts(REVISION);
        parts.push(part("model", surroundings.plugins().key(Role::Model, &params.model.id)?));
        Ok(parts)
    }

    fn growing(&self, _: &Surroundings, with: &Value) -> Option<Growing> {
        let params: TrainParams = read(with).ok()?;
        params.extends().then_some(Growing { parameter: "epochs", wanted: params.epochs })
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let (with, part) = Shard::take(node.with)?;
        let params: TrainParams = read(&with)?;
        let shards = shard::wired(inputs, context)?;
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        let registry = surroundings.plugins().open()?;
        let model = registry.model(&params.model.id, &params.model.config).map_err(|error| from_plugin(&error))?;
        let about = net_data(&data);
        let specs = specs_of(&model, &about)?;
        let wanted = Wanted {
            choice: &params.model,
            specs: &specs,
            data: &about,
            device: surroundings.device(),
            dtype: surroundings.dtype(),
        };
        let start = Pool::open(context, inputs.port("start"))?;
        start.check(inputs.port("start"), &wanted)?;
        start.check_range(params.nets)?;
        let (measured, on) = measured(&data)?;
        let measured = measured.as_deref().unwrap_or(&data.train);
        let settings = settings(&params)?;
        let epochs = settings.schedule.epochs();
        let kept = params.snapshots.epochs(epochs).map_err(|message| fail("parameters", message))?;
        let observer = Experts {
            params: &params,
            epochs,
            snapshots: &kept,
            start: &start,
            wanted: &wanted,
            model: &model,
            measured,
            context,
        };
        let key = RandomKey::new(params.seed).fold("train");
        // The state of the end is of all nets, and a piece has some of them.
        let keeps_state = context.keeps_state() && shards.is_empty();
        let job = Job {
            trainer: Trainer {
                architecture: Architecture { model: &model, specs: &specs },
                segments: &[Segment::new(data.train.samples().clone(), params.lr)],
                settings: &settings,
                keys: EpochKeys::ByStage { before: start.sets().len() },
            },
            observer: &observer,
            nets: shard::nets(part, params.nets).numbers(),
            key: &|number| key.fold_u64(number as u64),
            keeps: if keeps_state { Keeps::Momentum } else { Keeps::Nothing },
            device: surroundings.device(),
            shards: &shards,
        };
        let mut nets = job.run(context)?;
        if part.is_some() {
            return shard::stored(&nets, context);
        }
        let made_by = json!({ "kind": "train", "with": node.with });
        let info = info(&wanted, params.nets, start.sets().to_vec(), made_by);
        let results = results(&nets, &params, node.with, data.dataset.source(), on);
        let metrics = metrics(&nets);
        let snapshots: Vec<_> = nets.iter_mut().map(|net| std::mem::take(&mut net.kept)).collect();
        let trajectories = Trajectories::encode(&info, &kept, &snapshots)?;
        drop(snapshots);
        let trajectories = context.put(&trajectories).during("storing the trajectories")?;
        if keeps_state {
            context.keep_state(observer.state(&nets, trajectories)?);
        }
        let artifacts = BTreeMap::from([
            ("trajectories".to_owned(), trajectories),
            ("results".to_owned(), context.put(&results.encode()?).during("storing the results")?),
        ]);
        Ok(Outputs { artifacts, metrics })
    }
}

/// The images that accuracy is measured on: the test split, or (`None`) the training split where there is no other.
fn measured(data: &Prepared) -> NodeResult<(Option<std::sync::Arc<Split>>, &'static str)> {
    let test = data.test()?;
    Ok(if test.rows() > 0 { (Some(test), "test") } else { (None, "train") })
}

fn settings(params: &TrainParams) -> NodeResult<Hyperparameters> {
    Ok(Hyperparameters {
        schedule: LrSchedule::Script { schedule: params.schedule, epochs: params.epochs, warm_up: 0 },
        loss: Loss::default(),
        optimizer: Optimizer::default(),
        momentum: params.momentum,
        nesterov: false,
        weight_decay: params.weight_decay,
        batch: params.batch,
        augment: Policy::parse(&params.augment).during("reading `augment`")?,
        cutmix: None,
        carry_momentum: false,
        average: None,
        flat: params.flat,
    })
}

/// Accuracy at the end, in percent.
fn metrics(nets: &[Expert]) -> BTreeMap<String, f64> {
    let last: Vec<f64> = nets.iter().filter_map(|net| net.notes.last()).map(|point| point.1).collect();
    accuracy_metrics("accuracy", &last).collect()
}
