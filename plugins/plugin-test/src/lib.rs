//! Unit tests of plugins: `iterate` without a pipeline, a store or a program.
//!
//! The plugin is linked into its test, so a debugger and a sanitizer see it as they see any code, and the host's own tensors, tape and
//! checks are behind its calls. What a node would offer comes from a [`Bench`]: a small task, a small net, images, and whatever the test
//! puts into its fields.
//!
//! In `tests/iterate.rs` of the crate `my_matcher`, as `pddflow plugin new` makes it:
//!
//! ```ignore
//! use pddflow_plugin_test::{Bench, Plugins, json, this_plugin};
//!
//! #[test]
//! fn the_loss_falls() {
//!     let matcher = Plugins::linked(this_plugin!(my_matcher)).matcher("my-matcher", &json!({ "lr": 0.1 }));
//!     let mut bench = Bench::small(&matcher);
//!     let losses: Vec<f64> = (0..10).map(|iteration| bench.iterate(&matcher, iteration).unwrap()["loss"]).collect();
//!     assert!(losses[9] < losses[0], "{losses:?}");
//! }
//! ```
//!
//! | for | |
//! |---|---|
//! | what the matcher did | [`Bench::steps`], [`Bench::metrics`], [`Bench::log`], [`Bench::value`] |
//! | what it is given | [`Bench::previous`], [`Bench::real`], [`Bench::forward`], [`Bench::segment`], [`Bench::train`], [`Bench::cancelled`] |
//! | gradients by differences, determinism, memory and more | `pddflow plugin check FILE` |
//!
//! A program can have one plugin in it, since each exports its header by the same name.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that is set up wrongly fails there")]

mod bench;
mod net;

pub use bench::{Bench, FakeForward, FakeSegment, FakeTrain, RealBatch};
pub use pddflow_abi::Header;
pub use pddflow_host::{
    Batch, Decoded, Description, Environment, EnvironmentError, EnvironmentResult, Forward, InputShape, Labels,
    Matcher, Mode, Model, Need, Net, Optimizer, PluginError, Problem, Registry, Segment, TrainData, TrainSpec,
    ValueRange, WeightSpec,
};
pub use pddflow_tensor::{DType, Device, Keep, RandomKey, Tensor, TensorError, grad};
pub use serde_json::{Value, json};

use std::sync::Arc;

/// The header that `pddflow_sdk::plugin!` made at the root of this crate, or of the crate that is named.
#[macro_export]
#[expect(clippy::crate_in_macro_def, reason = "the author's crate is meant")]
macro_rules! this_plugin {
    () => {
        &crate::pddflow_plugin_export::pddflow_plugin
    };
    ($library:ident) => {
        &$library::pddflow_plugin_export::pddflow_plugin
    };
}

/// The matchers and models of a plugin that is linked into this program.
#[derive(Debug)]
pub struct Plugins(Registry);

impl Plugins {
    /// Judges the plugin as a run does when it loads a file.
    ///
    /// # Panics
    /// A run would refuse it; the text says why.
    #[track_caller]
    #[must_use]
    pub fn linked(header: &'static Header) -> Self {
        match Registry::linked(header) {
            Ok(registry) => Self(registry),
            Err(error) => panic!("{error}"),
        }
    }

    /// A matcher with parameters as a pipeline gives them; the schema's defaults are filled in.
    ///
    /// # Panics
    /// There is none of this name, or it refuses the parameters. [`registry`](Self::registry) gives such errors as values.
    #[track_caller]
    #[must_use]
    pub fn matcher(&self, id: &str, parameters: &Value) -> Arc<Matcher> {
        match self.0.matcher(id, parameters) {
            Ok(matcher) => matcher,
            Err(error) => panic!("{error}"),
        }
    }

    /// A model with parameters as a pipeline gives them.
    ///
    /// # Panics
    /// There is none of this name, or it refuses the parameters.
    #[track_caller]
    #[must_use]
    pub fn model(&self, id: &str, parameters: &Value) -> Arc<Model> {
        match self.0.model(id, parameters) {
            Ok(model) => model,
            Err(error) => panic!("{error}"),
        }
    }

    /// What the program has of plugins: checks of parameters, identities, errors as values.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0
    }
}

/// Normal numbers with mean 0, in double precision where the device has it.
///
/// # Panics
/// There is no memory for them.
#[must_use]
pub fn noise(shape: &[usize], key: RandomKey, std: f64, device: &Device) -> Tensor {
    let values = key.normal_f64(shape.iter().product()).into_iter().map(|value| value * std).collect();
    let dtype = if device.has_double() { DType::F64 } else { DType::F32 };
    Tensor::from_values(values, shape, dtype, device).unwrap()
}
