//! `manifest.json`.

use pddflow_host::Labels;
use serde_json::{Value, json};

use super::entry::Entry;
use super::training::Plan;

/// Version of the manifest's layout.
const FORMAT: u32 = 4;

/// The manifest.
pub(super) fn manifest(
    entries: &[Entry<'_>],
    class_names: &[String],
    preprocessing: &Value,
    plan: &Plan,
    license: Option<&str>,
) -> Value {
    let sources: Vec<&str> = entries.iter().map(|entry| entry.set.info.source.as_str()).collect();
    json!({
        "format": FORMAT,
        "source": sources.first(),
        "source_license": license,
        "class_names": class_names,
        "preprocessing": preprocessing,
        "training": plan.json(&preprocessing["digest"]),
        "sets": entries.iter().map(set).collect::<Vec<Value>>(),
    })
}

fn set(entry: &Entry<'_>) -> Value {
    let (set, folder) = (entry.set, &entry.folder);
    json!({
        "method": set.info.method,
        "stage": set.info.stage,
        "images_per_class": set.info.ipc,
        "file": format!("{folder}images.safetensors"),
        "pictures": entry.pictures,
        "images": set.images.shape(),
        "labels": match &set.labels { Labels::Hard(_) => "class numbers", Labels::Soft(_) => "probabilities" },
        "step_size": set.step_size,
        "learnables": set.learnables.keys().collect::<Vec<_>>(),
        "recipe": set.info.recipe,
        "made_by": set.info.made_by,
    })
}
