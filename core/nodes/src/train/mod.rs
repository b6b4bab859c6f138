//! The kind `train`: nets learn from the real data, and their weights are kept on the way.
//!
//! What trajectory matching calls experts. Each net has a number, on which alone (with the seed) its first weights and its
//! randomness depend: shards of the nets in several nodes are the nets of one node. Nets may go on from weights that
//! `advance` made of them; fresh ones are those that `train` itself would begin with.
//!
//! | randomness | key |
//! |---|---|
//! | first weights of net j | (seed, `net`, j, `weights`), as in `advance` |
//! | order of images, augmentation | (seed, `train`, j, `stage`, sets seen before, epoch) |

mod experts;
mod node;
mod params;
mod report;
mod snapshots;

pub(crate) use node::TrainKind;
