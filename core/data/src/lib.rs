//! Real images with labels, from where they are to what a `dataset` artifact is made of.
//!
//! | source | what is read | where from |
//! |---|---|---|
//! | `fashion-mini` | 2,000 + 500 images of Fashion-MNIST | inside the program |
//! | `fashion-mnist` | four IDX files whose content is pinned | a folder, the system's data set package, else a download |
//! | `mnist` | the same four files of MNIST | a folder, else a download |
//! | `svhn` | two MATLAB files with the cropped digits | a folder, else a download |
//! | `npz` | arrays by the usual names | a file |
//! | `idx` | any four IDX files, plain or gzip | named files |
//! | `cifar10`, `cifar100` | the "binary version" layouts | a folder or archive, else a download |
//! | `parquet` | image column (PNG or JPEG) and label column | files, or a folder with `train-*`, `test-*` |
//! | `image-folder` | one folder for each class, with or without `train`/`test` above | a folder |
//! | `tiny-imagenet` | the original layout | a folder or archive, else a download |
//!
//! Every source ends as [`raw::RawData`]; then classes and numbers are cut (`subset`), images are set aside (`held_out`),
//! and the normalisation of what remains is settled (`normalize`). What a source reads from outside enters the key by content, as BLAKE3 of every file (`digests`).
//! [`foreign`] reads what other programs made of data: distilled sets, nets, scores.
//! Nothing is ever guessed about damaged files: a file that is not what it should be stops the node.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "tests may unwrap")
)]

mod archive;
mod cifar;
mod class_order;
mod class_ref;
mod digests;
mod download;
mod fashion;
mod folder;
pub mod foreign;
mod held_out;
mod hub;
mod idx;
mod idx_set;
mod mat;
mod mnist;
mod normalize;
mod normalize_params;
mod npz;
mod parquet_file;
mod picture;
mod places;
mod published;
mod raw;
mod source;
mod subset;
mod svhn;
mod tiny;
mod zca;

pub use class_order::class_order;
pub use class_ref::{ClassRef, chosen};
pub use held_out::hold_out;
pub use hub::{HubRow, hub_parquet};
pub use normalize::{Moments, moments, preprocessing};
pub use normalize_params::Normalize;
pub use places::Places;
pub use raw::RawData;
pub use source::{Source, SourceChoice};
pub use subset::subset;
