//! Latents of a generator in place of pixels, as a plugin with two matchers. Both work from the tensors of a node of the kind `generator`, or
//! of others with its names (`decoder`), wired into `tensors`.
//!
//! - `glad`: Cazenavette, Wang, Torralba, Efros and Zhu, "Generalizing Dataset Distillation via Deep Generative Prior", CVPR 2023: the loss
//!   of another method (DM, DC, MTT), whose gradient at the images is pulled back through the decoder to few latents, or to the maps that one
//!   of its layers receives.
//! - `itgan`: Zhao and Bilen, "Synthesizing Informative Training Samples with GAN", 2022: the loss of DM on as many latents as there are
//!   real images, each kept near its real image in the features of nets.
//!
//! | paper | here |
//! |---|---|
//! | StyleGAN-XL, BigGAN | a small decoder that a node trains on the same data |
//! | images made and the gradient pulled back in chunks of ten | all at once: the decoder is small. Over MTT it takes part once in an iteration, whatever the number of steps |
//! | GLaD over DC: some steps for each net, which is trained between | one step for each net, as DC has with fewer than 10 images per class |
//! | maps of GLaD besides latents that style each layer | maps alone: the decoder has no styles |

mod decoder;
mod glad;
mod itgan;

use glad::Glad;
use itgan::ItGan;
use pddflow_sdk::Matcher;

pddflow_sdk::plugin!(matcher Glad, matcher ItGan);
