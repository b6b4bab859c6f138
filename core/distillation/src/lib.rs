//! A matcher makes a small synthetic set mimic the real data.
//!
//! Three things make a stage of progressive distillation, each by wiring alone, whatever the matcher:
//!
//! | what | how |
//! |---|---|
//! | conditioning: match together with the earlier sets | wire them into `previous`; off with `condition: false` |
//! | transition: start where training on them ends | wire `start` or `trajectories`, or give `pretrain` |
//! | randomness of its own | the stage's number, by default one more than there are earlier sets |
//!
//! [`distill`] draws the first values of the learnables, runs the matcher's outer iterations, keeps everything that lasts
//! between them, and stores the set with its recipe. Earlier sets (`previous`) only condition: they are decoded once, given
//! to the matcher as constants, and never change.
//!
//! | randomness | key below `(seed, "distill", stage - 1)` |
//! |---|---|
//! | first values of a learnable | `start`, its name |
//! | everything the matcher draws | `matcher` (the problem's `seed_key`) |
//!
//! | module | what |
//! |---|---|
//! | `params`, `needs` | what can be said of a distillation; what a matcher needs besides data |
//! | `run` | one distillation from beginning to end |
//! | `network` | the model, the experts, and where matching starts |
//! | `start`, `tile`, `state`, `curve` | first values of the learnables; what lasts between iterations |
//! | `environment` | what a matcher is offered |
//! | `inspect`, `moves` | evaluations between iterations; whether anything moves at all |
//! | [`trial`], `rehearsal` | a plugin on small problems: what is wrong with it; a matcher's environment without a node |
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

mod curve;
mod environment;
mod inspect;
mod moves;
mod needs;
mod network;
mod params;
mod rehearsal;
mod run;
mod start;
mod state;
mod tile;
pub mod trial;

pub use needs::{check_planned, learns_no_rate, made_recipe, makes_script, needs_horizon};
pub use params::{DistillParams, EvaluationParams, Keep, On, check};
pub use run::distill;
pub use tile::tile;
