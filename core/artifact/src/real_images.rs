//! What a set was made from.

use serde::{Deserialize, Serialize};

/// The real training images that a set was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealImages {
    /// Digest of their data set.
    pub data: String,
    /// How many there are.
    pub count: usize,
}
