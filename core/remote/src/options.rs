//! [`Options`]: how a transfer is carried out.

/// How a transfer is carried out. Nothing here changes what is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Requests under way at the same time, at least 1.
    pub at_once: usize,
    /// Whether to copy nothing and only say what would be.
    pub dry_run: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { at_once: 8, dry_run: false }
    }
}
