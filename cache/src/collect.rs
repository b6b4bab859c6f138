//! Collecting: artifacts that nobody needs any more are removed, within limits of size and age.
//!
//! | what | removed |
//! |---|---|
//! | artifact of a record that a run to be kept used | never |
//! | artifact written or used within the grace time | never: a run may be about to use it |
//! | any other artifact | when it was last used too long ago; then the longest unused first, until the size fits |
//! | record | never: it is small, and says why nodes are stale |
//! | checkpoint | when its work is done, or when it is too old |
//! | state of finished work | when it is too old; then the oldest first, until a tenth of the size is left |
//! | unfinished file, damaged file | when it is older than the grace time |
//!
//! Who used what and when is the caller's knowledge (the journals of runs). A node whose artifact was removed is stale
//! and runs again when it is needed, so a wrong guess costs time and no result; so does a run that begins meanwhile.

use crate::digest::{Digest, Key};
use crate::disk::Access;
use crate::error::StoreError;
use crate::files::{NEW_PREFIX, ignore_missing};
use crate::store::Store;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// States of finished work may take this part of the bytes that artifacts may.
const SHARE_OF_STATES: u64 = 10;

/// What is known of the use of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// The last run that used it.
    pub last: SystemTime,
    /// Whether that use is to be kept possible without running again.
    pub kept: bool,
}

/// Limits of a store.
#[derive(Debug, Clone)]
pub struct CollectRules {
    /// Bytes of all artifacts together. What must be kept may exceed it.
    pub most_bytes: u64,
    /// Time since the last use.
    pub most_age: Duration,
    /// What is younger stays, whatever it is.
    pub grace: Duration,
    /// Whether to remove anything, or only to say what would be.
    pub dry_run: bool,
}

/// Limits that no ordinary use reaches: 100 GiB, half a year, one hour of grace.
impl Default for CollectRules {
    fn default() -> Self {
        Self {
            most_bytes: 100 << 30,
            most_age: Duration::from_secs(180 * 24 * 3600),
            grace: Duration::from_secs(3600),
            dry_run: false,
        }
    }
}

/// What collecting did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Artifacts before.
    pub artifacts: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Artifacts removed, the longest unused first, with their bytes.
    pub removed: Vec<(Digest, u64)>,
    /// Bytes of artifacts that must be kept.
    pub kept_bytes: u64,
    /// Other files removed: checkpoints, leftovers.
    pub leftovers: usize,
    /// What could not be removed, and why.
    pub failures: Vec<String>,
}

impl Collected {
    /// Bytes of the artifacts removed.
    #[must_use]
    pub fn freed(&self) -> u64 {
        self.removed.iter().map(|(_, bytes)| bytes).sum()
    }
}

struct Candidate {
    digest: Digest,
    bytes: u64,
    last: SystemTime,
    kept: bool,
}

impl Store {
    /// Removes artifacts that are not needed, within limits. `used` says which records runs used, and when.
    ///
    /// # Errors
    /// The store cannot be read. What cannot be removed is no error.
    pub fn collect(&self, used: &HashMap<Key, KeyUse>, rules: &CollectRules) -> Result<Collected, StoreError> {
        self.collect_at(used, rules, SystemTime::now())
    }

    /// Whether the last call of [`Self::note_collected`] is longer ago, or there was none.
    #[must_use]
    pub fn collect_due(&self, interval: Duration) -> bool {
        let noted = self.files.disk.status(&self.files.path(["collected"]));
        noted.map_or(true, |noted| age(noted.modified, SystemTime::now()) > interval)
    }

