//! Nets: their first weights, how they are trained, and how often they are right.
//!
//! A net is a list of tensors in the order of the model's weight list. Weights are of two roles: *learnable* ones move by
//! gradient steps, *statistics* (the running mean and variance of batch norm) are replaced by what the model's forward
//! pass in training mode returns. Nothing here keeps state of its own: a net goes in, a net comes out, and all
//! randomness comes from the key that is passed in, so that every result is independent of threads and of order.

mod accuracy;
mod course;
mod crew;
mod data;
mod init;
mod schedule;
mod sgd;
mod train;

pub use accuracy::{accuracy, accuracy_unless, features};
pub use course::{Course, CourseStage, Pupil, Rules};
pub use crew::{Crew, Keeps, Work, side_by_side};
pub use data::Samples;
pub use init::first_weights;
pub use init::initial_weights;
pub use schedule::Schedule;
pub use sgd::Momentum;
pub use sgd::sgd_step;
pub use train::{Batch, Epoch, Trainee, train_epoch, train_part, train_rows, train_samples, train_step};
