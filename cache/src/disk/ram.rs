//! A file system in memory that fails on demand.
//!
//! It keeps apart what a running system sees (`live`) and what would survive a loss of power: a file's content only
//! as of its last sync, a name only once its folder was synced. [`RamDisk::power_loss`] then keeps or drops every
//! change that was not made durable, each by its own draw, so that also orders appear that a file system may produce
//! but rarely does.

use super::{Access, Disk, DiskFile, DiskLock, Status};
use crate::blob::Blob;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What happens at a chosen step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The step fails once with this error; a write has then written half of its bytes.
    Fail(io::ErrorKind),
    /// The process dies there: this step and all later ones fail, a write has written half of its bytes.
    Die,
}

#[derive(Clone, Default)]
pub(crate) struct RamDisk(Arc<Mutex<State>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Clone, Default)]
struct Content {
    live: Vec<u8>,
    synced: Vec<u8>,
    changes: u64,
    touched: Option<SystemTime>,
}

/// A change of names that is not yet durable.
#[derive(Clone)]
enum Change {
    Add(PathBuf, Node),
    Remove(PathBuf),
    Move(PathBuf, PathBuf, Node),
}

#[derive(Clone, Default)]
struct State {
    contents: Vec<Content>,
    live: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Change>,
    locks: BTreeSet<(PathBuf, u64)>,
    steps: u64,
    faults: BTreeMap<u64, Fault>,
    dead: bool,
    read_only: bool,
    capacity: Option<u64>,
    on_rename: Option<Arc<Hook>>,
}

type Hook = dyn Fn(&Path) + Send + Sync;

impl RamDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn steps(&self) -> u64 {
        self.state().steps
    }

    pub(crate) fn fault_at(&self, step: u64, fault: Fault) {
        self.state().faults.insert(step, fault);
    }

    pub(crate) fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    pub(crate) fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    pub(crate) fn on_rename(&self, hook: impl Fn(&Path) + Send + Sync + 'static) {
        self.state().on_rename = Some(Arc::new(hook));
    }

    /// What another process sees after this one was killed: everything that was written.
    pub(crate) fn killed(&self) -> Self {
        let mut state = self.state().clone();
        state.dead = false;
        state.faults.clear();
        state.locks.clear();
        Self(Arc::new(Mutex::new(state)))
    }

    /// What is left after a loss of power; `seed` draws which of the changes survived that were not synced.
    pub(crate) fn power_loss(&self, seed: u64) -> Self {
        let mut draw = Draw(seed);
        let mut state = self.state().clone();
        for change in std::mem::take(&mut state.pending) {
            if draw.below(2) == 1 {
                apply(&mut state.durable, change);
            }
        }
        for content in &mut state.contents {
            if content.live != content.synced {
                content.live = match draw.below(4) {
                    0 => std::mem::take(&mut content.synced),
                    1 => content.live[..draw.below(content.live.len() as u64 + 1) as usize].to_vec(),
                    2 => vec![0; content.live.len()],
                    _ => std::mem::take(&mut content.live),
                };
            }
            content.synced.clone_from(&content.live);
            content.changes += 1;
        }
        let names = state.durable.clone();
        let reachable =
            |path: &Path| path.ancestors().skip(1).all(|up| up.as_os_str().is_empty() || names.contains_key(up));
        state.durable.retain(|path, _| reachable(path));
        state.live = state.durable.clone();
        state.locks.clear();
        state.dead = false;
        state.faults.clear();
        Self(Arc::new(Mutex::new(state)))
    }

    /// All files with their bytes, sorted by path.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.state();
        let content = |node: &Node| match node {
            Node::File(at) => Some(state.contents[*at].live.clone()),
            Node::Folder => None,
        };
        state.live.iter().filter_map(|(path, node)| Some((path.clone(), content(node)?))).collect()
    }

    /// Replaces a file's bytes behind the store's back; false when there is no such file.
    pub(crate) fn damage(&self, path: &Path, bytes: Vec<u8>) -> bool {
        let mut state = self.state();
        let Some(Node::File(at)) = state.live.get(path).copied() else {
            return false;
        };
        let content = &mut state.contents[at];
        content.synced.clone_from(&bytes);
        content.live = bytes;
        content.changes += 1;
        true
    }
}

impl State {
    /// Counts a step that changes something, and fails it if that was asked for. `Ok(true)`: fail after half of it.
    fn step(&mut self) -> io::Result<Option<io::Error>> {
        self.alive()?;
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let fault = self.faults.remove(&self.steps);
        self.steps += 1;
        Ok(match fault {
            None => None,
            Some(Fault::Fail(kind)) => Some(kind.into()),
            Some(Fault::Die) => {
                self.dead = true;
                Some(io::Error::other("the process died here"))
            }
        })
    }

    /// A step that happens wholly or not at all.
    fn whole_step(&mut self) -> io::Result<()> {
        self.step()?.map_or(Ok(()), Err)
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the process is dead")) } else { Ok(()) }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.live.get(path) {
            Some(Node::File(at)) => Ok(*at),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn need_folder_of(&self, path: &Path) -> io::Result<()> {
        let parent = parent(path);
        let there = parent.as_os_str().is_empty() || self.live.get(parent) == Some(&Node::Folder);
        if there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.live, change.clone());
        self.pending.push(change);
    }

