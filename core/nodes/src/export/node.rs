//! The node of kind `export`.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{Part, problem, read_part, resolve_parts, schema_of_parts};
use pddflow_artifact::{
    Dataset, DistilledSet, FileNameError, Files, Normalization, Pixels, PreprocessingNote, file_stem,
};
use pddflow_cache::KeyPart;
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::recipe::{Preset, ProtocolParams, check_protocol, recipes_differ};
use pddflow_training::segments::Training;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::entry::Entry;
use super::hub;
use super::manifest::manifest;
use super::readme::{About, readme};
use super::training::Plan;
use crate::drawing::png;
use crate::evaluate::{OTHER_RECIPES, check_learning_rates};
use crate::images::{set_names, sets_and_data, show};
use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the folder changes for the same parameters.
const REVISION: u32 = 8;
/// A training script that needs only PyTorch and NumPy.
const TRAIN: &str = include_str!("train.py");

/// See the module.
pub(crate) struct ExportKind;

/// Parameters of the kind `export`, besides those of the training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportParams {
    /// Whether each image is also written as a PNG; with `layout: hugging_face` pictures are always there.
    #[serde(default = "yes")]
    pictures: bool,
    /// How several sets are to be used: `progressive`, `union` or `sequential`.
    #[serde(default)]
    training: Training,
    /// Whether the folder is also a data set of Hugging Face, to be uploaded as it is.
    #[serde(default, skip_serializing_if = "Layout::is_folder")]
    layout: Layout,
}

/// Where pictures and labels are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Layout {
    /// In a folder for each class.
    #[default]
    Folder,
    /// In a Parquet file that `datasets` loads by itself, beside a card.
    HuggingFace,
}

impl Layout {
    /// The default does not enter keys.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
    fn is_folder(&self) -> bool {
        *self == Self::Folder
    }
}

fn parts() -> [Part; 2] {
    [Part::of::<ProtocolParams>(), Part::of::<ExportParams>()]
}

fn yes() -> bool {
    true
}

impl Kind for ExportKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "export".into(),
            summary: "Makes a folder with the sets, their recipe and how to train on them.".into(),
            inputs: vec![
                port("sets", "set", Arity::Some, "the sets, in the order of their stages"),
                port("data", "dataset", Arity::Optional, "the real data; needed for whitened sets only"),
            ],
            outputs: vec![port(
                "files",
                "files",
                Arity::One,
                "README.md, train.py, manifest.json, images.safetensors, pictures",
            )],
            parameters: || schema_of_parts(&parts()),
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let mut resolved = resolve_parts(with, &parts())?;
        let mut problems = check_protocol(&mut resolved, "");
        if resolved["training"] == "full" {
            let help = "give `progressive`, `union` or `sequential`";
            problems.push(problem("/training", "what is exported is trained on", Some(help.into())));
        }
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
    }

    fn check_inputs(&self, _: &Surroundings, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        let Ok(params) = read_part::<ExportParams>(with) else { return Ok(()) };
        check_learning_rates(with, params.training, count("sets"))
    }

    fn key_parts(&self, _: &Surroundings, _: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![part("revision", REVISION)])
    }

    fn run(
        &self,
        _: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: ExportParams = read_part(node.with)?;
        let protocol: ProtocolParams = read_part(node.with)?;
        let (sets, data) = sets_and_data(inputs, context)?;
        let first = sets.first().ok_or_else(|| NodeError::internal("port `sets` takes at least one set"))?;
        check_alike(first, &sets, inputs)?;
        let names = set_names(&sets);
        let folder = |number: usize| match sets.len() {
            1 => String::new(),
            _ => format!("{:02}-{}/", number + 1, names[number]),
        };
        let entry = |(number, set)| {
            let folder = folder(number);
            let pictures = match params.layout {
                Layout::HuggingFace => Some(hub::ROWS.to_owned()),
                Layout::Folder => params.pictures.then(|| format!("{folder}png")),
            };
            Entry { folder, pictures, set }
        };
        let entries: Vec<Entry<'_>> = sets.iter().enumerate().map(entry).collect();
        let mut files = Files::new();
        let preprocessing = preprocessing(&first.info.preprocessing, data.as_ref(), inputs, &mut files)?;
        let license = data.as_ref().and_then(Dataset::license);
        let carried: Vec<&Value> = sets.iter().map(|set| &set.info.recipe).collect();
        if protocol.recipe == Preset::Own && recipes_differ(&carried) {
            context.warn(OTHER_RECIPES);
        }
        let plan = Plan::new(&entries, &protocol, params.training)?;
        let manifest = manifest(&entries, &first.info.class_names, &preprocessing, &plan, license);
        let manifest = serde_json::to_vec_pretty(&manifest).during("writing the manifest")?;
        insert(&mut files, "manifest.json", manifest)?;
        let about = About { class_names: &first.info.class_names, preprocessing: &first.info.preprocessing, license };
        let text = readme(&entries, &about, &plan);
        let text = match params.layout {
            Layout::Folder => text,
            Layout::HuggingFace => {
                let rows = sets.iter().map(DistilledSet::rows).sum();
                [hub::front_matter(&entries, license, rows), text, hub::LOADING.to_owned()].concat()
            }
        };
        insert(&mut files, "README.md", text)?;
        let mut rows = Vec::new();
        insert(&mut files, "train.py", TRAIN)?;
        for ((number, entry), from) in entries.iter().enumerate().zip(inputs.port("sets")) {
            if context.cancelled() {
                return Err(NodeError::cancelled());
            }
            insert(&mut files, format!("{}images.safetensors", entry.folder), entry.set.encode()?)?;
            match params.layout {
                Layout::HuggingFace => {
                    rows.extend(hub::rows(number + 1, entry, &show(entry.set, from, data.as_ref())?)?);
                }
                Layout::Folder if params.pictures => {
                    write_pictures(entry, &show(entry.set, from, data.as_ref())?, &mut files)?;
                }
                Layout::Folder => {}
            }
        }
        if params.layout == Layout::HuggingFace {
            hub::insert(&rows, &first.info.class_names, &mut files)?;
        }
        let mut outputs = Outputs::default();
        outputs.artifacts.insert("files".into(), context.put(&files.encode()?).during("storing the export")?);
        Ok(outputs)
    }
}

