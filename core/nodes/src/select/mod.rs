//! The kind `select`: real images chosen as a set, the baselines of every table (`methods.md` 9).

mod choose;
mod class_order;
mod feature_net;
mod forgetting;
mod node;

pub use choose::{Features, Number, herding, highest, k_center, k_center_random_start, k_means, random};
pub use class_order::class_order;
pub use forgetting::{Tally, easiest_first, forgetting_scores};
pub(crate) use node::SelectKind;
