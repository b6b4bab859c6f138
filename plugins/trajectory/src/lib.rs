//! What the matchers of training trajectories (MTT, TESLA) share: a student that is trained on the synthetic set, step by step,
//! from where an expert was, and is compared with where the expert went.
//!
//! | item | what |
//! |---|---|
//! | [`Window`] | where segments may start, and how that widens |
//! | [`Segment`] | start and target by learnable weights |
//! | [`Student`] | its mini-batches, and the gradient of each step on the tape |
//! | [`Tapes`] | which steps stay on the tape, and which are computed again |
//! | [`Guard`] | notices a blow-up, goes back to the last good state |
//! | [`logits`] | what an expert says of the new images |
//! | [`vector`] | arithmetic on lists of weights |
//!
//! Randomness, for an outer iteration's key `k` and the attempt `a` (0 unless the loss blew up): with `j = k.fold("attempt").fold_u64(a)`,
//! the segment is drawn by `j.fold("segment")`, the p-th order of the rows is `j.fold("order").fold_u64(p).permutation(rows)`, and
//! step t is augmented with `j.fold("augment").fold_u64(t)`.

mod expert;
mod guard;
mod segment;
mod student;
mod tapes;
pub mod vector;
mod window;

pub use expert::logits;
pub use guard::{Guard, Limits};
pub use segment::Segment;
pub use student::{Inner, Student, Taped};
pub use tapes::Tapes;
pub use window::Window;
