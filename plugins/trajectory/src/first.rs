//! What images start as.

use pddflow_sdk::Start;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How synthetic images start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// Standard normal noise in the normalised space.
    Noise,
    /// Random real images of the class.
    Real,
    /// Random real images of the class that an expert at the end of a last segment takes for it (DATM); where it has not enough of them, others behind.
    Recognised,
}

impl From<First> for Start {
    fn from(first: First) -> Self {
        match first {
            First::Noise => Self::Noise(1.0),
            First::Real | First::Recognised => Self::Real,
        }
    }
}
