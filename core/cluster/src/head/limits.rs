//! [`Limits`]: what the queue takes.

use std::time::{Duration, Instant};

/// After a limit of the queue, time before it is tried again; it doubles, to [`LONGEST_WAIT`].
pub(super) const LIMIT_WAIT: Duration = Duration::from_secs(10);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the queue takes, as far as is known.
#[derive(Default)]
pub(super) struct Limits {
    /// After a submission was refused for a limit: no array is larger.
    pub(super) most: Option<usize>,
    /// Nothing is submitted before.
    pub(super) not_before: Option<Instant>,
    pub(super) wait: Duration,
    pub(super) told: bool,
    /// Submissions in a row of which nothing came, although nothing was said against them.
    pub(super) unclear: u32,
}
