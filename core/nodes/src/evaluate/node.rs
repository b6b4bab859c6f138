//! The node of kind `evaluate`.

use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_artifact::params::{read_part, schema_of_both};
use pddflow_cache::KeyPart;
use pddflow_host::{Decoded, Role};
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs};
use pddflow_tensor::RandomKey;
use pddflow_training::nets::Samples;
use pddflow_training::protocol::{
    Curve, Leg, Numbers, Protocol, RecipeParams, Start, Summary, Test, Training, pool_of,
};
use pddflow_training::sets::{LoadedSet, load_sets, one_artifact};
use pddflow_training::splits::Split;
use pddflow_training::stored::{Pool, Wanted, net_data, specs_of};
use serde_json::Value;

use super::params::{EvaluateParams, Holdout, check};
use super::report::report;
use super::stages::{full_leg, legs};
use crate::kind::{Kind, input_problem, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 2;

/// See the module.
pub(crate) struct EvaluateKind;

impl Kind for EvaluateKind {
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
        let recipe: RecipeParams = read_part(&node.with)?;
        let params: EvaluateParams = read_part(&node.with)?;
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        let test = data.test()?;
        if test.rows() == 0 {
            return Err(fail("empty_data", "the data set has no test images"));
        }
        let sets = load_sets(surroundings.tensors(), context, inputs.port("sets"), &data)?;
        let kept = held_out_rows(&data.train, params.holdout, recipe.seed);
        let held_out = params.holdout.map(|_| data.train.part(&kept).during("taking held-out images")).transpose()?;
        let numbers = Numbers::of(&recipe)?;
        let lesson = match params.training {
            Training::Full => Lesson::full(&data.train, &kept, &numbers, test.rows())?,
            training => Lesson::of_sets(&sets, training, &numbers, (data.classes, test.rows()))?,
        };
        let registry = surroundings.plugins().open()?;
        let model = registry.model(&recipe.model.id, &recipe.model.config).map_err(|error| from_plugin(&error))?;
        let about = net_data(&data);
        let specs = specs_of(&model, &about)?;
        let (device, dtype) = (surroundings.device(), surroundings.dtype());
        let wanted = Wanted { choice: &recipe.model, specs: &specs, data: &about, device, dtype };
        let pool = Pool::open(context, inputs.port("start"))?;
        pool.check(inputs.port("start"), &wanted)?;
        check_start(&pool, recipe.nets)?;
        let start: Start<'_> = &|net| pool.at(net, &wanted);
        let protocol = Protocol {
            purpose: "evaluate",
            model: &model,
            specs: &specs,
            dtype,
            device,
            pool: &lesson.samples,
            legs: &lesson.legs,
            numbers: &numbers,
            same_start: recipe.same_start,
            start: (pool.count() > 0).then_some(start),
            curve: Curve { every: params.curve_every.unwrap_or(0), at: params.curve_at.clone() },
            seed: recipe.seed,
            test: test_of(&test),
            held_out: held_out.as_ref().map(test_of),
        };
        let summary = Summary::of(&protocol.run(recipe.nets, context)?, &lesson.legs);
        report(&summary, (&recipe, &params), &node.with, (&data, &sets), context)
    }
}

/// What the nets learn: images, and the legs over them.
struct Lesson {
    samples: Samples,
    legs: Vec<Leg>,
}

impl Lesson {
    fn of_sets(
        sets: &[LoadedSet],
        training: Training,
        numbers: &Numbers,
        (classes, test_rows): (usize, usize),
    ) -> NodeResult<Self> {
        let decoded: Vec<Decoded> = sets.iter().map(|set| set.decoded.clone()).collect();
        let learned: Vec<Option<f64>> = sets.iter().map(|set| set.step_size).collect();
        let pool = pool_of(&decoded, classes)?;
        Ok(Self { legs: legs(&pool, &learned, training, numbers, test_rows)?, samples: pool.samples })
    }

    /// The training split itself; it is not copied, and images that are held out are left alone.
    fn full(train: &Split, held_out: &[usize], numbers: &Numbers, test_rows: usize) -> NodeResult<Self> {
        let mut free = vec![true; train.rows()];
        held_out.iter().for_each(|row| free[*row] = false);
        let rows = (0..train.rows()).filter(|row| free[*row]).collect();
        Ok(Self { samples: train.samples().clone(), legs: vec![full_leg(rows, numbers, test_rows)?] })
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

fn test_of(split: &Split) -> Test<'_> {
    Test { images: &split.samples().images, labels: split.classes_of_rows() }
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
