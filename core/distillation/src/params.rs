//! What can be said about a distillation.

use pddflow_artifact::params::{problem, resolve};
use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use pddflow_training::choice::{MatcherChoice, PluginChoice, check_choice};
use pddflow_training::plugins::Plugins;
use pddflow_training::recipe::{ProtocolParams, TrainingParams, check_protocol, check_training, pretrain_defaults};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a pipeline file can say about a distillation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DistillParams {
    /// How synthetic images are made to mimic real ones: a matcher plugin with its parameters.
    #[schemars(with = "MatcherChoice")]
    pub matcher: PluginChoice,
    /// The net that both are seen through: a model plugin with its parameters. By default that of the wired nets.
    #[serde(default)]
    pub model: Option<PluginChoice>,
    /// Several nets instead of one, for matchers that work with several, such as `dm` and `dc`: sets then carry over better to other
    /// nets. What is wired into `start` and `trajectories` goes to the model that it was made with; `evaluation` is by the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<PluginChoice>,
    /// New synthetic images per class.
    pub ipc: usize,
    /// Outer iterations.
    pub iterations: u64,
    /// Outer iterations that a matcher is told there will be whose steps depend on it; by default as many as there are. With
    /// a horizon of its own such a node, too, goes on from where it ended when `iterations` is raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u64>,
    /// Root of the node's randomness.
    #[serde(default)]
    pub seed: u64,
    /// Stage of the set, from 1; by default one more than there are sets in `previous`. Each stage starts from images and
    /// randomness of its own.
    #[serde(default)]
    pub stage: Option<u64>,
    /// Whether the new set is matched together with the sets in `previous` (conditioning); if not, these only say which
    /// stage this is and what `pretrain` trains on.
    #[serde(default = "yes")]
    pub condition: bool,
    /// Every net that the matcher starts from is new and trained progressively on the sets in `previous` (PDD with IDC,
    /// DC, DM), instead of taken from a pool in `start`.
    #[serde(default)]
    pub pretrain: Option<TrainingParams>,
    /// Whether matching starts from the nets in `start` even where these are fresh, instead of from new random ones each time: the fixed
    /// initialisation of some methods.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fixed_start: bool,
    /// How to train on the set; kept in it beside what the matcher says, which it overrides.
    #[serde(default)]
    pub recipe: TrainingParams,
    /// Which state of the set is the result: `last`, `best` in the evaluations, or `{ iteration: 1950 }`.
    #[serde(default)]
    pub keep: Keep,
    /// Evaluations during distillation, which cost time.
    #[serde(default)]
    pub evaluation: Option<EvaluationParams>,
    /// Name of the method in tables; the matcher's id if it is not given.
    #[serde(default)]
    pub method: Option<String>,
}

/// Which state of the set is the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// That after the last iteration.
    #[default]
    Last,
    /// The one that was best in the evaluations during distillation.
    Best,
    /// That after so many iterations; later ones are not run.
    Iteration(u64),
}

/// The real images on which evaluations during distillation test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// The training images that the data set holds out (`held_out` of the `dataset` node).
    #[default]
    HeldOut,
    /// The test split, as in the papers: choosing by it flatters.
    Test,
}

impl On {
    /// In words, as the set tells it.
    pub fn words(self) -> &'static str {
        match self {
            Self::HeldOut => "held-out training images",
            Self::Test => "test images",
        }
    }

    /// As a part of a metric's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "held_out",
            Self::Test => "test",
        }
    }
}

/// Evaluations during distillation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationParams {
    /// Iterations between two evaluations; there is one after the last iteration too.
    #[serde(default = "hundred")]
    pub every: u64,
    /// Nets that are trained each time.
    #[serde(default = "five")]
    pub nets: usize,
    /// What they are tested on.
    #[serde(default)]
    pub on: On,
    /// How they are trained in each stage; by default as the recipe of the set says for one set alone. A list of learning rates
    /// has one for each stage up to this one, or to a later one.
    #[serde(default)]
    pub training: ProtocolParams,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

fn hundred() -> u64 {
    100
}

fn five() -> usize {
    5
}

fn yes() -> bool {
    true
}

impl DistillParams {
    /// The models that the parameters name, in order.
    pub fn models(&self) -> &[PluginChoice] {
        if self.models.is_empty() { self.model.as_slice() } else { &self.models }
    }

