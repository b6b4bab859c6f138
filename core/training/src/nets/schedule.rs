//! Step size by epoch, as the official evaluation scripts have it (`methods.md` 13, read in their code).
//!
//! | schedule | epochs run for a budget of E | step size | momentum |
//! |---|---|---|---|
//! | `constant` | E | 1 | kept |
//! | `dc` | E + 1 | x 0.1 after epoch E/2 + 1 | emptied at the drop |
//! | `pdd` | E + 1 | x 0.1 after epoch E/2 + 1 | kept |
//! | `idc` | E | x 0.2 at epochs 2E/3 and 5E/6 | kept |
//!
//! Divisions are integer divisions. The scripts of DC, DSA, DM and MTT count 0..=E, hence one epoch more than the budget.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Factor of the `dc` and `pdd` drop.
const DC_FACTOR: f64 = 0.1;
/// Factor of each of the two `idc` drops.
const IDC_FACTOR: f64 = 0.2;

/// How the step size falls over the epochs of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same step size throughout.
    Constant,
    /// One drop in the middle with a new optimiser (DC, DSA, DM, CAFE, MTT).
    Dc,
    /// One drop in the middle, momentum kept (PDD).
    Pdd,
    /// Two drops late (IDC).
    Idc,
}

impl Schedule {
    /// Epochs that are really run for a budget of `epochs`.
    #[must_use]
    pub fn epochs_run(self, epochs: u64) -> u64 {
        match self {
            Self::Dc | Self::Pdd => epochs + 1,
            Self::Constant | Self::Idc => epochs,
        }
    }

    /// What the initial step size is multiplied by in `epoch` (counted from 0).
    #[must_use]
    pub fn factor(self, epochs: u64, epoch: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Dc | Self::Pdd if epoch > drop_after(epochs) => DC_FACTOR,
            Self::Dc | Self::Pdd => 1.0,
            Self::Idc => {
                let drops = [2 * epochs / 3, 5 * epochs / 6].iter().filter(|drop| epoch >= **drop).count();
                [1.0, IDC_FACTOR, IDC_FACTOR * IDC_FACTOR][drops]
            }
        }
    }

    /// Whether the momentum is emptied before `epoch`.
    #[must_use]
    pub fn empties_momentum(self, epochs: u64, epoch: u64) -> bool {
        self == Self::Dc && epoch == drop_after(epochs) + 1
    }
}

/// The last epoch at the full step size in `dc` and `pdd`.
fn drop_after(epochs: u64) -> u64 {
    epochs / 2 + 1
}
