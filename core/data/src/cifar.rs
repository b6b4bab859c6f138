//! The "binary version" of CIFAR-10 and CIFAR-100: fixed-length records of label bytes and 3 x 32 x 32 pixels.
//!
//! Other data are often brought into these layouts (small ImageNets, for one), so the number of classes follows the file
//! with their names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pddflow_artifact::failure::NodeResult;
use pddflow_artifact::{ImageSize, LabelledImages};
use pddflow_runner::NodeContext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::archive::{Given, Place, Published, read_tar_gz};
use crate::digests::DataFile;
use crate::places::Places;
use crate::raw::{RawData, check_label, damaged, missing, names_in, numbered, read_file, shown};

const SIZE: ImageSize = ImageSize { channels: 3, height: 32, width: 32 };
const PIXELS: usize = 3 * 32 * 32;
const CIFAR10: Published = Published {
    source: "cifar10",
    folder: "cifar-10-batches-bin",
    file: "cifar-10-binary.tar.gz",
    server: "https://www.cs.toronto.edu/~kriz",
    md5: "c32a1d4ab5d03f1284b67883e8d87530",
    bytes: 170_052_171,
};
const CIFAR100: Published = Published {
    source: "cifar100",
    folder: "cifar-100-binary",
    file: "cifar-100-binary.tar.gz",
    server: "https://www.cs.toronto.edu/~kriz",
    md5: "03b5dce01913d631647c71ecec9e9cb8",
    bytes: 168_513_733,
};
const CIFAR10_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Parameters of the source `cifar10`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cifar10 {
    /// Folder with `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, the folder above it, or their `.tar.gz`.
    /// Default: a data folder, else a download.
    #[serde(default)]
    path: Option<String>,
    /// Address of a folder with `cifar-10-binary.tar.gz`, which is used instead of anything else.
    #[serde(default)]
    mirror: Option<String>,
    /// MD5 of the archive at `mirror`. Default: that of the published one.
    #[serde(default)]
    md5: Option<String>,
}

/// Which of the two labels of CIFAR-100 counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LabelLevel {
    /// The class (100).
    #[default]
    Fine,
    /// The group of classes (20).
    Coarse,
}

/// Parameters of the source `cifar100`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cifar100 {
    /// Folder with `train.bin` and `test.bin` (and `fine_label_names.txt`, `coarse_label_names.txt`), the folder above it,
    /// or their `.tar.gz`. Default: a data folder, else a download.
    #[serde(default)]
    path: Option<String>,
    /// Address of a folder with `cifar-100-binary.tar.gz`, which is used instead of anything else.
    #[serde(default)]
    mirror: Option<String>,
    /// MD5 of the archive at `mirror`. Default: that of the published one.
    #[serde(default)]
    md5: Option<String>,
    /// Which of the two labels counts.
    #[serde(default)]
    labels: LabelLevel,
}

/// One of the layouts, and where its files are.
pub(crate) struct Cifar<'a> {
    given: Given<'a>,
    train: Vec<String>,
    test: &'static str,
    names: &'static str,
    /// Label bytes before the pixels of a record.
    label_bytes: usize,
    /// Which of them counts.
    label: usize,
    /// Classes where no file names them.
    default_names: Vec<String>,
}

impl Cifar10 {
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        self.open().given.problem()
    }

    pub(crate) fn open(&self) -> Cifar<'_> {
        Cifar {
            given: Given {
                published: &CIFAR10,
                path: self.path.as_deref(),
                mirror: self.mirror.as_deref(),
                md5: self.md5.as_deref(),
            },
            train: (1..=5).map(|batch| format!("data_batch_{batch}.bin")).collect(),
            test: "test_batch.bin",
            names: "batches.meta.txt",
            label_bytes: 1,
            label: 0,
            default_names: CIFAR10_NAMES.map(str::to_owned).to_vec(),
        }
    }
}

impl Cifar100 {
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        self.open().given.problem()
    }

    pub(crate) fn open(&self) -> Cifar<'_> {
        let (names, label, classes) = match self.labels {
            LabelLevel::Fine => ("fine_label_names.txt", 1, 100),
            LabelLevel::Coarse => ("coarse_label_names.txt", 0, 20),
        };
        Cifar {
            given: Given {
                published: &CIFAR100,
                path: self.path.as_deref(),
                mirror: self.mirror.as_deref(),
                md5: self.md5.as_deref(),
            },
            train: vec!["train.bin".to_owned()],
            test: "test.bin",
            names,
            label_bytes: 2,
            label,
            default_names: numbered(classes),
        }
    }
}

