//! Journals of runs: one append-only file of checked lines per run.
//!
//! ```text
//! {"format":1,"run":"<id>","host":"<name>","process":<number>,"check":"<16 hex>"}
//! {...one event...,"check":"<16 hex>"}          the check covers this line and the one before
//! ```
//!
//! A run that was killed leaves a journal that ends early, perhaps within a line: what comes before stays readable.
//! Results never depend on a journal; it says what happened.

use crate::blob::Blob;
use crate::digest::Key;
use crate::disk::{Access, DiskFile};
use crate::error::StoreError;
use crate::files::{Files, parent};
use crate::locks::{Lock, Locks};
use crate::seal::{self, Check};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Version of this format.
pub(crate) const VERSION: u32 = 1;
/// Lines wait in memory until there are this many bytes of them or until [`JournalWriter::flush`].
const BUFFER_BYTES: usize = 32 * 1024;
/// The first lines of a journal are within so many bytes, unless one is longer than that.
const HEAD_BYTES: usize = 16 * 1024;
/// The line that ends a finished run is within so many bytes of the end.
const TAIL_BYTES: usize = 4 * 1024;
const LONGEST_RUN_ID: usize = 80;

pub(crate) struct Journals {
    files: Arc<Files>,
    locks: Arc<Locks>,
}

impl Journals {
    pub(crate) fn new(files: Arc<Files>, locks: Arc<Locks>) -> Self {
        Self { files, locks }
    }

    pub(crate) fn begin(&self, run: &str) -> Result<JournalWriter, StoreError> {
        let path = self.path(run)?;
        let failed = |error| StoreError::io("beginning a journal", &path, error);
        let file = self.files.in_folder(parent(&path), || self.files.disk.create(&path, Access::Shared));
        let file = file.map_err(failed)?;
        let running = self.locks.lock_run(run);
        let mut journal = JournalWriter { path, file, waiting: Vec::new(), check: Check::default(), _running: running };
        let (host, process) = (self.files.disk.host(), std::process::id());
        let first = serde_json::json!({ "format": VERSION, "run": run, "host": host, "process": process });
        journal.line(&first.to_string())?;
        journal.flush()?;
        Ok(journal)
    }

    pub(crate) fn read(&self, run: &str) -> Result<Option<Journal>, StoreError> {
        let bytes = self.files.read_if_there("reading a journal", &self.path(run)?)?;
        Ok(bytes.map(|bytes| read(&bytes)))
    }

    /// The first line that was written, without reading the rest.
    pub(crate) fn first_line(&self, run: &str) -> Result<Option<String>, StoreError> {
        let path = self.path(run)?;
        let mut length = HEAD_BYTES;
        loop {
            let bytes = match self.files.disk.read_part(&path, 0, length) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                other => other.map_err(|error| StoreError::io("reading a journal", &path, error))?,
            };
            let line = read_lines(&bytes, 1).lines.pop();
            if line.is_some() || bytes.len() < length {
                return Ok(line);
            }
            length = length.saturating_mul(16);
        }
    }

    /// The last line, without reading the rest: none if it is not whole, or too long to be that of a finished run.
    pub(crate) fn last_line(&self, run: &str) -> Result<Option<String>, StoreError> {
        let path = self.path(run)?;
        let disk = &self.files.disk;
        let tail = disk
            .status(&path)
            .and_then(|status| disk.read_part(&path, status.length.saturating_sub(TAIL_BYTES as u64), TAIL_BYTES));
        match tail {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => Ok(last_line(&other.map_err(|error| StoreError::io("reading a journal", &path, error))?)),
        }
    }

    /// Appends to a log in the folder of a run.
    pub(crate) fn append_log(&self, run: &str, name: &str, text: &str) -> Result<(), StoreError> {
        let path = self.log_path(run, name)?;
        self.files.append(&path, text).map_err(|error| StoreError::io("writing a log", &path, error))
    }

    /// A log in the folder of a run.
    pub(crate) fn read_log(&self, run: &str, name: &str) -> Result<Option<Blob>, StoreError> {
        self.files.read_if_there("reading a log", &self.log_path(run, name)?)
    }

    /// The ids of all runs that have a journal, sorted.
    pub(crate) fn runs(&self) -> Result<Vec<String>, StoreError> {
        self.files.names_in(&self.files.path(["runs"]))
    }

    fn log_path(&self, run: &str, name: &str) -> Result<PathBuf, StoreError> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(StoreError::invalid_name("the name of a log", name));
        }
        Ok(self.path(run)?.with_file_name("logs").join(name))
    }

    /// The run of another process that is computing a key, as far as the journals of the runs that are going on say so:
    /// one that names the key, else the only one there is.
    pub(crate) fn holder(&self, key: &Key) -> Option<Holder> {
        let (host, process) = (self.files.disk.host(), std::process::id());
        let mut others = Vec::new();
        for run in self.runs().ok()?.into_iter().filter(|run| self.locks.is_run_locked(run)) {
            let (bytes, _) = self.files.disk.read(&self.path(&run).ok()?).ok()?;
            let text = String::from_utf8_lossy(&bytes);
            let Some(first) = text.lines().next().and_then(|line| serde_json::from_str::<FirstLine>(line).ok()) else {
                continue;
            };
            if first.host == host && first.process == process {
                continue;
            }
            let holder = Holder { run, host: first.host };
            if text.contains(&key.to_string()) {
                return Some(holder);
            }
            others.push(holder);
        }
        others.pop().filter(|_| others.is_empty())
    }

    fn path(&self, run: &str) -> Result<PathBuf, StoreError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if run.is_empty() || run.len() > LONGEST_RUN_ID || run.starts_with('.') || !run.chars().all(allowed) {
            return Err(StoreError::invalid_name("the id of a run", run));
        }
        Ok(self.files.path(["runs", run, "journal"]))
    }
}

