//! A remote that is a folder of this machine or of a network file system.

use crate::files::{Failure, Files, Purpose, Read, Take};
use fs_err::{File, OpenOptions};
use pddflow_cache::Blob;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that are copied between two reports of progress.
const PIECE: usize = 1 << 20;
/// How the names of unfinished files begin, as in a store, whose collection removes what a crash leaves.
const NEW_PREFIX: &str = ".new-";

/// A folder, laid out as a store.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Writes a file under another name, syncs it and gives it its name.
    fn put(&self, path: &str, bytes: &[u8], sent: &dyn Fn(usize)) -> io::Result<()> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let path = self.path.join(path);
        let folder = path.parent().unwrap_or(&self.path);
        fs_err::create_dir_all(folder)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let new = folder.join(format!("{NEW_PREFIX}{}-{number}", std::process::id()));
        let written = write_synced(&new, bytes, sent).and_then(|()| fs_err::rename(&new, &path));
        if written.is_err() {
            // The first error counts.
            let _ = fs_err::remove_file(&new);
        }
        written?;
        // The name, and that of a folder which may be new.
        [Some(folder), folder.parent()].into_iter().flatten().try_for_each(|folder| File::open(folder)?.sync_all())
    }
}

impl Files for Folder {
    fn ready(&self, purpose: Purpose) -> Result<(), Failure> {
        match purpose {
            Purpose::Writing => Ok(fs_err::create_dir_all(&self.path)?),
            Purpose::DryRun if !self.path.exists() => Ok(()),
            Purpose::Reading | Purpose::DryRun => Ok(fs_err::metadata(&self.path).map(|_| ())?),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let Some(entries) = present(fs_err::read_dir(self.path.join(&folder)))? else { continue };
            for entry in entries {
                let entry = entry?;
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        Ok(found)
    }

    fn length(&self, path: &str) -> Result<Option<u64>, Failure> {
        Ok(present(fs_err::metadata(self.path.join(path)))?.map(|found| found.len()))
    }

    fn read(&self, path: &str, at_most: u64) -> Result<Option<Read>, Failure> {
        let Some(file) = present(File::open(self.path.join(path)))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(at_most + 1).read_to_end(&mut bytes)?;
        Ok(Some(if bytes.len() as u64 > at_most { Read::TooLarge } else { Read::Whole(bytes) }))
    }

    fn write(&self, path: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        Ok(self.put(path, &bytes, &|_| {})?)
    }

    fn upload(&self, path: &str, blob: Blob, sent: &dyn Fn(usize)) -> Result<(), Failure> {
        Ok(self.put(path, &blob, sent)?)
    }

    fn download(&self, path: &str, take: &mut Take<'_>) -> Result<bool, Failure> {
        let Some(mut file) = present(File::open(self.path.join(path)))? else { return Ok(false) };
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(true),
                length => take(&piece[..length])?,
            }
        }
    }
}

fn write_synced(path: &Path, bytes: &[u8], sent: &dyn Fn(usize)) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    for piece in bytes.chunks(PIECE) {
        file.write_all(piece)?;
        sent(piece.len());
    }
    file.sync_all()
}

/// Nothing instead of the error that there is no such file.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
