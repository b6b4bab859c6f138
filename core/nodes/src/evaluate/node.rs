//! The node of kind `evaluate`.

use pddflow_artifact::failure::{NodeResult, fail, from_plugin};
use pddflow_artifact::params::{read_part, schema_of_parts};
use pddflow_cache::KeyPart;
use pddflow_host::Role;
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::evaluation::{Curve, Evaluation, Start, Test};
use pddflow_training::recipe::{
    LENGTH_HELP, NetsParams, OTHER_RECIPES, Preset, ProtocolParams, Recipe, follows_script, recipes_differ,
};
use pddflow_training::segments::{Training, stage_sets};
use pddflow_training::sets::{LoadedSet, load_sets, one_artifact};
use pddflow_training::stored::{NetRange, Pool, Wanted, net_data, specs_of};
use pddflow_training::summary::{Report, Summary};
use pddflow_training::trainer::Architecture;
use serde_json::{Value, json};

use super::course::Course;
use super::params::{EvaluateParams, check, parts};
use super::regress::Reading;
use super::report::{Made, report};
use super::teacher::{asked, check_teacher, teach};
use crate::distill::needs_learned;
use crate::kind::{Connected, Kind, input_problem, port};
use crate::shard::{self, Shard};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 6;

/// See the module.
pub(crate) struct EvaluateKind;

