//! The node of kind `train`.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_artifact::params::{read, schema};
use pddflow_artifact::{Trajectories, population_spread};
use pddflow_cache::KeyPart;
use pddflow_host::{Net, Role, WeightRole};
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Growing, Inputs, NodeContext, NodeError, Outputs};
use pddflow_tensor::augment::Policy;
use pddflow_tensor::{Device, RandomKey, Tensor};
use pddflow_training::nets::{Course, CourseStage, Crew, Keeps, Rules, Trainee, Work, accuracy, side_by_side};
use pddflow_training::sets::one_artifact;
use pddflow_training::splits::{Prepared, Split};
use pddflow_training::stored::{Pool, Wanted, info, net_data, specs_of};
use serde_json::{Value, json};

use super::extending::Extending;
use super::params::{TrainParams, check};
use super::report::results;
use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 1;

/// See the module.
pub(crate) struct TrainKind;

impl Kind for TrainKind {
    fn spec(&self) -> KindSpec {
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
            ],
            outputs: vec![
                port(
                    "trajectories",
                    "trajectories",
                    Arity::One,
                    "the learnable weights of each net at the epochs kept",
                ),
                port("results", "results", Arity::One, "test accuracy of each net over the epochs"),
            ],
            parameters: schema::<TrainParams>,
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings, with)
    }

    fn key_parts(&self, surroundings: &Surroundings, node: &PlanNode) -> Result<Vec<KeyPart>, NodeError> {
        let params: TrainParams = read(&node.with)?;
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
        node: &PlanNode,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: TrainParams = read(&node.with)?;
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
        let test = |net: &Net| accuracy(&model, &net.weights, &measured.samples().images, measured.classes_of_rows());
        let rules = rules(&params)?;
        let course = Course {
            trainee: Trainee { model: &model, specs: &specs },
            stages: &[CourseStage { samples: data.train.samples().clone(), lr: params.lr }],
            before: start.sets().len(),
            rules: &rules,
        };
        let epochs = course.epochs();
        let kept = params.snapshots.epochs(epochs).map_err(|message| fail("parameters", message))?;
        let extending = Extending { params: &params, context, device: surroundings.device() };
        let crew = Crew {
            course,
            key: RandomKey::new(params.seed).fold("train"),
            begin: &|number| Ok(Net::new(start.net(number, params.seed, &wanted)?)),
            at_epoch: &|work, done| {
                if kept.binary_search(&done).is_ok() {
                    work.kept.push(snapshot(&work.pupil.net, &wanted)?);
                }
                if params.measures_at(done, epochs) {
                    work.points.push((done, test(&work.pupil.net)?));
                }
                Ok(())
            },
            width: side_by_side(params.batch, data.shape.elements(), surroundings.device()),
            keeps: if context.keeps_state() { Keeps::Momentum } else { Keeps::Nothing },
            resume: Some(&|bytes| extending.resume(bytes, epochs)),
            device: surroundings.device(),
        };
        let works = crew.run(params.nets.first, params.nets.count, context)?;
        let made_by = json!({ "kind": "train", "with": node.with });
        let info = info(surroundings.plugins(), &wanted, params.nets, start.sets().to_vec(), made_by)?;
        let results = results(&works, &params, &node.with, data.dataset.source(), on);
        let metrics = metrics(&works);
        let mut works = works;
        let nets: Vec<_> = works.iter_mut().map(|work| std::mem::take(&mut work.kept)).collect();
        let trajectories = Trajectories::encode(&info, &kept, &nets)?;
        drop(nets);
        let trajectories = context.put(&trajectories).during("storing the trajectories")?;
        if context.keeps_state() {
            context.keep_state(&extending.state(&works, epochs, trajectories)?);
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

fn rules(params: &TrainParams) -> NodeResult<Rules> {
    Ok(Rules {
        epochs: params.epochs,
        schedule: params.schedule,
        momentum: params.momentum,
        weight_decay: params.weight_decay,
        batch: params.batch,
        augment: Policy::parse(&params.augment).during("reading `augment`")?,
        cutmix: None,
        carry_momentum: false,
    })
}

/// The learnable weights, where artifacts are made.
fn snapshot(net: &Net, wanted: &Wanted<'_>) -> NodeResult<Vec<Tensor>> {
    let learnable = net.weights.iter().zip(wanted.specs).filter(|(_, spec)| spec.role == WeightRole::Learnable);
    learnable.map(|(weight, _)| weight.to_device(&Device::Cpu).during("keeping a snapshot")).collect()
}

/// Accuracy at the end, in percent.
fn metrics(works: &[Work]) -> BTreeMap<String, f64> {
    let last: Vec<f64> = works.iter().filter_map(|work| work.points.last()).map(|point| point.1).collect();
    let (mean, std) = population_spread(&last);
    BTreeMap::from([("accuracy".to_owned(), 100.0 * mean), ("accuracy_std".to_owned(), 100.0 * std)])
}
