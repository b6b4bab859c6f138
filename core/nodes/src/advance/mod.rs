//! The kind `advance`: nets after progressive training on sets.
//!
//! Stage i trains on the union of the first i sets with a new optimiser, as in PDD's transition. Nets that come in
//! through `start` have done the first stages already; they must have seen the very sets that are listed first, so that the result
//! is the same, bit for bit, as training through all of them here.
//!
//! Without sets nothing is trained and nothing drawn: the result is the numbers and the seed of fresh nets, whose shapes
//! their user knows. Net j is then net j of `train` at the same seed.
//!
//! | randomness | key |
//! |---|---|
//! | first weights of net j | (seed, `net`, j, `weights`), as in `train` |
//! | order of images, augmentation, CutMix | (seed, `advance`, j, `stage`, stage, epoch) |

mod node;
mod params;

pub(crate) use node::AdvanceKind;
