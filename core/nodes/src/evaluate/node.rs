//! The node of kind `evaluate`.

use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_artifact::params::{read_part, schema_of_both};
use pddflow_cache::KeyPart;
use pddflow_host::{Decoded, Role};
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs};
use pddflow_tensor::RandomKey;
use pddflow_training::evaluation::{Curve, Evaluation, Start, Test};
use pddflow_training::recipe::{Recipe, RecipeParams};
use pddflow_training::segments::{JoinedSets, Training, segments};
use pddflow_training::sets::{LoadedSet, load_sets, one_artifact};
use pddflow_training::splits::Split;
use pddflow_training::stored::{Pool, Wanted, net_data, specs_of};
use pddflow_training::summary::Summary;
use pddflow_training::trainer::{Architecture, Segment};
use serde_json::Value;

use super::params::{EvaluateParams, Holdout, check};
use super::report::report;
use crate::kind::{Kind, input_problem, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 2;

/// See the module.
pub(crate) struct EvaluateKind;

impl Kind for EvaluateKind {
    fn memory_bytes(&self) -> u64 {
        1 << 30
    }

    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "evaluate".into(),
            summary: "Trains nets on sets and tests them on real images.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the real data; its test split is what counts"),
                port("sets", "set", Arity::Many, "the sets, in the order of their stages; none with `training: full`"),
                port("start", "weights", Arity::Many, "nets to begin with, in shards; by default random ones"),
            ],
            outputs: vec![port("results", "results", Arity::One, "accuracy of each net, mean, spread and curve")],
            parameters: schema_of_both::<RecipeParams, EvaluateParams>,
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings, with)
    }

    fn check_inputs(&self, _: &Surroundings, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        let Ok(params) = read_part::<EvaluateParams>(with) else { return Ok(()) };
        match (params.training, count("sets")) {
            (Training::Full, 0) => Ok(()),
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
            _ => Ok(()),
        }
    }

    fn key_parts(&self, surroundings: &Surroundings, node: &PlanNode) -> Result<Vec<KeyPart>, NodeError> {
        let recipe: RecipeParams = read_part(&node.with)?;
        let mut parts = surroundings.numeric_parts(REVISION);
        parts.push(part("model", surroundings.plugins().key(Role::Model, &recipe.model.id)?));
        Ok(parts)
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: &PlanNode,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let given: RecipeParams = read_part(&node.with)?;
        let params: EvaluateParams = read_part(&node.with)?;
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        let test = data.test()?;
        if test.rows() == 0 {
            return Err(fail("empty_data", "the data set has no test images"));
        }
        let sets = load_sets(surroundings.tensors(), context, inputs.port("sets"), &data)?;
        let kept = held_out_rows(&data.train, params.holdout, given.seed);
        let held_out = params.holdout.map(|_| data.train.part(&kept).during("taking held-out images")).transpose()?;
        let recipe = Recipe::of(&given)?;
        let segments = match params.training {
            Training::Full => vec![full(&data.train, &kept, &recipe)?],
            training => of_sets(&sets, training, &recipe, data.classes)?,
        };
        let registry = surroundings.plugins().open()?;
        let model = registry.model(&given.model.id, &given.model.config).map_err(|error| from_plugin(&error))?;
        let about = net_data(&data);
        let specs = specs_of(&model, &about)?;
        let (device, dtype) = (surroundings.device(), surroundings.dtype());
        let wanted = Wanted { choice: &given.model, specs: &specs, data: &about, device, dtype };
        let pool = Pool::open(context, inputs.port("start"))?;
        pool.check(inputs.port("start"), &wanted)?;
        check_start(&pool, given.nets)?;
        let start: Start<'_> = &|net| pool.at(net, &wanted);
        let evaluation = Evaluation {
            purpose: "evaluate",
            architecture: Architecture { model: &model, specs: &specs },
            tensors: surroundings.tensors(),
            segments: &segments,
            settings: &recipe.settings,
            same_start: given.same_start,
            start: (pool.count() > 0).then_some(start),
            curve: Curve { every: params.curve_every.unwrap_or(0), at: params.curve_at.clone() },
            seed: given.seed,
            test: Test::of(&test),
            test_rows: &[test.rows()],
            held_out: held_out.as_ref().map(Test::of),
        };
        let summary = Summary::of(&evaluation.run(given.nets, context)?, &segments);
        report(&summary, (&given, &params), &node.with, (&data, &sets), context)
    }
}

fn of_sets(sets: &[LoadedSet], training: Training, recipe: &Recipe, classes: usize) -> NodeResult<Vec<Segment>> {
    let decoded: Vec<Decoded> = sets.iter().map(|set| set.decoded.clone()).collect();
    let learned: Vec<Option<f64>> = sets.iter().map(|set| set.step_size).collect();
    segments(&JoinedSets::new(&decoded, classes)?, &learned, training, recipe)
}

/// The training split itself; it is not copied, and images that are held out are left alone.
fn full(train: &Split, held_out: &[usize], recipe: &Recipe) -> NodeResult<Segment> {
    let mut free = vec![true; train.rows()];
    held_out.iter().for_each(|row| free[*row] = false);
    let rows = (0..train.rows()).filter(|row| free[*row]).collect();
    let lr = recipe.lr.of_stage(0, 1, &[(0, None)])?;
    Ok(Segment { rows: Some(rows), ..Segment::new(train.samples().clone(), lr) })
}

fn check_start(pool: &Pool, nets: usize) -> NodeResult<()> {
    match pool.count() {
        0 => Ok(()),
        count if count >= nets => Ok(()),
        count => Err(fail("no_such_net", format!("`start` has {count} nets for {nets}"))
            .with_help("lower `nets`, or wire more shards")),
    }
}

/// Rows of the training split to choose an epoch by: the same share of every class, at least one.
fn held_out_rows(train: &Split, holdout: Option<Holdout>, seed: u64) -> Vec<usize> {
    let Some(holdout) = holdout else { return Vec::new() };
    let key = RandomKey::new(seed).fold("held out");
    let mut rows = Vec::new();
    for (class, own) in train.class_rows().iter().enumerate().filter(|(_, own)| !own.is_empty()) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a row count")]
        let count = ((own.len() as f64 * holdout.fraction) as usize).max(1);
        rows.extend(key.fold_u64(class as u64).choose(own.len(), count.min(own.len())).into_iter().map(|at| own[at]));
    }
    rows
}
