//! Garbage collection: what is not needed any more is removed, within limits of size and age.
//!
//! | what | removed |
//! |---|---|
//! | artifact or record that a run to be kept used | never |
//! | artifact written or used within the grace time | never: a run may be about to use it |
//! | any other artifact | when it was last used too long ago; then the longest unused first, until the size fits |
//! | any other record | when it was last used too long ago; it is small, and says why nodes are stale |
//! | journal and logs of a run that is not to be kept | when it is too old, or not among the last [`MOST_RUNS`] |
//! | checkpoint | when its work is done, or when it is too old |
//! | state of finished work | when it is too old; then the oldest first, until a tenth of the size is left |
//! | unfinished file | when it is older than the grace time |
//! | damaged file, names of a pipeline's nodes | when it is too old |
//!
//! Which runs are to be kept, and what they used, is the caller's knowledge. A node whose artifact was removed is stale
//! and runs again when it is needed, so a wrong guess costs time and no result; so does a run that begins meanwhile.

use crate::digest::{Digest, Key};
use crate::disk::Access;
use crate::error::StoreError;
use crate::files::{NEW_PREFIX, ignore_missing};
use crate::store::Store;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// States of finished work may take this part of the bytes that artifacts may.
const SHARE_OF_STATES: u64 = 10;

/// Journals of runs that are not to be kept: the latest ones.
const MOST_RUNS: usize = 1_000;

