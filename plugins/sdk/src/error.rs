//! Errors of plugin code.

use pddflow_abi::Status;
use std::fmt;
use std::panic::Location;

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why plugin code cannot go on. `?` passes on what the host said; its text is kept there.
#[derive(Debug)]
pub struct Error {
    pub(crate) status: i32,
    /// `None` when the host has the text already.
    pub(crate) message: Option<String>,
    /// Where the author's code called the host, if that refused.
    pub(crate) place: Option<&'static Location<'static>>,
}

impl Error {
    /// An error with a text: what failed, with values; lower case, no full stop.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self::with_status(Status::Internal, message)
    }

    /// Parameters that do not make sense together.
    #[must_use]
    pub fn config(message: impl Into<String>) -> Self {
        Self::with_status(Status::Config, message)
    }

    /// Shapes that do not fit, e.g. images that are too small.
    #[must_use]
    pub fn shape(message: impl Into<String>) -> Self {
        Self::with_status(Status::Shape, message)
    }

    /// A number that is not finite.
    #[must_use]
    pub fn numeric(message: impl Into<String>) -> Self {
        Self::with_status(Status::Numeric, message)
    }

    /// The run was cancelled: what a loop of the plugin's own returns when [`Call::cancelled`](crate::Call::cancelled) says so.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::with_status(Status::Cancelled, "the run was cancelled")
    }

    /// Whether the run was cancelled; pass it on.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.status == Status::Cancelled as i32
    }

    #[track_caller]
    pub(crate) fn host(status: i32) -> Self {
        Self { status, message: None, place: Some(Location::caller()) }
    }

    /// The same refusal, asked for elsewhere: what a function of this crate puts in place of a line of its own.
    pub(crate) fn at(self, place: &'static Location<'static>) -> Self {
        Self { place: self.place.and(Some(place)), ..self }
    }

    pub(crate) fn with_status(status: Status, message: impl Into<String>) -> Self {
        Self { status: status as i32, message: Some(message.into()), place: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => formatter.write_str(message),
            None => write!(formatter, "the host refused with status {}", self.status),
        }
    }
}

impl std::error::Error for Error {}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::config(error.to_string())
    }
}
