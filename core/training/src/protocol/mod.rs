//! How nets are trained on sets and tested, shared by the kinds that do so.
//!
//! A protocol is a list of *legs*: a net trains on some images at some step size, is tested, and goes on with the next leg
//! or begins anew. Progressive training, training on the union, on one set after the other, on the real data itself and
//! class-incremental learning are all such lists.
//!
//! | module | what |
//! |---|---|
//! | `preset` | the published recipes (`methods.md` 13) |
//! | `params` | what a pipeline file can say of a recipe |
//! | `step_size` | a number, a list with one for each stage, or the learned ones |
//! | `legs` | which images a leg trains on |
//! | `crew` | several nets on the cores, stopped and continued |
//! | `summary` | which moment of the training is reported |

mod checkpoint;
mod crew;
mod legs;
mod numbers;
mod params;
mod preset;
mod step_size;
mod summary;

pub use crew::{Curve, Protocol, Start, Test};
pub use legs::{Leg, Pool, Training, pool_of, stage_sets};
pub use numbers::Numbers;
pub use params::{RecipeParams, check_recipe};
pub use preset::{Preset, points_every};
pub use step_size::{StepSize, step_size};
pub use summary::{Moment, Report, Summary};
