//! The kind `evaluate`: nets trained on sets, tested on real images.
//!
//! Reported is the accuracy of the last epoch, unless the pipeline asks for another reading by name: at the epoch that was
//! best on held-out real images, or (the rule of several papers, which flatters) at the epoch that was best on the test
//! images themselves. The readings that are not reported stand beside it under their own names; the record's `accuracy`
//! is the last epoch's in every case.
//!
//! With `teacher`, or where the sets say so themselves, a trained net labels every batch anew, in place of the labels of the sets.
//!
//! With `regression` no net is trained: the labels of the sets are carried over to the test images by kernel ridge regression.
//!
//! Without sets, and with `training: full`, nets are trained on the real images themselves by the same recipe: the upper
//! bound.

mod course;
mod node;
mod params;
mod regress;
mod report;
mod teacher;

pub(crate) use node::{EvaluateKind, check_learning_rates};
pub(crate) use teacher::needs_no_teacher;
