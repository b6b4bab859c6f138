//! The kind `distill`: a matcher makes a small synthetic set mimic the real data.
//!
//! The node draws the first values of the learnables, runs the matcher's outer iterations, keeps everything that lasts
//! between them, and stores the set with its recipe. Earlier sets (`previous`) only condition: they are decoded once, given
//! to the matcher as constants, and never change.
//!
//! | randomness | key below `(seed, "distill", number of earlier sets)` |
//! |---|---|
//! | first values of a learnable | `start`, its name |
//! | everything the matcher draws | `matcher` (the problem's `seed_key`) |

mod curve;
mod environment;
mod node;
mod params;
mod start;
mod state;
mod tile;

pub(crate) use environment::join_sets;
pub(crate) use node::DistillKind;
pub use tile::tile;
