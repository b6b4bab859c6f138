//! The layout of Hugging Face's data sets: a card, and a Parquet file that `datasets` loads by itself.

use std::fmt::Write as _;

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_artifact::{Files, Pixels};
use pddflow_data::{HubRow, hub_parquet};
use pddflow_host::Labels;
use serde_json::Value;

use super::entry::Entry;
use pddflow_figures::png;

/// Where the rows are.
pub(super) const ROWS: &str = "data/train.parquet";
/// Licences as the hub calls them, and the words by which ours are known.
const LICENSES: [(&str, &str); 2] = [("MIT License", "mit"), ("CC BY-SA 3.0", "cc-by-sa-3.0")];

/// The rows of a set, the number of which counts from 1.
pub(super) fn rows(number: usize, entry: &Entry<'_>, shown: &Pixels) -> NodeResult<Vec<HubRow>> {
    let doing = "reading a set";
    let (set, size) = (entry.set, shown.size);
    let values = set.images.to_f64_vec().during(doing)?;
    let soft = match &set.labels {
        Labels::Soft(labels) => labels.to_f64_vec().during(doing)?,
        Labels::Hard(_) => Vec::new(),
    };
    let hard = set.hard_labels().during(doing)?;
    let row = |(row, (values, label)): (usize, (&[f64], usize))| {
        let probabilities = soft.chunks_exact(set.classes().max(1)).nth(row).unwrap_or_default();
        Ok(HubRow {
            picture: png(shown.image(row), size.width, size.height, size.channels)?,
            label: i64::try_from(label).unwrap_or(i64::MAX),
            set: i64::try_from(number).unwrap_or(i64::MAX),
            values: single(values),
            probabilities: single(probabilities),
        })
    };
    values.chunks_exact(size.elements().max(1)).zip(hard).enumerate().map(row).collect()
}

/// Adds the Parquet file.
pub(super) fn insert(rows: &[HubRow], class_names: &[String], files: &mut Files) -> NodeResult<()> {
    let bytes = hub_parquet(rows, class_names)?;
    files.insert(ROWS, bytes).map_err(|error| pddflow_runner::NodeError::internal(error.to_string()))
}

/// What stands above the text of `README.md`: what the hub and `datasets` read of it.
pub(super) fn front_matter(entries: &[Entry<'_>], license: Option<&str>, rows: usize) -> String {
    let first = entries.first();
    let source = first.map_or("", |entry| entry.set.info.source.as_str());
    let mut methods: Vec<&str> = entries.iter().map(|entry| entry.set.info.method.as_str()).collect();
    methods.dedup();
    let known = license.and_then(|text| LICENSES.iter().find(|(words, _)| text.contains(words)));
    let license_id = match (license, known) {
        (_, Some((_, id))) => id,
        (Some(_), None) => "other",
        (None, None) => "unknown",
    };
    let mut text = format!("---\npretty_name: {}\n", quoted(&format!("{source}, distilled by {}", methods.join(", "))));
    let _ = writeln!(text, "license: {license_id}");
    if let (Some(license), "other") = (license, license_id) {
        let _ = writeln!(text, "license_name: {}", quoted(license));
    }
    text.push_str("task_categories:\n- image-classification\ntags:\n- dataset-distillation\n- pddflow\n");
    let _ = writeln!(text, "size_categories:\n- {}", size_category(rows));
    let _ =
        writeln!(text, "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {ROWS}\n---\n");
    text
}

/// How the file is loaded, below the rest of `README.md`.
pub(super) const LOADING: &str = r#"
## Hugging Face

```python
from datasets import load_dataset

rows = load_dataset(".")["train"]   # or the name that this has on the hub
```

`values` of a row are the numbers to train on, channel after channel, row after row; `image` shows them as a picture. Sets are numbered
by `set`, in the order of their training.
"#;

fn size_category(rows: usize) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        _ => "100K<n<1M",
    }
}

/// A text in YAML, whatever is in it: the quoted texts of JSON are such.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn single(values: &[f64]) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "nets see single precision")]
    values.iter().map(|value| *value as f32).collect()
}