    /// Outer iterations that the matcher is told there will be.
    pub fn horizon(&self) -> u64 {
        self.horizon.unwrap_or(self.iterations)
    }

    /// Number of its stage, from 1, after so many earlier sets.
    pub fn stage_after(&self, earlier: usize) -> usize {
        self.stage.map_or(earlier + 1, |stage| usize::try_from(stage).unwrap_or(usize::MAX))
    }

    /// Whether no iteration depends on how many there are, but for what the matcher is told: an evaluation is also due
    /// after the last iteration, and `keep` may look at all of them.
    pub fn extends(&self) -> bool {
        self.keep == Keep::Last && self.evaluation.is_none()
    }

    /// Name of the method in tables.
    pub fn label(&self) -> &str {
        self.method.as_deref().unwrap_or(&self.matcher.id)
    }
}

/// Checks the parameters and fills in all defaults, also the plugins'.
pub fn check(plugins: &Plugins, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve::<DistillParams>(with)?;
    let mut problems = Vec::new();
    for field in ["ipc", "iterations", "horizon", "stage"] {
        if resolved[field] == 0 {
            problems.push(problem(format!("/{field}"), format!("`{field}` must be at least 1"), None));
        }
    }
    problems.extend(check_training(&mut resolved, "/pretrain", &pretrain_defaults()));
    if !resolved["pretrain"]["average"].is_null() {
        let help = Some("leave it out here; `recipe` and `evaluate` take it".to_owned());
        let message = "these nets are not tested, and go on with their weights as they are";
        problems.push(problem("/pretrain/average", message, help));
    }
    problems.extend(check_protocol(&mut resolved, "/evaluation/training"));
    problems.extend(check_training(&mut resolved, "/recipe", &Value::Null));
    problems.extend(check_evaluation(&resolved));
    let listed = resolved["models"].as_array().map_or(0, Vec::len);
    let models = (0..listed).map(|place| (Role::Model, format!("models/{place}")));
    let fields = [(Role::Matcher, "matcher".to_owned()), (Role::Model, "model".to_owned())];
    for (role, field) in fields.into_iter().chain(models) {
        if let Err(found) = check_choice(plugins, role, &field, &mut resolved) {
            problems.extend(found);
        }
    }
    problems.extend(check_models(&mut resolved));
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

/// Checks `models` against `model` and by itself. One in a list is the same as one, so that both forms have one key.
fn check_models(with: &mut Value) -> Option<ParamProblem> {
    let models = with["models"].as_array().cloned().unwrap_or_default();
    let (first, others) = models.split_first()?;
    if !with["model"].is_null() {
        let help = Some("list all in `models`, or leave it out".to_owned());
        return Some(problem("/models", "both `model` and `models` are given", help));
    }
    if let Some(place) = (1..models.len()).find(|place| models[..*place].contains(&models[*place])) {
        let help = Some("give each model once, or other parameters".to_owned());
        return Some(problem(format!("/models/{place}"), format!("{} is listed twice", models[place]), help));
    }
    if others.is_empty() {
        with["model"] = first.clone();
        with.as_object_mut()?.remove("models");
    }
    None
}

fn check_evaluation(with: &Value) -> Vec<ParamProblem> {
    let mut problems = Vec::new();
    let mut wrong = |pointer: &str, message: String, help: Option<&str>| {
        problems.push(problem(pointer, message, help.map(str::to_owned)));
    };
    if let Some(kept) = with["keep"]["iteration"].as_u64() {
        let all = with["iterations"].as_u64().unwrap_or(0);
        if !(1..=all).contains(&kept) {
            wrong("/keep/iteration", format!("iteration {kept} is not one of the {all} iterations"), None);
        }
    }
    let Some(evaluation) = with.get("evaluation").filter(|evaluation| evaluation.is_object()) else {
        if with["keep"] == "best" {
            let help = "for example `evaluation: { every: 100 }`";
            wrong("/keep", "`keep: best` needs evaluations to choose by".to_owned(), Some(help));
        }
        return problems;
    };
    for field in ["every", "nets"] {
        if evaluation[field] == 0 {
            wrong(&format!("/evaluation/{field}"), format!("`{field}` must be at least 1"), None);
        }
    }
    if !evaluation["training"]["presented"].is_null() {
        let help = "give `epochs`: each stage of such an evaluation is trained by itself";
        wrong("/evaluation/training/presented", "`presented` counts images over all stages".to_owned(), Some(help));
    }
    problems
}
