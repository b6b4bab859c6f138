//! The checks of a matcher.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pddflow_artifact::failure::from_plugin;
use pddflow_host::{
    Decoded, Description, InputShape, Labels, LearnableSpec, Matcher, Model, Need, PluginError, Problem, ValueRange,
};
use pddflow_runner::NodeError;
use pddflow_tensor::{DType, Device, Keep, RandomKey, Tensor, grad};
use pddflow_training::recipe::{ProtocolParams, Recipe};
use pddflow_training::splits::Split;

use super::finding::{Finding, Outcome, Report, passed, skipped, warning, wrong};
use super::numbers::{difference, factor, noise, slopes};
use crate::rehearsal::{Rehearsal, Stage};

/// Small images that every common net takes after two poolings.
const SHAPE: InputShape = InputShape { channels: 3, height: 16, width: 16 };
const CLASSES: usize = 3;
/// Real images of each class.
const REAL: usize = 12;
/// Iterations that a matcher is told there will be.
const HORIZON: u64 = 30;
/// Iterations of the check of memory, and after how many it is looked at first.
const LONG: (u64, u64) = (24, 8);
/// A slow matcher is not tried for longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the process may grow by between the two looks: allocators keep some pages.
const GROWTH: u64 = 48 << 20;
/// Questions after which a cancelled matcher must have ended.
const LATE: u64 = 50;

type Make<'a> = &'a dyn Fn() -> Result<Arc<Matcher>, PluginError>;

/// A matcher under trial, with its answers.
struct Trial<'a> {
    matcher: Arc<Matcher>,
    make: Make<'a>,
    description: Description,
    stage: Stage,
}

/// Tries a matcher; `make` gives further instances of it, `model` the net that it sees images through.
pub(super) fn check(
    title: String,
    matcher: Arc<Matcher>,
    make: Make<'_>,
    inputs: &[(String, Tensor)],
    model: &dyn Fn() -> Result<Arc<Model>, PluginError>,
) -> Report {
    let mut report = Report { title, about: Vec::new(), findings: Vec::new() };
    let mut note = |check, outcome| report.findings.push(Finding { check, outcome });
    let described = match describe(&matcher, inputs) {
        Ok((description, outcome)) => {
            note("describe", outcome);
            description
        }
        Err(outcome) => {
            note("describe", outcome);
            return report;
        }
    };
    let network = match described.model_required.then(model).transpose() {
        Ok(model) => model,
        Err(error) => {
            let help = "name another with `--model`, and the folder that has it with `--plugin-dir`";
            note("iterate", wrong(format!("the matcher needs a model, and there is none: {error}"), help));
            return report;
        }
    };
    report.about = about(&described);
    let mut note = |check, outcome| report.findings.push(Finding { check, outcome });
    let stage = match stage(&described, network, DType::F32) {
        Ok(stage) => stage,
        Err(text) => {
            note("iterate", wrong(text, "choose another model with `--model`"));
            return report;
        }
    };
    let mut trial = Trial { matcher, make, description: described, stage };
    let runs = trial.iterate();
    let run = matches!(runs, Outcome::Passed(_));
    note("iterate", runs);
    if !run {
        return report;
    }
    note("determinism", trial.determinism());
    note("continuing", trial.continuing());
    note("cancellation", trial.cancellation());
    note("conditioning", trial.conditioning());
    note("memory", trial.memory());
    match self::stage(&trial.description, trial.stage.network.take().map(|(model, _)| model), DType::F64) {
        Ok(precise) => {
            trial.stage = precise;
            note("decode", trial.decode());
            note("gradient", trial.gradient());
        }
        Err(text) => note("gradient", skipped(text)),
    }
    report
}

fn problem(dtype: DType, horizon: Option<u64>) -> Problem {
    let channels = SHAPE.channels;
    Problem {
        classes: CLASSES,
        shape: SHAPE,
        ipc: 2,
        learnable_rows: 2 * CLASSES,
        horizon,
        seed_key: RandomKey::new(7),
        device: Device::Cpu,
        dtype,
        value_range: ValueRange {
            min: vec![-2.0; channels],
            max: vec![2.0; channels],
            mean: vec![0.5; channels],
            std: vec![0.25; channels],
        },
    }
}

