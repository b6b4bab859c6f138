//! Image folders: one folder for each class, with or without `train` and `test` above.

use std::path::{Path, PathBuf};

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_runner::NodeContext;
use pddflow_tensor::RandomKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digests::DataFile;
use crate::picture::{Encoded, decode_all, unify};
use crate::places::Places;
use crate::raw::{RawData, missing, read_file, shown, unreadable};

/// File endings that are read.
const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];
/// File endings of pictures that are not read: they are named instead of silently left out.
const OTHER_PICTURES: [&str; 7] = ["bmp", "gif", "webp", "tif", "tiff", "ppm", "pgm"];
/// Names of the folder with the test images, most wanted first.
const TEST_FOLDERS: [&str; 3] = ["test", "val", "validation"];

/// Parameters of the source `image-folder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageFolder {
    /// Folder with `train` and `test` (or `val`), each with one folder per class; or with the class folders themselves.
    path: String,
    /// Without a test folder: part of each class that becomes test images, 0 to 1 (exclusive). Default: no test images.
    #[serde(default)]
    test_fraction: f64,
    /// Decides which images that are.
    #[serde(default)]
    split_seed: u64,
    /// Side in pixels that every image is brought to: the shorter side is scaled, the middle is taken.
    #[serde(default)]
    resize: Option<usize>,
}

/// A picture file with its class.
#[derive(Clone, Debug)]
pub(crate) struct PictureFile {
    role: String,
    path: PathBuf,
    label: u16,
}

impl Encoded for PictureFile {
    fn name(&self) -> String {
        shown(&self.path)
    }

    fn with_bytes<T>(&self, work: impl FnOnce(&[u8]) -> NodeResult<T>) -> NodeResult<T> {
        work(&read_file(&self.path)?)
    }

    fn label(&self) -> u16 {
        self.label
    }
}

/// Pictures of both splits.
#[derive(Clone, Debug)]
pub(crate) struct Found<P = PictureFile> {
    pub(crate) class_names: Vec<String>,
    pub(crate) train: Vec<P>,
    pub(crate) test: Vec<P>,
}

impl Found {
    pub(crate) fn files(self) -> Vec<DataFile> {
        self.train.into_iter().chain(self.test).map(|file| DataFile::new(file.role, file.path)).collect()
    }
}

impl<P: Encoded> Found<P> {
    /// Decodes them all.
    pub(crate) fn read(self, resize: Option<usize>, context: &NodeContext<'_>) -> NodeResult<RawData> {
        let pictures = (decode_all(&self.train, resize, context)?, decode_all(&self.test, resize, context)?);
        let (size, train, test) = unify((&self.train, pictures.0), (&self.test, pictures.1))?;
        Ok(RawData { size, train, test, class_names: self.class_names })
    }
}

impl ImageFolder {
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        if !(0.0..1.0).contains(&self.test_fraction) {
            return Some(("test_fraction", "it must be at least 0 and below 1"));
        }
        self.resize.filter(|side| *side == 0).map(|_| ("resize", "a side must have at least 1 pixel"))
    }

    pub(crate) fn files(&self, places: &Places) -> NodeResult<Vec<DataFile>> {
        Ok(self.find(places)?.files())
    }

    pub(crate) fn read(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        self.find(places)?.read(self.resize, context)
    }

    fn find(&self, places: &Places) -> NodeResult<Found> {
        let root = places.find(&self.path)?;
        let train_root = root.join("train");
        if !train_root.is_dir() {
            return self.split(&root);
        }
        let class_names = class_folders(&train_root)?;
        let train = pictures_by_class(&train_root, "train", &class_names)?;
        let Some(test_root) = TEST_FOLDERS.iter().map(|name| root.join(name)).find(|path| path.is_dir()) else {
            return Ok(Found { class_names, train, test: Vec::new() });
        };
        for name in class_folders(&test_root)? {
            if !class_names.contains(&name) {
                let message =
                    format!("{} is a class that the training images do not have", shown(&test_root.join(name)));
                return Err(
                    fail("data_class", message).with_help("training and test folders must name the same classes")
                );
            }
        }
        let tested: Vec<String> = class_names.iter().filter(|name| test_root.join(name).is_dir()).cloned().collect();
        let mut test = pictures_by_class(&test_root, "test", &tested)?;
        for file in &mut test {
            // Labels so far count the classes that have test images.
            let name = &tested[usize::from(file.label)];
            file.label = label_of(class_names.iter().position(|class| class == name).unwrap_or(0))?;
        }
        Ok(Found { class_names, train, test })
    }

    /// Splits the files of each class by a permutation that only the seed and the class's name decide.
    fn split(&self, root: &Path) -> NodeResult<Found> {
        let class_names = class_folders(root)?;
        let mut found = Found { train: Vec::new(), test: Vec::new(), class_names };
        let all = pictures_by_class(root, "all", &found.class_names)?;
        for files in all.chunk_by(|a, b| a.label == b.label) {
            let name = &found.class_names[usize::from(files[0].label)];
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a count")]
            let count = (files.len() as f64 * self.test_fraction).round() as usize;
            let order = RandomKey::new(self.split_seed).fold("test split").fold(name).permutation(files.len());
            let mut is_test = vec![false; files.len()];
            order.into_iter().take(count).for_each(|place| is_test[place] = true);
            for (file, is_test) in files.iter().zip(is_test) {
                if is_test { found.test.push(file.clone()) } else { found.train.push(file.clone()) }
            }
        }
        Ok(found)
    }
}

/// The pictures of a folder with one folder for each class, as training images.
pub(crate) fn class_pictures(root: &Path) -> NodeResult<Found> {
    let class_names = class_folders(root)?;
    let train = pictures_by_class(root, "all", &class_names)?;
    Ok(Found { class_names, train, test: Vec::new() })
}

/// Names of the folders in a folder, sorted; at least one.
fn class_folders(root: &Path) -> NodeResult<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(root).map_err(|error| unreadable(root, error))? {
        let entry = entry.map_err(|error| unreadable(root, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(missing(&root.join("<class>"), "a folder like")
            .with_help("the folder must have one folder with pictures for each class"));
    }
    Ok(names)
}

/// The pictures below `root` class by class, each class in the order of the file names; every class has at least one.
fn pictures_by_class(root: &Path, side: &str, classes: &[String]) -> NodeResult<Vec<PictureFile>> {
    let mut files = Vec::new();
    for (class, name) in classes.iter().enumerate() {
        let label = label_of(class)?;
        let before = files.len();
        for (file, path) in pictures_in(&root.join(name))? {
            files.push(PictureFile { role: format!("{side}/{name}/{file}"), path, label });
        }
        if files.len() == before {
            let message = format!("the class folder {} has no PNG or JPEG picture", shown(&root.join(name)));
            return Err(
                fail("data_empty", message).with_help("remove the folder, or put the pictures of the class into it")
            );
        }
    }
    Ok(files)
}

/// Names and paths of the pictures directly in a folder, sorted.
pub(crate) fn pictures_in(folder: &Path) -> NodeResult<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if OTHER_PICTURES.contains(&ending.as_str()) {
            return Err(fail("data_format", format!("{} is a picture of a kind that is not read", shown(&path)))
                .with_help("convert it to PNG or JPEG, or move it away"));
        }
        if PICTURES.contains(&ending.as_str()) && !name.starts_with('.') {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

/// A class number as a label.
pub(crate) fn label_of(class: usize) -> NodeResult<u16> {
    u16::try_from(class).map_err(|_| {
        fail("data_class", "there are more than 65,536 classes").with_help("each folder is one class: check the path")
    })
}
