//! A call of the function: what is to run, and what it gave.
#![cfg_attr(not(unix), expect(dead_code, reason = "no process is started there"))]

use std::time::Duration;

/// What is to run, and within what limits.
pub(crate) struct Setup<'a> {
    pub(crate) python: &'a str,
    pub(crate) file: &'a str,
    pub(crate) function: &'a str,
    pub(crate) files: &'a [String],
    pub(crate) threads: usize,
    pub(crate) patience: Duration,
    /// Bytes.
    pub(crate) memory: u64,
}

impl Setup<'_> {
    /// Name of the file, for messages.
    pub(crate) fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(self.file)
    }
}

/// What the function gave.
pub(crate) struct Answer {
    pub(crate) loss: f64,
    pub(crate) metrics: Vec<(String, f64)>,
    pub(crate) gradient: Vec<u8>,
}
