//! Requests through `object_store`. Each call blocks its thread; calls from several threads share one runtime, which one
//! of them drives.

use super::failure::is_absent;
use crate::files::{Failure, Files, Purpose, Read, Take};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as ObjectPath;
use object_store::{GetResult, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};
use pddflow_cache::Blob;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::timeout;

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

/// A server, and what drives the requests to it.
pub(super) struct Cloud {
    pub(super) server: Server,
    pub(super) runtime: Runtime,
}

pub(super) struct Server {
    pub(super) store: Box<dyn ObjectStore>,
    /// Where the results begin.
    pub(super) prefix: ObjectPath,
    pub(super) protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    S3,
    Http,
}

impl Files for Cloud {
    fn ready(&self, _purpose: Purpose) -> Result<(), Failure> {
        Ok(())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let paths = self.runtime.block_on(self.server.list(&self.server.path(folder)))?;
        Ok(paths.into_iter().map(String::from).collect())
    }

    fn length(&self, path: &str) -> Result<Option<u64>, Failure> {
        let found = self.runtime.block_on(in_time(self.server.store.head(&self.server.path(path))));
        Ok(present(found)?.map(|object| object.size))
    }

    fn read(&self, path: &str, at_most: u64) -> Result<Option<Read>, Failure> {
        self.runtime.block_on(async {
            let Some(got) = self.server.get(path).await? else { return Ok(None) };
            if got.meta.size > at_most {
                return Ok(Some(Read::TooLarge));
            }
            Ok(Some(Read::Whole(in_time(got.bytes()).await?.into())))
        })
    }

    fn write(&self, path: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        let path = self.server.path(path);
        Ok(self.runtime.block_on(in_time(self.server.store.put(&path, bytes.into()))).map(drop)?)
    }

    fn upload(&self, path: &str, blob: Blob, sent: &dyn Fn(usize)) -> Result<(), Failure> {
        Ok(self.runtime.block_on(self.server.upload(&self.server.path(path), Bytes::from_owner(blob), sent))?)
    }

    fn download(&self, path: &str, take: &mut Take<'_>) -> Result<bool, Failure> {
        self.runtime.block_on(async {
            let Some(got) = self.server.get(path).await? else { return Ok(false) };
            let mut pieces = got.into_stream();
            while let Some(piece) = in_time(pieces.try_next()).await? {
                take(&piece)?;
            }
            Ok(true)
        })
    }
}

impl Server {
    fn path(&self, below: &str) -> ObjectPath {
        below.split('/').fold(self.prefix.clone(), ObjectPath::join)
    }

    async fn get(&self, path: &str) -> Result<Option<GetResult>, Failure> {
        Ok(present(in_time(self.store.get(&self.path(path))).await)?)
    }

    async fn list(&self, folder: &ObjectPath) -> object_store::Result<Vec<ObjectPath>> {
        if self.protocol == Protocol::S3 {
            return self.store.list(Some(folder)).map_ok(|object| object.location).try_collect().await;
        }
        // Servers rarely list more than one folder at a time.
        let folders = in_time(self.store.list_with_delimiter(Some(folder))).await?.common_prefixes;
        let listed = stream::iter(folders)
            .map(|folder| async move { in_time(self.store.list_with_delimiter(Some(&folder))).await })
            .buffered(LISTED_AT_ONCE);
        let lists: Vec<_> = listed.try_collect().await?;
        Ok(lists.into_iter().flat_map(|list| list.objects).map(|object| object.location).collect())
    }

    async fn upload(&self, path: &ObjectPath, bytes: Bytes, sent: &dyn Fn(usize)) -> object_store::Result<()> {
        let length = bytes.len();
        if self.protocol == Protocol::Http || length <= LARGEST_PIECE {
            self.store.put(path, PutPayload::from_bytes(bytes)).await?;
            sent(length);
            return Ok(());
        }
        let mut upload = self.store.put_multipart(path).await?;
        let done = send_parts(upload.as_mut(), bytes, sent).await;
        if done.is_err() {
            // The first error counts; parts that stay behind have no name.
            let _ = upload.abort().await;
        }
        done
    }
}

async fn send_parts(upload: &mut dyn MultipartUpload, bytes: Bytes, sent: &dyn Fn(usize)) -> object_store::Result<()> {
    let part = LEAST_PART.max(bytes.len().div_ceil(MOST_PARTS));
    for from in (0..bytes.len()).step_by(part) {
        let to = bytes.len().min(from + part);
        upload.put_part(PutPayload::from_bytes(bytes.slice(from..to))).await?;
        sent(to - from);
    }
    upload.complete().await.map(drop)
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

/// Nothing instead of the error that an object is absent.
fn present<T>(found: object_store::Result<T>) -> object_store::Result<Option<T>> {
    match found {
        Err(error) if is_absent(&error) => Ok(None),
        other => other.map(Some),
    }
}