/// Data, and the model with its weights.
fn stage(description: &Description, model: Option<Arc<Model>>, dtype: DType) -> Result<Stage, String> {
    let network = match model {
        Some(model) => {
            let specs = model.weights(SHAPE, CLASSES).map_err(|error| error.to_string())?;
            Some((model, specs))
        }
        None => None,
    };
    let classes: Vec<i64> = (0..CLASSES * REAL).map(|row| (row % CLASSES) as i64).collect();
    // Within the range of pixels, and each class around a picture of its own.
    let images = classes.iter().enumerate().flat_map(|(row, class)| {
        let key = RandomKey::new(1);
        let own = key.fold("row").fold_u64(row as u64).uniform_f64(SHAPE.elements());
        let shared = key.fold("class").fold_u64(*class as u64).uniform_f64(SHAPE.elements());
        own.into_iter().zip(shared).map(|(own, shared)| 2.0 * (own + shared) - 2.0).collect::<Vec<_>>()
    });
    let shape = [classes.len(), SHAPE.channels, SHAPE.height, SHAPE.width];
    let made = Tensor::from_values(images.collect(), &shape, dtype, &Device::Cpu)
        .and_then(|images| Split::new(images, classes, CLASSES));
    let horizon = description.needs.contains(&Need::Horizon).then_some(HORIZON);
    let train = made.map_err(|error| error.to_string())?;
    Ok(Stage { problem: problem(dtype, horizon), train, network, previous: None })
}

/// Asks in every way that must not matter.
fn describe(matcher: &Matcher, inputs: &[(String, Tensor)]) -> Result<(Description, Outcome), Outcome> {
    let ask =
        |dtype, horizon| matcher.describe_with(&problem(dtype, horizon), inputs).map_err(|error| plugin_error(&error));
    let first = ask(DType::F32, None)?;
    match &first.input {
        Some(purpose) if inputs.is_empty() => {
            let message = format!("the matcher works from {purpose}, and there is none");
            return Err(wrong(message, "give an artifact of the type `tensors` for these images with `--tensors`"));
        }
        None if !inputs.is_empty() => {
            return Err(wrong("the matcher takes no tensors", "leave `--tensors` out"));
        }
        _ => {}
    }
    let same = |other: &Description| {
        first.learnables == other.learnables
            && first.needs == other.needs
            && first.model_required == other.model_required
            && first.input == other.input
            && first.recipe == other.recipe
    };
    let help = "`describe` may depend on the parameters and the problem only";
    for (dtype, what) in [(DType::F32, "the second time"), (DType::F64, "in double precision")] {
        if !same(&ask(dtype, None)?) {
            return Err(wrong(format!("`describe` says something else {what}"), help));
        }
    }
    if let Err(error) = Recipe::of(&ProtocolParams::default(), &[&first.recipe], 1) {
        let help = "its names and values are those of the kind `evaluate`; see `pddflow_sdk::recipe`";
        return Err(wrong(format!("the recipe cannot be used: {}", error.message), help));
    }
    let learnables: Vec<String> =
        first.learnables.iter().map(|one| format!("`{}` {:?}", one.name, one.shape)).collect();
    Ok((first, passed(format!("learns {}", learnables.join(", ")))))
}

fn about(description: &Description) -> Vec<String> {
    let mut needs: Vec<&str> = Vec::new();
    if description.model_required {
        needs.push(if description.needs.contains(&Need::Models) { "a model, or several" } else { "a model" });
    }
    needs.extend(description.input.as_deref());
    needs.extend(description.needs.iter().filter_map(|need| match need {
        Need::Trajectories => Some("expert trajectories (`trajectories`)"),
        Need::StartWeights => Some("start weights (`start`)"),
        Need::Evaluation => Some("evaluations during distillation (`evaluation`)"),
        Need::Horizon => Some("the number of iterations"),
        Need::Models => None,
    }));
    let needs = if needs.is_empty() { "nothing but data".to_owned() } else { needs.join(", ") };
    vec![format!("needs {needs}"), format!("recipe {}", description.recipe)]
}

