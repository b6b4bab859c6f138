//! The kind `forgetting`: how often each training example is forgotten while nets are trained (Toneva et al., ICLR 2019;
//! `methods.md` 9).
//!
//! Whether an example is right is read off the forward pass of the mini-batch that it is trained in: training mode, image
//! augmented, before the step. An event is right at one presentation and wrong at the next. An example that is never right
//! counts as forgotten once an epoch, the maximum. Counts of several runs are added.
//!
//! The defaults of the parameters are those of the authors' code. Two details differ and change nothing of the definition:
//! cropped images are padded with the mean instead of black, and the normalisation is that of the data set.
//!
//! | randomness | key below `(seed, "forgetting", run)` |
//! |---|---|
//! | first weights | `weights` |
//! | order of images, augmentation | `epoch`, epoch |

mod count;
mod node;
mod params;

pub(crate) use node::ForgettingKind;
