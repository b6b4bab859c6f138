//! The kind `table`: results side by side, as Markdown, CSV and JSON.
//!
//! Accuracies are in percent: the mean over seeds of the mean over nets, with sample standard deviations between seeds and
//! between nets (`artifact::statistics`). Results that differ in anything but the seed share a cell only where `pool` allows
//! it. Numbers of papers stand in columns of their own.

mod arrange;
mod node;
mod params;
mod render;

pub(crate) use node::TableKind;
