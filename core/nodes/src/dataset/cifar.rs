//! The "binary version" of CIFAR-10 and CIFAR-100: fixed-length records of label bytes and 3 x 32 x 32 pixels.
//!
//! Other data are often brought into these layouts (small ImageNets, for one), so the number of classes follows the file
//! with their names.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::digests::DataFile;
use super::places::Places;
use super::raw::{RawData, check_label, damaged, missing, numbered, read_file, read_names, shown};
use crate::artifact::{ImageSize, LabelledImages};
use crate::failure::NodeResult;

const SIZE: ImageSize = ImageSize { channels: 3, height: 32, width: 32 };
const PIXELS: usize = 3 * 32 * 32;
const CIFAR10_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Parameters of the source `cifar10`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cifar10 {
    /// Folder with `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or the folder above it.
    path: String,
}

/// Which of the two labels of CIFAR-100 counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LabelLevel {
    /// The class (100).
    #[default]
    Fine,
    /// The group of classes (20).
    Coarse,
}

/// Parameters of the source `cifar100`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cifar100 {
    /// Folder with `train.bin` and `test.bin` (and `fine_label_names.txt`, `coarse_label_names.txt`), or the folder above it.
    path: String,
    /// Which of the two labels counts.
    #[serde(default)]
    labels: LabelLevel,
}

/// The files of one of the layouts.
struct Layout {
    train: Vec<PathBuf>,
    test: PathBuf,
    names: Option<PathBuf>,
    /// Label bytes before the pixels of a record.
    label_bytes: usize,
    /// Which of them counts.
    label: usize,
    /// Classes where no file names them.
    default_names: Vec<String>,
}

impl Cifar10 {
    pub(super) fn files(&self, places: &Places) -> NodeResult<Vec<DataFile>> {
        Ok(self.layout(places)?.files())
    }

    pub(super) fn read(&self, places: &Places) -> NodeResult<RawData> {
        self.layout(places)?.read()
    }

    fn layout(&self, places: &Places) -> NodeResult<Layout> {
        let folder = folder(places, &self.path, "cifar-10-batches-bin", "test_batch.bin")?;
        Ok(Layout {
            train: (1..=5).map(|batch| folder.join(format!("data_batch_{batch}.bin"))).collect(),
            test: folder.join("test_batch.bin"),
            names: existing(folder.join("batches.meta.txt")),
            label_bytes: 1,
            label: 0,
            default_names: CIFAR10_NAMES.map(str::to_owned).to_vec(),
        })
    }
}

impl Cifar100 {
    pub(super) fn files(&self, places: &Places) -> NodeResult<Vec<DataFile>> {
        Ok(self.layout(places)?.files())
    }

    pub(super) fn read(&self, places: &Places) -> NodeResult<RawData> {
        self.layout(places)?.read()
    }

    fn layout(&self, places: &Places) -> NodeResult<Layout> {
        let folder = folder(places, &self.path, "cifar-100-binary", "train.bin")?;
        let (names, label, classes) = match self.labels {
            LabelLevel::Fine => ("fine_label_names.txt", 1, 100),
            LabelLevel::Coarse => ("coarse_label_names.txt", 0, 20),
        };
        Ok(Layout {
            train: vec![folder.join("train.bin")],
            test: folder.join("test.bin"),
            names: existing(folder.join(names)),
            label_bytes: 2,
            label,
            default_names: numbered(classes),
        })
    }
}

impl Layout {
    fn files(&self) -> Vec<DataFile> {
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            DataFile::new(name, path)
        };
        self.train.iter().chain([&self.test]).chain(&self.names).map(named).collect()
    }

    fn read(&self) -> NodeResult<RawData> {
        let class_names = match &self.names {
            Some(path) => read_names(path)?,
            None => self.default_names.clone(),
        };
        let mut train = LabelledImages::default();
        for path in &self.train {
            self.records(path, class_names.len(), &mut train)?;
        }
        let mut test = LabelledImages::default();
        self.records(&self.test, class_names.len(), &mut test)?;
        Ok(RawData { size: SIZE, train, test, class_names })
    }

    fn records(&self, path: &Path, classes: usize, into: &mut LabelledImages) -> NodeResult<()> {
        let bytes = read_file(path)?;
        let record = self.label_bytes + PIXELS;
        if bytes.is_empty() || bytes.len() % record != 0 {
            let message = format!(
                "it has {} bytes, which is not a number of records of {record} bytes: record {} is cut off at byte {}",
                bytes.len(),
                bytes.len() / record,
                bytes.len() % record
            );
            return Err(damaged(shown(path), message));
        }
        into.pixels.reserve(bytes.len() / record * PIXELS);
        for (row, record) in bytes.chunks_exact(record).enumerate() {
            let (labels, pixels) = record.split_at(self.label_bytes);
            let label = labels.get(self.label).copied().unwrap_or(u8::MAX);
            into.labels.push(check_label(u64::from(label), classes, &format_args!("{}, record {row}", shown(path)))?);
            into.pixels.extend_from_slice(pixels);
        }
        Ok(())
    }
}

/// The folder itself or, if the file is not there, the folder of the archive below it.
fn folder(places: &Places, path: &str, below: &str, file: &str) -> NodeResult<PathBuf> {
    let folder = places.find(path)?;
    let candidates = [folder.clone(), folder.join(below)];
    let found = candidates.into_iter().find(|candidate| candidate.join(file).is_file());
    found.ok_or_else(|| {
        missing(&folder.join(file), "the file").with_help(format!(
            "`path` must be a folder with `{file}`, as in the archive \"binary version\", or the folder above it"
        ))
    })
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.is_file().then_some(path)
}
