//! The node of kind `select`.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{problem, read, resolve, schema};
use pddflow_artifact::{DistilledSet, SetInfo};
use pddflow_cache::KeyPart;
use pddflow_host::{Decoded, Labels, Role};
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_tensor::{Device, RandomKey};
use pddflow_training::choice::{PluginChoice, check_choice};
use pddflow_training::recipe::Taught;
use pddflow_training::selection::{
    Crops, FeatureNet, Features, herding, highest, k_center, k_center_random_start, k_means, random,
};
use pddflow_training::sets::{load_scores, one_artifact, store_set, to_cpu};
use pddflow_training::splits::Prepared;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kind::{Kind, input_problem, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 4;

/// How images are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// Uniformly, without replacement.
    Random,
    /// So that the mean of the chosen features follows the class mean.
    Herding,
    /// Greedily the farthest from those chosen.
    KCenter,
    /// The nearest to each of `ipc` cluster centres.
    KMeans,
    /// Random crops that the net finds easiest, with its probabilities as labels.
    Crops,
    /// Those with the highest scores at port `scores`, such as those of the kind `forgetting`.
    Forgetting,
}

impl Method {
    fn needs_features(self) -> bool {
        !matches!(self, Self::Random | Self::Forgetting)
    }

    /// What it does with the net, in words.
    fn asks(self) -> &'static str {
        if self == Self::Crops { "asks a net for classes" } else { "compares features" }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Herding => "herding",
            Self::KCenter => "k_center",
            Self::KMeans => "k_means",
            Self::Crops => "crops",
            Self::Forgetting => "forgetting",
        }
    }
}

/// Where `k_center` starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Start {
    /// At the image nearest to the class mean.
    #[default]
    Mean,
    /// At a random image.
    Random,
}

/// What a pipeline file can say about a selection.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SelectParams {
    /// How images are chosen; also the name of the row in tables.
    method: Method,
    /// Images per class.
    ipc: usize,
    /// The net whose features are compared, or that says which crops are easy; trained on the whole training split. All methods but
    /// `random` and `forgetting` need it.
    #[serde(default)]
    model: Option<PluginChoice>,
    /// Epochs of that training. A net at the port `trajectories` or `weights` is used as it is.
    #[serde(default = "twenty")]
    epochs: u64,
    /// Where `k_center` starts.
    #[serde(default)]
    start: Start,
    /// Images of each class that `crops` looks at.
    #[serde(default = "candidates", skip_serializing_if = "is_candidates")]
    candidates: usize,
    /// Square crops of each of them.
    #[serde(default = "five", skip_serializing_if = "is_five")]
    crops: usize,
    /// Least share of an image's area in a crop.
    #[serde(default = "least_area", skip_serializing_if = "is_least_area")]
    least_area: f64,
    /// Crops along each side of an image of `crops`, at so much lower resolution: 1 as published for images of 32 pixels, 2 for large ones.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    tile: usize,
    /// Root of the node's randomness.
    #[serde(default)]
    seed: u64,
}

fn twenty() -> u64 {
    20
}

/// The published numbers, in the order of the parameters.
const CROPS: (usize, usize, f64) = (300, 5, 0.08);

fn candidates() -> usize {
    CROPS.0
}

fn five() -> usize {
    CROPS.1
}

