//! The few requests that a transfer is made of.

use crate::error::{RemoteError, is_absent};
use crate::progress::Teller;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};
use pddflow_cache::{Blob, Digest, Key, Record, Store};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A larger file under a record's name is none: records are a few kilobytes.
const LARGEST_RECORD: u64 = 64 << 20;
/// Larger artifacts go in parts, where parts are known.
const LARGEST_PIECE: usize = 64 << 20;
/// S3 takes at most 10 000 parts of at least 5 MiB.
const LEAST_PART: usize = 16 << 20;
const MOST_PARTS: usize = 9_000;
/// What is small is answered within this time, tries included; a download in which nothing moves for so long has broken
/// off.
const PATIENCE: Duration = Duration::from_secs(120);
/// Folders that are listed at the same time, where each needs a request.
const LISTED_AT_ONCE: usize = 8;

/// Somewhere that results are kept.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: ObjectPath,
    /// For messages, without a password.
    pub(crate) url: String,
    pub(crate) protocol: Protocol,
}

/// How it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Protocol {
    Folder(PathBuf),
    S3,
    Http,
}

/// What a place is made ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Reading,
    Writing,
    /// Only to say what would be written.
    TryWriting,
}

/// What lies under a key.
pub(crate) enum Theirs {
    Nothing,
    Whole(Record),
    /// Bytes that are no record, and why.
    Damaged(String),
}

impl Place {
    /// The same place, ready to be used so: a folder is looked for, and made if it is to be written.
    pub(crate) fn ready(&self, purpose: Purpose) -> Result<Self, RemoteError> {
        let Protocol::Folder(path) = &self.protocol else { return Ok(self.clone()) };
        let failed = |error: object_store::Error| RemoteError::from_library("opening the folder", &self.url, &error);
        let system =
            |error: std::io::Error| failed(object_store::Error::Generic { store: "folder", source: error.into() });
        match purpose {
            // A folder that is not there holds nothing, as does what stands in for it until now.
            Purpose::TryWriting if !path.exists() => return Ok(self.clone()),
            Purpose::Writing => fs_err::create_dir_all(path).map_err(system)?,
            Purpose::Reading | Purpose::TryWriting => fs_err::metadata(path).map(|_| ()).map_err(system)?,
        }
        let store = LocalFileSystem::new_with_prefix(path).map_err(failed)?;
        Ok(Self { store: Arc::new(store.with_fsync(true)), ..self.clone() })
    }

    fn below(&self, parts: &[&str]) -> ObjectPath {
        parts.iter().fold(self.prefix.clone().join("v1"), |path, part| path.join(*part))
    }

    fn artifact_path(&self, digest: &Digest) -> ObjectPath {
        let hex = digest.hex();
        self.below(&["artifacts", &hex[..2], &hex])
    }

    fn record_path(&self, key: &Key) -> ObjectPath {
        let hex = key.hex();
        self.below(&["records", &hex[..2], &format!("{hex}.json")])
    }

    /// Where an artifact lies, for messages.
    pub(crate) fn artifact_url(&self, digest: &Digest) -> String {
        self.shown(&self.artifact_path(digest))
    }

    /// Where a record lies, for messages.
    pub(crate) fn record_url(&self, key: &Key) -> String {
        self.shown(&self.record_path(key))
    }

    fn shown(&self, path: &ObjectPath) -> String {
        let inner = path.as_ref().strip_prefix(self.prefix.as_ref()).unwrap_or(path.as_ref());
        format!("{}/{}", self.url, inner.trim_start_matches('/'))
    }

