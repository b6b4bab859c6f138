//! YAML text to a tree in which everything knows its place.

pub(crate) mod error;
pub(crate) mod open_map;
pub(crate) mod parse;
pub(crate) mod shield;
pub(crate) mod tree;