/// What the first line says of who writes the others.
#[derive(Deserialize)]
struct FirstLine {
    host: String,
    process: u32,
}

/// A run that computes a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub run: String,
    /// The machine that it runs on; empty if that is not known.
    pub host: String,
}

/// Writes the lines of one run.
pub struct JournalWriter {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    waiting: Vec<u8>,
    check: Check,
    /// Held while the run lives.
    _running: Lock,
}

impl JournalWriter {
    /// Appends a line: a JSON object with at least one member, without line feeds.
    ///
    /// # Errors
    /// The file could not be written; the journal should then be given up, the run need not be.
    pub fn line(&mut self, object: &str) -> Result<(), StoreError> {
        let (line, check) = seal::seal_line(object, self.check);
        self.waiting.extend_from_slice(line.as_bytes());
        self.check = check;
        if self.waiting.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Hands waiting lines to the operating system: they survive the end of this process.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.waiting);
        self.waiting.clear();
        written.map_err(|source| self.error(source))
    }

    /// As [`Self::flush`], and the lines survive a loss of power.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.file.sync().map_err(|source| self.error(source))
    }

    fn error(&self, source: std::io::Error) -> StoreError {
        StoreError::io("writing the journal", &self.path, source)
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        // The error cannot be reported any more; the journal then ends early, which readers expect.
        let _ = self.flush();
    }
}

/// A journal as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Its lines in order, each a JSON object as it was given to [`JournalWriter::line`].
    pub lines: Vec<String>,
    /// Whether bytes follow that are not what was written: a line cut short by a kill, or damage.
    pub broken: bool,
}

/// Reads the bytes of a journal up to the first line whose check fails.
pub(crate) fn read(bytes: &[u8]) -> Journal {
    read_lines(bytes, usize::MAX)
}

/// The last line of the end of a journal. Its check also covers the line before, which says its own.
fn last_line(tail: &[u8]) -> Option<String> {
    let tail = tail.strip_suffix(b"\n")?;
    let (before, line) = tail.split_at(tail.iter().rposition(|byte| *byte == b'\n')?);
    let line = line.strip_prefix(b"\n")?;
    seal::line_check(line, seal::stated_check(before)?)?;
    Some(String::from_utf8_lossy(&line[..line.len() - seal::LINE_END]).into_owned() + "}")
}

fn read_lines(bytes: &[u8], most: usize) -> Journal {
    let mut check = Check::default();
    let mut journal = Journal { lines: Vec::new(), broken: false };
    // The line of the format comes before the first that was written.
    for line in bytes.split_inclusive(|byte| *byte == b'\n').take(most.saturating_add(1)) {
        let checked = line.strip_suffix(b"\n").and_then(|line| Some((line, seal::line_check(line, check)?)));
        let Some((line, next)) = checked else {
            journal.broken = true;
            break;
        };
        let open = &line[..line.len() - seal::LINE_END];
        journal.lines.push(String::from_utf8_lossy(open).into_owned() + "}");
        check = next;
    }
    if journal.lines.is_empty() {
        journal.broken = true;
    } else {
        journal.lines.remove(0);
    }
    journal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_read_without_the_rest() {
        let (one, check) = seal::seal_line(r#"{"a":1}"#, Check::default());
        let (two, _) = seal::seal_line(r#"{"b":2}"#, check);
        let whole = format!("{one}{two}");
        let last = |text: &str| last_line(text.as_bytes());
        assert_eq!(last(&whole).as_deref(), Some(r#"{"b":2}"#));
        assert_eq!(last(&whole[10..]).as_deref(), Some(r#"{"b":2}"#), "of the line before only the end is needed");
        assert_eq!(last(&whole[..whole.len() - 1]), None, "cut short");
        assert_eq!(last(&two), None, "nothing says what came before");
        assert_eq!(last(&whole.replace("{\"b\":2", "{\"b\":3")), None, "damaged");
        assert_eq!(last(""), None);
    }
}