fn least_area() -> f64 {
    CROPS.2
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_candidates(value: &usize) -> bool {
    *value == CROPS.0
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_one(value: &usize) -> bool {
    *value == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_five(value: &usize) -> bool {
    *value == CROPS.1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_least_area(value: &f64) -> bool {
    (value - CROPS.2).abs() == 0.0
}

/// See the module.
pub(crate) struct SelectKind;

impl Kind for SelectKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 1 << 30, gpus: 1 }
    }

    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "select".into(),
            summary: "Chooses real images as a set: the baselines.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the real data"),
                port("scores", "scores", Arity::Optional, "difficulty of each training image, for method `forgetting`"),
                port(
                    "trajectories",
                    "trajectories",
                    Arity::Optional,
                    "the net whose features are compared: the first, as last kept",
                ),
                port(
                    "weights",
                    "weights",
                    Arity::Optional,
                    "the same as a net with all its weights: the first of them",
                ),
            ],
            outputs: vec![port("set", "set", Arity::One, "the chosen images, class by class, in the order chosen")],
            parameters: schema::<SelectParams>,
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let mut resolved = resolve::<SelectParams>(with)?;
        let mut problems = Vec::new();
        if resolved["ipc"] == 0 {
            problems.push(problem("/ipc", "`ipc` must be at least 1", None));
        }
        if resolved["model"].is_null() && needs_features(&resolved) {
            let asks = serde_json::from_value(resolved["method"].clone()).map_or("", Method::asks);
            let message = format!("method {} {asks} and needs a model", resolved["method"]);
            problems.push(problem("/method", message, Some("give `model:`, the net that is asked".into())));
        }
        for field in ["candidates", "crops", "tile"] {
            if resolved[field] == 0 {
                problems.push(problem(format!("/{field}"), format!("`{field}` must be at least 1"), None));
            }
        }
        if resolved["least_area"].as_f64().is_some_and(|area| !(area > 0.0 && area <= 1.0)) {
            problems.push(problem("/least_area", "`least_area` must be above 0 and at most 1", None));
        }
        if let Err(found) = check_choice(surroundings.plugins(), Role::Model, "model", &mut resolved) {
            problems.extend(found);
        }
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
    }

    fn check_inputs(&self, _: &Surroundings, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        let by_scores = with["method"] == Method::Forgetting.name();
        match count("scores") {
            0 if by_scores => Err(input_problem(
                "scores",
                "method `forgetting` chooses by scores, and none are wired",
                "wire the scores of a `forgetting` node: `needs: { scores: forgetting.scores }`",
            )),
            _ => Ok(()),
        }
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let params: SelectParams = read(node.with)?;
        let mut parts = surroundings.numeric_parts(REVISION);
        if let Some(model) = params.model.as_ref().filter(|_| params.method.needs_features()) {
            parts.push(part("model", surroundings.plugins().key(Role::Model, &model.id)?));
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
        let params: SelectParams = read(node.with)?;
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        check_class_sizes(&params, &data)?;
        let key = RandomKey::new(params.seed).fold("select");
        if let (Method::Crops, Some(choice)) = (params.method, &params.model) {
            let net = FeatureNet { plugins: surroundings.plugins(), choice, data: &data };
            let (model, weights) = net.net(inputs, params.epochs, key.fold("net"), context)?;
            let SelectParams { candidates, crops, least_area, tile, .. } = params;
            let crops = Crops { candidates, crops, least_area, tile };
            let chosen = crops.choose((&model, &weights), &data.train, params.ipc, key.fold("choice"))?;
            let chosen_set = Decoded { images: chosen.images, labels: Labels::Soft(chosen.labels) };
            return stored(&params, (node.with, chosen.rows), &data, &chosen_set, context);
        }
        let features = match &params.model {
            Some(choice) if params.method.needs_features() => {
                let net = FeatureNet { plugins: surroundings.plugins(), choice, data: &data };
                Some(net.features(inputs, params.epochs, key.fold("net"), context)?)
            }
            _ => None,
        };
        let scores = scores(&params, inputs, &data, context)?;
        let basis = match (&scores, &features) {
            (Some(scores), _) => Basis::Scores(scores),
            (None, Some((values, width))) => Basis::Features(values, *width),
            (None, None) => Basis::Nothing,
        };
        let rows = choose_rows(&params, &data, &basis, key.fold("choice"));
        let chosen = data.train.take(&rows).during("taking the chosen images")?;
        stored(&params, (node.with, rows), &data, &Decoded { images: chosen.images, labels: chosen.labels }, context)
    }
}

/// The chosen images as the node's set.
fn stored(
    params: &SelectParams,
    (with, rows): (&Value, Vec<usize>),
    data: &Prepared,
    chosen: &Decoded,
    context: &NodeContext<'_>,
) -> NodeResult<Outputs> {
    let set = DistilledSet {
        images: chosen.images.to_device(&Device::Cpu).during("reading the chosen images")?,
        labels: to_cpu(&chosen.labels)?,
        learnables: BTreeMap::new(),
        step_size: None,
        info: SetInfo {
            method: params.method.name().to_owned(),
            source: data.dataset.source().to_owned(),
            made_by: json!({ "kind": "select", "parameters": with, "rows": rows }),
            recipe: if params.method == Method::Crops {
                crops_recipe(params.ipc, params.tile, data.classes)
            } else {
                json!({})
            },
            ipc: params.ipc,
            stage: 1,
            class_names: data.dataset.class_names().to_vec(),
            class_ids: data.dataset.class_ids().cloned(),
            preprocessing: data.dataset.preprocessing().note(),
            real_images: Some(data.real_images()),
        },
    };
    let digest = store_set(&set, context)?;
    Ok(Outputs { artifacts: BTreeMap::from([("set".to_owned(), digest)]), metrics: BTreeMap::new() })
}

