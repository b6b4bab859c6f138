//! One distillation from beginning to end.

use std::collections::{BTreeMap, BTreeSet};

use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_artifact::params::read;
use pddflow_artifact::{DistilledSet, NamedTensors, SetInfo};
use pddflow_host::{Decoded, Description, Environment, LearnableRole, Matcher, Need, Problem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Progress, Task};
use pddflow_tensor::{Device, RandomKey, Tensor, trace};
use pddflow_training::plugins::Plugins;
use pddflow_training::recipe::needs_no_teacher;
use pddflow_training::sets::{LoadedSet, join_sets, load_sets, store_set, to_cpu};
use pddflow_training::splits::{Prepared, Split, TensorOptions};
use pddflow_training::stored::{check_data, net_data};
use pddflow_training::tensor_file::Named;
use serde_json::{Value, json};

use crate::curve::LOSS;
use crate::environment::{Bench, at_iteration, not_finite};
use crate::inspect::{Inspector, while_evaluating};
use crate::moves::warn_when_stuck;
use crate::needs::check_given;
use crate::network::Network;
use crate::params::{DistillParams, Keep, On};
use crate::start::first_learnables;
use crate::state::{Best, Kept, State};

/// Makes a set of `data`, which are real images, and of what comes into the ports `previous`, `trajectories` and `start`: runs what is
/// left of the outer iterations, and stores the set and its curve.
///
/// # Errors
/// What was given does not fit, the matcher fails, a number is not finite, or the run is cancelled. A checkpoint of the last whole
/// iteration is left.
pub fn distill(
    (plugins, tensors): (&Plugins, &TensorOptions),
    data: &Prepared,
    node: Task<'_>,
    inputs: &Inputs,
    context: &NodeContext<'_>,
) -> NodeResult<Outputs> {
    let params: DistillParams = read(node.with)?;
    let earlier = load_sets(tensors, context, inputs.port("previous"), data)?;
    let registry = plugins.open()?;
    let matcher = registry.matcher_in(&params.matcher.id, &params.matcher.config, node.folder);
    let matcher = matcher.map_err(|error| from_plugin(&error))?;
    if params.pretrain.is_some() {
        let help = "wire an `advance` with `epochs` of it into `start`, which trains on its labels";
        needs_no_teacher(earlier.iter().map(|set| &set.recipe), help)?;
    }
    let networks = Network::open_all((plugins, tensors), &params, inputs, context, (data, &earlier))?;
    let stage = params.stage_after(earlier.len()) as u64;
    let key = RandomKey::new(params.seed).fold("distill").fold_u64(stage - 1);
    let mut problem = problem(tensors, &params, data, key.fold("matcher"));
    let train = &data.train;
    let tensors_in = wired_tensors(inputs, data, context)?;
    let description = matcher.describe_with(&problem, &tensors_in).during("asking the matcher what it needs")?;
    check_given(&params, &description, (&networks, !tensors_in.is_empty()))?;
    problem.horizon = description.needs.contains(&Need::Horizon).then(|| params.horizon());
    if problem.horizon.is_some() && params.horizon.is_none() && context.keeps_state() {
        let message = format!("matcher `{}` needs the number of iterations for these data only", params.matcher.id);
        return Err(fail("needs_differ", message).with_help("give `horizon:` in the parameters"));
    }
    check_class_sizes(&params, train)?;
    let conditioned = if params.condition { &earlier[..] } else { &[] };
    let decoded: Vec<_> = conditioned.iter().map(|set| set.decoded.clone()).collect();
    let learnables = first_learnables(&description, &problem, train, key.fold("start"))?;
    let first: Vec<_> = learnables.iter().map(|one| (one.spec.name.clone(), one.value.clone())).collect();
    let fresh = State { now: Kept { learnables, ..Kept::default() }, ..State::default() };
    let state = match context.checkpoint()? {
        Some(bytes) => State::from_checkpoint(&bytes, &fresh, &tensors.device).unwrap_or_else(|error| {
            context.warn(format!("starting over: {}", error.message));
            fresh
        }),
        None => fresh,
    };
    let mut bench = Bench {
        context,
        matcher: params.matcher.id.clone(),
        train,
        networks,
        chosen: 0,
        previous: join_sets(&decoded, problem.classes)?,
        problem,
        begun: state.clone(),
        state,
        not_finite: BTreeSet::new(),
    };
    let inspector = match &params.evaluation {
        Some(evaluation) => {
            let test = if evaluation.on == On::HeldOut { data.held_out()? } else { data.test()? };
            let about = (&earlier[..], usize::try_from(stage).unwrap_or(usize::MAX), data.classes);
            let own = own_recipe(&description.recipe, &params)?;
            Some(Inspector::new(evaluation, (&own, about), test, key.fold("evaluation"))?)
        }
        None => None,
    };
    iterate(&mut bench, (&matcher, &params, inspector.as_ref()), context)?;
    warn_when_stuck(&bench, &first)?;
    if context.keeps_state() {
        context.keep_state(bench.state.to_checkpoint()?);
    }
    if let (Keep::Best, Some(best)) = (params.keep, &bench.state.best) {
        bench.state.now = best.kept.clone();
    }
    finish(&params, data, &bench, (&matcher, &description), (stage, &earlier))
}

