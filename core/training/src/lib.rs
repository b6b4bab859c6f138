//! Nets: how they start, how they are trained and tested, and how stored ones are read.
//!
//! | module | what |
//! |---|---|
//! | [`plugins`], [`choice`], [`identity`] | the plugins of a process; one with its parameters as a pipeline file names it; what enters keys |
//! | [`splits`], [`sets`], [`samples`] | real images and distilled sets as tensors |
//! | [`init`], [`accuracy`] | first weights; what a trained net says |
//! | [`trainer`] | nets through segments of training |
//! | [`recipe`], [`segments`] | how nets are trained on sets; from sets to segments |
//! | [`evaluation`], [`summary`] | nets trained and tested; which moment of the training is reported |
//! | [`regression`] | kernel ridge regression on sets, without the training of a net |
//! | [`stored`] | pools of weights and trajectories of experts, in one or several shards |
//! | [`selection`] | real images chosen by features or difficulty |
//! | [`generator`] | a decoder that makes images of latents, with the latents of the training images |
//! | [`tensor_file`] | named tensors as the bytes of a checkpoint |
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

pub mod accuracy;
pub mod choice;
pub mod evaluation;
pub mod generator;
pub mod identity;
pub mod init;
pub mod made_of;
pub mod plugins;
pub mod recipe;
pub mod regression;
pub mod samples;
pub mod segments;
pub mod selection;
pub mod sets;
pub mod splits;
pub mod stored;
pub mod summary;
pub mod tensor_file;
pub mod trainer;
