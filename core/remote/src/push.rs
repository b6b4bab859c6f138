//! From the store to another place.
//!
//! | the record there | what is copied |
//! |---|---|
//! | names the same artifacts | those that are missing there or have another length |
//! | names others, which are all there | nothing: what was first stays |
//! | is absent, damaged, or names others that are gone | its artifacts, then the record |
//!
//! Every artifact of every record is there before the first record is written.

use crate::error::RemoteError;
use crate::options::Options;
use crate::parallel::each;
use crate::place::{Place, Theirs};
use crate::progress::Teller;
use pddflow_cache::{Digest, Key, Record, Store, StoreError, StoreErrorKind};
use std::collections::BTreeMap;

/// What a push did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pushed {
    /// Records that were copied.
    pub records: usize,
    /// Artifacts that were copied.
    pub artifacts: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Records that were there.
    pub there: usize,
    /// Records of the store that lack an artifact, and were passed over.
    pub incomplete: usize,
    /// Artifacts of the store that are damaged: where each lies and what became of it. Their records were passed over.
    pub damaged: Vec<String>,
}

/// A record to look after.
struct Wanted {
    record: Record,
    /// Whether the record itself is to be written.
    publish: bool,
}

enum Looked {
    There,
    Incomplete,
    Wanted(Box<Wanted>),
}

pub(crate) fn push(
    place: &Place,
    store: &Store,
    keys: &[Key],
    (options, teller): (&Options, &Teller<'_>),
) -> Result<Pushed, RemoteError> {
    let mut done = Pushed::default();
    let mut wanted = Vec::new();
    for looked in each(keys, options.at_once, |key| look(place, store, key))? {
        match looked {
            Looked::There => done.there += 1,
            Looked::Incomplete => done.incomplete += 1,
            Looked::Wanted(one) => {
                done.there += usize::from(!one.publish);
                wanted.push(*one);
            }
        }
    }
    let missing = missing(place, store, &wanted, options.at_once)?;
    teller.begin(missing.len(), missing.values().sum());
    if options.dry_run {
        done.artifacts = missing.len();
        done.bytes = missing.values().sum();
        done.records = wanted.iter().filter(|one| one.publish).count();
        return Ok(done);
    }
    let damaged = upload(place, store, (&missing, options.at_once), teller)?;
    let whole = missing.iter().filter(|(digest, _)| !damaged.contains_key(digest));
    (done.artifacts, done.bytes) = whole.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + bytes));
    let publishable =
        |one: &&Wanted| one.publish && !one.record.outputs.values().any(|digest| damaged.contains_key(digest));
    let records: Vec<&Record> = wanted.iter().filter(publishable).map(|one| &one.record).collect();
    done.records = records.len();
    done.damaged = damaged.into_values().collect();
    each(&records, options.at_once, |record| place.put_record(&record.key, file(record)?))?;
    Ok(done)
}

fn file(record: &Record) -> Result<Vec<u8>, RemoteError> {
    // It was read from such a file.
    record.to_file().map_err(|error| RemoteError::System(std::io::Error::other(error)))
}

/// What is to be done about a key.
fn look(place: &Place, store: &Store, key: &Key) -> Result<Looked, RemoteError> {
    let Some(record) = store.record(key)? else { return Ok(Looked::Incomplete) };
    let complete = record.outputs.values().all(|digest| store.contains(digest));
    let theirs = match place.record(key)? {
        Theirs::Whole(theirs) if theirs.outputs == record.outputs => {
            // Without its artifacts here, there is nothing that could be looked after there.
            let kept = Wanted { record, publish: false };
            return Ok(if complete { Looked::Wanted(Box::new(kept)) } else { Looked::There });
        }
        Theirs::Whole(theirs) => Some(*theirs),
        Theirs::Damaged(_) | Theirs::Nothing => None,
    };
    if let Some(theirs) = theirs
        && all_there(place, &theirs)?
    {
        return Ok(Looked::There);
    }
    Ok(if complete { Looked::Wanted(Box::new(Wanted { record, publish: true })) } else { Looked::Incomplete })
}

fn all_there(place: &Place, record: &Record) -> Result<bool, RemoteError> {
    for digest in record.outputs.values() {
        if place.length(digest)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The artifacts that must be copied, with their bytes.
fn missing(
    place: &Place,
    store: &Store,
    wanted: &[Wanted],
    at_once: usize,
) -> Result<BTreeMap<Digest, u64>, RemoteError> {
    let length = |digest: &Digest| store.length(digest).unwrap_or(0);
    let digests = wanted.iter().flat_map(|one| one.record.outputs.values());
    let needed: BTreeMap<Digest, u64> = digests.map(|digest| (*digest, length(digest))).collect();
    let needed: Vec<(Digest, u64)> = needed.into_iter().collect();
    // Another length: a copy that broke off where names do not stand for whole files only.
    let lacks = each(&needed, at_once, |(digest, bytes)| Ok(place.length(digest)? != Some(*bytes)))?;
    Ok(needed.into_iter().zip(lacks).filter(|(_, lacks)| *lacks).map(|(artifact, _)| artifact).collect())
}

/// Copies artifacts; says which ones are damaged here, and how.
fn upload(
    place: &Place,
    store: &Store,
    (missing, at_once): (&BTreeMap<Digest, u64>, usize),
    teller: &Teller<'_>,
) -> Result<BTreeMap<Digest, String>, RemoteError> {
    let digests: Vec<Digest> = missing.keys().copied().collect();
    let damage = each(&digests, at_once, |digest| {
        let damage = match store.get(digest) {
            Ok(blob) => {
                place.upload(digest, blob, teller)?;
                None
            }
            Err(error) if is_loss(&error) => Some(error.to_string()),
            Err(error) => return Err(error.into()),
        };
        teller.artifact();
        Ok(damage)
    })?;
    Ok(digests.into_iter().zip(damage).filter_map(|(digest, damage)| Some((digest, damage?))).collect())
}

fn is_loss(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Damaged { .. } | StoreErrorKind::Missing)
}
