//! The operating system's file system.
#![allow(
    clippy::disallowed_methods,
    reason = "every error of this module gets its path in a StoreError; fs-err would say it twice"
)]

#[cfg(target_os = "linux")]
use super::claims::ByteClaims;
#[cfg(not(target_os = "linux"))]
use super::claims::FileClaims;
use super::claims::{self, Claims};
use super::{Access, Claimed, Disk, DiskFile, SMALL_BYTES};
use crate::blob::Blob;
use crate::stamp::Stamp;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A claim is tried again so often when its file loses its name meanwhile.
const MOST_CLAIM_TRIES: usize = 16;

pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn read(&self, path: &Path) -> io::Result<(Blob, Stamp)> {
        let mut file = fs::File::open(path)?;
        let stamp = Stamp::new(&file.metadata()?);
        Ok((Blob::from_file(&mut file, stamp.length)?, stamp))
    }

    fn read_small(&self, path: &Path) -> io::Result<Option<Blob>> {
        let mut bytes = [0; SMALL_BYTES];
        let length = fs::File::open(path)?.read(&mut bytes)?;
        Ok((length < SMALL_BYTES).then(|| Blob::from(&bytes[..length])))
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        let metadata = fs::metadata(path)?;
        if metadata.is_file() { Ok(Stamp::new(&metadata)) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn modified(&self, path: &Path) -> io::Result<SystemTime> {
        fs::metadata(path)?.modified()
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

    fn claim(&self, path: &Path) -> io::Result<Option<Box<dyn Claimed>>> {
        for _ in 0..MOST_CLAIM_TRIES {
            let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
            // Its last holder may have taken the name away between our opening and our lock.
            let named = fs::metadata(path).map(|metadata| Stamp::new(&metadata).inode);
            if named.is_ok_and(|inode| file.metadata().is_ok_and(|metadata| Stamp::new(&metadata).inode == inode)) {
                return Ok(Some(Box::new(RealClaim { path: path.to_owned(), _file: file })));
            }
        }
        Ok(None)
    }

    #[cfg(target_os = "linux")]
    fn claims(&self, folder: &Path) -> io::Result<Box<dyn Claims>> {
        Ok(Box::new(ByteClaims::open(folder)?))
    }

    #[cfg(not(target_os = "linux"))]
    fn claims(&self, folder: &Path) -> io::Result<Box<dyn Claims>> {
        Ok(Box::new(FileClaims { disk: Self, folder: folder.to_owned() }))
    }

    #[cfg(target_os = "linux")]
    fn is_taken(&self, folder: &Path, number: u64) -> bool {
        claims::is_byte_taken(folder, number)
    }

    #[cfg(not(target_os = "linux"))]
    fn is_taken(&self, folder: &Path, number: u64) -> bool {
        self.is_claimed(&claims::file_of(folder, number))
    }

    fn is_claimed(&self, path: &Path) -> bool {
        let locked = |file: fs::File| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock));
        fs::File::open(path).is_ok_and(locked)
    }
}

/// A file under a lock of the operating system, which ends with the process.
struct RealClaim {
    path: PathBuf,
    /// Holds the lock.
    _file: fs::File,
}

impl Claimed for RealClaim {}

impl Drop for RealClaim {
    fn drop(&mut self) {
        // Still locked, so that nobody takes the file that loses its name. When it stays behind, it is taken again.
        let _ = fs::remove_file(&self.path);
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
fn restrict(options: &mut fs::OpenOptions, access: Access) {
    use std::os::unix::fs::OpenOptionsExt;
    // The user's mask narrows these further. Without write permission an editor cannot damage an artifact by accident.
    options.mode(match access {
        Access::ReadOnly => 0o444,
        Access::Owner => 0o644,
    });
}

#[cfg(not(unix))]
fn restrict(_options: &mut fs::OpenOptions, _access: Access) {}
