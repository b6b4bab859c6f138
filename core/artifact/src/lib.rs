//! Types that pass between nodes, and their bytes.
//!
//! | artifact | type | bytes |
//! |---|---|---|
//! | `dataset` | [`Dataset`] | safetensors: `train.images` u8 `[n, c, h, w]`, `train.labels` u16 `[n]`, the same for `test` and, where there are some, `held_out`; `zca.*` f32 |
//! | `set` | [`DistilledSet`] | safetensors: `images` `[n, c, h, w]`, `labels` i64 `[n]` or `[n, class]`, `learnable.*`, `step_size` |
//! | `trajectories` | [`Trajectories`] | safetensors: `weight.*` `[net, epoch, ...]`, the learnable weights at the epochs kept |
//! | `weights` | [`NetWeights`] | safetensors: `weight.*` `[net, ...]`, all weights; nothing for fresh nets |
//! | `results` | [`Results`] | JSON |
//! | `curve` | [`Curve`] | JSON |
//! | `scores` | [`Scores`] | safetensors: `scores` f64 `[n]`, one for each training image |
//! | `tensors` | [`NamedTensors`] | safetensors with the tensors by their names |
//! | `table`, `files` | [`Files`] | safetensors with one u8 tensor for each file |
//!
//! Each safetensors file has one metadata entry `pddflow`: JSON with the artifact's type, its format version and what the
//! tensors do not say. Equal content has equal bytes: names are sorted, there is no time, no path, no map in hash order.
//! The wire structs live in the `*_format.rs` files; unknown fields and versions are refused.
//!
//! [`failure`] and [`params`] are what every kind of node shares besides: how an error is reported, how parameters are read.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

mod class_ids;
mod container;
mod curve;
mod dataset;
mod dataset_format;
mod distilled_set;
mod error;
pub mod failure;
mod files;
mod named_tensors;
mod named_tensors_format;
mod names;
mod nets_format;
pub mod params;
mod pixels;
mod preprocessing;
mod real_images;
mod results;
mod results_format;
mod scores;
mod scores_format;
mod set_format;
mod stack;
pub mod statistics;
mod tensors;
mod trajectories;
mod weights;

pub use class_ids::ClassIds;
pub use curve::Curve;
pub use dataset::{Dataset, DatasetParts, ImageSize, LabelledImages, Side};
pub use distilled_set::{DistilledSet, SetInfo};
pub use error::ArtifactError;
pub use files::file_stem;
pub use files::{FileNameError, Files};
pub use named_tensors::NamedTensors;
pub use names::{JOINT, Names};
pub use nets_format::{NetData, NetsInfo, StoredWeight};
pub use pixels::Pixels;
pub use preprocessing::{Normalization, Origin, Preprocessing, PreprocessingNote, Zca};
pub use real_images::RealImages;
pub use results::{CurvePoint, DATA_USED, Phase, Reading, Results, SCORE_READINGS, TIME_LABELS};
pub use scores::Scores;
pub use trajectories::Trajectories;
pub use weights::NetWeights;
