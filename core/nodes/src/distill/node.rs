//! The node of kind `distill`.

use std::collections::{BTreeMap, BTreeSet};

use pddflow_cache::KeyPart;
use pddflow_host::{Description, Environment, LearnableRole, Matcher, Model, Need, Problem, Role};
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Progress};
use pddflow_tensor::{Device, RandomKey, Tensor};
use serde_json::{Value, json};

use super::environment::{Bench, Network, at_iteration, join_sets, not_finite};
use super::params::{DistillParams, check};
use super::start::first_learnables;
use super::state::{Kept, State};
use crate::Library;
use crate::artifact::{DistilledSet, SetInfo};
use crate::choice::{open_registry, plugin_digest};
use crate::failure::{During, NodeResult, fail, from_plugin};
use crate::kind::{Kind, part, port};
use crate::params::{read, schema};
use crate::sets::{load_sets, one_artifact, store_set, to_cpu};
use crate::splits::Prepared;

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 1;
/// The metric that progress shows.
const LOSS: &str = "loss";

/// See the module.
pub(crate) struct DistillKind;

impl Kind for DistillKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "distill".into(),
            summary: "Makes a small synthetic set that trains nets as the real data does.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the real data"),
                port("previous", "set", Arity::Many, "earlier sets that this one adds to; they never change"),
            ],
            outputs: vec![
                port("set", "set", Arity::One, "the synthetic images with labels and recipe"),
                port("curve", "curve", Arity::One, "the matcher's metrics over the iterations"),
            ],
            parameters: schema::<DistillParams>(),
            seeded: true,
        }
    }

    fn check(&self, library: &Library, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(library, with)
    }

    fn key_parts(&self, library: &Library, with: &Value) -> Result<Vec<KeyPart>, NodeError> {
        let params: DistillParams = read(with)?;
        let mut parts = library.numeric_parts(REVISION);
        parts.push(part("matcher", plugin_digest(library, Role::Matcher, &params.matcher)?));
        if let Some(model) = &params.model {
            parts.push(part("model", plugin_digest(library, Role::Model, model)?));
        }
        Ok(parts)
    }

    fn run(
        &self,
        library: &Library,
        node: &PlanNode,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: DistillParams = read(&node.with)?;
        let data = library.splits().prepare(library, context.store(), &one_artifact(inputs, "data")?.digest)?;
        let earlier = load_sets(library, context.store(), inputs.port("previous"), &data)?;
        let registry = open_registry(library)?;
        let matcher = registry.matcher(&params.matcher.id, &params.matcher.config).map_err(|e| from_plugin(&e))?;
        let model = match &params.model {
            Some(choice) => Some(registry.model(&choice.id, &choice.config).map_err(|e| from_plugin(&e))?),
            None => None,
        };
        let key = RandomKey::new(params.seed).fold("distill").fold_u64(earlier.len() as u64);
        let problem = problem(library, &params, &data, key.fold("matcher"));
        let description = matcher.describe(&problem).during("asking the matcher what it needs")?;
        check_needs(&params, &description)?;
        check_class_sizes(&params, &data)?;
        let decoded: Vec<_> = earlier.iter().map(|set| set.decoded.clone()).collect();
        let learnables = first_learnables(&description.learnables, &problem, &data.train, key.fold("start"))?;
        let fresh = State { now: Kept { learnables, ..Kept::default() }, ..State::default() };
        let state = match context.checkpoint()? {
            Some(bytes) => State::from_checkpoint(&bytes, &fresh, library.device()).unwrap_or_else(|error| {
                context.warn(format!("starting over: {}", error.message));
                fresh
            }),
            None => fresh,
        };
        let mut bench = Bench {
            context,
            matcher: params.matcher.id.clone(),
            train: &data.train,
            network: network(model.as_deref(), &problem)?,
            previous: join_sets(&decoded, problem.classes)?,
            problem,
            state,
            not_finite: BTreeSet::new(),
        };
        iterate(&mut bench, &matcher, context)?;
        finish(&params, &data, &bench, (&matcher, &description), earlier.len() + 1)
    }
}

fn problem(library: &Library, params: &DistillParams, data: &Prepared, seed_key: RandomKey) -> Problem {
    Problem {
        classes: data.classes,
        shape: data.shape,
        ipc: params.ipc,
        learnable_rows: data.classes * params.ipc,
        iterations: params.iterations,
        seed_key,
        device: library.device().clone(),
        dtype: library.dtype(),
        value_range: data.value_range.clone(),
    }
}

fn network<'a>(model: Option<&'a Model>, problem: &Problem) -> NodeResult<Option<Network<'a>>> {
    let Some(model) = model else { return Ok(None) };
    let specs = model.weights(problem.shape, problem.classes).during("asking the model for its weights")?;
    Ok(Some(Network { model, specs }))
}

fn check_needs(params: &DistillParams, description: &Description) -> NodeResult<()> {
    let id = &params.matcher.id;
    if description.model_required && params.model.is_none() {
        return Err(
            fail("no_model", format!("matcher `{id}` needs a model")).with_help("give `model:` in the parameters")
        );
    }
    let Some(need) = description.needs.first() else { return Ok(()) };
    let what = match need {
        Need::Trajectories => "expert trajectories",
        Need::StartWeights => "start weights",
        Need::Evaluation => "evaluations during distillation",
    };
    Err(fail("not_wired", format!("matcher `{id}` needs {what}, and this node is given none"))
        .with_help("choose a matcher that starts from random nets"))
}

