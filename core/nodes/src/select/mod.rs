//! The kind `select`: real images chosen as a set, the baselines of every table (`methods.md` 9).

mod node;

pub(crate) use node::{SelectKind, asks_teacher};
