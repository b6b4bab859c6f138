//! Tiny-ImageNet in its original layout: `train/<id>/images/*.JPEG`, `val/images/*.JPEG` with `val_annotations.txt`,
//! `wnids.txt`, `words.txt`. The validation images are the test images, as in the papers.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_runner::NodeContext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::archive::{Given, Place, Published, Zip};
use crate::digests::DataFile;
use crate::folder::{Found, label_of, pictures_in};
use crate::picture::Encoded;
use crate::places::Places;
use crate::raw::{RawData, damaged, missing, names_in, read_file, shown};

const IDS: &str = "wnids.txt";
const WORDS: &str = "words.txt";
const ANNOTATIONS: &str = "val/val_annotations.txt";
const PUBLISHED: Published = Published {
    source: "tiny-imagenet",
    folder: "tiny-imagenet-200",
    file: "tiny-imagenet-200.zip",
    server: "http://cs231n.stanford.edu",
    md5: "90528d7ca1a48142e341f4ef8d21d0de",
    bytes: 248_100_043,
};

/// Parameters of the source `tiny-imagenet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TinyImagenet {
    /// Folder with `wnids.txt`, `words.txt`, `train` and `val`, the folder above it, or their `.zip`. Default: a data folder,
    /// else a download.
    #[serde(default)]
    path: Option<String>,
    /// Address of a folder with `tiny-imagenet-200.zip`, which is used instead of anything else.
    #[serde(default)]
    mirror: Option<String>,
    /// MD5 of the archive at `mirror`. Default: that of the published one.
    #[serde(default)]
    md5: Option<String>,
}

impl TinyImagenet {
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        self.given().problem()
    }

    /// What decides the content.
    pub(crate) fn identity(&self, places: &Places) -> NodeResult<Value> {
        self.given().identity(self.locate(places)?, places, |root| {
            let tree = Tree::Folder(root.to_owned());
            let found = find(&tree)?;
            let pictures = found.train.iter().chain(&found.test);
            let mut files: Vec<DataFile> =
                pictures.map(|picture| DataFile::new(&picture.role, root.join(&picture.name))).collect();
            let texts = [IDS, WORDS, ANNOTATIONS].into_iter().filter(|name| tree.has(name));
            files.extend(texts.map(|name| DataFile::new(name, root.join(name))));
            Ok(files)
        })
    }

    pub(crate) fn read(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        let tree = match self.locate(places)? {
            Place::Folder(root) => Tree::Folder(root),
            Place::Archive(path) => Tree::packed(&path, read_file(&path)?)?,
            Place::Published => {
                let (path, bytes) = self.given().fetch(places, context)?;
                Tree::packed(&path, bytes)?
            }
        };
        find(&tree)?.read(None, context)
    }

    fn given(&self) -> Given<'_> {
        Given {
            published: &PUBLISHED,
            path: self.path.as_deref(),
            mirror: self.mirror.as_deref(),
            md5: self.md5.as_deref(),
        }
    }

    fn locate(&self, places: &Places) -> NodeResult<Place> {
        self.given().locate(places, &|folder| {
            let candidates = [folder.to_owned(), folder.join(PUBLISHED.folder)];
            candidates.into_iter().find(|candidate| candidate.join(IDS).is_file()).ok_or_else(|| {
                missing(&folder.join(IDS), "the file").with_help(
                    "`path` must be the unpacked folder `tiny-imagenet-200`, the folder above it, or the archive",
                )
            })
        })
    }
}

/// The files of the data set by their names below its root, wherever that is.
enum Tree {
    Folder(PathBuf),
    /// What stands before every name, the names below it, and the archive.
    Packed {
        root: String,
        names: BTreeSet<String>,
        zip: Zip,
    },
}

