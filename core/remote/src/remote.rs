//! [`Remote`]: another place, and the only runtime for asynchronous code in the program.

use crate::address;
use crate::error::RemoteError;
use crate::place::{Place, Purpose};
use crate::progress::{Progress, Teller};
use crate::pull::{self, Pulled};
use crate::push::{self, Pushed};
use pddflow_cache::{Key, Store};
use tokio::runtime::{Builder, Runtime};

/// How a transfer is carried out. Nothing here changes what is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Requests under way at the same time, at least 1.
    pub at_once: usize,
    /// Whether to copy nothing and only say what would be.
    pub dry_run: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { at_once: 8, dry_run: false }
    }
}

/// Another place with results. Its calls wait until they are done.
pub struct Remote {
    place: Place,
    runtime: Runtime,
}

impl Remote {
    /// The place at an address: a folder, `file://`, `s3://bucket/prefix`, `http://` or `https://`. Nothing is asked yet.
    /// `variables` are names and values of the environment for S3 (`AWS_ENDPOINT_URL` and so on).
    ///
    /// # Errors
    /// The address names no such place, or the variables contradict each other.
    pub fn open(url: &str, variables: &[(String, String)]) -> Result<Self, RemoteError> {
        provide_cryptography();
        let runtime = Builder::new_current_thread().enable_all().build().map_err(RemoteError::System)?;
        // Clients are made inside the runtime that drives them.
        let place = runtime.block_on(async { address::open(url, variables) })?;
        Ok(Self { place, runtime })
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
        let place = self.place.ready(Purpose::Reading)?;
        self.runtime.block_on(place.record_keys())
    }

    /// Copies the records under these keys there, with their artifacts, unless they are there.
    ///
    /// # Errors
    /// The place cannot be reached or refuses; the store cannot be read. What was copied until then stays, and no record
    /// there lacks an artifact. Damage of single results is no error: see [`Pushed::damaged`].
    pub fn push(
        &self,
        store: &Store,
        keys: &[Key],
        options: &Options,
        tell: &dyn Fn(Progress),
    ) -> Result<Pushed, RemoteError> {
        let purpose = if options.dry_run { Purpose::TryWriting } else { Purpose::Writing };
        let place = self.place.ready(purpose)?;
        self.runtime.block_on(push::push(&place, store, keys, (options, &Teller::new(tell))))
    }

    /// Copies the records under these keys from there, with their artifacts, unless the store has them.
    ///
    /// # Errors
    /// The place cannot be reached or refuses; the store cannot be written. What was copied until then stays. Damage of
    /// single results is no error: see [`Pulled::damaged`].
    pub fn pull(
        &self,
        store: &Store,
        keys: &[Key],
        options: &Options,
        tell: &dyn Fn(Progress),
    ) -> Result<Pulled, RemoteError> {
        let place = self.place.ready(Purpose::Reading)?;
        self.runtime.block_on(pull::pull(&place, store, keys, (options, &Teller::new(tell))))
    }
}

/// Gives TLS its cryptography: the library that downloads use too. A program that gave another one keeps it.
pub(crate) fn provide_cryptography() {
    // Fails only if there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
