//! A generator: a small decoder that makes images of latents and classes, learned together with latents of the training images.
//!
//! ```text
//! decoder(z, c):   x = W (z + e_c) + b, as planes of about 4 to 8 pixels a side
//!                  for each convolution k but the first: x is enlarged to twice the size
//!                  x = conv_k(relu(x)), 3 x 3
//! ```
//!
//! What the last convolution gives is the image as nets see it. The latents are `z = u / max(1, |u|)` for a linear map `u` of the image:
//! they lie in the unit ball, as those of generative latent optimisation (Bojanowski et al., ICML 2018), of which this has the loss; that
//! the latents are a map of the images makes few epochs enough. The map is not kept.
//!
//! ```text
//! mean over training images x of class c of |decoder(z(x), c) - x|^2 / values of an image
//! ```
//!
//! | tensor | shape | what |
//! |---|---|---|
//! | `classes` | `[class, latent]` | added to a latent (`e`) |
//! | `dense.weight`, `dense.bias` | `[width * h * w, latent]`, `[width * h * w]` | the first planes |
//! | `conv0.weight`, `conv0.bias`, .. | `[out, in, 3, 3]`, `[out]` | the convolutions, the last one to the channels of an image |
//! | `latents` | `[image, latent]` | those of the training images, class by class |
//! | `latent_counts` | I64 `[class]` | how many of them each class has |
//!
//! `h` and `w` are the size of an image halved, rounded up, once less than there are convolutions.
//!
//! | randomness | key |
//! |---|---|
//! | first weights | `weights`, the name |
//! | order of the images in an epoch | `epoch`, epoch |
//! | images shown | `samples`, class |

mod decoder;
mod fit;
mod params;

pub use fit::{Fitted, Samples, fit};
pub use params::{GeneratorParams, check};
