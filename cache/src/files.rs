//! [`Files`]: how files of a store are written, named and read. Everything above goes through it.
//!
//! ```text
//! <root>/
//!   v1/                                another layout gets another folder, never a migration
//!     artifacts/ab/<64 hex>            bytes; the name is their digest; not writable
//!     records/ab/<64 hex>.json         the record under that key; ends with its own digest
//!     pending/<64 hex>.json            a record whose artifacts may not be durable yet; see `commit.rs`
//!     partial/<64 hex>/state           checkpoint of unfinished work under that key; footer with digest
//!     states/<64 hex>/<reached>        where finished work of that lineage ended; footer with digest
//!     collected                        its time: when the store was last collected
//!     runs/<id>/journal                lines of checked JSON
//!     runs/<id>/logs/<12 hex>          what a node printed in that run
//!     locks                            the byte of a key is locked while it is computed, that of a run while it lives
//!     names/<12 hex>.json              last key of each node, by pipeline; advisory
//!     quarantine/<name>.<unique>       damaged files, kept for inspection
//!     **/.new-*                        temporary files, also those left by a kill; never read
//! ```
//!
//! | file | written | found damaged |
//! |---|---|---|
//! | artifact | once, whole; synced by the next group commit | quarantine, [`Damaged`](crate::StoreErrorKind::Damaged) |
//! | record | whole; synced by the next group commit | quarantine, absent, warning |
//! | checkpoint | atomically, replaced often | quarantine, absent, warning |
//! | state | atomically, once | quarantine, absent, warning |
//! | journal | appended, synced at the end | read up to the damage |
//! | names | whole, never synced | absent |
//!
//! "Whole": a new file in the same folder with a name of its own; write; rename. "Atomically": the same with a sync of the
//! file before and of the folder after the rename. On any failure the new file is removed again; after a kill it stays
//! behind under its temporary name (`.new-*`) until it is collected.

use crate::blob::Blob;
use crate::disk::{Access, Disk, DiskFile};
use crate::error::StoreError;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Begins the names of files that are not complete yet.
pub(crate) const NEW_PREFIX: &str = ".new-";

pub(crate) struct Files {
    pub(crate) disk: Box<dyn Disk>,
    root: PathBuf,
    /// The `v1` folder.
    base: PathBuf,
    /// Held while a file gets or loses its name, so that within a process no file is moved away in another's place.
    renaming: Mutex<()>,
    /// Folders that this process knows to survive a loss of power.
    durable: Mutex<HashSet<PathBuf>>,
    warnings: Mutex<Vec<String>>,
    /// Makes names of new files differ between processes, also on other machines.
    process: u64,
    count: AtomicU64,
}

/// A file under a temporary name. Dropping it removes it.
pub(crate) struct NewFile<'a> {
    files: &'a Files,
    path: PathBuf,
    /// None once it has its name.
    file: Option<Box<dyn DiskFile>>,
}

impl Files {
    pub(crate) fn new(disk: Box<dyn Disk>, root: &Path) -> Self {
        Self {
            disk,
            root: root.to_owned(),
            base: root.join("v1"),
            renaming: Mutex::default(),
            durable: Mutex::default(),
            warnings: Mutex::default(),
            process: RandomState::new().hash_one(std::process::id()),
            count: AtomicU64::new(0),
        }
    }

    /// The folder that the store was opened at.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below `v1`. Asked for several times for each node of a plan, so it takes memory once.
    pub(crate) fn path<const N: usize>(&self, names: [&str; N]) -> PathBuf {
        let length = names.iter().map(|name| name.len() + 1).sum::<usize>();
        let mut path = PathBuf::with_capacity(self.base.as_os_str().len() + length);
        path.push(&self.base);
        path.extend(names);
        path
    }

