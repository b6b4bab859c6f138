//! The kind `classes`: some classes of a data set as a data set of their own, for class-incremental learning
//! (`methods.md` 10).
//!
//! Labels are numbered anew from 0 in the order of the classes; the artifact and every set made from it keep the numbers in
//! the full data set (`class_ids`). The preprocessing stays that of the whole data, so that sets of different parts can be
//! trained on together.

mod node;

pub(crate) use node::ClassesKind;
