//! Journals: one append-only file of checked lines per run.
//!
//! ```text
//! {"format":1,"run":"<id>","check":"<16 hex>"}
//! {...one event...,"check":"<16 hex>"}          the check covers this line and the one before
//! ```
//!
//! A run that was killed leaves a journal that ends early, perhaps within a line: what comes before stays readable.
//! Results never depend on a journal; it says what happened.

use crate::claims::Claim;
use crate::disk::DiskFile;
use crate::error::StoreError;
use crate::seal::{self, Check};
use std::path::PathBuf;

/// Version of this format.
pub(crate) const VERSION: u32 = 1;
/// Lines wait in memory until there are this many bytes of them or until [`JournalWriter::flush`].
const BUFFER_BYTES: usize = 32 * 1024;

/// Writes the lines of one run.
pub trait JournalWriter: Send {
    /// Appends a line: a JSON object with at least one member, without line feeds.
    ///
    /// # Errors
    /// The file could not be written; the journal should then be given up, the run need not be.
    fn line(&mut self, object: &str) -> Result<(), StoreError>;

    /// Hands waiting lines to the operating system: they survive the end of this process.
    ///
    /// # Errors
    /// As [`Self::line`].
    fn flush(&mut self) -> Result<(), StoreError>;

    /// As [`Self::flush`], and the lines survive a loss of power.
    ///
    /// # Errors
    /// As [`Self::line`].
    fn sync(&mut self) -> Result<(), StoreError>;
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

/// The first line that was written to a journal, if it is whole.
pub(crate) fn first_line(bytes: &[u8]) -> Option<String> {
    read_lines(bytes, 1).lines.pop()
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

/// [`JournalWriter`] over a file.
pub(crate) struct FileJournal {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    waiting: Vec<u8>,
    check: Check,
    /// Held while the run lives.
    _running: Claim,
}

impl FileJournal {
    /// Writes the first line.
    pub(crate) fn start(
        path: PathBuf,
        (file, running): (Box<dyn DiskFile>, Claim),
        run: &str,
    ) -> Result<Self, StoreError> {
        let mut journal = Self { path, file, waiting: Vec::new(), check: Check::default(), _running: running };
        journal.line(&format!("{{\"format\":{VERSION},\"run\":{}}}", serde_json::Value::from(run)))?;
        journal.flush()?;
        Ok(journal)
    }

    fn error(&self, source: std::io::Error) -> StoreError {
        StoreError::io("writing the journal", &self.path, source)
    }
}

impl JournalWriter for FileJournal {
    fn line(&mut self, object: &str) -> Result<(), StoreError> {
        let (line, check) = seal::seal_line(object, self.check);
        self.waiting.extend_from_slice(line.as_bytes());
        self.check = check;
        if self.waiting.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.waiting);
        self.waiting.clear();
        written.map_err(|source| self.error(source))
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.file.sync().map_err(|source| self.error(source))
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        // Nobody is left to be told; the journal then ends early, which readers expect.
        let _ = self.flush();
    }
}
