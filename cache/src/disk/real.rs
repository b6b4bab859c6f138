//! The operating system's file system.
#![allow(
    clippy::disallowed_methods,
    reason = "every error of this module gets its path in a StoreError; fs-err would say it twice"
)]

use super::{Access, Disk, DiskFile, DiskLock, Status};
use crate::blob::Blob;
use std::fs::{self, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

#[cfg(target_os = "linux")]
#[derive(Default)]
pub(crate) struct RealDisk {
    locks: super::locks::LockFiles,
}

#[cfg(not(target_os = "linux"))]
#[derive(Default)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn read(&self, path: &Path) -> io::Result<(Blob, Status)> {
        let mut file = fs::File::open(path)?;
        let status = status_of(&file.metadata()?);
        Ok((Blob::from_file(&mut file, status.length)?, status))
    }

    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn status(&self, path: &Path) -> io::Result<Status> {
        let metadata = fs::metadata(path)?;
        if metadata.is_file() { Ok(status_of(&metadata)) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            // Names that are not UTF-8 are not ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        restrict(&mut options, access);
        Ok(Box::new(RealFile(options.open(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(fs::OpenOptions::new().append(true).create(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    #[cfg(unix)]
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
        match fs::File::open(path).and_then(|folder| folder.sync_all()) {
            // A folder that may be entered but not read, or a file system without such a thing as syncing a folder
            // (network and user-space ones): the store is usable, its names are as durable as they can be.
            Err(error) if matches!(error.kind(), PermissionDenied | InvalidInput | Unsupported) => Ok(()),
            other => other,
        }
    }

    /// Elsewhere a folder cannot be opened as a file; the file system orders names by itself.
    #[cfg(not(unix))]
    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    #[cfg(target_os = "linux")]
    fn sync_all(&self, folder: &Path) -> io::Result<bool> {
        nix::unistd::syncfs(fs::File::open(folder)?)?;
        Ok(true)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_all(&self, _folder: &Path) -> io::Result<bool> {
        Ok(false)
    }

    #[cfg(target_os = "linux")]
    fn lock(&self, file: &Path, number: u64) -> io::Result<Option<Box<dyn DiskLock>>> {
        self.locks.lock(file, number)
    }

    #[cfg(target_os = "linux")]
    fn is_locked(&self, file: &Path, number: u64) -> bool {
        super::locks::is_locked(file, number)
    }

    /// Work may be done twice there, which is a waste and no harm.
    #[cfg(not(target_os = "linux"))]
    fn lock(&self, _file: &Path, _number: u64) -> io::Result<Option<Box<dyn DiskLock>>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(target_os = "linux"))]
    fn is_locked(&self, _file: &Path, _number: u64) -> bool {
        false
    }
}

struct RealFile(fs::File);

impl DiskFile for RealFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

#[cfg(unix)]
fn status_of(metadata: &Metadata) -> Status {
    use std::os::unix::fs::MetadataExt as _;
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Status { length: metadata.len(), modified, identity: (metadata.ino(), changed) }
}

#[cfg(not(unix))]
fn status_of(metadata: &Metadata) -> Status {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Status { length: metadata.len(), modified, identity: (0, 0) }
}

/// Without write permission an editor cannot damage an artifact by accident. All other files get what the user's mask
/// allows, so that a group can share a store.
#[cfg(unix)]
fn restrict(options: &mut fs::OpenOptions, access: Access) {
    use std::os::unix::fs::OpenOptionsExt as _;
    if access == Access::ReadOnly {
        options.mode(0o444);
    }
}

#[cfg(not(unix))]
fn restrict(_options: &mut fs::OpenOptions, _access: Access) {}
