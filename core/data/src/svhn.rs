//! SVHN, cropped digits: 32x32 photographs of house numbers, in two MATLAB files.
//!
//! `X` is `[row, column, channel, image]` with the rows fastest; `y` is `[image, 1]`, where 10 stands for the digit 0. The files
//! `extra` are not used, as in the papers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ImageSize, LabelledImages};
use pddflow_runner::NodeContext;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digests::{DataFile, of_files};
use crate::download::{Download, fetch};
use crate::foreign::{Array, Number};
use crate::mat::{Variable, variables};
use crate::places::Places;
use crate::raw::{RawData, check_label, damaged, missing, numbered, read_file, shown};

const SOURCE: &str = "svhn";
const SERVER: &str = "http://ufldl.stanford.edu/housenumbers/";
const CLASSES: usize = 10;
pub(crate) const LICENSE: &str = "SVHN, for non-commercial use, by Yuval Netzer and others (NIPS workshop 2011)";

/// A file as its authors publish it.
struct Published {
    name: &'static str,
    md5: &'static str,
    bytes: u64,
}

const FILES: [Published; 2] = [
    Published { name: "train_32x32.mat", md5: "e26dedcc434d2e4c54c9b2d4a06d8373", bytes: 182_040_794 },
    Published { name: "test_32x32.mat", md5: "eb5a983be6a315427106f1b164d9cef3", bytes: 64_275_384 },
];

/// Parameters of the source `svhn`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Svhn {
    /// Folder with `train_32x32.mat` and `test_32x32.mat`. Default: a data folder, else a download.
    #[serde(default)]
    path: Option<String>,
    /// Address of a folder with the two files, which is used instead of anything else.
    #[serde(default)]
    mirror: Option<String>,
}

impl Svhn {
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        (self.path.is_some() && self.mirror.is_some()).then_some(("mirror", "give either `path` or `mirror`"))
    }

    /// The digest of the files in a folder, else those of the published files.
    pub(crate) fn identity(&self, places: &Places) -> NodeResult<Value> {
        match self.folder(places)? {
            Some(folder) => {
                let files = FILES.iter().map(|file| DataFile::new(file.name, folder.join(file.name))).collect();
                Ok(json!(of_files(files, &places.digests())?.to_string()))
            }
            None => Ok(json!(FILES.map(|file| format!("md5:{}", file.md5)))),
        }
    }

    pub(crate) fn read(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        let paths = match self.folder(places)? {
            Some(folder) => FILES.iter().map(|file| folder.join(file.name)).collect(),
            None => self.download(places, context)?,
        };
        let [train, test] = paths.as_slice() else {
            return Err(pddflow_runner::NodeError::internal("SVHN has two files"));
        };
        let ((size, train), (test_size, test_images)) = (read_side(train)?, read_side(test)?);
        if size != test_size {
            return Err(damaged(shown(test), "its images have another size than the training images"));
        }
        Ok(RawData { size, train, test: test_images, class_names: numbered(CLASSES) })
    }

    /// The folder with the files, unless they are to be downloaded.
    fn folder(&self, places: &Places) -> NodeResult<Option<PathBuf>> {
        let has_all = |folder: &Path| FILES.iter().all(|file| folder.join(file.name).is_file());
        if let Some(path) = &self.path {
            let folder = places.find(path)?;
            if has_all(&folder) {
                return Ok(Some(folder));
            }
            return Err(missing(&folder.join(FILES[0].name), "the file")
                .with_help("the folder must have `train_32x32.mat` and `test_32x32.mat`"));
        }
        match self.mirror {
            Some(_) => Ok(None),
            None => Ok(places.folders_of(SOURCE).into_iter().find(|folder| has_all(folder))),
        }
    }

    fn download(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<Vec<PathBuf>> {
        let download = Download {
            server: self.mirror.as_deref().unwrap_or(SERVER),
            folder: &places.downloads().join(SOURCE),
            total_bytes: FILES.iter().map(|file| file.bytes).sum(),
            source: SOURCE,
            package: None,
        };
        let mut before = 0;
        let mut paths = Vec::new();
        for file in &FILES {
            let check = |bytes: &[u8]| format!("{:x}", md5::compute(bytes)) == file.md5;
            paths.push(fetch(&download, file.name, before, &check, context)?);
            before += file.bytes;
        }
        Ok(paths)
    }
}

fn read_side(path: &Path) -> NodeResult<(ImageSize, LabelledImages)> {
    let found = variables(&read_file(path)?).map_err(|what| damaged(shown(path), what))?;
    let find = |name: &str| {
        let variable = found.iter().find(|variable| variable.name == name);
        variable.ok_or_else(|| damaged(shown(path), format!("it has no variable `{name}`")))
    };
    let (images, labels) = (find("X")?, find("y")?);
    let [height, width, 3, rows] = images.axes[..] else {
        return Err(damaged(shown(path), format!("`X` has the axes {:?}, not row, column, 3 and image", images.axes)));
    };
    if images.number != Number::U8 || height * width * rows == 0 {
        return Err(damaged(shown(path), "`X` has no pixels"));
    }
    let labels = labels_of(labels, rows, path)?;
    let size = ImageSize { channels: 3, height, width };
    // Rows are fastest in the file, columns here.
    let mut pixels = vec![0; images.bytes.len()];
    let planes = pixels.par_chunks_exact_mut(height * width).zip(images.bytes.par_chunks_exact(height * width));
    planes.for_each(|(out, plane)| {
        for (place, out) in out.iter_mut().enumerate() {
            *out = plane[place % width * height + place / width];
        }
    });
    Ok((size, LabelledImages { pixels, labels }))
}

fn labels_of(labels: &Variable, rows: usize, path: &Path) -> NodeResult<Vec<u16>> {
    let array = Array::new(labels.axes.clone(), labels.number, Arc::new(labels.bytes.clone()), 0);
    let values = array.map_or_else(Vec::new, |array| array.to_f64());
    if values.len() != rows {
        let message = format!("{} has {rows} images and {} labels", shown(path), values.len());
        return Err(fail("data_damaged", message).with_help("get the file again from where it came from"));
    }
    let label = |(row, value): (usize, f64)| {
        let digit = if value == 10.0 { 0.0 } else { value };
        let whole = (digit.fract() == 0.0 && digit >= 0.0).then_some(digit);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number that is not negative"
        )]
        let whole = whole.map_or(u64::MAX, |digit| digit as u64);
        check_label(whole, CLASSES, &format_args!("{}, image {row}", shown(path)))
    };
    values.into_iter().enumerate().map(label).collect()
}
