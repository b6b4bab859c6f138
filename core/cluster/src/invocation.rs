//! How runs on a cluster were begun, so that they can be taken up: a file for each, in the folder `commands` beside the batches.

use crate::batch::Batches;
use crate::files::write_whole;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// So many are kept.
const KEPT: usize = 100;

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// The folder in which it was typed.
    pub folder: PathBuf,
    /// The program and its arguments.
    pub arguments: Vec<String>,
}

impl Invocation {
    /// Keeps it under the id of the run, and forgets the oldest.
    pub(crate) fn keep(&self, batches: &Batches, run: &str) {
        let folder = batches.root().join("commands");
        // A run that cannot be taken up by its id is taken up by running it again.
        if let Ok(text) = serde_json::to_string(self) {
            let _ = write_whole(&folder.join(run), &text);
        }
        let names = names(&folder);
        for name in names.iter().take(names.len().saturating_sub(KEPT)) {
            let _ = fs_err::remove_file(folder.join(name));
        }
    }
}

/// How a run was begun, if it is known.
#[must_use]
pub fn invocation(store: &Path, run: &str) -> Option<Invocation> {
    let folder = Batches::of(store).root().join("commands");
    // Only names that are there, whatever else is asked for.
    names(&folder).into_iter().find(|name| name == run).and_then(|name| read(&folder.join(name)))
}

/// How the last run was begun.
#[must_use]
pub fn last_invocation(store: &Path) -> Option<Invocation> {
    let folder = Batches::of(store).root().join("commands");
    names(&folder).pop().and_then(|name| read(&folder.join(name)))
}

/// Ids of runs, which sort by time.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    names
}

fn read(path: &Path) -> Option<Invocation> {
    serde_json::from_str(&fs_err::read_to_string(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_is_found_and_only_some_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let batches = Batches::of(folder.path());
        let of = |text: &str| Invocation { folder: "/w".into(), arguments: vec!["pddflow".into(), text.into()] };
        assert_eq!(last_invocation(folder.path()), None);
        for number in 0..KEPT + 3 {
            of(&number.to_string()).keep(&batches, &format!("r{number:04}"));
        }
        assert_eq!(last_invocation(folder.path()), Some(of(&(KEPT + 2).to_string())));
        assert_eq!(invocation(folder.path(), "r0005"), Some(of("5")));
        assert_eq!(invocation(folder.path(), "r0000"), None);
        assert_eq!(invocation(folder.path(), "../heads/x"), None);
    }
}
