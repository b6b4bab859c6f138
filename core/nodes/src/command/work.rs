//! The work folder of a program, below the store.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Child;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_cache::Blob;
use pddflow_runner::NodeError;

use super::guard;

/// The code of a store that this user cannot write.
const READ_ONLY: &str = "pddflow::cache::read_only";

/// The folder of one run of a program. It goes with the value, or by its guard when this process is killed.
pub(super) struct Work {
    folder: PathBuf,
    /// The guard of the program, once there is one.
    pub(super) guard: Option<Child>,
}

impl Work {
    /// An empty folder; what an earlier run left there is removed.
    pub(super) fn new(folder: PathBuf) -> NodeResult<Self> {
        let work = Self { folder, guard: None };
        let cleared = if work.folder.exists() { fs_err::remove_dir_all(&work.folder) } else { Ok(()) };
        cleared.and_then(|()| fs_err::create_dir_all(work.files())).map_err(|error| cannot("make", &error))?;
        Ok(work)
    }

    /// All of it: the files of the program, what it prints, and a sign of its guard.
    pub(super) fn root(&self) -> &Path {
        &self.folder
    }

    /// Where the program runs.
    pub(super) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Writes a file for the program.
    pub(super) fn write(&self, name: &Path, bytes: &[u8]) -> NodeResult<PathBuf> {
        let path = self.files().join(name);
        parent_of(&path).and_then(|()| fs_err::write(&path, bytes)).map_err(|error| cannot("fill", &error))?;
        Ok(path)
    }

    /// Gives the program an artifact under a name: as a link to the file in the store, or as a copy where the program could
    /// write to that file (as root) or the system has no links.
    pub(super) fn link(&self, name: &Path, artifact: &Path, blob: &Blob) -> NodeResult<()> {
        let path = self.files().join(name);
        let is_writable = || fs_err::OpenOptions::new().append(true).open(artifact).is_ok();
        let link = || parent_of(&path).and_then(|()| fs_err::hard_link(artifact, &path));
        if is_writable() || link().is_err() {
            self.write(name, blob)?;
        }
        Ok(())
    }
}

fn parent_of(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs_err::create_dir_all)
}

impl Drop for Work {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run of the node.
        let _ = fs_err::remove_dir_all(&self.folder);
        if let Some(guard) = &mut self.guard {
            guard::dismiss(guard);
        }
    }
}

pub(super) fn cannot(verb: &str, error: &std::io::Error) -> NodeError {
    let message = format!("cannot {verb} the work folder of the program: {error}");
    let failed = fail("command_folder", message)
        .with_help("it lies in the store: free some space there, or name another store with --cache-dir");
    let denied = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem].contains(&error.kind());
    if denied { NodeError { code: READ_ONLY.into(), ..failed } } else { failed }
}
