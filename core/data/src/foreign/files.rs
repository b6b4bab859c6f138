//! The files that a pipeline names for an import.

use std::path::{Path, PathBuf};

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ImageSize, LabelledImages};
use pddflow_cache::Digest;
use pddflow_runner::NodeContext;

use crate::digests::{DataFile, of_files};
use crate::folder::{Found, class_pictures};
use crate::places::Places;
use crate::raw::{read_file, shown, unreadable};

/// Endings of files that are read, most wanted first.
const ENDINGS: [&str; 4] = ["safetensors", "pt", "npz", "npy"];
/// Names that the parts of a set have in the folders of trajectory matching and its heirs, most wanted first.
const PARTS: [[&str; 2]; 3] = [["images_best", "images"], ["labels_best", "labels"], ["lr_best", "lr"]];
/// How files with experts begin there; a number follows.
const BUFFER: &str = "replay_buffer_";

/// Files of others, found.
#[derive(Debug)]
pub struct GivenFiles {
    files: Vec<PathBuf>,
    pictures: Option<Found>,
}

/// Pictures by the folders that they are in.
#[derive(Debug)]
pub struct Pictures {
    /// Of every picture.
    pub size: ImageSize,
    /// Pixels, and the number of the folder of each.
    pub images: LabelledImages,
    /// Names of the folders, sorted.
    pub folders: Vec<String>,
}

impl GivenFiles {
    /// Files at these paths, which are relative to the pipeline file or a data folder. One path may be that of a folder: with the
    /// parts of a set, with experts, or with a folder of pictures for each class.
    ///
    /// # Errors
    /// There is nothing of that name, or nothing in the folder that is read.
    pub fn find(places: &Places, from: &[String]) -> NodeResult<Self> {
        let files = from.iter().map(|path| places.find(path)).collect::<NodeResult<Vec<PathBuf>>>()?;
        match files.as_slice() {
            [folder] if folder.is_dir() => {
                let inside = in_folder(folder)?;
                let pictures = if inside.is_empty() { Some(class_pictures(folder)?) } else { None };
                Ok(Self { files: inside, pictures })
            }
            several => match several.iter().find(|path| path.is_dir()) {
                Some(folder) => Err(fail("import_format", format!("{} is a folder among files", shown(folder)))
                    .with_help("name the files one by one, or one folder alone")),
                None => Ok(Self { files, pictures: None }),
            },
        }
    }

    /// Digest of their content: places do not matter, the order does.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn digest(&self, places: &Places) -> NodeResult<Digest> {
        let numbered = self.files.iter().enumerate();
        let files = numbered.map(|(number, path)| DataFile::new(format!("{number:06}"), path));
        let pictures = self.pictures.iter().flat_map(|found| found.clone().files());
        of_files(files.chain(pictures).collect(), &places.digests())
    }

    /// The number of files, pictures aside.
    #[must_use]
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The bytes of each file, with what messages call it.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(&self) -> impl Iterator<Item = NodeResult<(String, Vec<u8>)>> {
        self.files.iter().map(|path| Ok((shown(path), read_file(path)?)))
    }

    /// The pictures, where a folder of them was named.
    ///
    /// # Errors
    /// A picture is damaged, or of another size than the others.
    pub fn pictures(&self, context: &NodeContext<'_>) -> NodeResult<Option<Pictures>> {
        let Some(found) = &self.pictures else { return Ok(None) };
        let raw = found.clone().read(None, context)?;
        Ok(Some(Pictures { size: raw.size, images: raw.train, folders: raw.class_names }))
    }
}

/// The parts of a set, or the experts, in a folder of others; nothing where there is neither.
fn in_folder(folder: &Path) -> NodeResult<Vec<PathBuf>> {
    let part = |names: &[&str; 2]| {
        let all = names.iter().flat_map(|name| ENDINGS.map(|ending| folder.join(format!("{name}.{ending}"))));
        all.into_iter().find(|path| path.is_file())
    };
    let parts: Vec<PathBuf> = PARTS.iter().filter_map(part).collect();
    if !parts.is_empty() {
        return Ok(parts);
    }
    let mut buffers = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(number) = stem.strip_prefix(BUFFER).and_then(|number| number.parse::<u64>().ok()) {
            buffers.push((number, path));
        }
    }
    buffers.sort();
    Ok(buffers.into_iter().map(|(_, path)| path).collect())
}
