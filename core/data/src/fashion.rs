//! Fashion-MNIST: the whole set with pinned content, and the small part that is inside the program.

use std::path::{Path, PathBuf};

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_cache::Digest;
use pddflow_runner::NodeContext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::download::{Download, fetch};
use crate::idx::{Content, join, read_pair};
use crate::places::Places;
use crate::raw::{RawData, missing, read_file, shown};

/// The authors' server.
const SERVER: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";
/// Folder of the set below every data folder.
const FOLDER: &str = "fashion-mnist";

pub(crate) const LICENSE: &str = "Fashion-MNIST, MIT License, Copyright (c) 2017 Zalando SE";

const CLASS_NAMES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// A file of the set. Digests are of the unpacked content, so that a file packed anew (as system packages do) is still the
/// same. They were taken from files whose packed form has the MD5 that the authors publish.
pub(crate) struct Pinned {
    pub(crate) name: &'static str,
    /// BLAKE3 of the unpacked content.
    pub(crate) content: &'static str,
    /// Size of the authors' packed file, for progress.
    pub(crate) packed_bytes: u64,
}

pub(crate) const FILES: [Pinned; 4] = [
    Pinned {
        name: "train-images-idx3-ubyte",
        content: "b3:feaca08b36e07f8d504641a929bff1554884ef73964323e44e59e39a986b4c9e",
        packed_bytes: 26_421_880,
    },
    Pinned {
        name: "train-labels-idx1-ubyte",
        content: "b3:b4d9ea8013b029ef778c95ea7de31195ef443589877589523ad330db2829ebd6",
        packed_bytes: 29_515,
    },
    Pinned {
        name: "t10k-images-idx3-ubyte",
        content: "b3:a19b8c1e5f798e5a6fa7229093b630c04a620179497a1fa3a71e7334fb59a30b",
        packed_bytes: 4_422_102,
    },
    Pinned {
        name: "t10k-labels-idx1-ubyte",
        content: "b3:0a067399ed18bcc9d7dc26832b3b8e4481abf2d33fee04c611e90b9061296b90",
        packed_bytes: 5_148,
    },
];

/// Parameters of the source `fashion-mnist`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FashionMnist {
    /// Folder with the four files. Default: a data folder, the system's data set package, else a download.
    #[serde(default)]
    path: Option<String>,
    /// Address of a folder with the four `.gz` files, which is used instead of anything else.
    #[serde(default)]
    mirror: Option<String>,
}

impl FashionMnist {
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        (self.path.is_some() && self.mirror.is_some()).then_some(("mirror", "give either `path` or `mirror`"))
    }

    /// The content is pinned: what is in the key does not depend on where it is found.
    pub(crate) fn identity() -> Vec<&'static str> {
        FILES.iter().map(|file| file.content).collect()
    }

    pub(crate) fn read(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        let nearby = || places.folders_of(FOLDER).iter().find_map(|folder| all_in(folder));
        let files = match (&self.path, &self.mirror) {
            (Some(path), _) => named(&places.find(path)?)?,
            (None, Some(_)) => self.download(places, context)?,
            (None, None) => nearby().map_or_else(|| self.download(places, context), Ok)?,
        };
        let contents = files.iter().zip(&FILES).map(|(path, pinned)| verified(path, pinned));
        read_four(&contents.collect::<NodeResult<Vec<Content>>>()?)
    }

    fn download(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<Vec<PathBuf>> {
        let download = Download {
            server: self.mirror.as_deref().unwrap_or(SERVER),
            folder: &places.downloads().join(FOLDER),
            total_bytes: FILES.iter().map(|file| file.packed_bytes).sum(),
            source: FOLDER,
            package: Some("dataset-fashion-mnist"),
        };
        let mut before = 0;
        let mut paths = Vec::new();
        for file in &FILES {
            let check = |bytes: &[u8]| Content::unpack(file.name, bytes).is_ok_and(|content| is(&content, file));
            paths.push(fetch(&download, &format!("{}.gz", file.name), before, &check, context)?);
            before += file.packed_bytes;
        }
        Ok(paths)
    }
}

/// The part of Fashion-MNIST that is inside the program: 2,000 training and 500 test images.
pub(crate) mod mini {
    use super::{Content, NodeResult, RawData, read_four};

    const FILES: [(&str, &[u8]); 4] = [
        ("train images", include_bytes!("../fashion-mini/train-images-idx3-ubyte.gz")),
        ("train labels", include_bytes!("../fashion-mini/train-labels-idx1-ubyte.gz")),
        ("test images", include_bytes!("../fashion-mini/t10k-images-idx3-ubyte.gz")),
        ("test labels", include_bytes!("../fashion-mini/t10k-labels-idx1-ubyte.gz")),
    ];

    /// Digests of the packed files.
    pub(crate) fn identity() -> Vec<String> {
        FILES.iter().map(|(_, bytes)| pddflow_cache::Digest::of(bytes).to_string()).collect()
    }

    pub(crate) fn read() -> NodeResult<RawData> {
        read_four(&FILES.iter().map(|(name, bytes)| Content::unpack(name, bytes)).collect::<NodeResult<Vec<_>>>()?)
    }
}

/// Training images and labels, then test images and labels.
fn read_four(contents: &[Content]) -> NodeResult<RawData> {
    let [train_images, train_labels, test_images, test_labels] = contents else {
        return Err(pddflow_runner::NodeError::internal("Fashion-MNIST has four files"));
    };
    let names = CLASS_NAMES.map(str::to_owned).to_vec();
    join(read_pair(train_images, train_labels)?, Some(read_pair(test_images, test_labels)?), Some(names))
}

fn named(folder: &Path) -> NodeResult<Vec<PathBuf>> {
    FILES
        .iter()
        .map(|file| {
            present(folder, file.name).ok_or_else(|| {
                missing(&folder.join(file.name), "the file")
                    .with_help(format!("the folder must have `{0}` or `{0}.gz`", file.name))
            })
        })
        .collect()
}

fn all_in(folder: &Path) -> Option<Vec<PathBuf>> {
    FILES.iter().map(|file| present(folder, file.name)).collect()
}

fn present(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(format!("{name}.gz")), folder.join(name)].into_iter().find(|path| path.is_file())
}

fn verified(path: &Path, pinned: &Pinned) -> NodeResult<Content> {
    let content = Content::unpack(&shown(path), &read_file(path)?)?;
    if is(&content, pinned) {
        return Ok(content);
    }
    let message = format!(
        "{} is not Fashion-MNIST's file: its content is {}, expected {}",
        shown(path),
        Digest::of(&content.bytes),
        pinned.content
    );
    Err(fail("data_damaged", message)
        .with_help("get the file again, or read it with `source: { idx: { ... } }` if it is meant to be another one"))
}

fn is(content: &Content, pinned: &Pinned) -> bool {
    Digest::of(&content.bytes).to_string() == pinned.content
}
