//! Copies results between the store of this machine and another place: a folder, S3 or an HTTP server.
//!
//! What lies at the other place is laid out as in a store (`v1/artifacts/ab/<hex>`, `v1/records/ab/<hex>.json`), so that
//! a folder that results were pushed to *is* a store, and a store that a web server shows can be pulled from.
//!
//! Laws:
//! - what the other side has is not copied again, so a transfer that broke off is repeated without losing what is done;
//! - artifacts go before the records that name them: wherever a push ends, every record there has its artifacts;
//! - nothing enters the store before its digest proved right; records are read by the code that reads the store's own;
//! - the memory that a transfer needs does not depend on the size of what is copied, except that an HTTP server or S3
//!   gets a smaller artifact in one piece, as it lies in the map of its file.
//!
//! ```
//! use pddflow_cache::Store;
//! use pddflow_remote::{Options, Remote};
//!
//! let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! let store = Store::open(here.path())?;
//! let remote = Remote::open(&there.path().display().to_string(), &[])?;
//! let pushed = remote.push(&store, &store.record_keys()?, &Options::default(), &|_| {})?;
//! assert_eq!(pushed.records, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | `remote` | [`Remote`], the face |
//! | `options` | how a transfer is carried out |
//! | `address` | from what the user writes to a remote |
//! | `percent` | percent-encoding of addresses |
//! | `push`, `pull` | the two directions |
//! | `parallel` | a few requests at the same time |
//! | `place` | records and artifacts of a remote |
//! | `files` | what a remote must be able to do: a trait of seven requests |
//! | `folder` | a remote that is a folder |
//! | `cloud` | S3 and HTTP servers; only with the feature of that name, and the only code with a runtime for asynchronous calls |
//! | `progress` | how far it is |
//! | `error` | everything that can go wrong |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod address;
#[cfg(feature = "cloud")]
mod cloud;
mod error;
mod files;
mod folder;
mod options;
mod parallel;
mod percent;
mod place;
mod progress;
mod pull;
mod push;
mod remote;

pub use error::RemoteError;
pub use options::Options;
pub use progress::{Progress, Tell};
pub use pull::Pulled;
pub use push::Pushed;
pub use remote::Remote;
