//! The kind `evaluate`: nets trained on sets, tested on real images.
//!
//! What is reported as *the* accuracy is that of the last epoch. Two other readings stand beside it under their own names
//! and never replace it: at the epoch that was best on held-out real images, and (the protocol of several papers, which
//! flatters) at the epoch that was best on the test images themselves.

mod node;
mod params;
mod protocol;
mod recipe;
mod report;
mod stages;
mod summary;

pub(crate) use node::EvaluateKind;
pub(crate) use recipe::StepSize;
