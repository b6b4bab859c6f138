//! A folder with everything that is needed to train on the sets without this program.
//!
//! | file | content |
//! |---|---|
//! | `README.md` | what it is and how to train on it |
//! | `train.py` | that training, in PyTorch and NumPy alone |
//! | `manifest.json` | the training of each stage, normalisation, classes, what made each set, in the order of training |
//! | `images.safetensors` | `images`, `labels`, `step_size` and the learnables, as numbers that nets see |
//! | `png/<class>/<number>.png` | the same images as pixels: to look at, not to train on |
//! | `zca.safetensors` | `mean`, `transform`, `inverse`, where the data are whitened |
//!
//! With `layout: hugging_face` the pictures are in `data/train.parquet` instead, and `README.md` is the card of a data set that
//! `datasets` loads by itself.
//!
//! With several sets, `images.safetensors` and `png` are in a folder for each.

mod augmentation;
mod entry;
mod hub;
mod manifest;
mod params;
mod readme;
mod run;
mod training;

pub use params::{ExportParams, check, parts};
pub use run::files;
