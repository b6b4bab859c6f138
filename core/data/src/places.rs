//! Where files are looked for.

use std::path::{Path, PathBuf};

use pddflow_artifact::failure::NodeResult;

use crate::raw::missing;

/// Folders in which systems keep data set packages.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/local/share/datasets", "/usr/share/datasets"];

/// Where files are looked for, and where downloads go.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder of the pipeline file: paths are relative to it.
    base: PathBuf,
    data_dirs: Vec<PathBuf>,
    system: Vec<PathBuf>,
    downloads: PathBuf,
}

impl Places {
    /// The folder that paths are relative to, folders with datasets, searched in that order, and the one for downloads.
    #[must_use]
    pub fn new(base: &Path, data_dirs: &[PathBuf], downloads: &Path) -> Self {
        Self {
            base: base.to_owned(),
            data_dirs: data_dirs.to_vec(),
            system: SYSTEM_FOLDERS.iter().map(PathBuf::from).collect(),
            downloads: downloads.to_owned(),
        }
    }

    /// The file or folder of that path: relative to the pipeline file, else in one of the data folders.
    pub(crate) fn find(&self, path: &str) -> NodeResult<PathBuf> {
        let candidates = std::iter::once(self.base.join(path)).chain(self.data_dirs.iter().map(|dir| dir.join(path)));
        let found = candidates.into_iter().find(|candidate| candidate.exists());
        found.ok_or_else(|| {
            let folders: Vec<String> = self.data_dirs.iter().map(|dir| format!("`{}`", dir.display())).collect();
            let searched = match folders.is_empty() {
                true => "paths are relative to the pipeline file".to_owned(),
                false => format!("looked beside the pipeline file and in {}", folders.join(", ")),
            };
            missing(Path::new(path), "the file or folder").with_help(format!("{searched}; check the path"))
        })
    }

    /// Folders of a data set of that name that may be there without being asked for, best first.
    pub(crate) fn folders_of(&self, name: &str) -> Vec<PathBuf> {
        self.data_dirs.iter().chain(&self.system).map(|dir| dir.join(name)).collect()
    }

    /// Where downloads go.
    pub(crate) fn downloads(&self) -> &Path {
        &self.downloads
    }

    /// Where digests of outside files are remembered.
    pub(crate) fn digests(&self) -> PathBuf {
        self.downloads.join("digests")
    }
}
