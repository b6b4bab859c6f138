//! What the matchers of training trajectories (MTT, TESLA, HaBa, GLaD over MTT) share: a student that is trained on the synthetic set, step by step,
//! from where an expert was, and is compared with where the expert went.
//!
//! | item | what |
//! |---|---|
//! | [`parameters!`](crate::parameters) | the parameters that all have, beside their own |
//! | [`Settings`] | what they mean: learnables, needs, recipe, and the outer iteration with its attempts |
//! | [`First`] | what images start as |
//! | [`Attempt`] | one attempt: a segment of an expert and the student's learning rate; [`exact`](Attempt::exact) is MTT's gradient |
//! | [`Student`] | its mini-batches, and the gradient of each step on the tape |
//! | [`Path`] | its weights before each step |
//! | [`Window`] | start epochs of segments, and how their range widens |
//! | [`vector`] | arithmetic on lists of weights |
//!
//! Randomness, for an outer iteration's key `k` and the attempt `a` (0 unless the loss blew up): with `j = k.fold("attempt").fold_u64(a)`,
//! the segment is drawn by `j.fold("segment")`, the p-th order of the rows is `j.fold("order").fold_u64(p).permutation(rows)`, and
//! step t is augmented with `j.fold("augment").fold_u64(t)` and sees variant `j.fold("variant").fold_u64(t).below(variants)` of images that have several.

mod attempt;
mod begin;
mod exact;
mod first;
mod guard;
mod outer;
mod parameters;
mod path;
mod presets;
mod segment;
mod settings;
mod student;
pub mod vector;
mod window;

pub use attempt::{Attempt, Found, Gradient, Outcome, logits};
pub use first::First;
pub use guard::Limits;
pub use path::Path;
pub use presets::{haba, mtt, tesla};
pub use segment::Segment;
pub use settings::{LEARNING_RATE, LearnedRate, Settings};
pub use student::{BackwardStep, Student};
pub use window::Window;
