//! The trainer: nets through segments of training, stopped and continued at any batch with the same result.
//!
//! A segment begins with a new optimizer unless the momentum is carried over. An observer gives first weights, sees every
//! batch and every epoch, and takes notes; [`Job`] trains several nets side by side, with checkpoints.
//!
//! | file | what |
//! |---|---|
//! | `settings`, `schedule` | hyperparameters; learning rate over the epochs |
//! | `segment` | images, their order, initial learning rate |
//! | `step`, `loss`, `sgd`, `optimizer`, `flat`, `teacher` | one step on one batch |
//! | `train` | one net through its segments |
//! | `net` | a net in training, and what an observer is told |
//! | `job`, `threads`, `checkpoint` | several nets side by side |
//!
//! | randomness | key below the net's |
//! |---|---|
//! | an epoch | [`EpochKeys`] |
//! | order of the images | the epoch's, `order` |
//! | augmentation, CutMix, dropout | the epoch's, see `step` |

mod checkpoint;
mod flat;
mod job;
mod loss;
mod net;
mod optimizer;
mod schedule;
mod segment;
mod settings;
mod sgd;
mod step;
mod teacher;
mod threads;
mod train;

pub use flat::Flat;
pub use job::{Job, Keeps, SHARD_FORMAT, shard};
pub use loss::Loss;
pub use net::{NetState, Observer, Position, Unobserved};
pub(crate) use optimizer::Adaptive;
pub use optimizer::Optimizer;
pub use schedule::{LrSchedule, Schedule};
pub use segment::{Order, Segment};
pub use settings::Hyperparameters;
pub use sgd::sgd_step;
pub use step::Architecture;
pub use teacher::Teacher;
pub use threads::{Workers, each};
pub use train::{EpochKeys, Trainer};
