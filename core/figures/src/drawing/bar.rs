//! A bar of a histogram.

/// One bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) count: u64,
    /// How many of them are told apart, at the top of the bar.
    pub(crate) marked: u64,
}
