//! `README.md`.

use std::fmt::Write as _;

use serde_json::Value;

use super::manifest::Entry;
use crate::artifact::PreprocessingNote;

/// How to train on the sets, for somebody who has never seen them.
pub(super) fn readme(entries: &[Entry<'_>], class_names: &[String], preprocessing: &PreprocessingNote) -> String {
    let mut text = String::new();
    let source = entries.first().map_or("", |entry| entry.set.info.source.as_str());
    let _ = write!(
        text,
        "# Distilled images of {source}\n\n\
         Small synthetic (or selected) sets on which nets are trained in place of the real data. `manifest.json` has\n\
         everything below in a form for programs.\n\n\
         | set | method | stage | images | file |\n|---|---|---|---|---|\n"
    );
    for (number, entry) in entries.iter().enumerate() {
        let (info, rows) = (&entry.set.info, entry.set.rows());
        let method = info.method.replace('|', "\\|");
        let _ = writeln!(
            text,
            "| {} | {method} | {} | {rows} | `{}images.safetensors` |",
            number + 1,
            info.stage,
            entry.folder
        );
    }
    let _ =
        writeln!(text, "\n{} classes, in the order of their numbers: {}.", class_names.len(), class_names.join(", "));
    text.push_str(&preprocessing_text(preprocessing));
    text.push_str(&training_text(entries));
    text.push_str(LOADING);
    text.push_str(
        "\n## Pictures\n\nThe PNG files show the images with the normalisation undone and cut to 0..255. Rounding and \
         cutting lose\ninformation: train on `images.safetensors`.\n",
    );
    text
}

const LOADING: &str = r#"
## Loading

```python
import json
from safetensors.numpy import load_file

manifest = json.load(open("manifest.json"))
for entry in manifest["sets"]:
    tensors = load_file(entry["file"])
    images, labels = tensors["images"], tensors["labels"]   # [n, c, h, w], [n] or [n, class]
```

With PyTorch, `from safetensors.torch import load_file`.
"#;

fn preprocessing_text(preprocessing: &PreprocessingNote) -> String {
    let how = match preprocessing {
        PreprocessingNote::None { .. } => {
            "Pixels are numbers from 0 to 1 (byte / 255); nothing else is done.".to_owned()
        }
        PreprocessingNote::Standard { mean, std, .. } => {
            format!("`x = (byte / 255 - mean) / std` for each channel, with mean {mean:?} and std {std:?}.")
        }
        PreprocessingNote::Zca { epsilon, .. } => format!(
            "ZCA whitening (epsilon {epsilon}): `x = (flatten(byte / 255) - mean) @ transform`, with `mean` and `transform` from\n\
             `zca.safetensors`; images are flattened as channel, row, column."
        ),
    };
    format!(
        "\n## Preprocessing\n\nThe images are already preprocessed. **Do the same to the real test images**, or accuracy is lost:\n\n{how}\n\n\
         Digest of the preprocessing: `{}`.\n",
        preprocessing.digest()
    )
}

fn training_text(entries: &[Entry<'_>]) -> String {
    let mut text = "\n## Training\n\n".to_owned();
    if entries.len() > 1 {
        text.push_str(
            "Progressive: start from a random net, train on set 1; go on with the same net on sets 1 and 2 together, and so\n\
             on. Training on all sets at once from a random net is another protocol with other accuracy.\n\n",
        );
    }
    for (number, entry) in entries.iter().enumerate() {
        let _ = writeln!(text, "Set {}:\n", number + 1);
        if let Some(step_size) = entry.set.step_size {
            let _ = writeln!(text, "- learned step size: {step_size}");
        }
        match entry.set.info.recipe.as_object() {
            Some(recipe) if !recipe.is_empty() => {
                for (name, value) in recipe {
                    let _ = writeln!(text, "- {name}: {}", plain(value));
                }
            }
            _ if entry.set.step_size.is_none() => {
                text.push_str("- no recipe of its own: train with the recipe of the method you compare with\n");
            }
            _ => {}
        }
        text.push('\n');
    }
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), str::to_owned)
}
