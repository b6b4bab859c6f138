//! The kind `filter`: the training examples whose difficulty lies in a range, as a data set of their own (`methods.md` 8.5).
//!
//! Test images stay whole; class numbers and preprocessing stay those of the data.

mod node;
mod params;
mod range;

pub(crate) use node::FilterKind;