/// Whether sets of a node with these parameters have a trained net label every batch.
pub(crate) fn asks_teacher(with: &Value) -> bool {
    with["method"] == Method::Crops.name()
}

/// How nets are trained on crops in RDED's release: by what the net that chose them says of every batch. Its crops of whole images are these
/// themselves, so that without tiles only mirroring is left of its augmentation.
fn crops_recipe(ipc: usize, tile: usize, classes: usize) -> Value {
    let many = if classes >= 100 { 2 } else { 1 };
    let batch = many
        * if ipc >= 50 {
            100
        } else if ipc >= 10 {
            50
        } else {
            10
        };
    json!({
        "teacher": Taught { temperature: Taught::default_temperature() },
        "epochs": 300, "batch": batch.min(ipc * classes), "optimizer": "adamw", "lr": 0.001, "momentum": 0.9, "weight_decay": 0.01,
        "schedule": "half_cosine", "cutmix": 1.0,
        "augment": if tile > 1 { format!("tiles:{tile}_flip") } else { "dsa:flip".to_owned() },
    })
}

fn needs_features(with: &Value) -> bool {
    serde_json::from_value(with["method"].clone()).is_ok_and(Method::needs_features)
}

fn check_class_sizes(params: &SelectParams, data: &Prepared) -> NodeResult<()> {
    for (class, own) in data.train.class_rows().iter().enumerate() {
        let parts = if params.method == Method::Crops { params.tile * params.tile } else { 1 };
        if own.len() < params.ipc * parts {
            let message = format!("`ipc` is {}, but class {class} has only {} real images", params.ipc, own.len());
            let (most, of) = (own.len() / parts, if parts > 1 { " in parts of `tile` by `tile`" } else { "" });
            return Err(fail("class_size", message + of).with_help(format!("lower `ipc` to {most} or less")));
        }
    }
    Ok(())
}

/// The scores for the method that takes them; the port is left alone by the others.
fn scores(
    params: &SelectParams,
    inputs: &Inputs,
    data: &Prepared,
    context: &NodeContext<'_>,
) -> NodeResult<Option<Vec<f64>>> {
    match (params.method, inputs.port("scores")) {
        (Method::Forgetting, [scores, ..]) => load_scores(context, scores, &data.dataset).map(Some),
        _ => Ok(None),
    }
}

/// What the choice is made by.
enum Basis<'a> {
    Nothing,
    /// One number for each training image.
    Scores(&'a [f64]),
    /// Row-major features of the training images, and their width.
    Features(&'a [f32], usize),
}

/// Rows of the training split, class by class in the order chosen.
fn choose_rows(params: &SelectParams, data: &Prepared, basis: &Basis<'_>, key: RandomKey) -> Vec<usize> {
    let mut rows = Vec::new();
    for (class, own) in data.train.class_rows().iter().enumerate() {
        let key = key.fold_u64(class as u64);
        let places = match basis {
            Basis::Nothing => random(own.len(), params.ipc, key),
            Basis::Scores(scores) => highest(&own.iter().map(|row| scores[*row]).collect::<Vec<_>>(), params.ipc),
            Basis::Features(values, width) => {
                let of_class: Vec<f32> =
                    own.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect();
                let of_class = Features::new(&of_class, *width);
                match (params.method, params.start) {
                    (Method::KCenter, Start::Mean) => k_center(of_class, params.ipc),
                    (Method::KCenter, Start::Random) => k_center_random_start(of_class, params.ipc, key),
                    (Method::KMeans, _) => k_means(of_class, params.ipc, key),
                    (Method::Herding | Method::Random | Method::Forgetting | Method::Crops, _) => {
                        herding(of_class, params.ipc)
                    }
                }
            }
        };
        rows.extend(places.into_iter().map(|place| own[place]));
    }
    rows
}
