//! Safe Rust over the plugin boundary: write a matcher or a model.
//!
//! A plugin is a `cdylib` crate that depends on this one, `serde` and `schemars`. It implements [`Matcher`] or [`Model`] and names the
//! type in [`plugin!`]; the file that cargo builds goes into a plugin folder, and pipelines use the new method by its id. Nothing
//! of the program is touched, and the matcher is progressive from the start: it asks for the union with earlier sets and for start weights,
//! and the host knows whether there are any.
//!
//! The simplest useful matcher: mean features of real and synthetic images shall agree (distribution matching without augmentation).
//!
//! ```
//! use pddflow_sdk::{Description, Iteration, Learnable, Matcher, Mode, Need, Problem, Result, Start};
//!
//! pddflow_sdk::parameters! {
//!     struct MeanMatcher {
//!         /// Learning rate of the images.
//!         lr: f64 = 1.0,
//!     }
//! }
//!
//! impl Matcher for MeanMatcher {
//!     const ID: &'static str = "mean";
//!     const SUMMARY: &'static str = "mean features agree";
//!     fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
//!         description.need(Need::Model)?;
//!         description.learnable(&Learnable::images(problem, Start::Real, self.lr).with_momentum(0.5))
//!     }
//!     fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
//!         let weights = run.start_weights(run.key().fold("net")?)?;
//!         let (gradient, loss) = run.sum_over(&run.classes_apart(), |class| {
//!             let (real, ours) = (run.real(class, 256, "none", run.key())?, run.synthetic(class, None, "none", run.key())?);
//!             let [real, ours] = [&real, &ours].map(|batch| {
//!                 run.forward(&weights, &batch.set.images, Mode::Train, run.key())?.features.mean(&[0], false)
//!             });
//!             ours?.squared_distance(&real?)
//!         })?;
//!         run.step("images", &gradient)?;
//!         run.metric("loss", loss)
//!     }
//! }
//!
//! pddflow_sdk::plugin!(matcher MeanMatcher);
//! # fn main() {}
//! ```
//!
//! What cannot be done cannot be compiled. A tensor belongs to its call:
//!
//! ```compile_fail
//! struct Hoarder { kept: std::sync::Mutex<Option<pddflow_sdk::Tensor<'static>>> }
//! fn keep(hoarder: &Hoarder, run: &pddflow_sdk::Iteration<'_>) {
//!     *hoarder.kept.lock().unwrap() = run.learnable("images").ok();
//! }
//! ```
//!
//! and to its thread:
//!
//! ```compile_fail
//! fn send(tensor: pddflow_sdk::Tensor<'_>) {
//!     std::thread::scope(|scope| {
//!         scope.spawn(move || drop(tensor));
//!     });
//! }
//! ```
//!
//! | module | for |
//! |---|---|
//! | [`Matcher`], [`Description`], [`Learnable`] | what a matcher is |
//! | [`parameters!`] | what a pipeline file can say of it |
//! | [`Iteration`] | what it can do in an outer iteration |
//! | [`ClassBatch`], [`Leaves`], [`total`], [`scalars`] | steps that methods share |
//! | [`Adam`] | optimisers of learnables beside the host's |
//! | [`ridge_regression`], [`centred`] | labels carried over by a kernel |
//! | [`Model`], [`Weights`], [`Norm`], [`StackModel`], [`Layers`] | what a model is |
//! | [`Tensor`], [`grad`] | arithmetic and derivatives of any order |
//! | [`Key`] | randomness |
//!
//! Rules that the compiler does not see: instances may be entered from several threads at once; hold no lock and no borrow of
//! thread-local data across a host function; start no threads. A panic is caught, shown to the user as a bug of the plugin, and its
//! instance is not used again.
#![allow(unsafe_code, reason = "the boundary; every block says what it relies on")]

mod adam;
mod call;
mod error;
#[doc(hidden)]
pub mod export;
mod iteration;
mod layers;
mod linear;
mod matcher;
mod matching;
mod model;
mod models;
mod norm;
mod ops;
mod parameters;
mod problem;
mod random;
mod regression;
mod stack;
mod tensor;

pub use adam::Adam;
pub use call::Call;
pub use error::{Error, Result};
pub use iteration::{Forward, Iteration, Labelled, Net, Rows, Segment, TrainOn, Training, WeightInfo};
pub use layers::{Conv, Layers, Pass};
pub use linear::Conv2d;
pub use matcher::{Decoded, Description, Identity, Learnable, Learnables, Matcher, Start, Tensors, recipe};
pub use matching::{ClassBatch, ImageInit, Leaves, cosine_distance, gradient_distance, scalars, total};
pub use model::{Batch, Init, Input, Model, Output, Weights};
pub use norm::{Norm, Normalised};
pub use pddflow_abi::{Draw, LearnableKind as Kind, Mode, Need, Optimizer, SetPart as Part};
pub use problem::Problem;
pub use random::Key;
pub use regression::{centred, ridge_regression};
pub use stack::{Activation, Block, Pooling, Stack, StackModel};
pub use tensor::{DType, Keep, Tensor, grad, gradients, tape_bytes};
