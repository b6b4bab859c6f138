//! What a remote must be able to do: the few requests that a transfer is made of, and how they fail.

use pddflow_cache::{Blob, StoreError};
use std::io;

/// What a remote is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To pull from it.
    Reading,
    /// To push to it.
    Writing,
    /// To say what a push would write.
    DryRun,
}

/// Files below the address of a remote. Paths are relative, with `/` between their parts. Calls block and may come from
/// several threads at once.
pub(crate) trait Files: Send + Sync {
    /// Checks that the remote is there; a folder that is to be written is made.
    fn ready(&self, purpose: Purpose) -> Result<(), Failure>;

    /// The paths of all files below a folder; none if it is absent.
    fn list(&self, folder: &str) -> Result<Vec<String>, Failure>;

    /// The length of a file in bytes, or nothing if it is absent.
    fn length(&self, path: &str) -> Result<Option<u64>, Failure>;

    /// A file that is read at once, or nothing if it is absent.
    fn read(&self, path: &str, at_most: u64) -> Result<Option<Read>, Failure>;

    /// Writes a small file. Its name never stands for a part of it.
    fn write(&self, path: &str, bytes: Vec<u8>) -> Result<(), Failure>;

    /// Writes an artifact, and tells how many bytes more have arrived. Its name never stands for a part of it.
    fn upload(&self, path: &str, blob: Blob, sent: &dyn Fn(usize)) -> Result<(), Failure>;

    /// Hands out a file piece by piece. False if it is absent.
    fn download(&self, path: &str, take: &mut Take<'_>) -> Result<bool, Failure>;
}

/// What a downloaded piece is handed to.
pub(crate) type Take<'a> = dyn FnMut(&[u8]) -> Result<(), StoreError> + 'a;

/// A small file.
pub(crate) enum Read {
    Whole(Vec<u8>),
    TooLarge,
}

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The remote's doing: what kind of failure, and what was said, in one line.
    Remote(FailureKind, String),
    /// The doing of the store of this machine.
    Store(StoreError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    #[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "folders are not on a network"))]
    Unreachable,
    NotFound,
    Denied,
    #[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "folders can do everything"))]
    Unsupported,
    Interrupted,
}

impl FailureKind {
    /// What an error of the system means.
    pub(crate) fn of_system(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Denied,
            _ => Self::Interrupted,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Remote(FailureKind::of_system(error.kind()), error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
