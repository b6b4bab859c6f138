//! Hints: what a program noted in order to be quicker the next time. Nothing depends on one: it may be lost, and a
//! damaged one counts as absent.

use crate::checkpoint_format;
use crate::digest::Digest;
use crate::disk::Access;
use crate::error::StoreError;
use crate::objects::Objects;
use std::path::PathBuf;

impl Objects {
    fn hint_path(&self, name: &str) -> PathBuf {
        self.base.join("hints").join(Digest::of(name.as_bytes()).short())
    }

    pub(crate) fn hint(&self, name: &str) -> Option<Vec<u8>> {
        let (bytes, _) = self.disk.read(&self.hint_path(name)).ok()?;
        checkpoint_format::payload(bytes.to_vec()).ok()
    }

    pub(crate) fn put_hint(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.hint_path(name);
        self.write_new(&path, &checkpoint_format::to_bytes(bytes), (Access::Owner, false))
            .map_err(|error| StoreError::io("noting a hint", &path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk as _;
    use crate::disk::ram::RamDisk;
    use std::path::Path;

    #[test]
    fn a_hint_is_what_was_noted_last_or_nothing() {
        let disk = RamDisk::default();
        let objects = Objects::new(Box::new(disk.clone()), Path::new("store"));
        assert_eq!(objects.hint("a"), None);
        for text in ["one", "two"] {
            objects.put_hint("a", text.as_bytes()).unwrap();
            assert_eq!(objects.hint("a").as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(objects.hint("b"), None);
        let (whole, _) = disk.read(&objects.hint_path("a")).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(disk.damage(&objects.hint_path("a"), bytes));
            assert_eq!(objects.hint("a"), None, "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(disk.damage(&objects.hint_path("a"), whole[..length].to_vec()));
            assert_eq!(objects.hint("a"), None, "length {length}");
        }
        objects.put_hint("a", b"three").unwrap();
        assert_eq!(objects.hint("a").as_deref(), Some(&b"three"[..]));
    }
}
