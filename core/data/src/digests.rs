//! Content digests of outside files, for keys.
//!
//! Reading gigabytes at every start only to learn that nothing changed would be slow, so the digest of a source's files is
//! remembered under what tells that they are the same: name, size, both times, device and inode of each. It is not
//! remembered when a file was changed just now (within the resolution of file times a second change would not show), nor
//! where the system has no inodes and change times. What is remembered lies in small files, one for each state seen; they
//! carry a check of their own and may be deleted at any time.

use std::fs::Metadata;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pddflow_artifact::failure::NodeResult;
use pddflow_cache::Digest;
use rayon::prelude::*;

use crate::raw::unreadable;

/// A file changed more recently than this is digested again; coarser than the file times of every common system.
const SETTLED: Duration = Duration::from_secs(3);

/// A file that a source reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DataFile {
    /// What it is to the source, e.g. `train images` or `train/cat/01.png`: independent of where the data lie.
    pub(crate) role: String,
    pub(crate) path: PathBuf,
}

impl DataFile {
    pub(crate) fn new(role: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { role: role.into(), path: path.into() }
    }
}

/// One digest over the roles and contents of all files, whatever their order; `memory` is the folder with what is
/// remembered.
pub(crate) fn of_files(mut files: Vec<DataFile>, memory: &Path) -> NodeResult<Digest> {
    files.sort();
    let before = state(&files)?;
    if let Some(digest) = before.and_then(|state| recall(memory, &state)) {
        return Ok(digest);
    }
    let digests: Vec<NodeResult<Digest>> = files.par_iter().map(|file| of_file(&file.path)).collect();
    let mut hasher = blake3::Hasher::new_derive_key("pddflow data files 1");
    for (file, digest) in files.iter().zip(digests) {
        text(&mut hasher, &file.role);
        hasher.update(digest?.as_bytes());
    }
    let digest = Digest::from_bytes(*hasher.finalize().as_bytes());
    if let Some(before) = before
        && state(&files)? == Some(before)
    {
        // Only speed is lost where it cannot be remembered.
        let _ = remember(memory, &before, &digest);
    }
    Ok(digest)
}

/// BLAKE3 of a file's content.
fn of_file(path: &Path) -> NodeResult<Digest> {
    let failed = |error| unreadable(path, error);
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut fs_err::File::open(path).map_err(failed)?, &mut hasher).map_err(failed)?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// What tells that files are the same as once before; `None` where that cannot be relied on.
fn state(files: &[DataFile]) -> NodeResult<Option<Digest>> {
    let mut hasher = blake3::Hasher::new_derive_key("pddflow state of files 1");
    for file in files {
        let metadata = fs_err::metadata(&file.path).map_err(|error| unreadable(&file.path, error))?;
        let Some(numbers) = settled(&metadata) else { return Ok(None) };
        text(&mut hasher, &file.role);
        text(&mut hasher, &file.path.to_string_lossy());
        numbers.iter().for_each(|number| {
            hasher.update(&number.to_le_bytes());
        });
    }
    Ok(Some(Digest::from_bytes(*hasher.finalize().as_bytes())))
}

/// Size, times, device and inode of a file that was not changed just now.
#[cfg(unix)]
fn settled(metadata: &Metadata) -> Option<[i128; 7]> {
    use std::os::unix::fs::MetadataExt;
    let age = |seconds: i64| {
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))?;
        time.elapsed().ok()
    };
    let old = |seconds: i64| age(seconds).is_some_and(|age| age > SETTLED);
    let (m, c) = (metadata.mtime(), metadata.ctime());
    let (size, device, inode) = (metadata.size().into(), metadata.dev().into(), metadata.ino().into());
    let times = [m.into(), metadata.mtime_nsec().into(), c.into(), metadata.ctime_nsec().into()];
    (old(m) && old(c)).then_some([size, device, inode, times[0], times[1], times[2], times[3]])
}

#[cfg(not(unix))]
fn settled(_: &Metadata) -> Option<[i128; 7]> {
    None
}

