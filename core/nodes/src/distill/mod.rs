//! The kind `distill`: a matcher makes a small synthetic set mimic the real data.
//!
//! Three things make a stage of progressive distillation, each by wiring alone, whatever the matcher:
//!
//! | what | how |
//! |---|---|
//! | conditioning: match together with the earlier sets | wire them into `previous`; off with `condition: false` |
//! | transition: start where training on them ends | wire `start` or `trajectories`, or give `pretrain` |
//! | randomness of its own | the stage's number, by default one more than there are earlier sets |
//!
//! The node draws the first values of the learnables, runs the matcher's outer iterations, keeps everything that lasts
//! between them, and stores the set with its recipe. Earlier sets (`previous`) only condition: they are decoded once, given
//! to the matcher as constants, and never change.
//!
//! | randomness | key below `(seed, "distill", stage - 1)` |
//! |---|---|
//! | first values of a learnable | `start`, its name |
//! | everything the matcher draws | `matcher` (the problem's `seed_key`) |

mod curve;
mod environment;
mod inspect;
mod moves;
mod needs;
mod network;
mod node;
mod params;
mod rehearsal;
mod start;
mod state;
mod tile;
mod training;

pub(crate) use needs::needs_learned;
pub(crate) use node::DistillKind;
pub(crate) use rehearsal::{Rehearsal, Stage};
pub use tile::tile;
pub(crate) use training::{TrainingParams, check_training};