/// All sets must be trainable together.
fn check_alike(first: &DistilledSet, sets: &[DistilledSet], inputs: &Inputs) -> NodeResult<()> {
    for (set, from) in sets.iter().zip(inputs.port("sets")) {
        let same = set.size() == first.size()
            && set.info.class_names == first.info.class_names
            && set.info.preprocessing.digest() == first.info.preprocessing.digest();
        if !same {
            let message =
                format!("the set of `{}` has other classes, image size or normalisation than the first set", from.from);
            return Err(fail("set_mismatch", message).with_help("export sets of different data with one node each"));
        }
    }
    Ok(())
}

/// What the manifest says of the preprocessing; whitening matrices become a file of their own.
fn preprocessing(
    note: &PreprocessingNote,
    data: Option<&Dataset>,
    inputs: &Inputs,
    files: &mut Files,
) -> NodeResult<Value> {
    let mut described = serde_json::to_value(note).during("describing the preprocessing")?;
    if !matches!(note, PreprocessingNote::Zca { .. }) {
        return Ok(described);
    }
    let matching = data.filter(|data| data.preprocessing_digest() == note.digest());
    let Some(Normalization::Zca(zca)) = matching.map(|data| data.preprocessing().normalization()) else {
        let from = inputs.port("sets").first().map_or_else(String::new, |set| format!(" of `{}`", set.from));
        let message = format!("the sets{from} are whitened, and nobody can train on them without the whitening");
        return Err(fail("data_needed", message)
            .with_help("wire its data set: `needs: { sets: ..., data: <the dataset node> }`"));
    };
    insert(files, "zca.safetensors", zca.to_safetensors()?)?;
    described["file"] = json!("zca.safetensors");
    Ok(described)
}

fn write_pictures(entry: &Entry<'_>, shown: &Pixels, files: &mut Files) -> NodeResult<()> {
    let size = shown.size;
    for (class, rows) in shown.class_rows.iter().enumerate() {
        let name = entry.set.info.class_names.get(class).map_or_else(String::new, |name| file_stem(name));
        for (number, row) in rows.iter().enumerate() {
            let picture = png(shown.image(*row), size.width, size.height, size.channels)?;
            insert(files, format!("{}png/{class:03}-{name}/{number:04}.png", entry.folder), picture)?;
        }
    }
    Ok(())
}

fn insert(files: &mut Files, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> NodeResult<()> {
    files.insert(name, bytes).map_err(|error: FileNameError| NodeError::internal(error.to_string()))
}
