//! The node of kind `continual`.

use pddflow_artifact::failure::{During, fail, from_plugin};
use pddflow_artifact::params::{read_part, schema_of_parts};
use pddflow_cache::KeyPart;
use pddflow_host::{Decoded, Role};
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::evaluation::{Curve, Evaluation, Test};
use pddflow_training::made_of::{MADE_OF, made_of};
use pddflow_training::recipe::{
    NetsParams, OTHER_RECIPES, Preset, ProtocolParams, Recipe, follows_script, recipes_differ,
};
use pddflow_training::segments::JoinedSets;
use pddflow_training::sets::one_artifact;
use pddflow_training::summary::Summary;
use pddflow_training::trainer::{Architecture, Segment};
use serde_json::Value;

use super::load::load_parts;
use super::params::{ContinualParams, check, parts};
use super::phases::{classes_seen, phases, test_order};
use super::report::{Made, report};
use super::segments::{segments, stages_of_a_phase};
use crate::distill::needs_no_script;
use crate::evaluate::needs_no_teacher;
use crate::kind::{Connected, Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 3;

/// Why a set that is of use step by step is refused, and what to do.
const SCRIPT: (&str, &str) =
    ("and nets are trained on the sets of several phases together", "name how to train on it, such as `recipe: dsa`");

/// See the module.
pub(crate) struct ContinualKind;

impl Kind for ContinualKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 1 << 30, gpus: 1 }
    }

    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "continual".into(),
            summary: "Class-incremental learning: nets trained on the sets of all phases so far.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the data with all classes; its test split is what counts"),
                port("sets", "set", Arity::Some, "the sets of all phases in order, each made from a `classes` node"),
            ],
            outputs: vec![port("results", "results", Arity::One, "accuracy of each net after each phase")],
            parameters: || schema_of_parts(&parts()),
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings, with)
    }

    fn check_connections(&self, surroundings: &Surroundings, node: &Connected<'_>) -> Result<(), InputProblem> {
        needs_no_teacher(surroundings, node, "name another recipe, such as `recipe: dsa`")?;
        needs_no_script(surroundings, node, SCRIPT)
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let nets: NetsParams = read_part(node.with)?;
        let mut parts = surroundings.numeric_parts(REVISION);
        parts.push(part("model", surroundings.plugins().key(Role::Model, &nets.net()?.id)?));
        Ok(parts)
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let given: NetsParams = read_part(node.with)?;
        let protocol: ProtocolParams = read_part(node.with)?;
        let params: ContinualParams = read_part(node.with)?;
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        let sets = load_parts(surroundings, context, inputs.port("sets"), &data)?;
        let phases = phases(&sets, data.dataset.class_names())?;
        let test = data.test()?;
        let (rows, ends) = test_order(&phases, test.class_rows());
        if let Some(empty) = ends.iter().zip(std::iter::once(&0).chain(&ends)).position(|(end, start)| end == start) {
            return Err(fail(
                "empty_data",
                format!("the data has no test image of the classes of phase {}", empty + 1),
            ));
        }
        let test = test.part(&rows).during("taking the test images of all phases")?;
        let carried: Vec<&Value> = sets.iter().map(|set| &set.recipe).collect();
        if protocol.recipe == Preset::Own && recipes_differ(&carried) {
            context.warn(OTHER_RECIPES);
        }
        if follows_script(&protocol, &carried) {
            return Err(fail("script", format!("a set is of use step by step only, {}", SCRIPT.0)).with_help(SCRIPT.1));
        }
        let recipe = Recipe::of(&protocol, &carried, stages_of_a_phase(&phases, params.training))?;
        let decoded: Vec<Decoded> = sets.iter().map(|set| set.decoded.clone()).collect();
        let joined = JoinedSets::new(&decoded, data.classes)?;
        let segments = segments((&joined, &sets), &phases, (params.mode, params.training), &recipe)?;
        let registry = surroundings.plugins().open()?;
        let net = given.net()?;
        let model = registry.model(&net.id, &net.config).map_err(|error| from_plugin(&error))?;
        let specs = model.weights(data.shape, data.classes).during("asking the model for its weights")?;
        let evaluation = Evaluation {
            purpose: "continual",
            architecture: Architecture { model: &model, specs: &specs },
            tensors: surroundings.tensors(),
            segments: &segments,
            settings: &recipe.settings,
            same_start: given.same_start,
            start: None,
            curve: Curve::default(),
            seed: given.seed,
            test: Test::of(&test),
            test_rows: &ends,
            held_out: None,
        };
        let summary = Summary::of(&evaluation.run(given.nets, context)?, &segments);
        let made = Made { data: &data, sets: &sets, phases: &phases, seen: &classes_seen(&phases) };
        let run = |segment: &Segment| {
            let images = segment.rows.as_ref().map_or(0, Vec::len);
            (segment.schedule(&recipe.settings).epochs(), images)
        };
        let mut record = node.with.clone();
        if let (Value::Object(record), Value::Object(protocol)) = (&mut record, recipe.record(segments.iter().map(run)))
        {
            record.extend(protocol);
        }
        record[MADE_OF] = made_of(&data, sets.iter().map(|set| &set.made_by));
        report(&summary, (&given, &params), record, &made, context)
    }
}
