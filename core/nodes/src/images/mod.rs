//! The kind `images`: pictures of sets, for people.
//!
//! One PNG for each set, or one with all sets side by side: a row for each class, its images from left to right, as pixels
//! (the normalisation is undone; values outside the range of pixels are cut).

mod grid;
mod node;
mod shown;

pub(crate) use node::{ImagesKind, sets_and_data};
pub(crate) use shown::{set_names, show};
