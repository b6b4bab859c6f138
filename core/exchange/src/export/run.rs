//! The files of an exported folder.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{
    Dataset, DistilledSet, FileNameError, Files, Normalization, Pixels, PreprocessingNote, file_stem,
};
use pddflow_figures::images::{set_names, show};
use pddflow_figures::png;
use pddflow_runner::{Artifact, NodeContext, NodeError};
use pddflow_training::recipe::{OTHER_RECIPES, Preset, ProtocolParams, recipes_differ};
use serde_json::{Value, json};

use super::entry::Entry;
use super::hub;
use super::manifest::manifest;
use super::params::{ExportParams, Layout};
use super::readme::{About, readme};
use super::training::Plan;

/// A training script that needs only PyTorch and NumPy.
const TRAIN: &str = include_str!("train.py");

/// The folder with these sets, which come `from` where messages say; `data` are needed for whitened sets only.
///
/// # Errors
/// The sets cannot be trained on together, or a whitening is missing.
pub fn files(
    (sets, from): (&[DistilledSet], &[Artifact]),
    data: Option<&Dataset>,
    (protocol, params): (&ProtocolParams, &ExportParams),
    context: &NodeContext<'_>,
) -> NodeResult<Files> {
    let first = sets.first().ok_or_else(|| NodeError::internal("port `sets` takes at least one set"))?;
    check_alike(first, sets, from)?;
    let names = set_names(sets);
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
    let preprocessing = preprocessing(&first.info.preprocessing, data, from, &mut files)?;
    let license = data.and_then(Dataset::license);
    let carried: Vec<&Value> = sets.iter().map(|set| &set.info.recipe).collect();
    if protocol.recipe == Preset::Own && recipes_differ(&carried) {
        context.warn(OTHER_RECIPES);
    }
    let plan = Plan::new(&entries, protocol, params.training)?;
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
    for ((number, entry), from) in entries.iter().enumerate().zip(from) {
        if context.cancelled() {
            return Err(NodeError::cancelled());
        }
        insert(&mut files, format!("{}images.safetensors", entry.folder), entry.set.encode()?)?;
        match params.layout {
            Layout::HuggingFace => {
                rows.extend(hub::rows(number + 1, entry, &show(entry.set, from, data)?)?);
            }
            Layout::Folder if params.pictures => {
                write_pictures(entry, &show(entry.set, from, data)?, &mut files)?;
            }
            Layout::Folder => {}
        }
    }
    if params.layout == Layout::HuggingFace {
        hub::insert(&rows, &first.info.class_names, &mut files)?;
    }
    Ok(files)
}

/// All sets must be trainable together.
fn check_alike(first: &DistilledSet, sets: &[DistilledSet], from: &[Artifact]) -> NodeResult<()> {
    for (set, from) in sets.iter().zip(from) {
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
    from: &[Artifact],
    files: &mut Files,
) -> NodeResult<Value> {
    let mut described = serde_json::to_value(note).during("describing the preprocessing")?;
    if !matches!(note, PreprocessingNote::Zca { .. }) {
        return Ok(described);
    }
    let matching = data.filter(|data| data.preprocessing_digest() == note.digest());
    let Some(Normalization::Zca(zca)) = matching.map(|data| data.preprocessing().normalization()) else {
        let from = from.first().map_or_else(String::new, |set| format!(" of `{}`", set.from));
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
