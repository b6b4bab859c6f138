//! Small files that several machines read and write: whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Writes a file whole, in place of one that is there; makes its folder.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    fs_err::create_dir_all(folder_of(path))?;
    let mut new = new_file(path, text)?;
    new.as_file_mut().sync_all()?;
    new.persist(path).map(drop).map_err(|error| error.error)
}

/// Writes a file whole unless there is one of that name: whether it did. Of several processes on any machines exactly one
/// does.
pub(crate) fn write_once(path: &Path, text: &str) -> io::Result<bool> {
    fs_err::create_dir_all(folder_of(path))?;
    // A hard link to a file that is complete is the form of this that also network file systems do in one step.
    match new_file(path, text)?.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

fn new_file(path: &Path, text: &str) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut new = builder.tempfile_in(folder_of(path))?;
    new.write_all(text.as_bytes())?;
    Ok(new)
}

/// Reads a folder, whose entries a network file system may otherwise have in an old state.
pub(crate) fn refresh(folder: &Path) {
    if let Ok(entries) = fs_err::read_dir(folder) {
        entries.for_each(drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_writes_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert!(write_once(&path, "first").unwrap());
        assert!(!write_once(&path, "second").unwrap());
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "first");
        write_whole(&path, "third").unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "third");
        assert_eq!(fs_err::read_dir(folder.path().join("a")).unwrap().count(), 1, "nothing is left behind");
    }
}
