//! Quarantine: damaged files are moved out of the way, never removed, so that they can be looked at.

use crate::digest::Digest;
use crate::objects::{Objects, lock};
use crate::stamp::Stamp;
use std::io;
use std::path::{Path, PathBuf};

/// What became of a damaged artifact.
pub(crate) enum Aside {
    Moved(PathBuf),
    /// It could not be moved, or somebody else moved it.
    Stuck,
    /// There is another file under its name now.
    Replaced,
}

impl Objects {
    /// Moves a damaged artifact out of the way, but only the very file that was found damaged: another reader may have
    /// moved it already, and its node may have stored it anew.
    pub(crate) fn set_artifact_aside(&self, digest: &Digest, path: &Path, damaged: Stamp) -> Aside {
        let _renaming = lock(&self.renaming);
        match self.disk.read(path) {
            Ok((_, now)) if now != damaged => return Aside::Replaced,
            Ok(_) => {}
            Err(_) => return Aside::Stuck,
        }
        let Some(to) = self.quarantine(path) else { return Aside::Stuck };
        // Another process may have come between the look and the move.
        let whole = self.disk.read(&to).is_ok_and(|(moved, _)| Digest::of(&moved) == *digest);
        if whole && self.disk.rename(&to, path).is_ok() { Aside::Replaced } else { Aside::Moved(to) }
    }

    /// Moves a damaged record or checkpoint out of the way, with a warning.
    pub(crate) fn set_aside(&self, what: &str, path: &Path, why: &str) {
        let place = match self.quarantine(path) {
            Some(to) => format!("it was moved to {}", to.display()),
            None => format!("it could not be moved away from {}", path.display()),
        };
        self.warn(format!("{what} counts as absent: {why}; {place}"));
    }

    /// Moves a damaged file out of the way. None if that was not possible; it is then found damaged again.
    fn quarantine(&self, path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?.to_str()?;
        let folder = self.base.join("quarantine");
        let to = folder.join(format!("{name}.{}", self.unique()));
        let moved = match self.disk.rename(path, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_durable_folders(&folder).and_then(|()| self.disk.rename(path, &to))
            }
            other => other,
        };
        moved.ok().map(|()| to)
    }
}