fn recall(memory: &Path, state: &Digest) -> Option<Digest> {
    let line = fs_err::read_to_string(memory.join(state.hex())).ok()?;
    let (digest, check) = line.trim_end().split_once(' ')?;
    let digest: Digest = digest.parse().ok()?;
    (check == check_of(state, &digest)).then_some(digest)
}

fn remember(memory: &Path, state: &Digest, digest: &Digest) -> std::io::Result<()> {
    fs_err::create_dir_all(memory)?;
    let mut file = tempfile::NamedTempFile::new_in(memory)?;
    writeln!(file, "{digest} {}", check_of(state, digest))?;
    file.persist(memory.join(state.hex()))?;
    Ok(())
}

fn check_of(state: &Digest, digest: &Digest) -> String {
    Digest::of(&[state.as_bytes().as_slice(), digest.as_bytes()].concat()).short()
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            fs_err::write(&path, text).unwrap();
            path
        }

        fn memory(&self) -> PathBuf {
            self.0.path().join("memory")
        }

        fn digest(&self, files: &[(&str, &PathBuf)]) -> Digest {
            of_files(files.iter().map(|(role, path)| DataFile::new(*role, *path)).collect(), &self.memory()).unwrap()
        }
    }

    #[test]
    fn content_and_roles_decide_and_places_do_not() {
        let folder = Folder::new();
        let (a, b, copy) = (folder.write("a", "one"), folder.write("b", "two"), folder.write("copy", "one"));
        let expected = folder.digest(&[("x", &a), ("y", &b)]);
        assert_eq!(expected, folder.digest(&[("y", &b), ("x", &copy)]));
        assert_ne!(expected, folder.digest(&[("x", &b), ("y", &a)]));
        assert_ne!(expected, folder.digest(&[("x", &a), ("z", &b)]));
    }

    #[test]
    fn a_change_at_once_is_seen() {
        let folder = Folder::new();
        let seen: Vec<Digest> =
            ["one", "two", "six"].iter().map(|text| folder.digest(&[("x", &folder.write("data", text))])).collect();
        assert!(seen[0] != seen[1] && seen[1] != seen[2]);
        assert!(!folder.memory().exists(), "a file changed just now was remembered");
    }

    #[test]
    fn a_file_that_only_looks_old_is_not_trusted() {
        let folder = Folder::new();
        let path = folder.write("data", "one");
        let file = fs_err::File::options().write(true).open(&path).unwrap();
        file.file().set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
        folder.digest(&[("x", &path)]);
        assert!(!folder.memory().exists());
    }

    #[test]
    fn what_is_remembered_is_checked() {
        let folder = Folder::new();
        let (state, digest) = (Digest::of(b"state"), Digest::of(b"content"));
        assert_eq!(recall(&folder.memory(), &state), None);
        remember(&folder.memory(), &state, &digest).unwrap();
        assert_eq!(recall(&folder.memory(), &state), Some(digest));
        let other = Digest::of(b"other");
        fs_err::rename(folder.memory().join(state.hex()), folder.memory().join(other.hex())).unwrap();
        assert_eq!(recall(&folder.memory(), &other), None);
    }

    #[test]
    fn settled_files_are_remembered_and_a_change_is_seen() {
        // A file of this crate that was there before the test.
        let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("fashion-mini/LICENSE");
        let files = || vec![DataFile::new("x", &old)];
        let folder = Folder::new();
        let first = of_files(files(), &folder.memory()).unwrap();
        let Some(state) = state(&files()).unwrap() else { return };
        assert_eq!(recall(&folder.memory(), &state), Some(first));
        // What is remembered is what is used.
        remember(&folder.memory(), &state, &Digest::of(b"marked")).unwrap();
        assert_eq!(of_files(files(), &folder.memory()).unwrap(), Digest::of(b"marked"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = of_files(vec![DataFile::new("x", "/nowhere/data.bin")], Path::new("/nowhere")).unwrap_err();
        assert!(error.message.contains("/nowhere/data.bin"), "{}", error.message);
        assert_eq!(error.code, "pddflow::nodes::data_missing");
    }
}
