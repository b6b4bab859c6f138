//! Learning rate by epoch, as the official evaluation scripts have it (`methods.md` 13, read in their code).
//!
//! | schedule | epochs run for a budget of E | learning rate | momentum |
//! |---|---|---|---|
//! | `constant` | E | 1 | kept |
//! | `dc` | E + 1 | x 0.1 after epoch E/2 + 1 | emptied at the drop |
//! | `pdd` | E + 1 | x 0.1 after epoch E/2 + 1 | kept |
//! | `idc` | E | x 0.2 at epochs 2E/3 and 5E/6 | kept |
//! | `cosine` | E | (1 + cos(pi e / E)) / 2 of 99 %, and 1 %, in epoch e | kept |
//! | `half_cosine` | E | (1 + cos(pi e / 2E)) / 2 in epoch e | kept |
//!
//! With a warm-up of W epochs it first rises as (e + 1) / (W + 1), and the schedule is that of the E - W epochs which are left.
//!
//! Divisions of the drops are integer divisions. The scripts of DC, DSA, DM and MTT count 0..=E, hence one epoch more than the budget.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Factor of the `dc` and `pdd` drop.
const DC_FACTOR: f64 = 0.1;
/// What `cosine` leaves at the end.
const COSINE_LEFT: f64 = 0.01;
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
    /// Half a wave of the cosine from the whole to a hundredth.
    Cosine,
    /// A quarter of a wave, from the whole to a half.
    HalfCosine,
}

impl Schedule {
    /// Epochs that are really run for a budget of `epochs`.
    #[must_use]
    pub fn epochs_run(self, epochs: u64) -> u64 {
        match self {
            Self::Dc | Self::Pdd => epochs + 1,
            Self::Constant | Self::Idc | Self::Cosine | Self::HalfCosine => epochs,
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
            Self::Cosine => COSINE_LEFT + (1.0 - COSINE_LEFT) * wave(epoch as f64 / epochs.max(1) as f64),
            Self::HalfCosine => wave(0.5 * epoch as f64 / epochs.max(1) as f64),
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
        /// Epochs of it in which the learning rate rises first.
        warm_up: u64,
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
            Self::Script { schedule, warm_up, .. } => Self::Script { schedule: *schedule, epochs, warm_up: *warm_up },
            Self::Drops { shares, factor, .. } => Self::Drops { epochs, shares: shares.clone(), factor: *factor },
        }
    }

    /// Epochs that are run.
    #[must_use]
    pub fn epochs(&self) -> u64 {
        match self {
            Self::Script { schedule, epochs, .. } => schedule.epochs_run(*epochs),
            Self::Drops { epochs, .. } => *epochs,
        }
    }

    /// The learning rate in `epoch`, counted from 0.
    #[must_use]
    pub fn lr(&self, initial: f64, epoch: u64) -> f64 {
        match self {
            Self::Script { warm_up, .. } if epoch < *warm_up => initial * (epoch + 1) as f64 / (warm_up + 1) as f64,
            Self::Script { schedule, epochs, warm_up } => {
                initial * schedule.factor(epochs.saturating_sub(*warm_up), epoch - warm_up)
            }
            Self::Drops { epochs, shares, factor } => {
                let after = |share: &&f64| epoch as f64 >= (**share * *epochs as f64).round();
                shares.iter().filter(after).fold(initial, |lr, _| lr * factor)
            }
        }
    }

    /// Whether the momentum is emptied before `epoch`.
    #[must_use]
    pub fn empties_momentum(&self, epoch: u64) -> bool {
        match self {
            Self::Script { schedule, epochs, warm_up } if epoch >= *warm_up => {
                schedule.empties_momentum(epochs.saturating_sub(*warm_up), epoch - warm_up)
            }
            _ => false,
        }
    }
}

/// Half a wave of the cosine, from 1 to 0 as `done` goes from 0 to 1.
fn wave(done: f64) -> f64 {
    0.5 * (1.0 + libm::cos(std::f64::consts::PI * done))
}

/// The last epoch at the full learning rate in `dc` and `pdd`.
fn drop_after(epochs: u64) -> u64 {
    epochs / 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_fall_to_a_hundredth_and_to_a_half_behind_a_warm_up() {
        let of = |schedule, warm_up| {
            let schedule = LrSchedule::Script { schedule, epochs: 10, warm_up };
            (0..schedule.epochs()).map(|epoch| schedule.lr(2.0, epoch)).collect::<Vec<_>>()
        };
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-12, "{found} for {wanted}");
        let (whole, half) = (of(Schedule::Cosine, 0), of(Schedule::HalfCosine, 0));
        assert_eq!((whole.len(), half.len()), (10, 10));
        for (epoch, wanted) in [(0, 2.0), (5, 1.01)] {
            near(whole[epoch], wanted);
        }
        for (epoch, wanted) in [(0, 2.0), (5, 1.0 + std::f64::consts::FRAC_1_SQRT_2)] {
            near(half[epoch], wanted);
        }
        let warm = of(Schedule::Cosine, 4);
        for (epoch, wanted) in [(0, 0.4), (3, 1.6), (4, 2.0), (7, 1.01)] {
            near(warm[epoch], wanted);
        }
        assert!(whole.is_sorted_by(|a, b| a > b) && half.is_sorted_by(|a, b| a > b && *b > 1.0));
        // A warm-up that is as long as the training is all of it.
        assert_eq!(of(Schedule::Constant, 12).len(), 10);
        let dropped = LrSchedule::Script { schedule: Schedule::Dc, epochs: 10, warm_up: 4 };
        assert_eq!((0..11).filter(|epoch| dropped.empties_momentum(*epoch)).collect::<Vec<_>>(), [9]);
    }
}
