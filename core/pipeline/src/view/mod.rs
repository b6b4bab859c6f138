//! Pictures of a plan.

pub(crate) mod graph;
pub(crate) mod svg;