impl Tree {
    fn packed(path: &Path, bytes: Vec<u8>) -> NodeResult<Self> {
        let zip = Zip::open(path, bytes)?;
        let all = zip.names()?;
        let root = all.iter().find_map(|name| name.strip_suffix(IDS)).map(str::to_owned);
        let root = root.ok_or_else(|| damaged(shown(path), format!("it has no file `{IDS}`")))?;
        let names = all.iter().filter_map(|name| name.strip_prefix(&root)).map(str::to_owned).collect();
        Ok(Self::Packed { root, names, zip })
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(root) => root.join(name).is_file(),
            Self::Packed { names, .. } => names.contains(name),
        }
    }

    /// What messages call a file.
    fn shown(&self, name: &str) -> String {
        match self {
            Self::Folder(folder) => shown(&folder.join(name)),
            Self::Packed { root, zip, .. } => zip.shown(&format!("{root}{name}")),
        }
    }

    fn bytes(&self, name: &str) -> NodeResult<Vec<u8>> {
        match self {
            Self::Folder(folder) => read_file(&folder.join(name)),
            Self::Packed { root, zip, .. } => zip.read(&format!("{root}{name}")),
        }
    }

    fn lines(&self, name: &str) -> NodeResult<Vec<String>> {
        names_in(&self.shown(name), &self.bytes(name)?)
    }

    /// Names of the pictures directly in a folder, sorted.
    fn pictures(&self, folder: &str) -> NodeResult<Vec<String>> {
        match self {
            Self::Folder(root) => Ok(pictures_in(&root.join(folder))?.into_iter().map(|(name, _)| name).collect()),
            Self::Packed { names, .. } => {
                let folder = format!("{folder}/");
                let below = names.range(folder.clone()..).map_while(|name| name.strip_prefix(&folder));
                let pictures = below.filter(|name| !name.contains('/') && name.to_lowercase().ends_with(".jpeg"));
                Ok(pictures.map(str::to_owned).collect())
            }
        }
    }
}

/// A picture with its class.
struct TreePicture<'a> {
    tree: &'a Tree,
    /// Below the tree's root.
    name: String,
    /// What it is to the data set.
    role: String,
    label: u16,
}

impl Encoded for TreePicture<'_> {
    fn name(&self) -> String {
        self.tree.shown(&self.name)
    }

    fn with_bytes<T>(&self, work: impl FnOnce(&[u8]) -> NodeResult<T>) -> NodeResult<T> {
        work(&self.tree.bytes(&self.name)?)
    }

    fn label(&self) -> u16 {
        self.label
    }
}

fn find(tree: &Tree) -> NodeResult<Found<TreePicture<'_>>> {
    let ids = tree.lines(IDS)?;
    let mut train = Vec::new();
    for (class, id) in ids.iter().enumerate() {
        let folder = format!("train/{id}/images");
        let before = train.len();
        let label = label_of(class)?;
        let picture = |name: String| {
            let role = format!("train/{id}/{name}");
            TreePicture { tree, name: format!("{folder}/{name}"), role, label }
        };
        train.extend(tree.pictures(&folder)?.into_iter().map(picture));
        if train.len() == before {
            return Err(fail("data_empty", format!("the class folder {} has no picture", tree.shown(&folder)))
                .with_help("unpack the archive again, or take the class out of `wnids.txt`"));
        }
    }
    Ok(Found { class_names: words(tree, &ids)?, train, test: validation(tree, &ids)? })
}

/// What `words.txt` calls each id (the first of several synonyms); the id itself where it has no line.
fn words(tree: &Tree, ids: &[String]) -> NodeResult<Vec<String>> {
    let lines = if tree.has(WORDS) { tree.lines(WORDS)? } else { Vec::new() };
    let pairs = lines.iter().filter_map(|line| line.split_once('\t'));
    let known: HashMap<&str, &str> =
        pairs.map(|(id, words)| (id, words.split(',').next().unwrap_or(words).trim())).collect();
    Ok(ids.iter().map(|id| known.get(id.as_str()).map_or_else(|| id.clone(), |word| (*word).to_owned())).collect())
}

fn validation<'a>(tree: &'a Tree, ids: &[String]) -> NodeResult<Vec<TreePicture<'a>>> {
    let mut pictures = Vec::new();
    for (line_number, line) in tree.lines(ANNOTATIONS)?.iter().enumerate() {
        let place = || format!("{}, line {}", tree.shown(ANNOTATIONS), line_number + 1);
        let mut fields = line.split('\t');
        let (Some(name), Some(id)) = (fields.next(), fields.next()) else {
            return Err(damaged(place(), "it must have a file name and an id with a tabulator between"));
        };
        let Some(class) = ids.iter().position(|known| known == id) else {
            return Err(damaged(place(), format!("the id `{id}` is not in `wnids.txt`")));
        };
        let path = format!("val/images/{name}");
        if !tree.has(&path) {
            return Err(fail("data_missing", format!("the picture {} does not exist", tree.shown(&path)))
                .with_help(format!("{} names it", place())));
        }
        pictures.push(TreePicture { tree, name: path, role: format!("val/{name}"), label: label_of(class)? });
    }
    Ok(pictures)
}
