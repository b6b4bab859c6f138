//! Data sets that come as one archive: found, downloaded, verified and read without being unpacked to disk.
//!
//! The archive's MD5 digest is known beforehand, so that it can stand in a key before anything is downloaded. It is looked
//! for in the data folders, then among the downloads; else it is downloaded there. Its files are read in memory: nothing
//! half unpacked can ever lie around, and no name inside can lead out of a folder.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use pddflow_artifact::failure::NodeResult;
use pddflow_runner::NodeContext;
use serde_json::{Value, json};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::digests::{DataFile, of_files};
use crate::download::{Download, fetch};
use crate::places::Places;
use crate::raw::{damaged, read_file, shown};

/// No file of a known archive is larger; a damaged header may claim any size.
const MOST_FILE_BYTES: u64 = 1 << 30;

/// An archive as its authors publish it.
pub(crate) struct Published {
    /// Name of the source, e.g. `cifar10`.
    pub(crate) source: &'static str,
    /// Name of the folder inside.
    pub(crate) folder: &'static str,
    /// Name of the file.
    pub(crate) file: &'static str,
    /// Address of the folder that it is in.
    pub(crate) server: &'static str,
    /// MD5, as the authors give it, in lower-case hex.
    pub md5: &'static str,
    /// Its size, for progress.
    pub(crate) bytes: u64,
}

/// What a pipeline file says about where a published data set is.
pub(crate) struct Given<'a> {
    pub(crate) published: &'a Published,
    /// A folder with the unpacked files, the folder above it, or an archive.
    pub(crate) path: Option<&'a str>,
    /// Replaces the authors' server.
    pub(crate) mirror: Option<&'a str>,
    /// Replaces the authors' digest.
    pub md5: Option<&'a str>,
}

/// Where a data set's files are.
pub(crate) enum Place {
    /// Unpacked in this folder.
    Folder(PathBuf),
    /// In this archive, whose content is not known beforehand.
    Archive(PathBuf),
    /// In the published archive, wherever it is or comes from.
    Published,
}

impl Given<'_> {
    /// What is wrong with the parameters.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        if self.path.is_some() && self.mirror.is_some() {
            return Some(("mirror", "give either `path` or `mirror`"));
        }
        let md5 = self.md5?;
        if self.mirror.is_none() {
            return Some(("md5", "it is the checksum of the archive at `mirror`, which is missing"));
        }
        let right = md5.len() == 32 && md5.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (!right).then_some(("md5", "an MD5 has 32 digits out of 0 to 9 and a to f"))
    }

    /// Where the files are. `unpacked` gives the folder with the files at or below a folder.
    pub(crate) fn locate(&self, places: &Places, unpacked: &dyn Fn(&Path) -> NodeResult<PathBuf>) -> NodeResult<Place> {
        if let Some(path) = self.path {
            let path = places.find(path)?;
            return if path.is_file() { Ok(Place::Archive(path)) } else { unpacked(&path).map(Place::Folder) };
        }
        if self.mirror.is_some() {
            return Ok(Place::Published);
        }
        let Published { source, folder, .. } = self.published;
        let nearby = places.folders_of(source).into_iter().chain(places.folders_of(folder));
        let found = nearby.filter(|path| path.is_dir()).find_map(|path| unpacked(&path).ok());
        Ok(found.map_or(Place::Published, Place::Folder))
    }

    /// What decides the content: the digest of the files that `folder_files` names or of the archive, else the digest of
    /// the published archive.
    pub(crate) fn identity(
        &self,
        place: Place,
        places: &Places,
        folder_files: impl FnOnce(&Path) -> NodeResult<Vec<DataFile>>,
    ) -> NodeResult<Value> {
        let files = match place {
            Place::Folder(folder) => folder_files(&folder)?,
            Place::Archive(path) => vec![DataFile::new("archive", path)],
            Place::Published => return Ok(json!({ "archive md5": self.md5() })),
        };
        Ok(json!(of_files(files, &places.digests())?.to_string()))
    }

    /// The published archive's bytes, verified, and where they lie. It is downloaded if it is not there.
    pub(crate) fn fetch(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<(PathBuf, Vec<u8>)> {
        let Published { source, file, server, bytes, .. } = *self.published;
        let right = |bytes: &[u8]| format!("{:x}", md5::compute(bytes)) == self.md5();
        if self.mirror.is_none() {
            let folders = places.folders_of(source).into_iter().chain(places.folders_of(""));
            for path in folders.map(|folder| folder.join(file)).filter(|path| path.is_file()) {
                let bytes = read_file(&path)?;
                if right(&bytes) {
                    return Ok((path, bytes));
                }
                context.warn(format!("{} is not the published archive and is not used", shown(&path)));
            }
        }
        let download = Download {
            server: self.mirror.unwrap_or(server),
            folder: &places.downloads().join(source),
            total_bytes: bytes,
            source,
            package: None,
        };
        let path = fetch(&download, file, 0, &right, context)?;
        let bytes = read_file(&path)?;
        Ok((path, bytes))
    }

    fn md5(&self) -> &str {
        self.md5.unwrap_or(self.published.md5)
    }
}

/// The files of a `.tar.gz`, by the last part of their names.
pub(crate) fn read_tar_gz(path: &Path, bytes: &[u8]) -> NodeResult<BTreeMap<String, Vec<u8>>> {
    let failed = |error: std::io::Error| damaged(shown(path), format!("the archive cannot be read: {error}"));
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(failed)?.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut content = Vec::new();
        let size = entry.size();
        entry.take(MOST_FILE_BYTES).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 != size {
            return Err(damaged(
                shown(path),
                format!("`{name}` has {size} bytes, of which {} are there", content.len()),
            ));
        }
        files.insert(name, content);
    }
    Ok(files)
}

/// A `.zip` in memory; cheap to clone, so that several threads can read from it.
#[derive(Clone)]
pub(crate) struct Zip {
    path: Arc<Path>,
    archive: ZipArchive<Cursor<Arc<[u8]>>>,
}

impl Zip {
    pub(crate) fn open(path: &Path, bytes: Vec<u8>) -> NodeResult<Self> {
        let archive = ZipArchive::new(Cursor::new(Arc::from(bytes)))
            .map_err(|error| damaged(shown(path), format!("the archive cannot be read: {error}")))?;
        Ok(Self { path: path.into(), archive })
    }

    /// The names of all files, in the archive's order.
    pub(crate) fn names(&self) -> NodeResult<Vec<String>> {
        let names = self.archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned));
        let names: Result<Vec<String>, ZipError> = names.collect();
        let mut names = names.map_err(|error| {
            damaged(shown(&self.path), format!("the archive has a name that cannot be read: {error}"))
        })?;
        names.retain(|name| !name.ends_with('/'));
        Ok(names)
    }

    /// What messages call a file.
    pub(crate) fn shown(&self, name: &str) -> String {
        format!("`{}`, file `{name}`", self.path.display())
    }

    /// The bytes of a file.
    pub(crate) fn read(&self, name: &str) -> NodeResult<Vec<u8>> {
        let failed = |error: &dyn std::fmt::Display| {
            damaged(self.shown(name), format!("it cannot be read from the archive: {error}"))
        };
        // Reading needs a place in the archive of its own; the bytes are shared.
        let mut archive = self.archive.clone();
        let file = archive.by_name(name).map_err(|error| failed(&error))?;
        let mut content = Vec::new();
        file.take(MOST_FILE_BYTES).read_to_end(&mut content).map_err(|error| failed(&error))?;
        Ok(content)
    }
}
