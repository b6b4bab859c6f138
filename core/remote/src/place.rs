//! A remote as the two directions of a transfer see it: records under their keys, artifacts under their digests.

use crate::error::RemoteError;
use crate::files::{Failure, Files, Purpose, Read};
use crate::progress::Teller;
use pddflow_cache::{Blob, Digest, Key, Record, Store};

/// A larger file under a record's name is none: records are a few kilobytes.
const LARGEST_RECORD: u64 = 64 << 20;
const RECORDS: &str = "v1/records";
const ARTIFACTS: &str = "v1/artifacts";

/// Somewhere that results are kept.
pub(crate) struct Place {
    pub(crate) files: Box<dyn Files>,
    /// For messages, without a password.
    pub(crate) url: String,
}

/// What lies under a key.
pub(crate) enum Theirs {
    Nothing,
    Whole(Box<Record>),
    /// Bytes that are no record, and why.
    Damaged(String),
}

impl Place {
    /// Checks that it can be used so; see [`Files::ready`].
    pub(crate) fn ready(&self, purpose: Purpose) -> Result<(), RemoteError> {
        self.files.ready(purpose).map_err(|failure| self.error("opening it", failure))
    }

    /// Where an artifact lies, for messages.
    pub(crate) fn artifact_url(&self, digest: &Digest) -> String {
        format!("{}/{}", self.url, artifact_path(digest))
    }

    /// Where a record lies, for messages.
    pub(crate) fn record_url(&self, key: &Key) -> String {
        format!("{}/{}", self.url, record_path(key))
    }

    /// The key of every record, sorted.
    pub(crate) fn record_keys(&self) -> Result<Vec<Key>, RemoteError> {
        let paths = self.files.list(RECORDS).map_err(|failure| self.error("listing the records", failure))?;
        let key = |path: &String| {
            let (_, name) = path.rsplit_once('/')?;
            format!("{}{}", Key::PREFIX, name.strip_suffix(".json")?).parse().ok()
        };
        let mut keys: Vec<Key> = paths.iter().filter_map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// What lies under a key.
    pub(crate) fn record(&self, key: &Key) -> Result<Theirs, RemoteError> {
        let read = self.files.read(&record_path(key), LARGEST_RECORD);
        Ok(match read.map_err(|failure| self.error(&doing("reading", key), failure))? {
            None => Theirs::Nothing,
            Some(Read::TooLarge) => Theirs::Damaged("it is far too large for a record".to_owned()),
            Some(Read::Whole(bytes)) => match Record::from_file(&bytes, key) {
                Ok(record) => Theirs::Whole(Box::new(record)),
                Err(error) => Theirs::Damaged(error.to_string()),
            },
        })
    }

    /// Puts a record under its key.
    pub(crate) fn put_record(&self, key: &Key, file: Vec<u8>) -> Result<(), RemoteError> {
        self.files.write(&record_path(key), file).map_err(|failure| self.error(&doing("writing", key), failure))
    }

    /// The length of an artifact in bytes, if it is there.
    pub(crate) fn length(&self, digest: &Digest) -> Result<Option<u64>, RemoteError> {
        let length = self.files.length(&artifact_path(digest));
        length.map_err(|failure| self.error(&doing_artifact("looking for", digest), failure))
    }

    /// Puts an artifact under its digest.
    pub(crate) fn upload(&self, digest: &Digest, blob: Blob, teller: &Teller<'_>) -> Result<(), RemoteError> {
        let done = self.files.upload(&artifact_path(digest), blob, &|sent| teller.bytes(sent));
        done.map_err(|failure| self.error(&doing_artifact("writing", digest), failure))
    }

    /// Copies an artifact into the store. False if its bytes are not those of its digest, or it is not there.
    pub(crate) fn download(&self, digest: &Digest, store: &Store, teller: &Teller<'_>) -> Result<bool, RemoteError> {
        let mut incoming = store.receive(digest)?;
        let done = self.files.download(&artifact_path(digest), &mut |piece| {
            teller.bytes(piece.len());
            incoming.write(piece)
        });
        let found = done.map_err(|failure| self.error(&doing_artifact("reading", digest), failure))?;
        Ok(found && incoming.finish()?)
    }

    fn error(&self, action: &str, failure: Failure) -> RemoteError {
        match failure {
            Failure::Remote(kind, cause) => RemoteError::of(kind, action, &self.url, cause),
            Failure::Store(error) => error.into(),
        }
    }
}

fn artifact_path(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{ARTIFACTS}/{}/{hex}", &hex[..2])
}

fn record_path(key: &Key) -> String {
    let hex = key.hex();
    format!("{RECORDS}/{}/{hex}.json", &hex[..2])
}

fn doing(what: &str, key: &Key) -> String {
    format!("{what} record {}{}", Key::PREFIX, key.short())
}

fn doing_artifact(what: &str, digest: &Digest) -> String {
    format!("{what} artifact {}{}", Digest::PREFIX, digest.short())
}
