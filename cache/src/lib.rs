//! Content-addressed, verified, write-once store of pddflow.
//!
//! Two identities: a [`Digest`] names bytes, a [`Key`] names work (what would be computed). The store keeps
//! *artifacts* under their digest and one *record* per key, which says what the key was made of and which artifacts
//! came out. Bytes are checked against their digest on their first read in a process; damaged ones are moved to
//! quarantine and never handed out. No lock outlives its process: several processes may share a store, and a kill at any
//! moment leaves nothing to repair.
//!
//! ```
//! use pddflow_cache::{KeyBuilder, RamStore, Record, RecordHead, Store};
//! use std::collections::BTreeMap;
//!
//! let store = RamStore::new();
//! let digest = store.put(b"an artifact")?;
//! let (key, parts) = KeyBuilder::new().part("kind", "dataset".into()).finish()?;
//! let head = RecordHead {
//!     key,
//!     outputs: [("data".to_owned(), digest)].into_iter().collect(),
//!     metrics: BTreeMap::new(),
//!     seconds: 0.5,
//!     log: Vec::new(),
//!     program: "example".to_owned(),
//! };
//! store.put_record(&Record { parts, head })?;
//! let record = store.record(&key)?.ok_or("just stored")?;
//! assert_eq!(&*store.get(record.outputs.get("data").ok_or("it has one")?)?, b"an artifact");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | `digest`, `encode`, `key` | identities; the canonical encoding; the table of what enters a key |
//! | `record`, `record_format`, `checkpoint_format`, `journal`, `names`, `seal` | what is stored, and its file formats |
//! | `store` | the [`Store`] trait and its laws |
//! | `settle`, `claims` | durability in batches; work shared between processes |
//! | `read_ahead` | records read while a pipeline is planned |
//! | `hints`, `stamp` | what was noted in order to be quicker the next time; whether a file is still what it was |
//! | `states` | where finished work ended, for work that goes further |
//! | `inspect`, `collect` | a whole store verified, and kept within limits |
//! | `incoming` | what arrives from another store |
//! | `objects`, `quarantine` over `disk` | the one implementation, over a real file system or one in memory |
//! | `fs_store`, `ram_store` | [`FsStore`] (with the drawing of its folder) and [`RamStore`] |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod blob;
mod checkpoint_format;
mod claims;
mod collect;
mod delegate;
mod digest;
mod disk;
mod encode;
mod error;
mod fs_store;
mod hints;
mod incoming;
mod inspect;
mod journal;
mod key;
mod names;
mod objects;
mod quarantine;
mod ram_store;
mod read_ahead;
mod record;
mod record_format;
mod seal;
mod settle;
mod stamp;
mod states;
mod store;

pub use blob::Blob;
pub use claims::{Claim, ClaimGuard};
pub use collect::{CollectRules, Collected, KeyUse};
pub use digest::{Digest, Key, ParseIdentityError};
pub use disk::ram::Fault;
pub use error::{KeyError, RecordError, StoreError, StoreErrorKind};
pub use fs_store::FsStore;
pub use incoming::Incoming;
pub use inspect::Verified;
pub use journal::{Journal, JournalWriter};
pub use key::{KEY_CONTEXT, KEY_FORMAT, KeyBuilder, KeyPart};
pub use ram_store::RamStore;
pub use record::{Lookup, Record, RecordHead};
pub use stamp::Stamp;
pub use store::Store;
