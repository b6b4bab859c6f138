//! Folders of results: their names, and files that are written into them in one step.

use pddflow_cache::Digest;
use std::borrow::Cow;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The folder of a pipeline's results: its name, with what no file system likes replaced.
pub(super) fn of_pipeline(results: &Path, pipeline: &str) -> PathBuf {
    results.join(safe(pipeline).as_ref())
}

/// The folder of a node in that of its pipeline.
pub(crate) fn of_node(pipeline: &Path, node: &str) -> PathBuf {
    pipeline.join(safe(node).as_ref())
}

/// A name that every file system takes.
fn safe(name: &str) -> Cow<'_, str> {
    let is_bad = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    let hidden = name.starts_with('.');
    if !hidden && !name.contains(is_bad) {
        return Cow::Borrowed(name);
    }
    let name = name.replace(is_bad, "_");
    Cow::Owned(if hidden { name.replacen('.', "_", 1) } else { name })
}

/// Writes one file under its name in one step.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    let mut file = shared(builder.prefix(".pddflow-")).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Temporary files are private to the user; results have what the user's mask allows.
#[cfg(unix)]
fn shared<'a, 'b>(builder: &'a mut tempfile::Builder<'b, 'b>) -> &'a mut tempfile::Builder<'b, 'b> {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn shared<'a, 'b>(builder: &'a mut tempfile::Builder<'b, 'b>) -> &'a mut tempfile::Builder<'b, 'b> {
    builder
}

/// The digest of a file; none if there is no file.
pub(crate) fn digest_of(path: &Path) -> io::Result<Option<Digest>> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(Digest::of(&bytes))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file, and the folders that are empty then, up to `top`, which stays.
pub(super) fn remove_file(path: &Path, top: &Path) -> io::Result<()> {
    fs_err::remove_file(path)?;
    let above = path.ancestors().skip(1).take_while(|folder| *folder != top);
    // Fails, as it should, at the first folder with something in it.
    above.map(fs_err::remove_dir).take_while(Result::is_ok).for_each(drop);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_after_nodes() {
        let check = |node: &str, expected: &str| {
            assert_eq!(of_node(&of_pipeline(Path::new("r"), "p"), node), Path::new(expected));
        };
        check("eval[model=resnet18]", "r/p/eval[model=resnet18]");
        check("a/../b", "r/p/a_.._b");
        check("..", "r/p/_.");
    }

    #[test]
    fn a_file_is_written_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        for text in ["one", "two"] {
            write_file(&path, text.as_bytes()).unwrap();
            assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
            assert_eq!(digest_of(&path).unwrap(), Some(Digest::of(text.as_bytes())));
        }
        assert_eq!(fs_err::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a temporary file stayed");
        remove_file(&path, folder.path()).unwrap();
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(digest_of(&path).unwrap(), None);
    }
}