/// What runs used, and which of them are to be kept.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// The use of each record that a run used.
    pub keys: HashMap<Key, KeyUse>,
    /// The runs to be kept; those that are going on are kept in any case.
    pub runs: HashSet<String>,
}

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
    /// Records removed.
    pub records: usize,
    /// Runs whose journal and logs were removed.
    pub runs: usize,
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
    /// Removes what is not needed any more, within limits.
    ///
    /// # Errors
    /// The store cannot be read. What cannot be removed is no error.
    pub fn collect(&self, uses: &Uses, rules: &CollectRules) -> Result<Collected, StoreError> {
        self.collect_at(uses, rules, SystemTime::now())
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

    /// Removes the records of these keys, the artifacts that no other record names, and where members of these lineages ended, so that
    /// work of theirs begins at its beginning. To be called when no run uses the store: a node whose artifact is gone runs again.
    ///
    /// # Errors
    /// The store cannot be read. What cannot be removed is no error.
    pub fn forget(
        &self,
        keys: &BTreeSet<Key>,
        lineages: &BTreeSet<Key>,
        dry_run: bool,
    ) -> Result<Collected, StoreError> {
        let rules = CollectRules { dry_run, ..CollectRules::default() };
        let mut done = Collected::default();
        let (mut named, mut others) = (BTreeSet::new(), BTreeSet::new());
        for key in self.record_keys()? {
            let Some(record) = self.record_head(&key)? else { continue };
            let artifacts = record.outputs.values().copied();
            if !keys.contains(&key) {
                others.extend(artifacts);
                continue;
            }
            named.extend(artifacts);
            let removed = [self.record_path(&key), self.records.pending_path(&key)]
                .map(|path| self.remove_file(&path, &rules, &mut done));
            done.records += usize::from(removed == [true, true]);
        }
        for digest in named.difference(&others) {
            let Some(bytes) = self.length(digest) else { continue };
            if self.remove_file(&self.artifact_path(digest), &rules, &mut done) {
                done.removed.push((*digest, bytes));
            }
        }
        for lineage in lineages {
            for reached in self.checkpoints.states(lineage) {
                self.leftover(&self.checkpoints.state_path(lineage, reached), &rules, &mut done);
            }
            self.remove_folder_if_empty(Some(&self.files.path(["states", &lineage.hex()])), &rules);
        }
        Ok(done)
    }

    pub(crate) fn collect_at(
        &self,
        uses: &Uses,
        rules: &CollectRules,
        now: SystemTime,
    ) -> Result<Collected, StoreError> {
        let mut done = Collected::default();
        let of_records = self.collect_records(uses, (rules, now), &mut done)?;
        self.collect_artifacts(&of_records, (rules, now), &mut done)?;
        self.collect_runs(uses, (rules, now), &mut done)?;
        self.collect_states((rules, now), &mut done)?;
        self.collect_leftovers((rules, now), &mut done)?;
        Ok(done)
    }

    /// Removes records, and gives for each artifact that one of the others names: the last use, and whether any use is to
    /// be kept.
    fn collect_records(
        &self,
        uses: &Uses,
        (rules, now): (&CollectRules, SystemTime),
        done: &mut Collected,
    ) -> Result<BTreeMap<Digest, KeyUse>, StoreError> {
        let mut of_artifacts: BTreeMap<Digest, KeyUse> = BTreeMap::new();
        for key in self.record_keys()? {
            let Some(record) = self.record(&key)? else { continue };
            let path = self.record_path(&key);
            let pending = self.records.pending_path(&key);
            let written = self.written(&path).or_else(|| self.written(&pending)).unwrap_or(SystemTime::UNIX_EPOCH);
            let known = uses.keys.get(&key).copied().unwrap_or(KeyUse { last: written, kept: false });
            let last = known.last.max(written);
            if !known.kept && age(last, now) > rules.most_age.max(rules.grace) {
                done.records += usize::from(self.remove_file(&path, rules, done));
                continue;
            }
            for digest in record.outputs.values() {
                let one = of_artifacts.entry(*digest).or_insert(known);
                *one = KeyUse { last: one.last.max(known.last), kept: one.kept || known.kept };
            }
        }
        Ok(of_artifacts)
    }

    fn collect_artifacts(
        &self,
        uses: &BTreeMap<Digest, KeyUse>,
        (rules, now): (&CollectRules, SystemTime),
        done: &mut Collected,
    ) -> Result<(), StoreError> {
        let mut candidates = Vec::new();
        for digest in self.artifacts()? {
            // Removed by another process meanwhile.
            let Ok(status) = self.files.disk.status(&self.artifact_path(&digest)) else { continue };
            let written = status.modified;
            let known = uses.get(&digest).copied().unwrap_or(KeyUse { last: written, kept: false });
            let last = known.last.max(written);
            let kept = known.kept || age(last, now) < rules.grace;
            candidates.push(Candidate { digest, bytes: status.length, last, kept });
        }
        candidates.sort_by_key(|candidate| (candidate.last, candidate.digest));
        done.artifacts = candidates.len();
        done.bytes = candidates.iter().map(|one| one.bytes).sum();
        done.kept_bytes = candidates.iter().filter(|one| one.kept).map(|one| one.bytes).sum();
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
            if self.remove_file(&path, rules, done) {
                left -= one.bytes;
                done.removed.push((one.digest, one.bytes));
            }
        }
        Ok(())
    }

    fn collect_runs(
        &self,
        uses: &Uses,
        (rules, now): (&CollectRules, SystemTime),
        done: &mut Collected,
    ) -> Result<(), StoreError> {
        let mut runs: Vec<(Reverse<SystemTime>, PathBuf)> = Vec::new();
        for run in self.runs()?.into_iter().filter(|run| !uses.runs.contains(run) && !self.is_running(run)) {
            let folder = self.files.path(["runs", &run]);
            let written = self.written(&folder.join("journal")).unwrap_or(SystemTime::UNIX_EPOCH);
            runs.push((Reverse(written), folder));
        }
        runs.sort();
        for (at, (Reverse(written), folder)) in runs.into_iter().enumerate() {
            let age = age(written, now);
            if age > rules.grace && (age > rules.most_age || at >= MOST_RUNS) {
                done.runs += 1;
                self.remove_folder(&folder, rules, done)?;
            }
        }
        Ok(())
    }

    fn collect_leftovers(
        &self,
        (rules, now): (&CollectRules, SystemTime),
        done: &mut Collected,
    ) -> Result<(), StoreError> {
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
        // A damaged file is of use to those who look for the cause; the keys of a pipeline to those who run it.
        for top in ["quarantine", "names"] {
            for path in self.paths_in(&self.files.path([top]), |_| true)? {
                if older(&path, rules.most_age) {
                    self.leftover(&path, rules, done);
                }
            }
        }
        Ok(())
    }

    /// States only spare time, so they go before anything else would have to.
    fn collect_states(
        &self,
        (rules, now): (&CollectRules, SystemTime),
        done: &mut Collected,
    ) -> Result<(), StoreError> {
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

    /// Removes a folder with all that is in it.
    fn remove_folder(&self, folder: &Path, rules: &CollectRules, done: &mut Collected) -> Result<(), StoreError> {
        for path in self.paths_in(folder, |_| true)? {
            if self.files.disk.status(&path).is_ok() {
                self.remove_file(&path, rules, done);
            } else {
                self.remove_folder(&path, rules, done)?;
            }
        }
        self.remove_folder_if_empty(Some(folder), rules);
        Ok(())
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
