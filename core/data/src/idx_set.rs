//! Data sets that their authors publish as four IDX files: MNIST and those made in its image.

use std::path::{Path, PathBuf};

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_cache::Digest;
use pddflow_runner::{NodeContext, NodeError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::download::{Download, fetch};
use crate::idx::{Content, join, read_pair};
use crate::places::Places;
use crate::raw::{RawData, missing, read_file, shown};

/// A data set of this kind.
pub(crate) struct IdxSet {
    /// Name of the source, and of the set's folder below every data folder.
    pub(crate) source: &'static str,
    /// What people call it.
    pub(crate) title: &'static str,
    /// Where the files are downloaded from.
    pub(crate) server: &'static str,
    /// Training images and labels, then test images and labels.
    pub(crate) files: [Pinned; 4],
    pub(crate) class_names: [&'static str; 10],
    /// The system's package with the same files.
    pub(crate) package: Option<&'static str>,
    /// Who made the data and what may be done with them.
    pub(crate) license: &'static str,
}

/// A file of the set. Digests are of the unpacked content, so that a file packed anew (as system packages do) is still the
/// same.
pub(crate) struct Pinned {
    pub(crate) name: &'static str,
    /// Digest of the unpacked content: `b3:` and BLAKE3, or `md5:` and MD5.
    pub(crate) content: &'static str,
    /// Size of the published packed file, for progress.
    pub(crate) packed_bytes: u64,
}

/// Parameters of the sources `mnist` and `fashion-mnist`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdxSetPlace {
    /// Folder with the four files. Default: a data folder, the system's data set package, else a download.
    #[serde(default)]
    path: Option<String>,
    /// Address of a folder with the four `.gz` files, which is used instead of anything else.
    #[serde(default)]
    mirror: Option<String>,
}

impl IdxSetPlace {
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        (self.path.is_some() && self.mirror.is_some()).then_some(("mirror", "give either `path` or `mirror`"))
    }
}

impl IdxSet {
    /// The content is pinned: what is in the key does not depend on where it is found.
    pub(crate) fn identity(&self) -> Vec<&'static str> {
        self.files.iter().map(|file| file.content).collect()
    }

    pub(crate) fn read(&self, place: &IdxSetPlace, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        let nearby = || places.folders_of(self.source).iter().find_map(|folder| self.all_in(folder));
        let files = match (&place.path, &place.mirror) {
            (Some(path), _) => self.named(&places.find(path)?)?,
            (None, Some(mirror)) => self.download(mirror, places, context)?,
            (None, None) => nearby().map_or_else(|| self.download(self.server, places, context), Ok)?,
        };
        let contents = files.iter().zip(&self.files).map(|(path, pinned)| self.verified(path, pinned));
        self.join(&contents.collect::<NodeResult<Vec<Content>>>()?)
    }

    /// The data in these files: training images and labels, then test images and labels.
    pub(crate) fn join(&self, contents: &[Content]) -> NodeResult<RawData> {
        let [train_images, train_labels, test_images, test_labels] = contents else {
            return Err(NodeError::internal(format!("{} has four files", self.title)));
        };
        let names = self.class_names.map(str::to_owned).to_vec();
        join(read_pair(train_images, train_labels)?, Some(read_pair(test_images, test_labels)?), Some(names))
    }

    fn download(&self, server: &str, places: &Places, context: &NodeContext<'_>) -> NodeResult<Vec<PathBuf>> {
        let download = Download {
            server,
            folder: &places.downloads().join(self.source),
            total_bytes: self.files.iter().map(|file| file.packed_bytes).sum(),
            source: self.source,
            package: self.package,
        };
        let mut before = 0;
        let mut paths = Vec::new();
        for file in &self.files {
            let check = |bytes: &[u8]| Content::unpack(file.name, bytes).is_ok_and(|content| is(&content, file));
            paths.push(fetch(&download, &format!("{}.gz", file.name), before, &check, context)?);
            before += file.packed_bytes;
        }
        Ok(paths)
    }

    fn named(&self, folder: &Path) -> NodeResult<Vec<PathBuf>> {
        let find = |file: &Pinned| {
            present(folder, file.name).ok_or_else(|| {
                missing(&folder.join(file.name), "the file")
                    .with_help(format!("the folder must have `{0}` or `{0}.gz`", file.name))
            })
        };
        self.files.iter().map(find).collect()
    }

    fn all_in(&self, folder: &Path) -> Option<Vec<PathBuf>> {
        self.files.iter().map(|file| present(folder, file.name)).collect()
    }

    fn verified(&self, path: &Path, pinned: &Pinned) -> NodeResult<Content> {
        let content = Content::unpack(&shown(path), &read_file(path)?)?;
        if is(&content, pinned) {
            return Ok(content);
        }
        let (title, found, expected) = (self.title, digest(&content, pinned), pinned.content);
        let message = format!("{} is not {title}'s file: its content is {found}, expected {expected}", shown(path));
        Err(fail("data_damaged", message).with_help(
            "get the file again, or read it with `source: { idx: { ... } }` if it is meant to be another one",
        ))
    }
}

/// A file of that name: packed or not, with `.idx` in place of `-idx` as some have it.
fn present(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let names = [format!("{name}.gz"), name.to_owned(), format!("{dotted}.gz"), dotted];
    names.into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

fn is(content: &Content, pinned: &Pinned) -> bool {
    digest(content, pinned) == pinned.content
}

/// The digest of a content in the form in which it is pinned.
fn digest(content: &Content, pinned: &Pinned) -> String {
    if pinned.content.starts_with("md5:") {
        return format!("md5:{:x}", md5::compute(&content.bytes));
    }
    Digest::of(&content.bytes).to_string()
}