/// The files of a data set, wherever they are.
enum Files {
    Folder(PathBuf),
    Archive(PathBuf, BTreeMap<String, Vec<u8>>),
}

impl Files {
    fn open(path: PathBuf, bytes: &[u8]) -> NodeResult<Self> {
        let files = read_tar_gz(&path, bytes)?;
        Ok(Self::Archive(path, files))
    }

    /// Works with the bytes of a file; the text is what messages call it.
    fn with<T>(&self, name: &str, work: impl FnOnce(&str, &[u8]) -> NodeResult<T>) -> NodeResult<T> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                work(&shown(&path), &read_file(&path)?)
            }
            Self::Archive(path, files) => {
                let bytes = files.get(name).ok_or_else(|| damaged(shown(path), format!("it has no file `{name}`")))?;
                work(&format!("{}, file `{name}`", shown(path)), bytes)
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(folder) => folder.join(name).is_file(),
            Self::Archive(_, files) => files.contains_key(name),
        }
    }
}

impl Cifar<'_> {
    /// What decides the content.
    pub(crate) fn identity(&self, places: &Places) -> NodeResult<Value> {
        let names = self.train.iter().map(String::as_str).chain([self.test, self.names]);
        self.given.identity(self.locate(places)?, places, |folder| {
            let optional = |name: &&str| *name != self.names || folder.join(name).is_file();
            Ok(names.filter(optional).map(|name| DataFile::new(name, folder.join(name))).collect())
        })
    }

    pub(crate) fn read(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        let files = match self.locate(places)? {
            Place::Folder(folder) => Files::Folder(folder),
            Place::Archive(path) => {
                let bytes = read_file(&path)?;
                Files::open(path, &bytes)?
            }
            Place::Published => {
                let (path, bytes) = self.given.fetch(places, context)?;
                Files::open(path, &bytes)?
            }
        };
        let class_names = match files.has(self.names) {
            true => files.with(self.names, names_in)?,
            false => self.default_names.clone(),
        };
        let mut train = LabelledImages::default();
        for name in &self.train {
            files.with(name, |place, bytes| self.records(place, bytes, class_names.len(), &mut train))?;
        }
        let mut test = LabelledImages::default();
        files.with(self.test, |place, bytes| self.records(place, bytes, class_names.len(), &mut test))?;
        Ok(RawData { size: SIZE, train, test, class_names })
    }

    /// The folder itself or, if the file is not there, the folder of the archive below it.
    fn locate(&self, places: &Places) -> NodeResult<Place> {
        self.given.locate(places, &|folder| {
            let candidates = [folder.to_owned(), folder.join(self.given.published.folder)];
            let found = candidates.into_iter().find(|candidate| candidate.join(self.test).is_file());
            found.ok_or_else(|| {
                missing(&folder.join(self.test), "the file").with_help(format!(
                    "`path` must be a folder with `{}`, as in the archive \"binary version\", the folder above it, or the \
                     archive",
                    self.test
                ))
            })
        })
    }

    fn records(&self, place: &str, bytes: &[u8], classes: usize, into: &mut LabelledImages) -> NodeResult<()> {
        let record = self.label_bytes + PIXELS;
        if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
            let message = format!(
                "it has {} bytes, which is not a number of records of {record} bytes: record {} is cut off at byte {}",
                bytes.len(),
                bytes.len() / record,
                bytes.len() % record
            );
            return Err(damaged(place, message));
        }
        into.pixels.reserve(bytes.len() / record * PIXELS);
        for (row, record) in bytes.chunks_exact(record).enumerate() {
            let (labels, pixels) = record.split_at(self.label_bytes);
            let label = labels.get(self.label).copied().unwrap_or(u8::MAX);
            into.labels.push(check_label(u64::from(label), classes, &format_args!("{place}, record {row}"))?);
            into.pixels.extend_from_slice(pixels);
        }
        Ok(())
    }
}
