//! Tiny-ImageNet in its original layout: `train/<id>/images/*.JPEG`, `val/images/*.JPEG` with `val_annotations.txt`,
//! `wnids.txt`, `words.txt`. The validation images are the test images, as in the papers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use pddflow_runner::NodeContext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::digests::DataFile;
use super::folder::{Found, PictureFile, label_of, pictures_in};
use super::places::Places;
use super::raw::{RawData, damaged, missing, read_names, shown};
use crate::failure::{NodeResult, fail};

/// Parameters of the source `tiny-imagenet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TinyImagenet {
    /// Folder with `wnids.txt`, `words.txt`, `train` and `val`, or the folder above it.
    path: String,
}

impl TinyImagenet {
    pub(super) fn files(&self, places: &Places) -> NodeResult<Vec<DataFile>> {
        let root = self.root(places)?;
        let mut files = find(&root)?.files();
        for name in ["wnids.txt", "words.txt", "val/val_annotations.txt"] {
            let path = root.join(name);
            if path.is_file() {
                files.push(DataFile::new(name, path));
            }
        }
        Ok(files)
    }

    pub(super) fn read(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        find(&self.root(places)?)?.read(None, context)
    }

    fn root(&self, places: &Places) -> NodeResult<PathBuf> {
        let folder = places.find(&self.path)?;
        let candidates = [folder.clone(), folder.join("tiny-imagenet-200")];
        candidates.into_iter().find(|candidate| candidate.join("wnids.txt").is_file()).ok_or_else(|| {
            missing(&folder.join("wnids.txt"), "the file")
                .with_help("`path` must be the unpacked folder `tiny-imagenet-200`, or the folder above it")
        })
    }
}

fn find(root: &Path) -> NodeResult<Found> {
    let ids = read_names(&root.join("wnids.txt"))?;
    let mut train = Vec::new();
    for (class, id) in ids.iter().enumerate() {
        let folder = root.join("train").join(id).join("images");
        let before = train.len();
        let label = label_of(class)?;
        let pictures = pictures_in(&folder)?.into_iter();
        train.extend(pictures.map(|(name, path)| PictureFile { role: format!("train/{id}/{name}"), path, label }));
        if train.len() == before {
            return Err(fail("data_empty", format!("the class folder {} has no picture", shown(&folder)))
                .with_help("unpack the archive again, or take the class out of `wnids.txt`"));
        }
    }
    Ok(Found { class_names: words(root, &ids)?, train, test: validation(root, &ids)? })
}

/// What `words.txt` calls each id (the first of several synonyms); the id itself where it has no line.
fn words(root: &Path, ids: &[String]) -> NodeResult<Vec<String>> {
    let path = root.join("words.txt");
    let lines = if path.is_file() { read_names(&path)? } else { Vec::new() };
    let pairs = lines.iter().filter_map(|line| line.split_once('\t'));
    let known: HashMap<&str, &str> =
        pairs.map(|(id, words)| (id, words.split(',').next().unwrap_or(words).trim())).collect();
    Ok(ids.iter().map(|id| known.get(id.as_str()).map_or_else(|| id.clone(), |word| (*word).to_owned())).collect())
}

fn validation(root: &Path, ids: &[String]) -> NodeResult<Vec<PictureFile>> {
    let path = root.join("val").join("val_annotations.txt");
    let folder = root.join("val").join("images");
    let mut files = Vec::new();
    for (line_number, line) in read_names(&path)?.iter().enumerate() {
        let place = || format!("{}, line {}", shown(&path), line_number + 1);
        let mut fields = line.split('\t');
        let (Some(name), Some(id)) = (fields.next(), fields.next()) else {
            return Err(damaged(place(), "it must have a file name and an id with a tabulator between"));
        };
        let Some(class) = ids.iter().position(|known| known == id) else {
            return Err(damaged(place(), format!("the id `{id}` is not in `wnids.txt`")));
        };
        let picture = folder.join(name);
        if !picture.is_file() {
            return Err(missing(&picture, "the picture").with_help(format!("{} names it", place())));
        }
        files.push(PictureFile { role: format!("val/{name}"), path: picture, label: label_of(class)? });
    }
    Ok(files)
}
