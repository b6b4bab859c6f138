//! A folder of a test's own, with a store of its own.

use crate::program::{program, workspace_root};
use crate::ran::Ran;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What the surroundings of the tests must not bring in.
const REMOVED: [&str; 6] =
    ["PDDFLOW_CACHE_DIR", "PDDFLOW_PLUGIN_PATH", "NO_COLOR", "XDG_DATA_HOME", "RAYON_NUM_THREADS", "RUST_BACKTRACE"];

/// A folder that holds copies of `tests/fixtures` and, after a run, a store and results. It vanishes with the value.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// A new folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let Self { folder } = Self::empty();
        for entry in fs_err::read_dir(workspace_root().join("tests/fixtures")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs_err::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        Self { folder }
    }

    /// A new folder without the fixtures.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn empty() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in it.
    ///
    /// # Panics
    /// When that fails.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs_err::write(self.path(name), text).unwrap();
    }

    /// A call of the program here, not yet started.
    #[must_use]
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        self.shielded(Command::new(program()), arguments)
    }

    /// The same through a shell, after `prepare` has set limits.
    #[must_use]
    pub fn command_after(&self, prepare: &str, arguments: &[&str]) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{prepare}; exec \"$0\" \"$@\"")]).arg(program());
        self.shielded(shell, arguments)
    }

    fn shielded<S: AsRef<OsStr>>(&self, mut command: Command, arguments: &[S]) -> Command {
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("HOME", self.folder.path()).env("COLUMNS", "100");
        REMOVED.iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    }

    /// Calls the program here and waits for it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Everything below a folder of it: path and bytes, sorted.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn files(&self, below: &str) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        walk(&self.path(below), &mut found);
        let mut named: Vec<(String, Vec<u8>)> = found
            .into_iter()
            .map(|path| {
                (path.strip_prefix(self.folder.path()).unwrap().display().to_string(), fs_err::read(path).unwrap())
            })
            .collect();
        named.sort();
        named
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}
