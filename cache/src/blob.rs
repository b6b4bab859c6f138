//! [`Blob`]: the verified bytes of an artifact, shared without copying.
#![allow(unsafe_code, reason = "a memory map is unsafe by nature; the reasons why it holds here are at the one call")]

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::sync::Arc;

/// Smaller files are read: mapping one costs more than copying it.
const LEAST_MAPPED_BYTES: u64 = 16 * 1024;

/// Bytes that were checked against their digest. Cloning is cheap; the bytes live as long as the last clone, also when
/// the file is moved or removed meanwhile.
#[derive(Clone)]
pub struct Blob(Bytes);

#[derive(Clone)]
enum Bytes {
    Owned(Arc<[u8]>),
    Mapped(Arc<memmap2::Mmap>),
}

impl Blob {
    /// Takes the content of an open file, mapped if it is large and may be.
    pub(crate) fn from_file(file: &mut File, length: u64, may_map: impl Fn(&File) -> bool) -> io::Result<Self> {
        if length < LEAST_MAPPED_BYTES || !may_map(file) {
            // Not `read_to_end`, which asks the system twice more how long the file is.
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_exact(&mut bytes)?;
            return Ok(Self::from(bytes));
        }
        // SAFETY: the map is private to us and read-only. A file of the store is complete before it gets its name
        // and is never written again: damaged ones are renamed and removed ones unlinked, both of which leave the
        // mapped inode as it is. A program other than pddflow that truncates a store file could still make a read
        // fail with a bus error; artifacts are stored without write permission to prevent that.
        let map = unsafe { memmap2::Mmap::map(&*file) }?;
        Ok(Self(Bytes::Mapped(Arc::new(map))))
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::Owned(bytes.into()))
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::Owned(bytes.into()))
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}