fn check_class_sizes(params: &DistillParams, data: &Prepared) -> NodeResult<()> {
    let sizes = data.train.class_rows().iter().map(Vec::len).enumerate();
    let Some((class, size)) = sizes.min_by_key(|(_, size)| *size) else {
        return Err(fail("empty_data", "the data set has no classes"));
    };
    if size == 0 {
        return Err(fail("class_size", format!("class {class} has no real image to train with")));
    }
    if params.ipc > size {
        let message = format!("`ipc` is {}, but class {class} has only {size} real images", params.ipc);
        return Err(fail("class_size", message).with_help(format!("lower `ipc` to {size} or less")));
    }
    Ok(())
}

/// Runs what is left of the outer iterations. Whatever stops it half way, a checkpoint of the last whole iteration remains.
fn iterate(bench: &mut Bench<'_>, matcher: &Matcher, context: &NodeContext<'_>) -> NodeResult<()> {
    while bench.state.iteration < bench.problem.iterations {
        let before = bench.state.clone();
        if let Err(error) = iterate_once(bench, matcher, context) {
            // A failure leaves a checkpoint too: what came before it can be looked at, and is not lost.
            if !error.cancelled || context.checkpoint_due() {
                context.save_checkpoint(&before.to_checkpoint()?)?;
            }
            return Err(error);
        }
        bench.state.iteration += 1;
        context.progress(Progress {
            done: bench.state.iteration,
            total: bench.problem.iterations,
            unit: "iterations",
            loss: bench.state.curves.last(LOSS),
        });
        if context.checkpoint_due() {
            context.save_checkpoint(&bench.state.to_checkpoint()?)?;
        }
    }
    Ok(())
}

fn iterate_once(bench: &mut Bench<'_>, matcher: &Matcher, context: &NodeContext<'_>) -> NodeResult<()> {
    if context.cancelled() {
        return Err(NodeError::cancelled());
    }
    for learnable in &mut bench.state.now.learnables {
        learnable.clamp().during("clamping a learnable")?;
    }
    let (iteration, last_loss) = (bench.state.iteration, bench.state.curves.last(LOSS));
    let outcome = matcher.iterate(bench, iteration);
    if !bench.not_finite.is_empty() {
        return Err(not_finite(&bench.matcher, iteration, &bench.not_finite));
    }
    outcome.map_err(|error| at_iteration(from_plugin(&error), &bench.matcher, iteration, last_loss))
}

fn finish(
    params: &DistillParams,
    data: &Prepared,
    bench: &Bench<'_>,
    (matcher, description): (&Matcher, &Description),
    stage: usize,
) -> NodeResult<Outputs> {
    let learnables = bench.learnables();
    for (name, value) in &learnables {
        if !all_finite(value)? {
            let message = format!("learnable `{name}` is not finite after {} iterations", bench.state.iteration);
            return Err(fail("loss_not_finite", message).with_help("lower the matcher's step size"));
        }
    }
    let decoded = matcher.decode(&learnables, &bench.problem).during("decoding the set")?;
    let here = |tensor: &Tensor| tensor.detach().to_device(&Device::Cpu).during("reading the set");
    let mut kept = BTreeMap::new();
    for (name, value) in &learnables {
        kept.insert(name.clone(), here(value)?);
    }
    let set = DistilledSet {
        images: here(&decoded.images)?,
        labels: to_cpu(&decoded.labels)?,
        learnables: kept,
        step_size: step_size(bench)?,
        info: info(params, data, description, stage),
    };
    let store = bench.context.store();
    let curve = bench.state.curves.encode().during("writing the curve")?;
    let artifacts = BTreeMap::from([
        ("set".to_owned(), store_set(&set, store)?),
        ("curve".to_owned(), store.put(&curve).during("storing the curve")?),
    ]);
    Ok(Outputs { artifacts, metrics: bench.state.curves.latest() })
}

fn info(params: &DistillParams, data: &Prepared, description: &Description, stage: usize) -> SetInfo {
    SetInfo {
        method: params.label().to_owned(),
        source: data.dataset.source().to_owned(),
        made_by: json!({
            "kind": "distill",
            "matcher": params.matcher,
            "model": params.model,
            "iterations": params.iterations,
            "seed": params.seed,
        }),
        recipe: description.recipe.clone(),
        ipc: params.ipc,
        stage,
        class_names: data.dataset.class_names().to_vec(),
        class_ids: data.dataset.class_ids().cloned(),
        preprocessing: data.dataset.preprocessing().note(),
    }
}

fn all_finite(value: &Tensor) -> NodeResult<bool> {
    Ok(value.to_f64_vec().during("reading a learnable")?.iter().all(|value| value.is_finite()))
}

fn step_size(bench: &Bench<'_>) -> NodeResult<Option<f64>> {
    let learned = bench.state.now.learnables.iter().find(|learnable| learnable.spec.role == LearnableRole::StepSize);
    let Some(learned) = learned else { return Ok(None) };
    Ok(learned.value.to_f64_vec().during("reading the step size")?.first().copied())
}
