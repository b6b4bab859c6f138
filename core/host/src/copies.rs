//! Copies of plugins, to load from: files named after the digest of their content, in a folder of the user's own.

use crate::error::{Code, PluginError};
use fs_err as fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A copy that was not used for so long is removed when another one is made.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The copy to load from. Any number of processes may make it at once: each writes its own file and renames it into place.
pub(crate) fn copy(bytes: &[u8], digest: &[u8; 32]) -> Result<PathBuf, PluginError> {
    let io = |error: std::io::Error| {
        PluginError::new(Code::Io, format!("the copy to load from cannot be written: {error}"))
            .with_help("make room in the folder for temporary files, or point TMPDIR to another one")
    };
    let folder = folder().map_err(io)?;
    let name = blake3::Hash::from_bytes(*digest).to_hex();
    let path = folder.join(format!("{name}.{}", std::env::consts::DLL_EXTENSION));
    let known = fs::read(&path).is_ok_and(|found| blake3::hash(&found).as_bytes() == digest);
    if known {
        keep(&path);
    } else {
        remove_old(&folder);
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(io)?;
        file.write_all(bytes).map_err(io)?;
        file.as_file().sync_all().map_err(io)?;
        file.persist(&path).map_err(|error| io(error.error))?;
    }
    fs::canonicalize(&path).map_err(io)
}

/// A folder that only this user can write to; another user's folder of that name is not used.
#[cfg(unix)]
fn folder() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    /// Bits that let group and others write.
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    let user = tempfile::tempfile()?.metadata()?.uid();
    let folder = std::env::temp_dir().join(format!("pddflow-plugins-{user}"));
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = fs::symlink_metadata(&folder)?;
    if metadata.is_dir() && metadata.uid() == user && metadata.mode() & WRITABLE_BY_OTHERS == 0 {
        return Ok(folder);
    }
    // Kept until the process ends, since libraries stay mapped.
    Ok(tempfile::Builder::new().prefix("pddflow-plugins-").tempdir()?.keep())
}

/// The temporary folder of this user.
#[cfg(not(unix))]
fn folder() -> std::io::Result<PathBuf> {
    let folder = std::env::temp_dir().join("pddflow-plugins");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Notes that a copy is in use, now and then.
fn keep(path: &Path) {
    if age(path).is_some_and(|age| age > KEPT / 2) {
        // Without the right to do so it is made anew some day.
        let _ = fs::File::open(path).and_then(|file| file.into_parts().0.set_modified(SystemTime::now()));
    }
}

/// Every rebuild of a plugin leaves a copy. Code that is mapped stays as it is when its file loses its name.
fn remove_old(folder: &Path) {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in paths.filter(|path| age(path).is_some_and(|age| age > KEPT)) {
        // Where mapped files cannot be removed, they stay.
        let _ = fs::remove_file(path);
    }
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?.elapsed().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_nobody_used_for_long_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, days: u32| {
            let path = folder.path().join(name);
            let file = fs::File::create(&path).unwrap().into_parts().0;
            file.set_modified(SystemTime::now() - Duration::from_secs(24 * 60 * 60) * days).unwrap();
            path
        };
        let [new, used, old] = [("new", 1), ("used", 40), ("old", 31)].map(|(name, days)| make(name, days));
        keep(&used);
        remove_old(folder.path());
        assert_eq!([new, used, old].map(|path| path.exists()), [true, true, false]);
    }
}