impl Kind for EvaluateKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 1 << 30, gpus: 1 }
    }

    fn spec(&self) -> KindSpec {
        let (shards, shard) = shard::ports();
        KindSpec {
            name: "evaluate".into(),
            summary: "Trains nets on sets and tests them on real images.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the real data; its test split is what counts"),
                port("sets", "set", Arity::Many, "the sets, in the order of their stages; none with `training: full`"),
                port("start", "weights", Arity::Many, "nets to begin with, in shards; by default random ones"),
                port(
                    "trajectories",
                    "trajectories",
                    Arity::Optional,
                    "the net that labels batches, for `teacher` or sets that ask for it: the first, as last kept",
                ),
                port(
                    "weights",
                    "weights",
                    Arity::Optional,
                    "the same as a net with all its weights: the first of them",
                ),
                shards,
            ],
            outputs: vec![
                port("results", "results", Arity::One, "accuracy of each net, mean, spread and curve"),
                shard,
            ],
            parameters: || schema_of_parts(&parts()),
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings, with)
    }

    fn check_inputs(&self, _: &Surroundings, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        let Ok(params) = read_part::<EvaluateParams>(with) else { return Ok(()) };
        match (params.training, count("sets")) {
            (Training::Full, 0) => check_learning_rates(with, Training::Full, 0),
            (Training::Full, count) => Err(input_problem(
                "sets",
                format!("`training: full` uses no sets, and {count} are wired"),
                "leave `sets` out of `needs`, or choose another `training`",
            )),
            (_, 0) => Err(input_problem(
                "sets",
                "no set is wired to train on",
                "wire `sets`, or write `training: full` to train on the real data itself",
            )),
            (training, count) => check_learning_rates(with, training, count),
        }
    }

    fn check_connections(&self, surroundings: &Surroundings, node: &Connected<'_>) -> Result<(), InputProblem> {
        if node.with()["lr"] == "learned" {
            needs_learned(surroundings, node, "sets")?;
        }
        check_teacher(surroundings, node)?;
        if node.with()["report"] == Report::BestOnHeldOut.name() { node.needs_held_out("data") } else { Ok(()) }
    }

    fn shards(&self, with: &Value, wanted: usize) -> Option<Vec<Value>> {
        let params: NetsParams = read_part(with).ok()?;
        with["regression"].is_null().then(|| shard::pieces(with, params.nets, wanted))
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let nets: NetsParams = read_part(node.with)?;
        let mut parts = surroundings.numeric_parts(REVISION);
        if let Some(model) = &nets.model {
            parts.push(part("model", surroundings.plugins().key(Role::Model, &model.id)?));
        }
        let params: EvaluateParams = read_part(node.with)?;
        if let Some(model) = params.teacher.and_then(|teacher| teacher.model) {
            parts.push(part("teacher", surroundings.plugins().key(Role::Model, &model.id)?));
        }
        Ok(parts)
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let (with, part) = Shard::take(node.with)?;
        let given: NetsParams = read_part(&with)?;
        let protocol: ProtocolParams = read_part(&with)?;
        let params: EvaluateParams = read_part(&with)?;
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        let test = data.test()?;
        if test.rows() == 0 {
            return Err(fail("empty_data", "the data set has no test images"));
        }
        let mut sets = load_sets(surroundings.tensors(), context, inputs.port("sets"), &data)?;
        if params.hard_labels {
            sets.iter_mut().try_for_each(LoadedSet::harden)?;
        }
        let held_out = match params.report == Report::BestOnHeldOut || data.has_held_out() {
            true => Some(data.held_out()?),
            false => None,
        };
        let carried: Vec<&Value> = sets.iter().map(|set| &set.recipe).collect();
        if protocol.recipe == Preset::Own && recipes_differ(&carried) {
            context.warn(OTHER_RECIPES);
        }
        if let Some(regression) = &params.regression {
            let found = Reading { surroundings, data: &data, sets: &sets, given: &given, training: params.training }
                .of(regression, inputs.port("start"), context)?;
            let mut record = node.with.clone();
            record["regression"] = json!(found.regression);
            return report(&found.summary, (&given, &params), record, &Made { data: &data, sets: &sets }, context);
        }
        let stages = stage_sets(params.training, sets.len()).len();
        let (recipe, own) = Recipe::taught(&protocol, &carried, stages)?;
        let teacher = asked(&params, own, inputs)?;
        let mut course = match params.training {
            Training::Full => Course::full(&recipe, &data)?,
            _ if follows_script(&protocol, &carried) => Course::scripted(&sets, data.classes)?,
            training => Course::staged(training, &recipe, &sets, data.classes)?,
        };
        course.check_curve(&params.curve_at)?;
        if let Some(teacher) = &teacher {
            let asked = (teacher, &given);
            teach(&mut course.segments, asked, (surroundings, &data), &recipe.settings, (inputs, context))?;
        }
        let registry = surroundings.plugins().open()?;
        let net = given.net()?;
        let model = registry.model(&net.id, &net.config).map_err(|error| from_plugin(&error))?;
        let about = net_data(&data);
        let specs = specs_of(&model, &about)?;
        let (device, dtype) = (surroundings.device(), surroundings.dtype());
        let wanted = Wanted { choice: net, specs: &specs, data: &about, device, dtype };
        let pool = Pool::open(context, inputs.port("start"))?;
        pool.check(inputs.port("start"), &wanted)?;
        check_start(&pool, given.nets)?;
        let start: Start<'_> = &|net| pool.at(net, &wanted);
        let evaluation = Evaluation {
            purpose: "evaluate",
            architecture: Architecture { model: &model, specs: &specs },
            tensors: surroundings.tensors(),
            segments: &course.segments,
            settings: &recipe.settings,
            same_start: given.same_start,
            start: (pool.count() > 0).then_some(start),
            curve: Curve { every: params.curve_every.unwrap_or(0), at: params.curve_at.clone() },
            seed: given.seed,
            test: Test::of(&test),
            test_rows: &[test.rows()],
            held_out: held_out.as_deref().map(Test::of),
        };
        let nets = shard::nets(part, NetRange::first(given.nets)).numbers();
        let nets = evaluation.train(nets, &shard::wired(inputs, context)?, context)?;
        if part.is_some() {
            return shard::stored(&nets, context);
        }
        let nets: Vec<_> = nets.into_iter().map(|net| net.notes).collect();
        let summary = Summary::of(&nets, &course.segments);
        let mut record = node.with.clone();
        let protocol = recipe.record(course.stages.iter().map(|stage| (stage.epochs, stage.images)));
        if let (Value::Object(record), Value::Object(protocol)) = (&mut record, protocol) {
            record.extend(protocol);
            record.extend(teacher.map(|teacher| ("teacher".to_owned(), json!(teacher))));
        }
        report(&summary, (&given, &params), record, &Made { data: &data, sets: &sets }, context)
    }
}

/// A list of learning rates must have one for each stage of a training on so many sets.
pub(crate) fn check_learning_rates(with: &Value, training: Training, sets: usize) -> Result<(), InputProblem> {
    let Ok(protocol) = read_part::<ProtocolParams>(with) else { return Ok(()) };
    match protocol.lr.and_then(|lr| lr.wrong_length(stage_sets(training, sets).len())) {
        Some(message) => Err(input_problem("sets", message, LENGTH_HELP)),
        None => Ok(()),
    }
}

fn check_start(pool: &Pool, nets: usize) -> NodeResult<()> {
    match pool.count() {
        0 => Ok(()),
        count if count >= nets => Ok(()),
        count => Err(fail("no_such_net", format!("`start` has {count} nets for {nets}"))
            .with_help("lower `nets`, or wire more shards")),
    }
}
