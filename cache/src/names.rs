//! The names index: the key that each node of a pipeline last had. Advisory: it only serves to say *why* a node is
//! stale and how long it took last time. Losing it loses no result.
//!
//! One append-only file per pipeline name, `v1/names/<first 12 hex of the name's digest>.jsonl`, one line per change:
//!
//! ```text
//! {"format":1,"node":"distill[3]","key":"k:<64 hex>","check":"<16 hex>"}
//! ```
//!
//! Lines that do not check are passed over. The last line of a node counts. When most lines are outdated the file is
//! written anew; what another process appends at that very moment may be lost, which costs an explanation and no more.

use crate::digest::{Digest, Key};
use crate::disk::Access;
use crate::error::StoreError;
use crate::files::{Files, lock};
use crate::seal::{self, Check};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const VERSION: u32 = 1;
/// A file is written anew when it has more lines than this for each node that it names, and more than a few.
const LINES_PER_NODE: usize = 4;
const FEW_LINES: usize = 1_000;
/// Bytes of a line with a short name.
const SHORTEST_LINE: usize = 128;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineFile<'a> {
    format: u32,
    #[serde(borrow)]
    node: std::borrow::Cow<'a, str>,
    key: Key,
    #[serde(skip_serializing, default)]
    #[expect(
        dead_code,
        reason = "checked on the bytes before parsing; named here because unknown members are refused"
    )]
    check: Option<std::borrow::Cow<'a, str>>,
}

/// The indexes of all pipelines, each read on first use.
pub(crate) struct NamesIndex {
    files: Arc<Files>,
    read: Mutex<HashMap<String, Names>>,
}

impl NamesIndex {
    pub(crate) fn new(files: Arc<Files>) -> Self {
        Self { files, read: Mutex::default() }
    }

    pub(crate) fn key_of(&self, pipeline: &str, node: &str) -> Option<Key> {
        self.with(pipeline, |names| names.key_of(node))
    }

    pub(crate) fn remember(&self, pipeline: &str, keys: &[(&str, Key)]) -> Result<(), StoreError> {
        let set = |names: &mut Names| {
            let lines: String = keys.iter().filter_map(|(node, key)| names.set(node, key)).collect();
            (lines, names.rewritten())
        };
        let (lines, whole) = self.with(pipeline, set);
        let path = self.path(pipeline);
        match whole {
            Some(whole) => self.files.write_whole(&path, whole.as_bytes(), Access::Shared),
            None if lines.is_empty() => Ok(()),
            None => self.files.append(&path, &lines),
        }
        .map_err(|error| StoreError::io("noting keys of nodes", &path, error))
    }

    /// An unreadable file counts as empty.
    fn with<T>(&self, pipeline: &str, then: impl FnOnce(&mut Names) -> T) -> T {
        let mut read = lock(&self.read);
        if let Some(names) = read.get_mut(pipeline) {
            return then(names);
        }
        let bytes = self.files.disk.read(&self.path(pipeline)).map(|(blob, _)| blob);
        let names = bytes.map_or_else(|_| Names::default(), |bytes| Names::read(&bytes));
        then(read.entry(pipeline.to_owned()).or_insert(names))
    }

    fn path(&self, pipeline: &str) -> PathBuf {
        self.files.path(["names", &(Digest::of(pipeline.as_bytes()).short() + ".jsonl")])
    }
}

/// The index of one pipeline in memory.
#[derive(Debug, Default)]
pub(crate) struct Names {
    keys: HashMap<String, Key>,
    lines: usize,
    torn: bool,
}

impl Names {
    /// Reads a file's bytes.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let torn = bytes.last().is_some_and(|last| *last != b'\n');
        let mut names = Self { keys: HashMap::with_capacity(bytes.len() / SHORTEST_LINE), lines: 0, torn };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            names.lines += 1;
            if let Some((node, key)) = read_line(line) {
                names.keys.insert(node, key);
            }
        }
        names
    }

    pub(crate) fn key_of(&self, node: &str) -> Option<Key> {
        self.keys.get(node).copied()
    }

    /// Takes in a new key; the line to append, or none when nothing changed.
    pub(crate) fn set(&mut self, node: &str, key: &Key) -> Option<String> {
        if self.key_of(node) == Some(*key) {
            return None;
        }
        self.keys.insert(node.to_owned(), *key);
        self.lines += 1;
        // A line that a kill cut short must not swallow this one.
        let start = if std::mem::take(&mut self.torn) { "\n" } else { "" };
        Some(start.to_owned() + &line(node, key))
    }

    /// The whole index anew, when the file has grown out of proportion.
    pub(crate) fn rewritten(&mut self) -> Option<String> {
        if self.lines <= FEW_LINES || self.lines <= LINES_PER_NODE * self.keys.len() {
            return None;
        }
        let mut sorted: Vec<_> = self.keys.iter().collect();
        sorted.sort_unstable_by_key(|(node, _)| *node);
        self.lines = sorted.len();
        self.torn = false;
        Some(sorted.into_iter().map(|(node, key)| line(node, key)).collect())
    }
}

fn line(node: &str, key: &Key) -> String {
    let file = LineFile { format: VERSION, node: node.into(), key: *key, check: None };
    // Text and numbers always have JSON.
    let body = serde_json::to_string(&file).unwrap_or_default();
    seal::seal_line(&body, Check::default()).0
}

fn read_line(line: &[u8]) -> Option<(String, Key)> {
    seal::line_check(line, Check::default())?;
    let parsed: LineFile<'_> = serde_json::from_slice(line).ok()?;
    (parsed.format == VERSION).then(|| (parsed.node.into_owned(), parsed.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::from_bytes([byte; 32])
    }

    #[test]
    fn the_last_line_counts_and_damaged_ones_are_passed_over() {
        let mut names = Names::default();
        let mut file = names.set("a", &key(1)).unwrap();
        file += &names.set("b[x=\"é\"]", &key(2)).unwrap();
        file += &names.set("a", &key(3)).unwrap();
        assert_eq!(names.set("a", &key(3)), None);
        let read = Names::read(file.as_bytes());
        assert_eq!((read.key_of("a"), read.key_of("b[x=\"é\"]")), (Some(key(3)), Some(key(2))));
        let damaged = file.replace("k:03", "k:13");
        assert_eq!(Names::read(damaged.as_bytes()).key_of("a"), Some(key(1)));
    }

    #[test]
    fn a_torn_line_does_not_swallow_the_next() {
        let mut names = Names::default();
        let whole = names.set("a", &key(1)).unwrap();
        let torn = &whole[..whole.len() / 2];
        let mut after = Names::read(torn.as_bytes());
        let file = torn.to_owned() + &after.set("b", &key(2)).unwrap();
        assert_eq!(Names::read(file.as_bytes()).key_of("b"), Some(key(2)));
    }

    #[test]
    fn a_file_of_outdated_lines_is_rewritten() {
        let mut names = Names::default();
        for at in 0..=FEW_LINES {
            names.set("a", &key((at % 250) as u8));
        }
        let small = names.rewritten().unwrap();
        assert_eq!(small.lines().count(), 1);
        assert_eq!(Names::read(small.as_bytes()).key_of("a"), names.key_of("a"));
        assert_eq!(names.rewritten(), None);
    }
}