    /// The key of every record, sorted.
    pub(crate) async fn record_keys(&self) -> Result<Vec<Key>, RemoteError> {
        let top = self.below(&["records"]);
        let failed = |error| RemoteError::from_library("listing the records", &self.url, &error);
        let paths: Vec<ObjectPath> = if self.protocol == Protocol::Http {
            // Servers rarely list more than one folder at a time.
            let folders = in_time(self.store.list_with_delimiter(Some(&top))).await.map_err(failed)?.common_prefixes;
            let listed = futures_util::stream::iter(folders)
                .map(|folder| async move { in_time(self.store.list_with_delimiter(Some(&folder))).await })
                .buffered(LISTED_AT_ONCE);
            let lists: Vec<_> = listed.try_collect().await.map_err(failed)?;
            lists.into_iter().flat_map(|list| list.objects).map(|object| object.location).collect()
        } else {
            self.store.list(Some(&top)).map_ok(|object| object.location).try_collect().await.map_err(failed)?
        };
        let key =
            |path: &ObjectPath| format!("{}{}", Key::PREFIX, path.filename()?.strip_suffix(".json")?).parse().ok();
        let mut keys: Vec<Key> = paths.iter().filter_map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// What lies under a key.
    pub(crate) async fn record(&self, key: &Key) -> Result<Theirs, RemoteError> {
        let failed = |error: &object_store::Error| {
            let action = format!("reading record {}{}", Key::PREFIX, key.short());
            RemoteError::from_library(&action, &self.url, error)
        };
        let got = match in_time(self.store.get(&self.record_path(key))).await {
            Err(error) if is_absent(&error) => return Ok(Theirs::Nothing),
            other => other.map_err(|error| failed(&error))?,
        };
        if got.meta.size > LARGEST_RECORD {
            return Ok(Theirs::Damaged("it is far too large for a record".to_owned()));
        }
        let bytes = in_time(got.bytes()).await.map_err(|error| failed(&error))?;
        Ok(match Record::from_file(&bytes, key) {
            Ok(record) => Theirs::Whole(record),
            Err(error) => Theirs::Damaged(error.to_string()),
        })
    }

    /// Puts a record under its key.
    pub(crate) async fn put_record(&self, key: &Key, file: Vec<u8>) -> Result<(), RemoteError> {
        let put = in_time(self.store.put(&self.record_path(key), file.into())).await;
        let action = || format!("writing record {}{}", Key::PREFIX, key.short());
        put.map(drop).map_err(|error| RemoteError::from_library(&action(), &self.url, &error))
    }

    /// The length of an artifact in bytes, if it is there.
    pub(crate) async fn length(&self, digest: &Digest) -> Result<Option<u64>, RemoteError> {
        match in_time(self.store.head(&self.artifact_path(digest))).await {
            Ok(object) => Ok(Some(object.size)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => {
                let action = format!("looking for artifact {}{}", Digest::PREFIX, digest.short());
                Err(RemoteError::from_library(&action, &self.url, &error))
            }
        }
    }

    /// Puts an artifact under its digest.
    pub(crate) async fn upload(&self, digest: &Digest, blob: Blob, teller: &Teller<'_>) -> Result<(), RemoteError> {
        let path = self.artifact_path(digest);
        let bytes = Bytes::from_owner(blob);
        let done = if self.protocol == Protocol::Http || bytes.len() <= LARGEST_PIECE {
            let length = bytes.len();
            let put = self.store.put(&path, PutPayload::from_bytes(bytes)).await;
            put.map(|_| teller.bytes(length))
        } else {
            self.upload_in_parts(&path, bytes, teller).await
        };
        let action = || format!("writing artifact {}{}", Digest::PREFIX, digest.short());
        done.map_err(|error| RemoteError::from_library(&action(), &self.url, &error))
    }

    async fn upload_in_parts(&self, path: &ObjectPath, bytes: Bytes, teller: &Teller<'_>) -> object_store::Result<()> {
        let mut upload = self.store.put_multipart(path).await?;
        let done = send_parts(upload.as_mut(), bytes, teller).await;
        if done.is_err() {
            // The first error counts; parts that stay behind have no name.
            let _ = upload.abort().await;
        }
        done
    }

    /// Copies an artifact into the store. False if its bytes are not those of its digest, or it is not there.
    pub(crate) async fn download(
        &self,
        digest: &Digest,
        store: &Store,
        teller: &Teller<'_>,
    ) -> Result<bool, RemoteError> {
        let failed = |error: &object_store::Error| {
            let action = format!("reading artifact {}{}", Digest::PREFIX, digest.short());
            RemoteError::from_library(&action, &self.url, error)
        };
        let got = match in_time(self.store.get(&self.artifact_path(digest))).await {
            Err(error) if is_absent(&error) => return Ok(false),
            other => other.map_err(|error| failed(&error))?,
        };
        let mut incoming = store.receive(digest)?;
        let mut stream = got.into_stream();
        while let Some(piece) = in_time(stream.try_next()).await.map_err(|error| failed(&error))? {
            incoming.write(&piece)?;
            teller.bytes(piece.len());
        }
        Ok(incoming.finish()?)
    }
}

/// What is asked, unless nothing comes for too long.
async fn in_time<T>(asked: impl Future<Output = object_store::Result<T>>) -> object_store::Result<T> {
    let late = |_| {
        let text = format!("no answer within {} seconds", PATIENCE.as_secs());
        let source = std::io::Error::new(std::io::ErrorKind::TimedOut, text).into();
        Err(object_store::Error::Generic { store: "remote", source })
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(late)
}

async fn send_parts(upload: &mut dyn MultipartUpload, bytes: Bytes, teller: &Teller<'_>) -> object_store::Result<()> {
    let part = LEAST_PART.max(bytes.len().div_ceil(MOST_PARTS));
    for from in (0..bytes.len()).step_by(part) {
        let to = bytes.len().min(from + part);
        upload.put_part(PutPayload::from_bytes(bytes.slice(from..to))).await?;
        teller.bytes(to - from);
    }
    upload.complete().await.map(drop)
}
