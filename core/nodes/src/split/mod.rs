//! The kind `split`: equal parts of one set, as stages to train on.

mod node;

pub(crate) use node::SplitKind;