/// The tensors that are wired for the matcher to work from, in the order of their names.
fn wired_tensors(inputs: &Inputs, data: &Prepared, context: &NodeContext<'_>) -> NodeResult<Vec<(String, Tensor)>> {
    let [artifact] = inputs.port("tensors") else { return Ok(Vec::new()) };
    let read = NamedTensors::decode(&context.get(&artifact.digest).during("reading the tensors")?)?;
    if let Some(made_for) = &read.data {
        check_data(made_for, &net_data(data), ("tensors", artifact))?;
    }
    Ok(read.tensors.into_iter().collect())
}

fn problem(tensors: &TensorOptions, params: &DistillParams, data: &Prepared, seed_key: RandomKey) -> Problem {
    Problem {
        classes: data.classes,
        shape: data.shape,
        ipc: params.ipc,
        learnable_rows: data.classes * params.ipc,
        horizon: None,
        seed_key,
        device: tensors.device.clone(),
        dtype: tensors.dtype,
        value_range: data.value_range.clone(),
    }
}

fn check_class_sizes(params: &DistillParams, train: &Split) -> NodeResult<()> {
    let sizes = train.class_rows().iter().map(Vec::len).enumerate();
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
fn iterate(
    bench: &mut Bench<'_>,
    (matcher, params, inspector): (&Matcher, &DistillParams, Option<&Inspector<'_>>),
    context: &NodeContext<'_>,
) -> NodeResult<()> {
    let last = match params.keep {
        Keep::Iteration(kept) => kept.min(params.iterations),
        Keep::Last | Keep::Best => params.iterations,
    };
    loop {
        let before = bench.state.clone();
        let done = before.iteration;
        let due = inspector.filter(|inspector| before.evaluated < done && inspector.is_due(done, last));
        let outcome = match due {
            Some(inspector) => evaluate(bench, matcher, inspector, context),
            None if done >= last => return Ok(()),
            None => iterate_once(bench, matcher, context),
        };
        if let Err(error) = outcome {
            // A failure leaves a checkpoint too: what came before it can be looked at, and is not lost.
            if !error.cancelled || context.checkpoint_due() {
                context.save_checkpoint(&before.to_checkpoint()?)?;
            }
            return Err(error);
        }
        context.progress(Progress {
            done: bench.state.iteration,
            total: last,
            unit: "iterations",
            loss: bench.state.curves.last(LOSS),
        });
        if context.checkpoint_due() {
            context.save_checkpoint(&bench.state.to_checkpoint()?)?;
        }
    }
}

fn iterate_once(bench: &mut Bench<'_>, matcher: &Matcher, context: &NodeContext<'_>) -> NodeResult<()> {
    if context.cancelled() {
        return Err(NodeError::cancelled());
    }
    for learnable in &mut bench.state.now.learnables {
        learnable.clamp().during("clamping a learnable")?;
    }
    let _span = trace::span(format!("iteration {}", bench.state.iteration));
    let (iteration, last_loss) = (bench.state.iteration, bench.state.curves.last(LOSS));
    bench.begun = bench.state.clone();
    let outcome = matcher.iterate(bench, iteration);
    if !bench.not_finite.is_empty() {
        return Err(not_finite(&bench.matcher, iteration, &bench.not_finite));
    }
    outcome.map_err(|error| at_iteration(from_plugin(&error), &bench.matcher, iteration, last_loss))?;
    bench.state.iteration += 1;
    Ok(())
}

/// Evaluates the set as it is, and keeps it if it is the best so far; of equals the earliest.
fn evaluate(
    bench: &mut Bench<'_>,
    matcher: &Matcher,
    inspector: &Inspector<'_>,
    context: &NodeContext<'_>,
) -> NodeResult<()> {
    let iteration = bench.state.iteration;
    let Some(network) = bench.networks.first() else {
        return Err(fail("no_model", "evaluations need a model").with_help("give `model:` in the parameters"));
    };
    let new = matcher.decode(&bench.learnables(), &bench.problem).during("decoding the set")?;
    let new = Decoded { images: new.images.detach(), labels: new.labels };
    let stop = || context.cancelled();
    let learnables = bench.learnables().into_iter().collect();
    let found = inspector.accuracy(network, (&new, &learnables), step_size(bench)?, &stop);
    bench.state.evaluated = iteration;
    let Some(accuracy) = found.map_err(|error| while_evaluating(error, iteration))? else {
        context
            .warn(format!("the learned learning rate after iteration {iteration} is none to train at: not evaluated"));
        return Ok(());
    };
    bench.metric(&format!("accuracy_on_{}", inspector.params.on.name()), 100.0 * accuracy);
    if bench.state.best.as_ref().is_none_or(|best| accuracy > best.accuracy) {
        let kept = Kept { named: Named::new(), ..bench.state.now.clone() };
        bench.state.best = Some(Best { iteration, accuracy, kept });
    }
    Ok(())
}

fn finish(
    params: &DistillParams,
    data: &Prepared,
    bench: &Bench<'_>,
    (matcher, description): (&Matcher, &Description),
    (stage, earlier): (u64, &[LoadedSet]),
) -> NodeResult<Outputs> {
    let learnables = bench.learnables();
    for (name, value) in &learnables {
        if !all_finite(value)? {
            let message = format!("learnable `{name}` is not finite after {} iterations", bench.state.iteration);
            return Err(fail("loss_not_finite", message).with_help("lower the matcher's learning rate"));
        }
    }
    let decoded = matcher.decode(&learnables, &bench.problem).during("decoding the set")?;
    let here = |tensor: &Tensor| tensor.detach().to_device(&Device::Cpu).during("reading the set");
    let mut kept = BTreeMap::new();
    for (name, value) in &learnables {
        kept.insert(name.clone(), here(value)?);
    }
    let learned = step_size(bench)?;
    let set = DistilledSet {
        images: here(&decoded.images)?,
        labels: to_cpu(&decoded.labels)?,
        learnables: kept,
        step_size: learned,
        info: SetInfo {
            recipe: recipe(&description.recipe, params, learned, earlier, data)?,
            ..info(params, data, bench, stage)
        },
    };
    let curve = bench.state.curves.encode()?;
    let artifacts = BTreeMap::from([
        ("set".to_owned(), store_set(&set, bench.context)?),
        ("curve".to_owned(), bench.context.put(&curve).during("storing the curve")?),
    ]);
    let mut metrics = bench.state.curves.latest();
    // The curve ends with the rate before the last step; the set may be that of another.
    metrics.extend(learned.map(|rate| ("learning_rate".to_owned(), rate)));
    Ok(Outputs { artifacts, metrics })
}

fn info(params: &DistillParams, data: &Prepared, bench: &Bench<'_>, stage: u64) -> SetInfo {
    let mut made_by = json!({
        "kind": "distill",
        "matcher": params.matcher,
        "model": params.models.is_empty().then(|| bench.networks.first().map(|network| &network.choice)),
        "iterations": params.iterations,
        "condition": params.condition,
        "pretrain": params.pretrain,
        "kept": kept(params, bench),
        "seed": params.seed,
    });
    if bench.networks.len() > 1 {
        made_by["models"] = bench.networks.iter().map(|network| json!(network.choice)).collect();
    }
    if let Some(horizon) = params.horizon {
        made_by["horizon"] = horizon.into();
    }
    SetInfo {
        method: params.label().to_owned(),
        source: data.dataset.source().to_owned(),
        made_by,
        recipe: Value::Null,
        ipc: params.ipc,
        stage: usize::try_from(stage).unwrap_or(usize::MAX),
        class_names: data.dataset.class_names().to_vec(),
        class_ids: data.dataset.class_ids().cloned(),
        preprocessing: data.dataset.preprocessing().note(),
        real_images: Some(data.real_images()),
    }
}

/// Which state of the set this is, and by what it was chosen: an accuracy that chose is no result.
fn kept(params: &DistillParams, bench: &Bench<'_>) -> Value {
    let best = bench.state.best.as_ref().filter(|_| params.keep == Keep::Best);
    match (best, &params.evaluation) {
        (Some(best), Some(evaluation)) => json!({
            "after_iterations": best.iteration,
            "because": format!("best on {}", evaluation.on.words()),
            "accuracy_that_chose": best.accuracy,
        }),
        _ => json!({ "after_iterations": bench.state.iteration, "because": "last" }),
    }
}

/// How to train on the set: what the matcher says and the node's parameters, the learning rates of all stages up to this one,
/// and the space of the images.
fn recipe(
    matchers: &Value,
    params: &DistillParams,
    learned: Option<f64>,
    earlier: &[LoadedSet],
    data: &Prepared,
) -> NodeResult<Value> {
    let mut recipe = own_recipe(matchers, params)?;
    let stages: Vec<Option<f64>> = earlier.iter().map(|set| set.step_size).chain([learned]).collect();
    if stages.iter().any(Option::is_some) {
        recipe["step_sizes"] = json!(stages);
    }
    recipe["preprocessing"] = json!(data.dataset.preprocessing_digest());
    Ok(recipe)
}

/// What the matcher says of how to train on the set, and over it what the pipeline says, with the names of the latter: they stay
/// as they are where the set becomes a stage among others.
fn own_recipe(matchers: &Value, params: &DistillParams) -> NodeResult<Value> {
    let mut recipe = matchers.as_object().cloned().unwrap_or_default();
    let given = params.recipe.given()?;
    if !given.is_empty() {
        recipe.insert("given".to_owned(), given.keys().cloned().collect());
    }
    recipe.extend(given);
    Ok(recipe.into())
}

fn all_finite(value: &Tensor) -> NodeResult<bool> {
    Ok(value.to_f64_vec().during("reading a learnable")?.iter().all(|value| value.is_finite()))
}

fn step_size(bench: &Bench<'_>) -> NodeResult<Option<f64>> {
    let learned =
        bench.state.now.learnables.iter().find(|learnable| learnable.spec.role == LearnableRole::LearningRate);
    let Some(learned) = learned else { return Ok(None) };
    Ok(learned.value.to_f64_vec().during("reading the learning rate")?.first().copied())
}
