//! Who may write the files of a store: those of a group that shares it, as the mask of the user says. A program of its own,
//! because the mask is the process's.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{key, record};
use nix::sys::stat::{Mode, umask};
use pddflow_cache::Store;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn check(folder: &Path, modes: &mut Vec<(String, u32)>) {
    for entry in fs_err::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            check(&path, modes);
        }
        modes.push((path.display().to_string(), metadata.permissions().mode() & 0o777));
    }
}

#[test]
fn all_files_but_artifacts_follow_the_mask() {
    umask(Mode::from_bits_truncate(0o002));
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let digest = store.put(b"bytes").unwrap();
    store.put_record(&record("a", digest)).unwrap();
    store.commit().unwrap();
    // Again, over the one that is there.
    store.put_record(&record("a", digest)).unwrap();
    store.put_checkpoint(&key("a"), b"half way").unwrap();
    store.put_state(&key("lineage"), 1, b"end").unwrap();
    store.journal("run").unwrap();
    // The second time over the one that is there.
    store.remember("pipeline", &[("node", key("a"))]).unwrap();
    store.remember("pipeline", &[("node", key("b"))]).unwrap();
    store.note_collected().unwrap();
    let mut modes = Vec::new();
    check(folder.path(), &mut modes);
    assert!(modes.len() > 15, "{modes:?}");
    for (path, mode) in modes {
        let expected = match Path::new(&path) {
            path if path.is_dir() => 0o775,
            path if path.parent().unwrap().parent().unwrap().ends_with("artifacts") => 0o444,
            _ => 0o664,
        };
        assert_eq!(mode, expected, "{path}: {mode:o}");
    }
}
