//! A set of others as one of ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{Dataset, DistilledSet, PreprocessingNote, SetInfo};
use pddflow_data::foreign::{Array, Number, Pictures};
use pddflow_host::Labels;
use pddflow_runner::{NodeContext, NodeError};
use pddflow_tensor::{Device, Tensor};
use serde_json::{Value, json};

use super::classes::numbers_in_data;
use super::images::images;
use super::params::{ImportParams, SoftLabels, Values};
use super::parts::Parts;

/// Probabilities of an image may miss the sum 1 by this: they are stored in half or single precision.
const SUM_SLACK: f64 = 0.01;
/// Name of the method where the file has none.
const IMPORTED: &str = "imported";

/// The set that these parts make for the data.
pub(super) fn set(
    parts: Parts,
    params: &ImportParams,
    data: &Dataset,
    made_by: Value,
    context: &NodeContext<'_>,
) -> NodeResult<DistilledSet> {
    let (size, classes) = (data.size(), data.classes());
    let array = parts.images.ok_or_else(|| missing("images"))?;
    let numbers = params.classes.as_ref().or(parts.class_names.as_ref());
    let numbers = numbers.map(|names| numbers_in_data(names, data.class_names())).transpose()?;
    let images = images(&array, size, params, data.preprocessing(), context)?;
    let rows = images.shape()[0];
    // The images of one cell have the labels of the stored ones.
    let cells = params.factor * params.factor;
    let labels = parts.labels.ok_or_else(|| missing("labels"))?;
    let labels = labels_of(&labels, rows / cells, classes, params.soft_labels)?;
    let labels = match numbers {
        Some(numbers) => renumbered(labels, &numbers),
        None => labels,
    };
    let labels = match labels {
        Given::Hard(labels) => Given::Hard(labels.repeat(cells)),
        Given::Soft(values, classes) => Given::Soft(values.repeat(cells), classes),
    };
    let (images, labels) = by_class(&images, labels, data, context)?;
    Ok(DistilledSet {
        images,
        labels,
        learnables: BTreeMap::new(),
        step_size: parts.learning_rate,
        info: SetInfo {
            method: params.method.clone().unwrap_or_else(|| IMPORTED.to_owned()),
            source: data.source().to_owned(),
            made_by,
            recipe: recipe(&Value::Null, params, parts.learning_rate)?,
            ipc: rows.div_ceil(classes.max(1)),
            stage: params.stage,
            class_names: data.class_names().to_vec(),
            class_ids: data.class_ids().cloned(),
            preprocessing: data.preprocessing().note(),
            real_images: None,
        },
    })
}

/// A set that this program wrote, for the data: as it is where classes and preprocessing agree, else brought to the data's.
pub(super) fn own_set(
    bytes: &[u8],
    params: &ImportParams,
    data: &Dataset,
    made_by: &Value,
    context: &NodeContext<'_>,
) -> NodeResult<DistilledSet> {
    let mut own = DistilledSet::decode(bytes)?;
    let told = params.values.is_some() || params.classes.is_some() || params.soft_labels != SoftLabels::Probabilities;
    if told || params.factor != 1 {
        return Err(fail(
            "import_content",
            "the file says itself how its images are normalised and what its classes are; they are decoded",
        )
        .with_help("leave `values`, `classes`, `soft_labels` and `factor` out"));
    }
    if own.size() != data.size() {
        let shown = |size: pddflow_artifact::ImageSize| format!("{}x{}x{}", size.channels, size.height, size.width);
        let message = format!("the set has images of {}, the data {}", shown(own.size()), shown(data.size()));
        return Err(fail("import_shape", message).with_help("wire the data that the set was made from"));
    }
    let same = own.info.class_names == data.class_names()
        && own.info.class_ids.as_ref() == data.class_ids()
        && own.info.preprocessing.digest() == data.preprocessing_digest();
    let recipe = recipe(&own.info.recipe, params, own.step_size)?;
    let method = params.method.clone().unwrap_or_else(|| own.info.method.clone());
    let made_by = json!({ "kind": "import", "import": made_by, "of": own.info.made_by });
    if same {
        own.info = SetInfo { method, made_by, recipe, source: data.source().to_owned(), ..own.info };
        return Ok(own);
    }
    let values = match &own.info.preprocessing {
        PreprocessingNote::None { .. } => Values::Pixels,
        PreprocessingNote::Standard { mean, std, .. } => Values::Standard { mean: mean.clone(), std: std.clone() },
        PreprocessingNote::Zca { digest, .. } if *digest == data.preprocessing_digest() => Values::Normalised,
        PreprocessingNote::Zca { .. } => {
            return Err(fail("import_values", "the set is whitened, and not by the whitening of these data")
                .with_help("wire the `dataset` node that the set was made from, with its `normalize: zca`"));
        }
    };
    if !own.learnables.is_empty() {
        context.warn("what was learned is left out of the imported set: its images are brought to other data");
    }
    let (ipc, stage) = (own.info.ipc, own.info.stage);
    let parts = Parts {
        images: Some(array(&own.images)?),
        labels: Some(array(own.labels.tensor())?),
        learning_rate: own.step_size,
        class_names: Some(own.info.class_names.clone()),
    };
    let params = ImportParams { values: Some(values), ..params.clone() };
    let made = set(parts, &params, data, made_by, context)?;
    Ok(DistilledSet { info: SetInfo { method, recipe, ipc, stage, ..made.info }, ..made })
}

