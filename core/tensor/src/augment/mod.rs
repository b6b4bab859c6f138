//! Differentiable augmentation of image batches: DSA, IDC's composition, and CutMix.
//!
//! A [`Policy`] says which [`transform`]s may happen, a [`Draw`] whether images share parameters, a
//! [`RandomKey`](crate::RandomKey) which ones. The same key gives the same operation and, with
//! [`Draw::Siamese`], the same parameters whatever the batch: this is how a real and a synthetic batch are
//! augmented alike. All transforms are differentiable by the images; draws carry no gradient.
//!
//! Sources: Zhao and Bilen, "Dataset condensation with differentiable Siamese augmentation" (2021);
//! Kim et al., "Dataset condensation via efficient synthetic-data parameterization" (2022);
//! Yun et al., "CutMix" (2019).

mod cutmix;
mod policy;
pub mod transform;

pub use cutmix::{cut_box, cutmix, paste};
pub use policy::{Draw, Policy, apply};

pub use crate::resample_map::Grid;
