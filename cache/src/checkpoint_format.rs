//! How a checkpoint lies in a file, version 1.
//!
//! ```text
//! payload | "pddfckpt" (8) | version u32 | payload length u64 | BLAKE3 of all before (32)      integers little endian
//! ```
//!
//! The footer comes last, so that a file that was not written to its end is recognised. The format of the payload is
//! the node kind's own.

use crate::digest::Digest;

/// Version of this format.
pub(crate) const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"pddfckpt";
const DIGEST_BYTES: usize = 32;
const FOOTER_BYTES: usize = MAGIC.len() + 4 + 8 + DIGEST_BYTES;

/// Why bytes are no checkpoint.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CheckpointFormatError {
    #[error("its footer or digest does not match")]
    Damaged,
    #[error("it has format {found}, this program reads format {VERSION}")]
    Version { found: u32 },
}

/// The bytes of a checkpoint's file.
pub(crate) fn to_bytes(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + FOOTER_BYTES);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    let digest = Digest::of(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    bytes
}

/// The payload of a checkpoint's file.
pub(crate) fn payload(mut bytes: Vec<u8>) -> Result<Vec<u8>, CheckpointFormatError> {
    use CheckpointFormatError::Damaged;
    let at = bytes.len().checked_sub(FOOTER_BYTES).ok_or(Damaged)?;
    let (checked, digest) = bytes.split_at(bytes.len() - DIGEST_BYTES);
    if Digest::of(checked).as_bytes() != digest {
        return Err(Damaged);
    }
    let footer = checked.get(at..).and_then(|footer| footer.strip_prefix(MAGIC)).ok_or(Damaged)?;
    let (version, length) = footer.split_first_chunk::<4>().ok_or(Damaged)?;
    let found = u32::from_le_bytes(*version);
    if found != VERSION {
        return Err(CheckpointFormatError::Version { found });
    }
    if length != (at as u64).to_le_bytes() {
        return Err(Damaged);
    }
    bytes.truncate(at);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let bytes = to_bytes(b"state of a node");
        assert_eq!(payload(bytes.clone()).unwrap(), b"state of a node");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(payload(damaged), Err(CheckpointFormatError::Damaged), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(payload(bytes[..length].to_vec()), Err(CheckpointFormatError::Damaged), "length {length}");
        }
        assert_eq!(payload(to_bytes(b"")).unwrap(), b"");
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = b"x".to_vec();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&9_u32.to_le_bytes());
        bytes.extend_from_slice(&1_u64.to_le_bytes());
        let digest = Digest::of(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        assert_eq!(payload(bytes), Err(CheckpointFormatError::Version { found: 9 }));
    }
}
