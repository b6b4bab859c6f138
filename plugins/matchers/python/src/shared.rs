//! The file in which tensors cross: it lies in memory where the system has a place for that, and loses its name as soon as both sides
//! have it open, so that nothing is left behind whatever ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where Linux keeps shared memory.
const MEMORY: &str = "/dev/shm";
/// Names that are tried; one may be taken by a file that a process with the same number left there.
const TRIES: u64 = 1000;

/// A file, and its name while it has one.
#[derive(Debug)]
pub(crate) struct Shared {
    file: File,
    name: Option<PathBuf>,
}

impl Shared {
    /// In memory, where there is a place for that.
    pub(crate) fn in_memory() -> io::Result<Self> {
        new_file(Path::new(MEMORY), "tensors").or_else(|_| Self::on_disk())
    }

    /// In the folder for temporary files.
    pub(crate) fn on_disk() -> io::Result<Self> {
        new_file(&std::env::temp_dir(), "tensors")
    }

    /// Its name, for the other side to open it by.
    pub(crate) fn name(&self) -> Option<&Path> {
        self.name.as_deref()
    }

    /// Removes the name.
    #[expect(clippy::disallowed_methods, reason = "plugins link crates that only compute, and this error is not shown")]
    pub(crate) fn forget_name(&mut self) {
        if let Some(name) = self.name.take() {
            // What cannot be removed is an empty file.
            let _ = std::fs::remove_file(name);
        }
    }

    /// Writes all bytes, so that there is room for them whatever the other side does.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, 0)
    }

    /// Reads so many bytes.
    pub(crate) fn read(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.forget_name();
    }
}

/// A file without a name, that is appended to: what a process prints.
pub(crate) fn nameless() -> io::Result<File> {
    let mut shared = new_file(&std::env::temp_dir(), "printed")?;
    shared.forget_name();
    shared.file.try_clone()
}

fn new_file(folder: &Path, what: &str) -> io::Result<Shared> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut options = OpenOptions::new();
    options.read(true).create_new(true).mode(0o600);
    // Offsets are given for tensors; what is printed goes to the end, also after it was cut.
    if what == "printed" {
        options.append(true)
    } else {
        options.write(true)
    };
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..TRIES {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = folder.join(format!("pddflow-{}-{number}-{what}", std::process::id()));
        match options.open(&name) {
            Ok(file) => return Ok(Shared { file, name: Some(name) }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn bytes_come_back_from_a_file_without_a_name() {
        let mut shared = Shared::in_memory().unwrap();
        let name = shared.name().unwrap().to_owned();
        assert!(name.exists());
        shared.forget_name();
        assert!(!name.exists());
        shared.write(&[1, 2, 3, 4]).unwrap();
        assert_eq!(shared.read(1, 2).unwrap(), [2, 3]);
        assert!(shared.read(3, 9).is_err());
    }

    #[test]
    fn what_is_printed_after_a_cut_is_at_the_beginning() {
        let mut file = nameless().unwrap();
        file.write_all(b"first").unwrap();
        file.set_len(0).unwrap();
        file.write_all(b"second").unwrap();
        let mut bytes = [0; 6];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"second");
    }
}
