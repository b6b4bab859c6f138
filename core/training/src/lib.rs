//! Nets: how they start, how they are trained and tested, and how stored ones are read.
//!
//! | module | what |
//! |---|---|
//! | [`plugins`], [`choice`] | the plugins of a process; a plugin with its parameters as a pipeline file names it |
//! | [`splits`], [`sets`] | real images and distilled sets as tensors |
//! | [`nets`] | weights, training and accuracy of nets |
//! | [`protocol`], [`stages`] | how nets are trained on sets and tested |
//! | [`stored`] | pools of weights and trajectories of experts, in one or several shards |
//! | [`selection`] | real images chosen by features or difficulty |
//! | [`tensor_file`] | named tensors as the bytes of a checkpoint |
#![expect(missing_docs, reason = "fields of what was inside one crate")]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

pub mod choice;
pub mod nets;
pub mod plugins;
pub mod protocol;
pub mod selection;
pub mod sets;
pub mod splits;
pub mod stages;
pub mod stored;
pub mod tensor_file;