    /// Writes a file whole, with its content and its name synced.
    pub(crate) fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = parent(path);
        self.make_durable_folders(folder)?;
        let mut new = self.create(path, Access::Shared)?;
        new.write(bytes)?;
        new.sync()?;
        new.publish(path)?;
        // Only does something if the folder was removed and made again meanwhile.
        self.make_durable_folders(folder)?;
        self.disk.sync_folder(folder)
    }

    /// Writes a file whole, without any sync.
    pub(crate) fn write_whole(&self, path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
        let mut new = self.create(path, access)?;
        new.write(bytes)?;
        new.publish(path)
    }

    /// Begins a file that is to get this name.
    pub(crate) fn create(&self, path: &Path, access: Access) -> io::Result<NewFile<'_>> {
        let folder = parent(path);
        let new = folder.join(format!("{NEW_PREFIX}{}", self.unique()));
        let file = self.in_folder(folder, || self.disk.create(&new, access))?;
        Ok(NewFile { files: self, path: new, file: Some(file) })
    }

    /// Does something in a folder, which is made if it is missing.
    pub(crate) fn in_folder<T>(&self, folder: &Path, does: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match does() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Another process may have removed it since it was known to be durable.
                lock(&self.durable).retain(|known| !known.starts_with(folder) && !folder.starts_with(known));
                self.make_folders(folder)?;
                does()
            }
            other => other,
        }
    }

    /// Appends to a file that only informs.
    pub(crate) fn append(&self, path: &Path, text: &str) -> io::Result<()> {
        self.in_folder(parent(path), || self.disk.append(path))?.write_all(text.as_bytes())
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _renaming = lock(&self.renaming);
        self.disk.rename(from, to)
    }

    /// Removes a file, if it is there, and its folder, if that is empty then.
    pub(crate) fn remove_with_folder(&self, path: &Path) -> io::Result<()> {
        match self.disk.remove(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        // Fails when a kill left a new file behind; the folder is then collected later.
        let _ = self.disk.remove_folder(parent(path));
        Ok(())
    }

    /// The file's bytes, or none if there is no file.
    pub(crate) fn read_if_there(&self, action: &str, path: &Path) -> Result<Option<Blob>, StoreError> {
        match self.disk.read(path) {
            Ok((blob, _)) => Ok(Some(blob)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(action, path, error)),
        }
    }

    /// Names in a folder, sorted; none when there is no folder.
    pub(crate) fn names_in(&self, folder: &Path) -> Result<Vec<String>, StoreError> {
        match self.disk.list(folder) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
            other => other.map_err(|error| StoreError::io("listing", folder, error)),
        }
    }

    /// Names of complete files in the folders of two hex digits below a folder, sorted.
    pub(crate) fn fanned_out(&self, top: &str) -> Result<Vec<String>, StoreError> {
        let folder = self.path([top]);
        let mut names = Vec::new();
        for inner in self.names_in(&folder)? {
            names.extend(self.names_in(&folder.join(inner))?);
        }
        names.retain(|name| !name.starts_with(NEW_PREFIX));
        names.sort_unstable();
        Ok(names)
    }

    /// Makes a folder of the store and those above it. Another process may have made some of them without coming to
    /// the sync, so each one is synced once per process before something durable is put into it.
    pub(crate) fn make_durable_folders(&self, folder: &Path) -> io::Result<()> {
        let ours = folder.starts_with(&self.root);
        if folder.as_os_str().is_empty() || self.is_durable(folder) {
            return Ok(());
        }
        if ours {
            self.make_durable_folders(parent(folder))?;
        }
        match self.disk.make_folder(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make_durable_folders(parent(folder))?;
                ignore_existing(self.disk.make_folder(folder))?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !ours => return Ok(()),
            other => ignore_existing(other)?,
        }
        let up = parent(folder);
        self.disk.sync_folder(if up.as_os_str().is_empty() { Path::new(".") } else { up })?;
        lock(&self.durable).insert(folder.to_owned());
        Ok(())
    }

    /// Makes a folder and those above it without syncing them.
    pub(crate) fn make_folders(&self, folder: &Path) -> io::Result<()> {
        match self.disk.make_folder(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound && !folder.as_os_str().is_empty() => {
                self.make_folders(parent(folder))?;
                ignore_existing(self.disk.make_folder(folder))
            }
            other => ignore_existing(other),
        }
    }

    /// Whether a folder is known to survive a loss of power.
    pub(crate) fn is_durable(&self, folder: &Path) -> bool {
        lock(&self.durable).contains(folder)
    }

    /// Notes that folders of the store and those above them, up to `v1`, survive a loss of power.
    pub(crate) fn note_durable(&self, folders: &BTreeSet<&Path>) {
        let above = folders.iter().flat_map(|folder| folder.ancestors());
        lock(&self.durable).extend(above.filter(|folder| folder.starts_with(&self.base)).map(Path::to_owned));
    }

    /// Moves a damaged file out of the way with a warning, so that it counts as absent and can be looked at.
    pub(crate) fn set_aside(&self, what: &str, path: &Path, why: &str) {
        let place = match self.quarantine(path) {
            Some(to) => format!("it was moved to {}", to.display()),
            None => format!("it could not be moved away from {}", path.display()),
        };
        self.warn(format!("{what} counts as absent: {why}; {place}"));
    }

    /// Moves a damaged file out of the way if `is_damaged` still holds when no file can change its name.
    pub(crate) fn quarantine_if(&self, path: &Path, is_damaged: impl Fn(&Blob) -> bool) -> Quarantined {
        let _renaming = lock(&self.renaming);
        match self.disk.read(path) {
            Ok((found, _)) if !is_damaged(&found) => return Quarantined::Replaced,
            Ok(_) => {}
            Err(_) => return Quarantined::Stuck,
        }
        let Some(to) = self.quarantine(path) else { return Quarantined::Stuck };
        // Another process may have come between the look and the move.
        let whole = self.disk.read(&to).is_ok_and(|(moved, _)| !is_damaged(&moved));
        if whole && self.disk.rename(&to, path).is_ok() { Quarantined::Replaced } else { Quarantined::Moved(to) }
    }

    /// Moves a file to quarantine. None if that was not possible; it is then found damaged again.
    fn quarantine(&self, path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?.to_str()?;
        let folder = self.path(["quarantine"]);
        let to = folder.join(format!("{name}.{}", self.unique()));
        self.in_folder(&folder, || self.disk.rename(path, &to)).ok().map(|()| to)
    }

    pub(crate) fn warn(&self, text: String) {
        lock(&self.warnings).push(text);
    }

    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.warnings))
    }

    fn unique(&self) -> String {
        format!("{:016x}-{}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// What became of a damaged file.
pub(crate) enum Quarantined {
    Moved(PathBuf),
    /// It could not be moved, or another reader moved it.
    Stuck,
    /// There is a whole file under its name now.
    Replaced,
}

impl NewFile<'_> {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.sync())
    }

    /// Gives the file its name.
    pub(crate) fn publish(mut self, path: &Path) -> io::Result<()> {
        self.files.rename(&self.path, path)?;
        self.file = None;
        Ok(())
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            drop(file);
            // What cannot be removed keeps its temporary name, and is collected later.
            let _ = self.files.disk.remove(&self.path);
        }
    }
}

fn ignore_existing(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// What is gone already need not be moved, synced or removed.
pub(crate) fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// A thread that panicked while holding one of these locks cannot have left them half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