/// Pictures as parts of a set: the folders are the classes.
pub(super) fn of_pictures(pictures: Pictures) -> NodeResult<Parts> {
    let size = pictures.size;
    let rows = pictures.images.labels.len();
    let labels: Vec<u8> = pictures.images.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    let shape = vec![rows, size.channels, size.height, size.width];
    let array = |shape, number, bytes| {
        Array::new(shape, number, Arc::new(bytes), 0).ok_or_else(|| NodeError::internal("pictures have fewer pixels"))
    };
    Ok(Parts {
        images: Some(array(shape, Number::U8, pictures.images.pixels)?),
        labels: Some(array(vec![rows], Number::U16, labels)?),
        learning_rate: None,
        class_names: Some(pictures.folders),
    })
}

fn missing(what: &str) -> NodeError {
    fail("import_content", format!("there are no {what} in the files"))
        .with_help("name all files of the set: `from: [images_best.pt, labels_best.pt, lr.pt]`")
}

fn array(tensor: &Tensor) -> NodeResult<Array> {
    let doing = "reading a set";
    let (number, bytes) = match tensor.dtype() {
        pddflow_tensor::DType::I64 => {
            (Number::I64, tensor.to_i64_vec().during(doing)?.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        _ => (Number::F64, tensor.to_f64_vec().during(doing)?.iter().flat_map(|value| value.to_le_bytes()).collect()),
    };
    Array::new(tensor.shape().to_vec(), number, Arc::new(bytes), 0)
        .ok_or_else(|| NodeError::internal("a tensor has fewer numbers than its shape says"))
}

/// What the set says of how to train on it: what it says already, a learning rate that came with it, and over both what the
/// pipeline says.
fn recipe(own: &Value, params: &ImportParams, learned: Option<f64>) -> NodeResult<Value> {
    let mut recipe = own.as_object().cloned().unwrap_or_default();
    if let Some(learned) = learned {
        recipe.entry("lr").or_insert_with(|| json!("learned"));
        recipe.entry("step_sizes").or_insert_with(|| json!([learned]));
    }
    let given = params.recipe.given()?;
    if !given.is_empty() {
        recipe.insert("given".to_owned(), given.keys().cloned().collect());
    }
    recipe.extend(given);
    Ok(recipe.into())
}

/// Labels before they are a tensor.
enum Given {
    Hard(Vec<usize>),
    /// Row-major `[n, class]`.
    Soft(Vec<f64>, usize),
}

fn labels_of(labels: &Array, rows: usize, classes: usize, soft: SoftLabels) -> NodeResult<Given> {
    let shape = labels.shape();
    if shape == [rows, classes] && !(labels.number().is_whole() && classes == 1) {
        return soft_labels(labels.to_f64(), classes, soft);
    }
    // Some stores keep a column, and class and place in two axes.
    if labels.elements() != rows || shape.len() > 2 || !labels.number().is_whole() {
        let message = format!("the labels are {shape:?}, for {rows} images of {classes} classes");
        return Err(fail("import_shape", message)
            .with_help("labels are whole numbers `[n]`, or probabilities `[n, class]` with a column for each class"));
    }
    let label = |(row, label): (usize, f64)| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be the number of a class"
        )]
        match label {
            label if label >= 0.0 && label < classes as f64 => Ok(label as usize),
            _ => Err(fail(
                "import_labels",
                format!("image {row} has the label {label}, and there are {classes} classes, from 0"),
            )
            .with_help(
                "wire the data that the set was made from; labels that count from 1 must be made to count from 0",
            )),
        }
    };
    labels.to_f64().into_iter().enumerate().map(label).collect::<NodeResult<Vec<usize>>>().map(Given::Hard)
}

