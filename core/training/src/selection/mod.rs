//! Real images chosen by their features or by how difficult they are, or crops of them by what a net says (`methods.md` 9).

mod choose;
mod crops;
mod feature_net;
mod forgetting;

pub use choose::{Features, Number, herding, highest, k_center, k_center_random_start, k_means, random};
pub use crops::{Chosen, Crops};
pub use feature_net::{FeatureNet, wired_net};
pub use forgetting::{Tally, easiest_first, forgetting_scores};