    fn add_file(&mut self, path: &Path) -> usize {
        self.contents.push(Content::default());
        let at = self.contents.len() - 1;
        self.change(Change::Add(path.into(), Node::File(at)));
        at
    }

    fn used(&self) -> u64 {
        let bytes = |node: &Node| match node {
            Node::File(at) => self.contents[*at].live.len() as u64,
            Node::Folder => 0,
        };
        self.live.values().map(bytes).sum()
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        let fault = self.step()?;
        let room = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()));
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        let written = if fault.is_some() { bytes.len() / 2 } else { fits };
        let content = &mut self.contents[at];
        content.live.extend_from_slice(&bytes[..written.min(fits)]);
        content.changes += 1;
        match fault {
            Some(error) => Err(error),
            None if fits < bytes.len() => Err(io::ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }
}

impl Disk for RamDisk {
    fn read(&self, path: &Path) -> io::Result<(Blob, Status)> {
        let status = self.status(path)?;
        let state = self.state();
        Ok((state.contents[state.file(path)?].live.clone().into(), status))
    }

    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let state = self.state();
        state.alive()?;
        let bytes = &state.contents[state.file(path)?].live;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes[from..bytes.len().min(from.saturating_add(length))].to_vec())
    }

    /// Everything is as old as can be until it is touched.
    fn status(&self, path: &Path) -> io::Result<Status> {
        let state = self.state();
        state.alive()?;
        let at = state.file(path)?;
        let content = &state.contents[at];
        let identity = (at as u64, i128::from(content.changes));
        let modified = content.touched.unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Status { length: content.live.len() as u64, modified, identity })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        if state.live.get(folder) != Some(&Node::Folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = state.live.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create(&self, path: &Path, _access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.need_folder_of(path)?;
        if state.live.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.whole_step()?;
        let at = state.add_file(path);
        Ok(Box::new(RamFile { disk: self.clone(), at }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.need_folder_of(path)?;
        state.whole_step()?;
        let at = match state.file(path) {
            Ok(at) => at,
            Err(_) => state.add_file(path),
        };
        Ok(Box::new(RamFile { disk: self.clone(), at }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.need_folder_of(to)?;
        let at = state.file(from)?;
        state.whole_step()?;
        state.change(Change::Move(from.into(), to.into(), Node::File(at)));
        let hook = state.on_rename.clone();
        drop(state);
        hook.iter().for_each(|hook| hook(to));
        Ok(())
    }

    fn touch(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let at = state.file(path)?;
        state.whole_step()?;
        state.contents[at].touched = Some(SystemTime::now());
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.file(path)?;
        state.whole_step()?;
        state.change(Change::Remove(path.into()));
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.live.get(path) != Some(&Node::Folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.live.keys().any(|inside| inside.parent() == Some(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.whole_step()?;
        state.change(Change::Remove(path.into()));
        Ok(())
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.need_folder_of(path)?;
        if state.live.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.whole_step()?;
        state.change(Change::Add(path.into(), Node::Folder));
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole_step()?;
        for change in std::mem::take(&mut state.pending) {
            let (Change::Add(name, _) | Change::Remove(name) | Change::Move(_, name, _)) = &change;
            if parent(name) == path || (path == Path::new(".") && parent(name).as_os_str().is_empty()) {
                apply(&mut state.durable, change);
            } else {
                state.pending.push(change);
            }
        }
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let at = state.file(path)?;
        state.whole_step()?;
        let content = &mut state.contents[at];
        content.synced.clone_from(&content.live);
        Ok(())
    }

    fn sync_all(&self, _folder: &Path) -> io::Result<bool> {
        let mut state = self.state();
        state.whole_step()?;
        for content in &mut state.contents {
            content.synced.clone_from(&content.live);
        }
        for change in std::mem::take(&mut state.pending) {
            apply(&mut state.durable, change);
        }
        Ok(true)
    }

    fn host(&self) -> String {
        "memory".to_owned()
    }

    fn lock(&self, file: &Path, number: u64) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut state = self.state();
        state.alive()?;
        if state.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let name = (file.to_owned(), number);
        let new = state.locks.insert(name.clone());
        Ok(new.then(|| Box::new(RamLock { disk: self.clone(), name }) as Box<dyn DiskLock>))
    }

    fn is_locked(&self, file: &Path, number: u64) -> bool {
        self.state().locks.contains(&(file.to_owned(), number))
    }
}

struct RamLock {
    disk: RamDisk,
    name: (PathBuf, u64),
}

impl DiskLock for RamLock {}

impl Drop for RamLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.name);
    }
}

struct RamFile {
    disk: RamDisk,
    at: usize,
}

impl DiskFile for RamFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.state().write(self.at, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.whole_step()?;
        let content = &mut state.contents[self.at];
        content.synced.clone_from(&content.live);
        Ok(())
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Node>, change: Change) {
    match change {
        Change::Add(path, node) => {
            names.insert(path, node);
        }
        Change::Remove(path) => {
            names.remove(&path);
        }
        Change::Move(from, to, node) => {
            names.remove(&from);
            names.insert(to, node);
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for choosing what a power loss takes.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
