//! The node of kind `select`.

use std::collections::BTreeMap;

use pddflow_cache::KeyPart;
use pddflow_host::{Net, Role, Sgd};
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Progress};
use pddflow_tensor::augment::Policy;
use pddflow_tensor::{Device, RandomKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::choose::{Features, herding, k_center, k_center_random_start, k_means, random};
use crate::Library;
use crate::artifact::{DistilledSet, SetInfo};
use crate::choice::{PluginChoice, check_choice, open_registry, plugin_digest};
use crate::failure::{During, NodeResult, fail, from_plugin};
use crate::kind::{Kind, part, port};
use crate::nets::{Epoch, Trainee, features, initial_weights, train_epoch};
use crate::params::{problem, read, resolve, schema};
use crate::sets::{one_artifact, store_set, to_cpu};
use crate::splits::Prepared;

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 1;
/// How the net that gives the features is trained: the evaluation recipes' step rule, without augmentation.
const FEATURE_RULE: Sgd = Sgd { lr: 0.01, momentum: 0.9, weight_decay: 5e-4 };
/// Images in a step of that training.
const FEATURE_BATCH: usize = 256;

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
}

impl Method {
    fn needs_features(self) -> bool {
        self != Self::Random
    }

    fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Herding => "herding",
            Self::KCenter => "k_center",
            Self::KMeans => "k_means",
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
    /// The net whose features are compared, trained on the whole training split. Every method but `random` needs it.
    #[serde(default)]
    model: Option<PluginChoice>,
    /// Epochs of that training.
    #[serde(default = "twenty")]
    epochs: u64,
    /// Where `k_center` starts.
    #[serde(default)]
    start: Start,
    /// Root of the node's randomness.
    #[serde(default)]
    seed: u64,
}

fn twenty() -> u64 {
    20
}

/// See the module.
pub(crate) struct SelectKind;

impl Kind for SelectKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "select".into(),
            summary: "Chooses real images as a set: the baselines.".into(),
            inputs: vec![port("data", "dataset", Arity::One, "the real data")],
            outputs: vec![port("set", "set", Arity::One, "the chosen images, class by class, in the order chosen")],
            parameters: schema::<SelectParams>(),
            seeded: true,
        }
    }

    fn check(&self, library: &Library, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let mut resolved = resolve::<SelectParams>(with)?;
        let mut problems = Vec::new();
        if resolved["ipc"] == 0 {
            problems.push(problem("/ipc", "`ipc` must be at least 1", None));
        }
        if resolved["model"].is_null() && resolved["method"] != Method::Random.name() {
            let message = format!("method {} compares features and needs a model", resolved["method"]);
            problems.push(problem(
                "/method",
                message,
                Some("give `model:`, the net whose features are compared".into()),
            ));
        }
        if let Err(found) = check_choice(library, Role::Model, "model", &mut resolved) {
            problems.extend(found);
        }
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
    }

    fn key_parts(&self, library: &Library, with: &Value) -> Result<Vec<KeyPart>, NodeError> {
        let params: SelectParams = read(with)?;
        let mut parts = library.numeric_parts(REVISION);
        if let Some(model) = params.model.as_ref().filter(|_| params.method.needs_features()) {
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
        let params: SelectParams = read(&node.with)?;
        let data = library.splits().prepare(library, context.store(), &one_artifact(inputs, "data")?.digest)?;
        check_class_sizes(&params, &data)?;
        let key = RandomKey::new(params.seed).fold("select");
        let features = match &params.model {
            Some(choice) if params.method.needs_features() => {
                Some(trained_features(library, choice, params.epochs, &data, key.fold("net"), context)?)
            }
            _ => None,
        };
        let rows = choose_rows(&params, &data, features.as_ref(), key.fold("choice"));
        let chosen = data.train.take(&rows).during("taking the chosen images")?;
        let set = DistilledSet {
            images: chosen.images.to_device(&Device::Cpu).during("reading the chosen images")?,
            labels: to_cpu(&chosen.labels)?,
            learnables: BTreeMap::new(),
            step_size: None,
            info: SetInfo {
                method: params.method.name().to_owned(),
                source: data.dataset.source().to_owned(),
                made_by: json!({ "kind": "select", "parameters": node.with, "rows": rows }),
                recipe: json!({}),
                ipc: params.ipc,
                stage: 1,
                class_names: data.dataset.class_names().to_vec(),
                class_ids: data.dataset.class_ids().cloned(),
                preprocessing: data.dataset.preprocessing().note(),
            },
        };
        let digest = store_set(&set, context.store())?;
        Ok(Outputs { artifacts: BTreeMap::from([("set".to_owned(), digest)]), metrics: BTreeMap::new() })
    }
}

fn check_class_sizes(params: &SelectParams, data: &Prepared) -> NodeResult<()> {
    for (class, own) in data.train.class_rows().iter().enumerate() {
        if own.len() < params.ipc {
            let message = format!("`ipc` is {}, but class {class} has only {} real images", params.ipc, own.len());
            return Err(fail("class_size", message).with_help(format!("lower `ipc` to {} or less", own.len())));
        }
    }
    Ok(())
}

/// Features of the training images, row after row, and their width.
fn trained_features(
    library: &Library,
    choice: &PluginChoice,
    epochs: u64,
    data: &Prepared,
    key: RandomKey,
    context: &NodeContext<'_>,
) -> NodeResult<(Vec<f64>, usize)> {
    let model = open_registry(library)?.model(&choice.id, &choice.config).map_err(|error| from_plugin(&error))?;
    let specs = model.weights(data.shape, data.classes).during("asking the model for its weights")?;
    let weights = initial_weights(&specs, key.fold("weights"), library.dtype(), library.device());
    let mut net = Net::new(weights.during("drawing first weights")?);
    let trainee = Trainee { model: &model, specs: &specs };
    let rule = Epoch { batch: FEATURE_BATCH, rule: FEATURE_RULE, augment: Policy::none(), cutmix: None };
    for epoch in 0..epochs {
        if context.cancelled() {
            return Err(NodeError::cancelled());
        }
        let loss = train_epoch(&trainee, &mut net, data.train.samples(), &rule, key.fold("epoch").fold_u64(epoch))?;
        context.progress(Progress { done: epoch + 1, total: epochs, unit: "epochs", loss: Some(loss) });
    }
    features(&model, &net.weights, &data.train.samples().images)
}

/// Rows of the training split, class by class in the order chosen.
fn choose_rows(
    params: &SelectParams,
    data: &Prepared,
    features: Option<&(Vec<f64>, usize)>,
    key: RandomKey,
) -> Vec<usize> {
    let mut rows = Vec::new();
    for (class, own) in data.train.class_rows().iter().enumerate() {
        let key = key.fold_u64(class as u64);
        let places = match features {
            None => random(own.len(), params.ipc, key),
            Some((values, width)) => {
                let of_class: Vec<f64> =
                    own.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect();
                let of_class = Features::new(&of_class, *width);
                match (params.method, params.start) {
                    (Method::KCenter, Start::Mean) => k_center(of_class, params.ipc),
                    (Method::KCenter, Start::Random) => k_center_random_start(of_class, params.ipc, key),
                    (Method::KMeans, _) => k_means(of_class, params.ipc, key),
                    (Method::Herding | Method::Random, _) => herding(of_class, params.ipc),
                }
            }
        };
        rows.extend(places.into_iter().map(|place| own[place]));
    }
    rows
}
