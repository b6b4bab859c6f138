//! What can go wrong with keys and stores.

use crate::digest::Digest;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A part that cannot enter a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// NaN or an infinity.
    #[error("the key part `{part}` has a number that is not finite")]
    NotFinite {
        /// Name of the part.
        part: String,
    },
    /// Nested beyond what is allowed.
    #[error("the key part `{part}` is nested more than {most} levels deep")]
    TooDeep {
        /// Name of the part.
        part: String,
        /// The most levels.
        most: usize,
    },
    /// Two parts of one name.
    #[error("the key part `{part}` was given twice")]
    Duplicate {
        /// Name of the part.
        part: String,
    },
}

/// Why bytes are not the record that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecordError(pub(crate) String);

/// What kind of failure a [`StoreError`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The object is not in the store.
    Missing,
    /// The object's bytes are not those that were stored. They are never handed out.
    Damaged {
        /// Where the bytes lie now; none when they could not be moved (a read-only store, or another process was first).
        quarantined_to: Option<PathBuf>,
    },
    /// No space, or a quota was reached. Nothing partial is visible; what was stored before is kept.
    Full,
    /// The store may be read but not written.
    ReadOnly,
    /// The name of a run or a node cannot be used.
    InvalidName,
    /// The operating system refused for another reason; see the source.
    Io,
}

/// A failed operation of a store: what was attempted, on which path, why, and what to do.
#[derive(Debug, Clone)]
pub struct StoreError(Box<Facts>);

/// In a box, so that results stay small.
#[derive(Debug, Clone)]
struct Facts {
    kind: StoreErrorKind,
    action: String,
    path: PathBuf,
    digest: Option<Digest>,
    source: Option<Arc<io::Error>>,
}

impl StoreError {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> &StoreErrorKind {
        &self.0.kind
    }

    /// The file or folder concerned.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The artifact concerned, if it is about one.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.0.digest.as_ref()
    }

    /// The error of the operating system behind it, if there is one.
    #[must_use]
    pub fn cause(&self) -> Option<Arc<io::Error>> {
        self.0.source.clone()
    }

    /// Stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.0.kind {
            StoreErrorKind::Missing => "pddflow::cache::missing",
            StoreErrorKind::Damaged { .. } => "pddflow::cache::damaged",
            StoreErrorKind::Full => "pddflow::cache::full",
            StoreErrorKind::ReadOnly => "pddflow::cache::read_only",
            StoreErrorKind::InvalidName => "pddflow::cache::invalid_name",
            StoreErrorKind::Io => "pddflow::cache::io",
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self.0.kind {
            StoreErrorKind::Missing => "run the pipeline again: the node that makes this artifact will run again",
            StoreErrorKind::Damaged { .. } => {
                "run the pipeline again: the node that made it will run again; if this comes back, check the disk"
            }
            StoreErrorKind::Full => {
                "free some space, or choose a store on another disk with --cache-dir; finished work is kept"
            }
            StoreErrorKind::ReadOnly => {
                "check the permissions of the store's folder, or choose another store with --cache-dir"
            }
            StoreErrorKind::InvalidName => "use up to 80 letters, digits, `.`, `_` and `-`, not beginning with a dot",
            StoreErrorKind::Io => "check that the store lies on a working disk and that no other program changes it",
        }
    }

    /// An error of the operating system while doing `action` (a phrase such as "writing artifact b3:..").
    pub(crate) fn io(action: impl Into<String>, path: &Path, source: io::Error) -> Self {
        Self(Box::new(Facts {
            kind: kind_of(&source),
            action: action.into(),
            path: path.into(),
            digest: None,
            source: Some(Arc::new(source)),
        }))
    }

    pub(crate) fn missing(digest: &Digest, path: &Path) -> Self {
        Self::about(StoreErrorKind::Missing, digest, path)
    }

    pub(crate) fn damaged(digest: &Digest, path: &Path, quarantined_to: Option<PathBuf>) -> Self {
        Self::about(StoreErrorKind::Damaged { quarantined_to }, digest, path)
    }

    pub(crate) fn invalid_name(what: &str, name: &str) -> Self {
        let action = format!("using `{name}` as {what}");
        Self(Box::new(Facts {
            kind: StoreErrorKind::InvalidName,
            action,
            path: name.into(),
            digest: None,
            source: None,
        }))
    }

    pub(crate) fn with_digest(mut self, digest: &Digest) -> Self {
        self.0.digest = Some(*digest);
        self
    }

    fn about(kind: StoreErrorKind, digest: &Digest, path: &Path) -> Self {
        let action = format!("reading artifact {}{}", Digest::PREFIX, digest.short());
        Self(Box::new(Facts { kind, action, path: path.into(), digest: Some(*digest), source: None }))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, path) = (&self.0.action, self.0.path.display());
        match &self.0.kind {
            StoreErrorKind::Missing => write!(f, "{action}: it is not in the store ({path})"),
            StoreErrorKind::Damaged { quarantined_to: Some(to) } => {
                write!(f, "{action}: its bytes are damaged; {path} was moved to {}", to.display())
            }
            StoreErrorKind::Damaged { quarantined_to: None } => write!(f, "{action}: its bytes are damaged ({path})"),
            StoreErrorKind::Full => write!(f, "{action}: no space left for {path}"),
            StoreErrorKind::ReadOnly => write!(f, "{action}: the store cannot be written ({path})"),
            StoreErrorKind::InvalidName => write!(f, "{action}: the name is not allowed"),
            StoreErrorKind::Io => write!(f, "{action}: the operating system refused ({path})"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

fn kind_of(error: &io::Error) -> StoreErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => StoreErrorKind::ReadOnly,
        _ => StoreErrorKind::Io,
    }
}
