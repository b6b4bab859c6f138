//! Learning rate by epoch, as the official evaluation scripts have it (`methods.md` 13, read in their code).
//!
//! | schedule | epochs run for a budget of E | learning rate | momentum |
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

/// How the learning rate falls over the epochs of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same learning rate throughout.
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

    /// What the initial learning rate is multiplied by in `epoch` (counted from 0).
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

/// The learning rate over the epochs of a segment.
#[derive(Clone, Debug, PartialEq)]
pub enum LrSchedule {
    /// That of a script, for a budget of epochs.
    Script {
        /// Which.
        schedule: Schedule,
        /// The budget.
        epochs: u64,
    },
    /// Multiplied by `factor` after each of these shares of the epochs (ascending, 0 to 1).
    Drops {
        /// Epochs.
        epochs: u64,
        /// Shares of them.
        shares: Vec<f64>,
        /// Factor of each drop.
        factor: f64,
    },
}

impl LrSchedule {
    /// The same for another budget of epochs.
    #[must_use]
    pub fn with_epochs(&self, epochs: u64) -> Self {
        match self {
            Self::Script { schedule, .. } => Self::Script { schedule: *schedule, epochs },
            Self::Drops { shares, factor, .. } => Self::Drops { epochs, shares: shares.clone(), factor: *factor },
        }
    }

    /// Epochs that are run.
    #[must_use]
    pub fn epochs(&self) -> u64 {
        match self {
            Self::Script { schedule, epochs } => schedule.epochs_run(*epochs),
            Self::Drops { epochs, .. } => *epochs,
        }
    }

    /// The learning rate in `epoch`, counted from 0.
    #[must_use]
    pub fn lr(&self, initial: f64, epoch: u64) -> f64 {
        match self {
            Self::Script { schedule, epochs } => initial * schedule.factor(*epochs, epoch),
            Self::Drops { epochs, shares, factor } => {
                let after = |share: &&f64| epoch as f64 >= (**share * *epochs as f64).round();
                shares.iter().filter(after).fold(initial, |lr, _| lr * factor)
            }
        }
    }

    /// Whether the momentum is emptied before `epoch`.
    #[must_use]
    pub fn empties_momentum(&self, epoch: u64) -> bool {
        matches!(self, Self::Script { schedule, epochs } if schedule.empties_momentum(*epochs, epoch))
    }
}

/// The last epoch at the full learning rate in `dc` and `pdd`.
fn drop_after(epochs: u64) -> u64 {
    epochs / 2 + 1
}
