//! [`RamStore`]: a [`Store`] in memory, which fails on demand.

use crate::collect::{CollectRules, Collected, Uses};
use crate::commit::When;
use crate::disk::ram::{Fault, RamDisk};
use crate::error::StoreError;
use crate::store::Store;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A store in memory that runs the same protocol as one on a disk, for tests: it can be full or read-only, fail or die at
/// any step, lose what was not synced, and have its files damaged.
///
/// ```
/// use pddflow_cache::{Fault, RamStore};
///
/// let store = RamStore::new();
/// store.fault_at(store.steps() + 3, Fault::Die);
/// assert!(store.put(b"bytes").is_err());
/// assert!(!store.killed().contains(&pddflow_cache::Digest::of(b"bytes")));
/// ```
pub struct RamStore {
    disk: RamDisk,
    store: Store,
}

impl Deref for RamStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Default for RamStore {
    fn default() -> Self {
        Self::over(RamDisk::default())
    }
}

impl RamStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn over(disk: RamDisk) -> Self {
        let store = Store::over(Box::new(disk.clone()), Path::new("store"), When::AtOnce);
        Self { disk, store }
    }

    /// How many steps that change something were taken so far (create, write, sync, rename...).
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.disk.steps()
    }

    /// Lets the step with this number go wrong; the next step has the number [`Self::steps`].
    pub fn fault_at(&self, step: u64, fault: Fault) {
        self.disk.fault_at(step, fault);
    }

    /// Limits the bytes of all files together; none is no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk.set_capacity(bytes);
    }

    /// Refuses every change from now on, or no longer.
    pub fn set_read_only(&self, read_only: bool) {
        self.disk.set_read_only(read_only);
    }

    /// Lets records be committed only when [`Store::commit`] is called, not with each record.
    pub fn set_lazy(&self, lazy: bool) {
        self.commit.set_when(if lazy { When::OnDemand } else { When::AtOnce });
    }

    /// Calls this with the name of each file that gets its name.
    pub fn on_rename(&self, hook: impl Fn(&Path) + Send + Sync + 'static) {
        self.disk.on_rename(hook);
    }

    /// The same disk in another process: nothing is remembered as checked.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self::over(self.disk.clone())
    }

    /// What the next process finds after this one was killed. A copy: this store stays as it is.
    #[must_use]
    pub fn killed(&self) -> Self {
        Self::over(self.disk.killed())
    }

    /// What the next process finds after a loss of power. Of what was not synced, `seed` draws what survives.
    #[must_use]
    pub fn power_loss(&self, seed: u64) -> Self {
        Self::over(self.disk.power_loss(seed))
    }

    /// As [`Store::collect`], at a moment of choice; every file is from 1970.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn collect_at(&self, uses: &Uses, rules: &CollectRules, now: SystemTime) -> Result<Collected, StoreError> {
        self.store.collect_at(uses, rules, now)
    }

    /// All files, sorted by path.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.disk.files()
    }

    /// Replaces the bytes of a file behind the store's back. False if there is no such file.
    pub fn damage(&self, path: &Path, bytes: Vec<u8>) -> bool {
        self.disk.damage(path, bytes)
    }
}
