//! Sets, trajectories, weights, scores and named tensors that other programs made, checked against the data they are for.
//!
//! | `as` | what the files hold |
//! |---|---|
//! | `set` | images and labels, and possibly a learned learning rate: each in a file of its own (`images_best.pt`, `labels_best.pt`, `lr.pt`), together (`images`, `labels`, `lr` by name, or a list of images and labels, also below `data`, as `res_*.pt` of DC, DSA and DM), as a folder of pictures for each class, or as this program's own `images.safetensors` |
//! | `trajectories` | for each expert, for each epoch, its weights: lists of lists of lists (`replay_buffer_*.pt`), or arrays `[net, epoch, ...]` by the weights' names |
//! | `weights` | a state dictionary or a list of weights, or a list of several |
//! | `scores` | one number for each training image, in the order of the data |
//! | `tensors` | a safetensors file, whose names and numbers are taken as they are |
//!
//! Nothing about a file is guessed that would change accuracies in silence: what the numbers of images are must be said, names of
//! classes are compared, labels and shapes are checked.

mod classes;
mod formation;
mod images;
mod nets;
mod params;
mod parts;
mod run;
mod scores;
mod set;

pub use params::{ImportParams, What, check, without_places};
pub use run::imported;