fn soft_labels(mut values: Vec<f64>, classes: usize, soft: SoftLabels) -> NodeResult<Given> {
    for (image, row) in values.chunks_exact_mut(classes).enumerate() {
        let sum: f64 = row.iter().sum();
        match soft {
            _ if !sum.is_finite() => {
                return Err(fail("import_labels", format!("the labels of image {image} are not finite"))
                    .with_help("the set is damaged; get it again"));
            }
            SoftLabels::Logits => {
                let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                row.iter_mut().for_each(|value| *value = libm::exp(*value - most));
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|value| *value /= sum);
            }
            SoftLabels::Probabilities
                if (sum - 1.0).abs() > SUM_SLACK || row.iter().any(|value| *value < -SUM_SLACK) =>
            {
                let message = format!("the labels of image {image} are no probabilities: their sum is {sum:.4}");
                return Err(fail("import_labels", message)
                    .with_help("give `soft_labels: logits` where they are logits, as in DATM"));
            }
            SoftLabels::Probabilities => {}
        }
    }
    Ok(Given::Soft(values, classes))
}

/// Labels by the numbers that the data's classes have; `numbers[k]` is that of the file's class k.
fn renumbered(labels: Given, numbers: &[usize]) -> Given {
    match labels {
        Given::Hard(labels) => Given::Hard(labels.into_iter().map(|label| numbers[label]).collect()),
        Given::Soft(values, classes) => {
            let mut out = vec![0.0; values.len()];
            for (from, to) in values.chunks_exact(classes).zip(out.chunks_exact_mut(classes)) {
                from.iter().zip(numbers).for_each(|(value, class)| to[*class] = *value);
            }
            Given::Soft(out, classes)
        }
    }
}

/// Images of hard labels class by class, as sets have them; those of soft ones as they are.
fn by_class(images: &Tensor, labels: Given, data: &Dataset, context: &NodeContext<'_>) -> NodeResult<(Tensor, Labels)> {
    let doing = "ordering imported images";
    let (rows, classes) = (images.shape()[0], data.classes());
    let hard = match labels {
        Given::Hard(hard) => hard,
        Given::Soft(values, classes) => {
            #[expect(clippy::cast_possible_truncation, reason = "sets are stored in single precision")]
            let values = values.into_iter().map(|value| value as f32).collect();
            let soft = Tensor::from_f32(values, &[rows, classes], &Device::Cpu).during(doing)?;
            return Ok((images.clone(), Labels::Soft(soft)));
        }
    };
    let counts: Vec<usize> = (0..classes).map(|class| hard.iter().filter(|label| **label == class).count()).collect();
    if let Some(class) = counts.iter().position(|count| *count == 0) {
        let message = format!("no image is of class {class} (`{}`)", data.class_names()[class]);
        return Err(fail("import_labels", message)
            .with_help("wire the data that the set was made from; a `classes` node takes a part of its classes"));
    }
    if counts.iter().any(|count| *count != counts[0]) {
        let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
        context.warn(format!(
            "classes have from {least} to {most} images; `split` and numbers of images per class go by their mean"
        ));
    }
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by_key(|row| hard[*row]);
    let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let index =
        Tensor::from_i64(order.iter().map(|row| number(*row)).collect(), &[rows], &Device::Cpu).during(doing)?;
    let labels = order.iter().map(|row| number(hard[*row])).collect();
    let labels = Tensor::from_i64(labels, &[rows], &Device::Cpu).during(doing)?;
    Ok((images.gather(0, &index).during(doing)?, Labels::Hard(labels)))
}