fn plugin_error(error: &PluginError) -> Outcome {
    let help = error.help().unwrap_or_else(|| "see what the plugin says".to_owned());
    wrong(format!("{} ({})", error.message(), error.code()), help)
}

fn node_error(error: &NodeError) -> Outcome {
    wrong(error.message.clone(), error.help.clone().unwrap_or_else(|| "see what `describe` declares".to_owned()))
}

impl Trial<'_> {
    fn fresh(&self) -> Result<Rehearsal<'_>, Outcome> {
        Rehearsal::new(&self.stage, &self.description).map_err(|error| node_error(&error))
    }

    /// Another instance, which must be as good as the first.
    fn another(&self) -> Result<Arc<Matcher>, Outcome> {
        (self.make)().map_err(|error| plugin_error(&error))
    }

    /// Some iterations, as a node runs them.
    fn run(
        &self,
        matcher: &Matcher,
        rehearsal: &mut Rehearsal<'_>,
        iterations: std::ops::Range<u64>,
    ) -> Result<(), Outcome> {
        for iteration in iterations {
            rehearsal.clamp().map_err(|error| wrong(error.to_string(), "look at the clamp of the learnables"))?;
            matcher.iterate(rehearsal, iteration).map_err(|error| {
                let Outcome::Wrong { message, help } = node_error(&from_plugin(&error)) else {
                    return plugin_error(&error);
                };
                wrong(format!("iteration {iteration}: {message} ({})", error.code()), help)
            })?;
        }
        Ok(())
    }

    fn iterate(&self) -> Outcome {
        let tried = || {
            let mut rehearsal = self.fresh()?;
            self.run(&self.matcher, &mut rehearsal, 0..2)?;
            Ok(rehearsal)
        };
        let rehearsal: Rehearsal<'_> = match tried() {
            Ok(rehearsal) => rehearsal,
            Err(outcome) => return outcome,
        };
        if let Some((name, value)) = rehearsal.metrics.iter().find(|(_, value)| !value.is_finite()) {
            return wrong(format!("metric `{name}` is {value}"), "a node fails at a metric that is not finite");
        }
        let stepped = |spec: &&LearnableSpec| rehearsal.steps.iter().any(|(name, _)| *name == spec.name);
        // Without a learning rate it is a constant of the set.
        let moving =
            |spec: &&LearnableSpec| spec.optimizer.lr != 0.0 || !self.description.given.contains_key(&spec.name);
        let still = self.description.learnables.iter().filter(moving).find(|spec| !stepped(spec));
        if let Some(spec) = still.filter(|_| rehearsal.assigned == 0) {
            let message = format!("learnable `{}` is never stepped along a gradient", spec.name);
            return warning(message, "call `step` or `assign` for it, or do not declare it");
        }
        let zero = |(_, gradient): &&(String, Tensor)| {
            gradient.to_f64_vec().is_ok_and(|values| values.iter().all(|value| *value == 0.0))
        };
        if let Some((name, _)) = rehearsal.steps.iter().find(zero) {
            return warning(
                format!("a gradient by `{name}` is zero"),
                "the loss does not depend on it: is something detached?",
            );
        }
        passed(format!("{} steps and {} metrics in 2 iterations", rehearsal.steps.len(), rehearsal.metrics.len()))
    }

    fn determinism(&self) -> Outcome {
        let once = || -> Result<_, Outcome> {
            let (matcher, mut rehearsal) = (self.another()?, self.fresh()?);
            self.run(&matcher, &mut rehearsal, 0..2)?;
            numbers(&rehearsal)
        };
        match once().and_then(|first| Ok((first, once()?))) {
            Err(outcome) => outcome,
            Ok((first, second)) => match difference(&first, &second) {
                None => passed("the same key gives the same bits"),
                Some(where_) => wrong(
                    format!("the same key gives other numbers the second time: {where_}"),
                    "draw random numbers from keys (`run.key().fold(..)`), keep nothing in globals, read no clock",
                ),
            },
        }
    }

    fn continuing(&self) -> Outcome {
        let tried = || -> Result<_, Outcome> {
            let (whole, mut unbroken) = (self.another()?, self.fresh()?);
            self.run(&whole, &mut unbroken, 0..4)?;
            let (first, mut begun) = (self.another()?, self.fresh()?);
            self.run(&first, &mut begun, 0..2)?;
            drop(first);
            let (second, mut gone_on) = (self.another()?, begun.going_on());
            self.run(&second, &mut gone_on, 2..4)?;
            Ok(difference(&numbers(&unbroken)?, &numbers(&gone_on)?))
        };
        match tried() {
            Err(outcome) => outcome,
            Ok(None) => passed("a new instance goes on as the first would have"),
            Ok(Some(where_)) => wrong(
                format!("a run that went on from a checkpoint gives other numbers: {where_}"),
                "an instance keeps nothing between iterations: what lasts is named state (`keep_state`)",
            ),
        }
    }

    fn cancellation(&self) -> Outcome {
        let tried = || -> Result<Option<Outcome>, Outcome> {
            let mut whole = self.fresh()?;
            self.run(&self.matcher, &mut whole, 0..1)?;
            let questions = whole.asked();
            for from in [0, questions / 2, questions.saturating_sub(1)] {
                let mut rehearsal = self.fresh()?;
                rehearsal.cancelled_from = Some(from);
                let ended = self.matcher.iterate(&mut rehearsal, 0);
                let after = rehearsal.asked() - from;
                let help = "pass on what host functions return; loops of the plugin's own ask `cancelled`";
                match ended {
                    Ok(()) if questions > 0 => {
                        let message = format!(
                            "the run was cancelled at host call {from} of {questions}, and `iterate` says that all went well"
                        );
                        return Ok(Some(wrong(message, help)));
                    }
                    Err(error) if !error.is_cancelled() => {
                        return Ok(Some(wrong(
                            format!("the run was cancelled, and `iterate` says: {}", error.message()),
                            help,
                        )));
                    }
                    _ if after > LATE => {
                        return Ok(Some(wrong(
                            format!("`iterate` calls the host {after} times after the run was cancelled"),
                            help,
                        )));
                    }
                    _ => {}
                }
            }
            Ok(None)
        };
        match tried() {
            Ok(None) => passed("a cancelled iteration ends"),
            Ok(Some(outcome)) | Err(outcome) => outcome,
        }
    }

    fn conditioning(&self) -> Outcome {
        let tried = || -> Result<Outcome, Outcome> {
            let text = |error: pddflow_tensor::TensorError| wrong(error.to_string(), "this is no fault of the plugin");
            let shape = [CLASSES, SHAPE.channels, SHAPE.height, SHAPE.width];
            let images = noise(&shape, RandomKey::new(3), self.stage.problem.dtype).map_err(text)?;
            let before = images.to_f64_vec().map_err(text)?;
            let classes = (0..CLASSES as i64).collect();
            let labels = Tensor::from_i64(classes, &[CLASSES], &Device::Cpu).map_err(text)?;
            let earlier = Decoded { images: images.clone(), labels: Labels::Hard(labels) };
            let mut alone = self.fresh()?;
            self.run(&self.matcher, &mut alone, 0..1)?;
            let network = self.stage.network.clone();
            let mut second = stage(&self.description, network.map(|(model, _)| model), self.stage.problem.dtype)
                .map_err(|text| wrong(text, "this is no fault of the plugin"))?;
            second.previous = Some(earlier);
            let mut after = Rehearsal::new(&second, &self.description).map_err(|error| node_error(&error))?;
            self.run(&self.matcher, &mut after, 0..1)?;
            if images.to_f64_vec().map_err(text)? != before {
                return Ok(wrong("rows of earlier sets moved", "this is a fault of the host: please report it"));
            }
            if difference(&numbers(&alone)?, &numbers(&after)?).is_none() {
                return Ok(warning(
                    "earlier sets change nothing: in progressive distillation each stage would learn the same again",
                    "ask for `Part::Union` instead of `Part::New`, or use `run.synthetic`",
                ));
            }
            Ok(passed("earlier sets are seen, and do not move"))
        };
        tried().unwrap_or_else(|outcome| outcome)
    }

    fn memory(&self) -> Outcome {
        let tried = || -> Result<Outcome, Outcome> {
            let mut rehearsal = self.fresh()?;
            let (begin, mut first, mut done) = (Instant::now(), None, 0);
            while done < LONG.0 && begin.elapsed() < PATIENCE {
                self.run(&self.matcher, &mut rehearsal, done..done + 1)?;
                // What the rehearsal notes is no memory of the plugin's.
                rehearsal.steps.clear();
                done += 1;
                if done == LONG.1 {
                    first = Some((rehearsal.state_size(), resident()));
                }
            }
            let Some((state, process)) = first.filter(|_| done > LONG.1) else {
                return Ok(skipped(format!("an iteration takes too long: {done} in {} s", begin.elapsed().as_secs())));
            };
            let now = rehearsal.state_size();
            if now != state {
                let message = format!(
                    "named state grew from {} tensors with {} numbers to {} with {} in {} iterations",
                    state.0,
                    state.1,
                    now.0,
                    now.1,
                    done - LONG.1
                );
                return Ok(wrong(message, "keep one tensor under one name, or forget what is old"));
            }
            let grown = process.zip(resident()).map(|(before, after)| after.saturating_sub(before));
            match grown {
                None => Ok(passed("named state does not grow; the memory of the process is not known here")),
                Some(bytes) if bytes > GROWTH => Ok(wrong(
                    format!("the process grew by {} MB in {} iterations", bytes >> 20, done - LONG.1),
                    "free what an iteration allocates; an instance keeps nothing between iterations",
                )),
                Some(_) => Ok(passed(format!("{done} iterations do not grow"))),
            }
        };
        tried().unwrap_or_else(|outcome| outcome)
    }

    fn decode(&self) -> Outcome {
        let tried = || -> Result<Outcome, Outcome> {
            let text = |error: pddflow_tensor::TensorError| wrong(error.to_string(), "see what `decode` gives");
            let plain = self.fresh()?.values();
            let named = |values: &[Tensor]| -> Vec<(String, Tensor)> {
                let names = self.description.learnables.iter().map(|spec| spec.name.clone());
                names.zip(values.iter().cloned()).collect()
            };
            let decode = |values: &[Tensor]| self.matcher.decode(&named(values), &self.stage.problem);
            let first = decode(&plain).map_err(|error| plugin_error(&error))?;
            let second = decode(&plain).map_err(|error| plugin_error(&error))?;
            let bits = |decoded: &Decoded| decoded.images.to_f64_vec().map_err(text);
            if bits(&first)? != bits(&second)? {
                return Ok(wrong(
                    "`decode` gives other images the second time",
                    "it is a pure function of the learnables",
                ));
            }
            let weights = noise(first.images.shape(), RandomKey::new(5), DType::F64).map_err(text)?;
            let score = |decoded: &Decoded| decoded.images.mul(&weights).and_then(|product| product.sum_all());
            let leaves: Vec<Tensor> = plain.iter().map(Tensor::variable).collect::<Result<_, _>>().map_err(text)?;
            let decoded = decode(&leaves).map_err(|error| plugin_error(&error))?;
            let gradients = grad(&[score(&decoded).map_err(text)?], &leaves, None, Keep::No).map_err(text)?;
            for (at, (spec, gradient)) in self.description.learnables.iter().zip(&gradients).enumerate() {
                let mut f = |value: &Tensor| {
                    let mut moved = plain.clone();
                    moved[at] = value.clone();
                    let decoded = decode(&moved).map_err(|error| error.to_string())?;
                    score(&decoded).and_then(|score| score.item()).map_err(|error| error.to_string())
                };
                let found = slopes(&plain[at], gradient, RandomKey::new(6), &mut f);
                let found = found.map_err(|text| wrong(text, "see what `decode` gives"))?;
                let off = found.iter().find(|slope| {
                    (slope.difference - slope.gradient).abs() > 1e-3 * slope.difference.abs() + slope.noise
                });
                if let Some(slope) = off {
                    let message = format!(
                        "the gradient of `decode` by `{}` is {:.6e}, differences give {:.6e}",
                        spec.name, slope.gradient, slope.difference
                    );
                    return Ok(wrong(message, "is something computed from numbers that were read out of a tensor?"));
                }
            }
            Ok(passed("pure, and its gradient is that of finite differences"))
        };
        tried().unwrap_or_else(|outcome| outcome)
    }

    fn gradient(&self) -> Outcome {
        let tried = || -> Result<Outcome, Outcome> {
            let mut base = self.fresh()?;
            let starts = base.values();
            base.clamp().map_err(|error| wrong(error.to_string(), "look at the clamp of the learnables"))?;
            self.run(&self.matcher, &mut base, 0..1)?;
            if base.metric_of("loss").is_none() {
                return Ok(skipped("it reports no metric `loss`"));
            }
            if base.assigned > 0 {
                return Ok(skipped("it has an optimiser of its own"));
            }
            let mut factors = Vec::new();
            for (at, spec) in self.description.learnables.iter().enumerate() {
                let own: Vec<&Tensor> =
                    base.steps.iter().filter(|(name, _)| *name == spec.name).map(|(_, step)| step).collect();
                let gradient = match own[..] {
                    [] => continue,
                    [one] => one,
                    _ => return Ok(skipped(format!("`{}` makes {} steps in an iteration", spec.name, own.len()))),
                };
                let mut f = |value: &Tensor| {
                    let mut moved = self.fresh().map_err(|outcome| format!("{outcome:?}"))?;
                    moved.put(at, value);
                    self.matcher.iterate(&mut moved, 0).map_err(|error| error.to_string())?;
                    moved.metric_of("loss").ok_or_else(|| "no metric `loss`".to_owned())
                };
                let found = slopes(&starts[at], gradient, RandomKey::new(8), &mut f);
                let found = found.map_err(|text| wrong(text, "see what `iterate` says near its start"))?;
                match factor(&found) {
                    Ok(factor) => factors.push(format!("`{}` ({factor:.4})", spec.name)),
                    Err(slope) => {
                        let message = format!(
                            "the step of `{}` is not along the gradient of `loss`: its slope is {:.6e} where differences give {:.6e}",
                            spec.name, slope.gradient, slope.difference
                        );
                        // A method may step along less than the whole gradient, as TESLA does.
                        let help = "if that is not meant: is something detached, or read as a number?";
                        return Ok(warning(message, help));
                    }
                }
            }
            Ok(passed(format!("differences of `loss` are the gradient, times a factor, by {}", factors.join(", "))))
        };
        tried().unwrap_or_else(|outcome| outcome)
    }
}

fn numbers(rehearsal: &Rehearsal<'_>) -> Result<std::collections::BTreeMap<String, Vec<f64>>, Outcome> {
    rehearsal.numbers().map_err(|error| wrong(error.to_string(), "this is no fault of the plugin"))
}

/// Memory of this process that is in use, where the system says it in a file.
fn resident() -> Option<u64> {
    /// As nearly every Linux has it.
    const PAGE: u64 = 4096;
    let text = fs_err::read_to_string("/proc/self/statm").ok()?;
    Some(text.split(' ').nth(1)?.parse::<u64>().ok()? * PAGE)
}