    /// Notes that the store was collected now.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn note_collected(&self) -> Result<(), StoreError> {
        let marker = self.files.path(["collected"]);
        let noted = self.files.write_whole(&marker, b"", Access::Shared);
        noted.map_err(|error| StoreError::io("noting the collection", &marker, error))
    }

    pub(crate) fn collect_at(
        &self,
        used: &HashMap<Key, KeyUse>,
        rules: &CollectRules,
        now: SystemTime,
    ) -> Result<Collected, StoreError> {
        let uses = self.uses_of_artifacts(used)?;
        let mut candidates = Vec::new();
        for digest in self.artifacts()? {
            let path = self.artifact_path(&digest);
            // Removed by somebody else meanwhile.
            let Ok(status) = self.files.disk.status(&path) else { continue };
            let written = status.modified;
            let known = uses.get(&digest).copied().unwrap_or(KeyUse { last: written, kept: false });
            let last = known.last.max(written);
            let kept = known.kept || age(last, now) < rules.grace;
            candidates.push(Candidate { digest, bytes: status.length, last, kept });
        }
        candidates.sort_by_key(|candidate| (candidate.last, candidate.digest));
        let mut done = Collected {
            artifacts: candidates.len(),
            bytes: candidates.iter().map(|one| one.bytes).sum(),
            kept_bytes: candidates.iter().filter(|one| one.kept).map(|one| one.bytes).sum(),
            ..Collected::default()
        };
        let mut left = done.bytes;
        for one in candidates.iter().filter(|one| !one.kept) {
            if age(one.last, now) <= rules.most_age && left <= rules.most_bytes {
                continue;
            }
            let path = self.artifact_path(&one.digest);
            // It may have been put again since the store was listed.
            if self.written(&path).is_some_and(|written| age(written, now) < rules.grace) {
                continue;
            }
            if self.remove_file(&path, rules, &mut done) {
                left -= one.bytes;
                done.removed.push((one.digest, one.bytes));
            }
        }
        self.collect_states(rules, now, &mut done)?;
        self.collect_leftovers(rules, now, &mut done)?;
        Ok(done)
    }

    /// For each artifact that a record names: the last use, and whether any use is to be kept.
    fn uses_of_artifacts(&self, used: &HashMap<Key, KeyUse>) -> Result<BTreeMap<Digest, KeyUse>, StoreError> {
        let mut uses: BTreeMap<Digest, KeyUse> = BTreeMap::new();
        for key in self.record_keys()? {
            let Some(record) = self.record(&key)? else { continue };
            let paths = [self.record_path(&key), self.records.pending_path(&key)];
            let written = paths.iter().find_map(|path| self.written(path)).unwrap_or(SystemTime::UNIX_EPOCH);
            let known = used.get(&key).copied().unwrap_or(KeyUse { last: written, kept: false });
            for digest in record.outputs.values() {
                let one = uses.entry(*digest).or_insert(known);
                *one = KeyUse { last: one.last.max(known.last), kept: one.kept || known.kept };
            }
        }
        Ok(uses)
    }

    fn collect_leftovers(&self, rules: &CollectRules, now: SystemTime, done: &mut Collected) -> Result<(), StoreError> {
        let older = |path: &Path, most| self.written(path).is_some_and(|written| age(written, now) > most);
        for key in self.checkpoints.keys()? {
            let path = self.checkpoints.path(&key);
            let finished = older(&path, rules.grace) && self.record(&key)?.is_some();
            if finished || older(&path, rules.most_age) {
                self.leftover(&path, rules, done);
                self.remove_folder_if_empty(path.parent(), rules);
            }
        }
        for path in self.unfinished_files()? {
            if older(&path, rules.grace) {
                self.leftover(&path, rules, done);
            }
        }
        for path in self.paths_in(&self.files.path(["quarantine"]), |_| true)? {
            if older(&path, rules.most_age) {
                self.leftover(&path, rules, done);
            }
        }
        Ok(())
    }

    /// States only spare time, so they go before anything else would have to.
    fn collect_states(&self, rules: &CollectRules, now: SystemTime, done: &mut Collected) -> Result<(), StoreError> {
        let mut states = Vec::new();
        for (lineage, reached) in self.checkpoints.all_states()? {
            let path = self.checkpoints.state_path(&lineage, reached);
            let Ok(status) = self.files.disk.status(&path) else { continue };
            states.push((status.modified, path, status.length));
        }
        states.sort();
        let mut left: u64 = states.iter().map(|(.., bytes)| bytes).sum();
        for (written, path, bytes) in states {
            let young = age(written, now) < rules.grace;
            let too_much = left > rules.most_bytes / SHARE_OF_STATES;
            if !young && (too_much || age(written, now) > rules.most_age) {
                self.leftover(&path, rules, done);
                left -= bytes;
            }
        }
        for lineage in self.paths_in(&self.files.path(["states"]), |_| true)? {
            self.remove_folder_if_empty(Some(&lineage), rules);
        }
        Ok(())
    }

    /// Files that never got their name.
    fn unfinished_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let unfinished = |name: &str| name.starts_with(NEW_PREFIX);
        let mut found = self.paths_in(&self.files.path([]), unfinished)?;
        for top in ["artifacts", "records", "partial", "states"] {
            for inner in self.paths_in(&self.files.path([top]), |_| true)? {
                found.extend(self.paths_in(&inner, unfinished)?);
            }
        }
        for top in ["pending", "names"] {
            found.extend(self.paths_in(&self.files.path([top]), unfinished)?);
        }
        Ok(found)
    }

    /// When a file was last written.
    fn written(&self, path: &Path) -> Option<SystemTime> {
        self.files.disk.status(path).ok().map(|status| status.modified)
    }

    fn remove_folder_if_empty(&self, folder: Option<&Path>, rules: &CollectRules) {
        if let Some(folder) = folder.filter(|_| !rules.dry_run) {
            // Fails, as it should, while something is in it.
            let _ = self.files.disk.remove_folder(folder);
        }
    }

    fn paths_in(&self, folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, StoreError> {
        let names = self.files.names_in(folder)?;
        Ok(names.into_iter().filter(|name| wanted(name)).map(|name| folder.join(name)).collect())
    }

    fn leftover(&self, path: &Path, rules: &CollectRules, done: &mut Collected) {
        if self.remove_file(path, rules, done) {
            done.leftovers += 1;
        }
    }

    fn remove_file(&self, path: &Path, rules: &CollectRules, done: &mut Collected) -> bool {
        if rules.dry_run {
            return true;
        }
        match ignore_missing(self.files.disk.remove(path)) {
            Ok(()) => true,
            Err(error) => {
                done.failures.push(format!("{}: {error}", path.display()));
                false
            }
        }
    }
}

/// Clocks of several machines differ: what is from the future is new.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}
