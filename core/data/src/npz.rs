//! Images and labels as arrays: NumPy's `.npz` with the names that Keras, MedMNIST and others give.

use std::path::Path;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ImageSize, LabelledImages};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digests::DataFile;
use crate::foreign::{Array, Foreign, Number, read};
use crate::places::Places;
use crate::raw::{RawData, check_label, numbered, read_file, shown};

/// Names of the arrays, most wanted first.
const TRAIN_IMAGES: [&str; 4] = ["x_train", "train_images", "images", "x"];
const TRAIN_LABELS: [&str; 4] = ["y_train", "train_labels", "labels", "y"];
const TEST_IMAGES: [&str; 2] = ["x_test", "test_images"];
const TEST_LABELS: [&str; 2] = ["y_test", "test_labels"];
const CLASS_NAMES: &str = "class_names";

/// Parameters of the source `npz`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Npz {
    /// File with `x_train`, `y_train` and possibly `x_test`, `y_test` (or `train_images`, ...; or `images`, `labels`). Images are
    /// bytes `[n, row, column]`, `[n, row, column, channel]` or `[n, channel, row, column]`. Arrays of these names in safetensors or
    /// `.pt` are read too.
    path: String,
    /// One name for each class; default: the array `class_names`, else the numbers up to the largest label.
    #[serde(default)]
    class_names: Option<Vec<String>>,
}

impl Npz {
    pub(crate) fn files(&self, places: &Places) -> NodeResult<Vec<DataFile>> {
        Ok(vec![DataFile::new("arrays", places.find(&self.path)?)])
    }

    pub(crate) fn read(&self, places: &Places) -> NodeResult<RawData> {
        let path = places.find(&self.path)?;
        let found = read(&shown(&path), &read_file(&path)?)?;
        let side = |images: &[&str], labels: &[&str]| -> NodeResult<Option<(Array, Array)>> {
            let Some(images) = array(&found, images, &path)? else { return Ok(None) };
            let labels = array(&found, labels, &path)?.ok_or_else(|| absent(&found, labels, &path))?;
            Ok(Some((images, labels)))
        };
        let train = side(&TRAIN_IMAGES, &TRAIN_LABELS)?.ok_or_else(|| absent(&found, &TRAIN_IMAGES, &path))?;
        let test = side(&TEST_IMAGES, &TEST_LABELS)?;
        let all_labels = std::iter::once(&train.1).chain(test.iter().map(|side| &side.1));
        let largest = all_labels.flat_map(Array::to_f64).fold(0.0_f64, f64::max);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "kept below the number of labels there are"
        )]
        let count = largest.min(f64::from(u16::MAX)) as usize + 1;
        let own = found.entry(CLASS_NAMES).and_then(Foreign::texts);
        let class_names = self.class_names.clone().or(own).unwrap_or_else(|| numbered(count));
        let (size, train) = images(train, &class_names, &path)?;
        let test = match test.map(|side| images(side, &class_names, &path)).transpose()? {
            Some((other, _)) if other != size => {
                return Err(fail("data_size", format!("{}: training and test images have not one size", shown(&path)))
                    .with_help("all images must have one size"));
            }
            Some((_, test)) => test,
            None => LabelledImages::default(),
        };
        Ok(RawData { size, train, test, class_names })
    }
}

fn array(found: &Foreign, names: &[&str], path: &Path) -> NodeResult<Option<Array>> {
    match names.iter().find_map(|name| found.entry(name).map(|value| (name, value))) {
        None => Ok(None),
        Some((_, Foreign::Array(array))) => Ok(Some(array.clone())),
        Some((name, other)) => {
            let message = format!("{}: `{name}` is {}, and no array of numbers", shown(path), other.shown());
            Err(fail("data_column", message).with_help("save images and labels as arrays of numbers"))
        }
    }
}

fn absent(found: &Foreign, names: &[&str], path: &Path) -> pddflow_runner::NodeError {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("{} has no array {}; it is {}", shown(path), names.join(" or "), found.shown());
    fail("data_column", message).with_help("call the arrays `x_train`, `y_train`, `x_test` and `y_test`")
}

fn images(
    (images, labels): (Array, Array),
    class_names: &[String],
    path: &Path,
) -> NodeResult<(ImageSize, LabelledImages)> {
    let wrong =
        |message: String, help: &str| Err(fail("data_format", format!("{}: {message}", shown(path))).with_help(help));
    if images.number() != Number::U8 {
        let message = format!("the images are numbers of the type {:?}", images.number());
        return wrong(
            message,
            "save pixels as unsigned bytes: `(x * 255).round().astype('uint8')` for numbers from 0 to 1",
        );
    }
    let (rows, size, channels_last) = match *images.shape() {
        [n, height, width] => (n, ImageSize { channels: 1, height, width }, false),
        [n, height, width, channels @ (1 | 3)] => (n, ImageSize { channels, height, width }, true),
        [n, channels @ (1 | 3), height, width] => (n, ImageSize { channels, height, width }, false),
        _ => {
            let message = format!("the images are {:?}", images.shape());
            return wrong(message, "images are [n, row, column], with 1 or 3 channels last, or first after n");
        }
    };
    if size.elements() == 0 || !matches!(labels.shape(), [n] | [n, 1] if *n == rows) || !labels.number().is_whole() {
        let message = format!("images {:?} and labels {:?} do not go together", images.shape(), labels.shape());
        return wrong(message, "labels are whole numbers, one for each image");
    }
    let pixels = match channels_last {
        true => images
            .bytes()
            .chunks_exact(size.elements())
            .flat_map(|image| {
                (0..size.channels).flat_map(move |channel| image.iter().skip(channel).step_by(size.channels))
            })
            .copied()
            .collect(),
        false => images.bytes().to_vec(),
    };
    let label = |(row, value): (usize, f64)| {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number")]
        let whole = value as i64;
        check_label(whole, class_names.len(), &format_args!("{}, image {row}", shown(path)))
    };
    let labels = labels.to_f64().into_iter().enumerate().map(label).collect::<NodeResult<Vec<u16>>>()?;
    Ok((size, LabelledImages { pixels, labels }))
}
