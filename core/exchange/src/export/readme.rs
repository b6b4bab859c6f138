//! `README.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pddflow_artifact::PreprocessingNote;
use pddflow_training::segments::Training;
use serde_json::Value;

use super::augmentation::{augmentation, cutmix};
use super::entry::Entry;
use super::training::Plan;

/// What is said of the data.
pub(super) struct About<'a> {
    pub(super) class_names: &'a [String],
    pub(super) preprocessing: &'a PreprocessingNote,
    /// Of the source, where the data set is at hand and has one.
    pub(super) license: Option<&'a str>,
}

/// How to train on the sets, for a reader who has never seen them.
pub(super) fn readme(entries: &[Entry<'_>], about: &About<'_>, plan: &Plan) -> String {
    let About { class_names, preprocessing, license } = about;
    let mut text = String::new();
    let source = entries.first().map_or("", |entry| entry.set.info.source.as_str());
    let _ = write!(
        text,
        "# Distilled images of {source}\n\n\
         Small synthetic (or selected) sets on which nets are trained in place of the real data. `train.py` does it, with PyTorch and\n\
         NumPy alone: `python train.py --test test.npz`, where `test.npz` has the real test images (`python train.py --help`).\n\
         `manifest.json` has everything below in machine-readable form.\n\n\
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
    text.push_str(&decoded_text(entries));
    text.push_str(&license_text(source, *license));
    text.push_str(&preprocessing_text(preprocessing));
    text.push_str(&training_text(entries, plan));
    text.push_str(&net_text(entries));
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

/// What a reader who knows the methods' own file formats might apply a second time.
fn decoded_text(entries: &[Entry<'_>]) -> String {
    let decoded = |entry: &&Entry<'_>| {
        let learned = entry.set.learnables.get("images");
        learned.is_some_and(|learned| learned.shape() != entry.set.images.shape())
    };
    let mut text = String::new();
    for (number, entry) in entries.iter().enumerate().filter(|(_, entry)| decoded(entry)) {
        let learned = entry.set.learnables.get("images").map(|learned| learned.shape().to_vec()).unwrap_or_default();
        let _ = writeln!(
            text,
            "\nThe images of set {} are **decoded already**: `images` {:?} are what nets train on, made of the learned tensor `learnable.images`\n\
             {learned:?}, which is in the file too. There is nothing to be cut or resized.",
            number + 1,
            entry.set.images.shape(),
        );
    }
    text
}

fn license_text(source: &str, license: Option<&str>) -> String {
    match license {
        Some(license) => format!("\nLicence of the source, `{source}`: {license}.\n"),
        None => format!(
            "\nThe images are made from `{source}`; its licence is not recorded here. Ask for it where the data come from.\n"
        ),
    }
}

/// The nets by which the sets were made, and what the field's ConvNet is exactly.
fn net_text(entries: &[Entry<'_>]) -> String {
    let mut text = "\n## The net\n\n".to_owned();
    for (number, entry) in entries.iter().enumerate() {
        let model = &entry.set.info.made_by["model"];
        if model.is_object() {
            let _ = writeln!(text, "Set {} was made with the net `{model}`.", number + 1);
        }
    }
    text.push_str(NET);
    text
}

const NET: &str = "\
Any net may be trained on the sets. `convnet`, on which the field reports its numbers, is in `train.py`: `depth` (3) blocks of a convolution\n\
3x3 with `width` (128) filters and a bias, normalisation (`instance`: one group for each channel, with weight and bias, epsilon 1e-5), ReLU and\n\
average pooling 2x2; then one linear layer. The first convolution pads by 3 where images have one channel, so that 28x28 becomes 32x32; all\n\
others pad by 1. First weights and biases are uniform in +-1/sqrt(inputs of one output), as PyTorch draws them by itself; normalisations start\n\
at 1 and 0. Accuracy is that of the net after the last epoch, on all test images.\n";

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

fn training_text(entries: &[Entry<'_>], plan: &Plan) -> String {
    let mut text = "\n## Training\n\n".to_owned();
    text.push_str(&stages_text(plan));
    text.push_str(&rules_text(plan));
    for (number, entry) in entries.iter().enumerate() {
        let own = entry.set.info.recipe.as_object().filter(|own| !own.is_empty());
        if own.is_none() && entry.set.step_size.is_none() {
            continue;
        }
        let _ = writeln!(text, "\nSet {} says of itself:\n", number + 1);
        if let Some(step_size) = entry.set.step_size {
            let _ = writeln!(text, "- learned learning rate: {step_size}");
        }
        for (name, value) in own.into_iter().flatten() {
            let _ = writeln!(text, "- {name}: {}", plain(value));
        }
    }
    text
}

/// Sets that are trained on by scripts of steps.
fn scripts_text(plan: &Plan) -> String {
    let mut text = "\
Step by step: the images are of use in this order and at these learning rates only. Start from a random net (or from the one for which the\n\
sets were made, if that is known) and take the steps of set 1, each on its own rows of the set at its own learning rate; go on with the same\n\
net by the steps of set 2, and so on. Training on all images at once is another protocol with other accuracy. `steps` of each stage in\n\
`manifest.json` has the rows, counted from 0, and the learning rate of each step.\n\n\
| stage | set | groups of rows | steps | learning rates |\n|---|---|---|---|---|\n"
        .to_owned();
    for (number, stage) in plan.stages.iter().enumerate() {
        let steps = stage.script.iter().flat_map(|script| &script.steps);
        let (mut groups, mut count, mut least, mut most) = (BTreeSet::new(), 0, f64::INFINITY, 0.0_f64);
        for step in steps {
            groups.insert(&step.rows);
            count += 1;
            (least, most) = (least.min(step.lr), most.max(step.lr));
        }
        let (set, groups) = (stage.sets.first().unwrap_or(&0), groups.len());
        let _ = writeln!(text, "| {} | {set} | {groups} | {count} | {least} to {most} |", number + 1);
    }
    text.push_str(
        "\nThe groups of a set are gone through in their order, again and again until all steps are taken.\n",
    );
    text
}

fn stages_text(plan: &Plan) -> String {
    if plan.is_scripted() {
        return scripts_text(plan);
    }
    let mut text = String::new();
    text.push_str(match (plan.training, plan.stages.len()) {
        (Training::Progressive, 2..) => {
            "Progressive: start from a random net and train it on set 1; go on with the same net on sets 1 and 2 together, and\n\
             so on. Training on all sets at once from a random net is another protocol with other accuracy.\n\n"
        }
        (Training::Sequential, 2..) => {
            "Sequential: start from a random net and train it on set 1; go on with the same net on set 2 alone, and so on.\n\n"
        }
        _ => "Start from a random net and train it on all sets together.\n\n",
    });
    text.push_str("| stage | sets | images per class | learning rate | epochs |\n|---|---|---|---|---|\n");
    for (number, stage) in plan.stages.iter().enumerate() {
        let sets = match stage.sets[..] {
            [first, .., last] => format!("{first} to {last}"),
            [one] => one.to_string(),
            [] => String::new(),
        };
        let _ = writeln!(
            text,
            "| {} | {sets} | {} | {} | {} |",
            number + 1,
            stage.images_per_class,
            stage.lr,
            stage.epochs
        );
    }
    text
}

/// Changes of the learning rate that are told one by one.
const MOST_DROPS: usize = 4;

fn rules_text(plan: &Plan) -> String {
    let parameter = |name: &str| plain(&plan.parameters[name]);
    let mut text = format!(
        "\n{} (recipe `{}`): {} with momentum {} and weight decay {}, {} images in a step,\n\
         {}. {}.\n",
        if plan.is_scripted() { "Every step" } else { "Every stage" },
        parameter("recipe"),
        match parameter("optimizer").as_str() {
            "adam" => "Adam (the momentum is its first beta, 0.999 the second)",
            "adamw" => "AdamW (the momentum is its first beta, 0.999 the second)",
            _ => "stochastic gradient descent",
        },
        parameter("momentum"),
        parameter("weight_decay"),
        parameter("batch"),
        match parameter("loss").as_str() {
            "mse" => {
                "mean over the images of half the squared distance of the scores from the labels in the files, each less one over the number\n\
                 of classes, summed over the classes (class numbers stand for one-hot vectors)"
            }
            _ => "mean cross-entropy with labels as they are in the files (class numbers or probabilities)",
        },
        match plan.is_scripted() {
            true => "A script's step of more rows is several, in a random order",
            false => {
                "In each epoch each image is used once,\n\
                 in a new random order; the last step of an epoch may have fewer"
            }
        },
    );
    text.push_str(&augmentation(plan.parameters["augment"].as_str().unwrap_or("none")));
    text.push_str(&cutmix(plan.parameters["cutmix"].as_f64().unwrap_or(0.0)));
    if let Some(left) = plan.parameters["average"].as_f64().filter(|left| *left > 0.0) {
        let _ = write!(
            text,
            "The net that is tested has the average of the weights over all steps: after each step {left} of the average\n\
             and the rest of the weights; before the first one they are it.\n"
        );
    }
    text.push('\n');
    let alike = plan.stages.windows(2).all(|pair| pair[0].drops == pair[1].drops && pair[0].resets == pair[1].resets);
    let shown = if alike { 1 } else { plan.stages.len() };
    for (number, stage) in plan.stages.iter().take(shown).enumerate() {
        let whose = if alike { "the stage".to_owned() } else { format!("stage {}", number + 1) };
        if stage.drops.len() > MOST_DROPS {
            let _ = writeln!(
                text,
                "The learning rate follows the schedule `{}`: `lr_is_multiplied` of {whose} in `manifest.json` has what it is multiplied by from\n\
                 which epoch on.",
                parameter("schedule")
            );
        }
        for (epoch, factor) in stage.drops.iter().filter(|_| stage.drops.len() <= MOST_DROPS) {
            let _ = writeln!(
                text,
                "From epoch {epoch} of {whose} on (counted from 0), the learning rate is multiplied by {factor:.2}."
            );
        }
        for epoch in &stage.resets {
            let _ = writeln!(text, "The momentum is emptied before epoch {epoch} of {whose}.");
        }
    }
    let kept = if plan.carry_momentum { "is kept" } else { "is emptied" };
    if plan.is_scripted() {
        let _ = writeln!(text, "Between steps the momentum {kept}.");
    } else if plan.stages.len() > 1 {
        let _ = writeln!(text, "Between stages the momentum {kept}, and the learning rate starts over.");
    }
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), str::to_owned)
}
