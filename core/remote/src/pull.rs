//! From another place to the store.
//!
//! | under the key here | what is copied |
//! |---|---|
//! | a record whose artifacts are all here | nothing |
//! | nothing, or a record that lacks an artifact | the artifacts of the record there that are not here, then the record |

use crate::error::RemoteError;
use crate::options::Options;
use crate::parallel::each;
use crate::place::{Place, Theirs};
use crate::progress::Teller;
use pddflow_cache::{Digest, Key, Record, Store};
use std::collections::{BTreeMap, BTreeSet};

/// What a pull did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pulled {
    /// Records that were copied.
    pub records: Vec<Key>,
    /// Artifacts that were copied.
    pub artifacts: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Records that the store had.
    pub there: usize,
    /// Keys under which the other place has nothing.
    pub absent: usize,
    /// What is damaged or gone there: where it lies, and what is wrong with it. None of it entered the store.
    pub damaged: Vec<String>,
}

impl Pulled {
    /// Adds what another pull did.
    pub fn add(&mut self, other: Self) {
        self.records.extend(other.records);
        self.artifacts += other.artifacts;
        self.bytes += other.bytes;
        self.there += other.there;
        self.absent += other.absent;
        self.damaged.extend(other.damaged);
    }
}

enum Looked {
    There,
    Absent,
    Damaged(String),
    Wanted(Box<Record>),
}

pub(crate) fn pull(
    place: &Place,
    store: &Store,
    keys: &[Key],
    (options, teller): (&Options, &Teller<'_>),
) -> Result<Pulled, RemoteError> {
    let mut done = Pulled::default();
    let mut wanted = Vec::new();
    for looked in each(keys, options.at_once, |key| look(place, store, key))? {
        match looked {
            Looked::There => done.there += 1,
            Looked::Absent => done.absent += 1,
            Looked::Damaged(text) => done.damaged.push(text),
            Looked::Wanted(record) => wanted.push(*record),
        }
    }
    let (missing, mut gone) = missing(place, store, &wanted, options.at_once)?;
    done.damaged.extend(gone.iter().map(|digest| format!("{} is not there", place.artifact_url(digest))));
    if !options.dry_run {
        teller.begin(missing.len(), missing.values().sum());
        let wrong = download(place, store, (&missing, options.at_once), teller)?;
        let said = |digest: &Digest| format!("{}: its bytes have another digest", place.artifact_url(digest));
        done.damaged.extend(wrong.iter().map(said));
        gone.extend(wrong);
    }
    let whole = missing.iter().filter(|(digest, _)| !gone.contains(digest));
    (done.artifacts, done.bytes) = whole.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + bytes));
    for record in wanted {
        if record.outputs.values().any(|digest| gone.contains(digest)) {
            continue;
        }
        if !options.dry_run {
            store.put_record(&record)?;
        }
        done.records.push(record.key);
    }
    if !options.dry_run {
        store.commit()?;
    }
    Ok(done)
}

/// What is to be done about a key.
fn look(place: &Place, store: &Store, key: &Key) -> Result<Looked, RemoteError> {
    let ours = store.record(key)?;
    if ours.is_some_and(|record| record.outputs.values().all(|digest| store.contains(digest))) {
        return Ok(Looked::There);
    }
    Ok(match place.record(key)? {
        Theirs::Nothing => Looked::Absent,
        Theirs::Damaged(why) => Looked::Damaged(format!("{}: {why}", place.record_url(key))),
        Theirs::Whole(record) => Looked::Wanted(record),
    })
}

/// The artifacts that must be copied, with their bytes, and those that are not there.
fn missing(
    place: &Place,
    store: &Store,
    wanted: &[Record],
    at_once: usize,
) -> Result<(BTreeMap<Digest, u64>, BTreeSet<Digest>), RemoteError> {
    let digests = wanted.iter().flat_map(|record| record.outputs.values());
    let needed: BTreeSet<Digest> = digests.filter(|digest| !store.contains(digest)).copied().collect();
    let needed: Vec<Digest> = needed.into_iter().collect();
    let lengths = each(&needed, at_once, |digest| place.length(digest))?;
    let (mut found, mut gone) = (BTreeMap::new(), BTreeSet::new());
    for (digest, length) in needed.into_iter().zip(lengths) {
        match length {
            Some(bytes) => drop(found.insert(digest, bytes)),
            None => drop(gone.insert(digest)),
        }
    }
    Ok((found, gone))
}

/// Copies artifacts; says which ones are not what their name says.
fn download(
    place: &Place,
    store: &Store,
    (missing, at_once): (&BTreeMap<Digest, u64>, usize),
    teller: &Teller<'_>,
) -> Result<BTreeSet<Digest>, RemoteError> {
    let digests: Vec<Digest> = missing.keys().copied().collect();
    let right = each(&digests, at_once, |digest| {
        let right = place.download(digest, store, teller)?;
        teller.artifact();
        Ok(right)
    })?;
    Ok(digests.into_iter().zip(right).filter(|(_, right)| !right).map(|(digest, _)| digest).collect())
}
