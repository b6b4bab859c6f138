//! The node of kind `dataset`.

use pddflow_artifact::failure::During;
use pddflow_artifact::params::{read, schema};
use pddflow_artifact::{Dataset, DatasetParts, LabelledImages};
use pddflow_cache::KeyPart;
use pddflow_data::{Normalize, Places, hold_out, moments, preprocessing, subset};
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use serde_json::Value;

use super::params::{DatasetParams, check};
use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, kernel_parts, part};

/// Raised when the artifact changes for the same files and parameters.
const REVISION: u32 = 2;

/// See the module.
pub(crate) struct DatasetKind;

impl Kind for DatasetKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "dataset".into(),
            summary: "Reads real images with labels and settles their normalisation.".into(),
            inputs: Vec::new(),
            outputs: vec![port("data", "dataset", Arity::One, "training and test images, classes, normalisation")],
            parameters: schema::<DatasetParams>,
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(with)
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let params: DatasetParams = read(node.with)?;
        let content = params.source.open()?.identity(&places(surroundings, node))?;
        // Of all that this kind does only whitening is done by kernels.
        let whitens = matches!(params.normalize, Normalize::Zca { .. });
        let mut parts = if whitens { kernel_parts(REVISION) } else { vec![part("revision", REVISION)] };
        parts.push(part("source files", content));
        Ok(parts)
    }

    fn key_with(&self, with: &Value) -> Option<Value> {
        let params: DatasetParams = read(with).ok()?;
        let mut with = with.clone();
        with["source"] = params.source.without_places();
        Some(with)
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        _: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: DatasetParams = read(node.with)?;
        let source = params.source.open()?;
        let raw = source.read(&places(surroundings, node), context)?;
        if context.cancelled() {
            return Err(NodeError::cancelled());
        }
        let full = moments(&raw.train, raw.size);
        let (mut data, class_ids) =
            subset(raw, params.classes.as_deref(), (params.train_per_class, params.test_per_class))?;
        if data.test.labels.is_empty() {
            context.warn("there are no test images: evaluation will not be possible");
        }
        let held_out = match params.held_out > 0.0 {
            true => {
                let about = (data.size.elements(), &data.class_names[..]);
                hold_out(&mut data.train, about, (params.held_out, params.held_out_seed))?
            }
            false => LabelledImages::default(),
        };
        let preprocessing = preprocessing(&params.normalize, &params.source.name, &data, &full, context)?;
        let mut outputs = Outputs::default();
        let counts = [
            ("classes", data.class_names.len()),
            ("train_images", data.train.labels.len()),
            ("test_images", data.test.labels.len()),
        ];
        if !held_out.labels.is_empty() {
            outputs.metrics.insert("held_out_images".to_owned(), held_out.labels.len() as f64);
        }
        outputs.metrics.extend(counts.map(|(name, count)| (name.to_owned(), count as f64)));
        let bytes = Dataset::encode(&DatasetParts {
            size: data.size,
            train: data.train,
            held_out,
            test: data.test,
            class_names: data.class_names,
            class_ids,
            preprocessing,
            source: params.source.name,
            license: source.license(),
        })?;
        outputs.artifacts.insert("data".into(), context.put(&bytes).during("storing the data set")?);
        Ok(outputs)
    }
}

/// Where files of data sets are looked for.
fn places(surroundings: &Surroundings, node: Task<'_>) -> Places {
    let options = surroundings.options();
    Places::new(node.folder, &options.data_dirs, &options.downloads)
}
