//! The kind `continual`: class-incremental learning (`methods.md` 10).
//!
//! Classes come in phases, and of each phase's classes only its sets are kept. The *memory* of a phase is the sets of this
//! phase and all before it. Nets are trained on the memory alone and tested on the test images of all classes seen so far,
//! with one logit for every class of the data, none masked.
//!
//! | `mode` | nets |
//! |---|---|
//! | `fresh` | a new net in each phase, on the whole memory (DM's and DSA's protocol) |
//! | `continue` | one net that goes on from phase to phase (PDD, section 5.5) |
//!
//! A phase may have several sets: those that have its classes, in the order in which they are wired, are its stages. How
//! nets train on them says `training`:
//!
//! | `training` | stage i of a phase trains on |
//! |---|---|
//! | `progressive` | `fresh`: the first i sets of every phase so far; `continue`: all of the earlier phases and the first i of this one |
//! | `union` | the whole memory, in one stage |
//! | `sequential` | `fresh`: set i of every phase so far; `continue`: all of the earlier phases and set i of this one |
//!
//! A learned learning rate is, with `continue`, that of this phase's newest set in the stage, and with `fresh` the mean over
//! the phases of that.

mod load;
mod node;
mod params;
mod phases;
mod report;
mod segments;

pub(crate) use node::ContinualKind;
