//! Content-addressed, verified, write-once store of pddflow.
//!
//! Two identities: a [`Digest`] names bytes, a [`Key`] names work (what would be computed). The store keeps
//! *artifacts* under their digest and one *record* per key, which says what the key was made of and which artifacts
//! came out. Bytes are checked against their digest on their first read in a process; damaged ones are moved to
//! quarantine and never handed out. No lock outlives its process: several processes may share a store, and a kill at any
//! moment leaves nothing to repair.
//!
//! ```
//! use pddflow_cache::{KeyBuilder, RamStore, Record, RecordHead};
//! use std::collections::BTreeMap;
//!
//! let store = RamStore::new();
//! let digest = store.put(b"an artifact")?;
//! let (key, parts) = KeyBuilder::new().part("kind", "dataset".into()).finish()?;
//! let head = RecordHead {
//!     key,
//!     outputs: [("data".to_owned(), digest)].into_iter().collect(),
//!     lengths: [("data".to_owned(), 11)].into_iter().collect(),
//!     metrics: BTreeMap::new(),
//!     seconds: 0.5,
//!     log: Vec::new(),
//!     program: "example".to_owned(),
//! };
//! store.put_record(&Record { parts, made_on: None, head })?;
//! let record = store.record(&key)?.ok_or("just stored")?;
//! assert_eq!(&*store.get(record.outputs.get("data").ok_or("it has one")?)?, b"an artifact");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! From the ground up; each knows only what stands above it here:
//!
//! | module | what |
//! |---|---|
//! | `digest`, `encode`, `key` | identities; the canonical encoding; the table of what enters a key |
//! | `record`, `made_on`, `record_format`, `checkpoint_format`, `seal` | what is stored, and its file formats |
//! | `disk` | a file system, real or in memory |
//! | `files` | how files are written, named and read; the drawing of the folder |
//! | `locks` | work shared between processes |
//! | `commit` | group commit: durability in batches |
//! | `artifacts`, `records`, `checkpoints`, `journals`, `names` | one for each kind of file |
//! | `store` | [`Store`]: all of it together |
//! | `collect`, `verify` | a whole store kept within limits, and verified |
//! | `ram_store` | [`RamStore`]: a store in memory that fails on demand |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod artifacts;
mod blob;
mod checkpoint_format;
mod checkpoints;
mod collect;
mod commit;
mod digest;
mod disk;
mod encode;
mod error;
mod files;
mod journals;
mod key;
mod locks;
mod made_on;
mod names;
mod ram_store;
mod record;
mod record_format;
mod records;
mod seal;
mod store;
mod verify;

pub use artifacts::Incoming;
pub use blob::Blob;
pub use collect::{CollectRules, Collected, KeyUse, Uses};
pub use digest::{Digest, Key, ParseIdentityError};
pub use disk::ram::Fault;
pub use error::{KeyError, RecordError, StoreError, StoreErrorKind};
pub use journals::{Holder, Journal, JournalWriter};
pub use key::{KEY_CONTEXT, KEY_FORMAT, KeyBuilder, KeyPart};
pub use locks::{Lock, LockGuard};
pub use made_on::MadeOn;
pub use ram_store::RamStore;
pub use record::{Lookup, Record, RecordHead};
pub use store::Store;
pub use verify::Verified;
