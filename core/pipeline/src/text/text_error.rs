//! What is wrong with a part of a text. Whoever knows where the text stands in a file makes a problem of it.

use std::ops::Range;

/// A problem with a range of a text's own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextError {
    pub(crate) code: &'static str,
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl TextError {
    pub(crate) fn new(
        code: &'static str,
        range: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self { code, range, message: message.into(), help: help.into() })
    }
}
