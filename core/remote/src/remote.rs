//! [`Remote`]: another place with results.

use crate::address;
use crate::error::RemoteError;
use crate::files::Purpose;
use crate::options::Options;
use crate::place::Place;
use crate::progress::{Tell, Teller};
use crate::pull::{self, Pulled};
use crate::push::{self, Pushed};
use pddflow_cache::{Key, Store};

/// Another place with results. Its calls return when they are done.
pub struct Remote {
    place: Place,
}

impl Remote {
    /// The place at an address: a folder, `file://`, and with the feature `cloud` `s3://bucket/prefix`, `http://` or
    /// `https://`. Nothing is asked yet. `variables` are names and values of the environment for S3 (`AWS_ENDPOINT_URL`
    /// and so on).
    ///
    /// # Errors
    /// The address names no such place, this build has no S3 and HTTP, or the variables contradict each other.
    pub fn open(url: &str, variables: &[(String, String)]) -> Result<Self, RemoteError> {
        Ok(Self { place: address::open(url, variables)? })
    }

    /// Its address, without a password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.place.url
    }

    /// The key of every record there, sorted.
    ///
    /// # Errors
    /// It cannot be reached, refuses, or has no means to list what it has.
    pub fn record_keys(&self) -> Result<Vec<Key>, RemoteError> {
        self.place.ready(Purpose::Reading)?;
        self.place.record_keys()
    }

    /// Copies the records under these keys there, with their artifacts, unless they are there.
    ///
    /// # Errors
    /// The place cannot be reached or refuses; the store cannot be read. What was copied until then stays, and no record
    /// there lacks an artifact. Damage of single results is no error: see [`Pushed::damaged`].
    pub fn push(&self, store: &Store, keys: &[Key], options: &Options, tell: &Tell<'_>) -> Result<Pushed, RemoteError> {
        self.place.ready(if options.dry_run { Purpose::DryRun } else { Purpose::Writing })?;
        push::push(&self.place, store, keys, (options, &Teller::new(tell)))
    }

    /// Copies the records under these keys from there, with their artifacts, unless the store has them.
    ///
    /// # Errors
    /// The place cannot be reached or refuses; the store cannot be written. What was copied until then stays. Damage of
    /// single results is no error: see [`Pulled::damaged`].
    pub fn pull(&self, store: &Store, keys: &[Key], options: &Options, tell: &Tell<'_>) -> Result<Pulled, RemoteError> {
        self.place.ready(Purpose::Reading)?;
        pull::pull(&self.place, store, keys, (options, &Teller::new(tell)))
    }
}
