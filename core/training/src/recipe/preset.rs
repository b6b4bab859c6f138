//! The published protocols of `methods.md` 13.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::learning_rate::LearningRate;
use crate::trainer::{Loss, Optimizer, Schedule};

/// Augmentation of DSA's evaluation: one operation per batch, drawn per image.
const DSA: &str = "dsa:color_crop_cutout_flip_scale_rotate";
/// DSA's for digits, which a flip would change into others.
const DSA_DIGITS: &str = "dsa:color_crop_cutout_scale_rotate";
/// IDC's evaluation: cutout gives way to CutMix.
const IDC: &str = "idc:color_crop_flip_scale_rotate";
/// IDC's for digits.
const IDC_DIGITS: &str = "idc:color_crop_scale_rotate";
/// Where CutMix is off, cutout is on.
const IDC_CUTOUT: &str = "idc:color_crop_cutout_scale_rotate";
/// IDC's probability of CutMix in a batch.
const IDC_CUTMIX: f64 = 0.5;
/// Epochs between two validation points of IDC's scripts.
const IDC_POINTS: u64 = 10;
/// PDD+IDC: from the stage after this many sets on, the learning rate is half.
pub(super) const PDD_IDC_HALVED_AFTER: usize = 6;

/// A way to train on sets: their own, or a published one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// What the last of the sets says of itself, adapted to several stages as PDD does; `dsa` where it says nothing.
    #[default]
    Own,
    /// DC: 300 epochs without augmentation.
    Dc,
    /// DSA: 1000 epochs with DSA augmentation.
    Dsa,
    /// DSA for digits (MNIST, SVHN): without flip.
    DsaDigits,
    /// DM: as DSA.
    Dm,
    /// CAFE: 600 epochs without augmentation.
    Cafe,
    /// CAFE+DSA: 1000 epochs with DSA augmentation.
    CafeDsa,
    /// IDC: 1000 epochs in batches of 64 with IDC's augmentation and CutMix.
    Idc,
    /// IDC for digits: without flip.
    IdcDigits,
    /// IDC on MNIST with factor 2: without flip and CutMix.
    IdcMnist,
    /// IDC-I on SVHN with one image per class: without flip and CutMix, with cutout.
    IdcSvhn,
    /// MTT and TESLA: 1000 epochs at the learned learning rate.
    Mtt,
    /// PDD with MTT: 500 epochs per stage at the stage's learned learning rate, momentum kept.
    #[serde(alias = "pdd")]
    PddMtt,
    /// PDD with IDC: 500 epochs per stage as IDC, momentum kept.
    PddIdc,
}

/// All that decides how nets are trained on the sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Budget of epochs of each stage.
    pub epochs: u64,
    /// Steps of each stage, in place of epochs.
    pub steps: Option<u64>,
    /// What a step makes smaller.
    pub loss: Loss,
    /// How a step follows from the gradient.
    pub optimizer: Optimizer,
    /// Learning rate of each stage.
    pub lr: LearningRate,
    /// Momentum.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// How the learning rate falls within a stage.
    pub schedule: Schedule,
    /// Epochs of a stage in which it rises first.
    pub warm_up: u64,
    /// What a step leaves of the average of weights; 0 for no average.
    pub average: f64,
    /// Images in a step.
    pub batch: usize,
    /// Augmentation, in its canonical form.
    pub augment: Cow<'static, str>,
    /// Probability of CutMix in a batch; 0 for none.
    pub cutmix: f64,
    /// Whether the momentum is kept from one stage to the next.
    pub carry_momentum: bool,
    /// The learning rate is half from the stage after this many sets on.
    pub halve_lr_after_sets: Option<usize>,
    /// Epochs between the moments from which the paper's code picks the best.
    pub points_every: Option<u64>,
}

impl Preset {
    /// The preset's numbers; those of `own` are known to the sets.
    pub fn published(self) -> Option<Published> {
        let base = dsa();
        let idc = Published {
            schedule: Schedule::Idc,
            batch: 64,
            augment: Cow::Borrowed(IDC),
            cutmix: IDC_CUTMIX,
            points_every: Some(IDC_POINTS),
            ..base.clone()
        };
        let augmented = |augment: &'static str, base: Published| Published { augment: Cow::Borrowed(augment), ..base };
        Some(match self {
            Self::Own => return None,
            Self::Dc => Published { epochs: 300, ..augmented("none", base) },
            Self::Dsa | Self::Dm | Self::CafeDsa => base,
            Self::DsaDigits => augmented(DSA_DIGITS, base),
            Self::Cafe => Published { epochs: 600, ..augmented("none", base) },
            Self::Idc => idc,
            Self::IdcDigits => augmented(IDC_DIGITS, idc),
            Self::IdcMnist => Published { cutmix: 0.0, ..augmented(IDC_DIGITS, idc) },
            Self::IdcSvhn => Published { cutmix: 0.0, ..augmented(IDC_CUTOUT, idc) },
            Self::Mtt => Published { lr: LearningRate::Learned, ..base },
            Self::PddMtt => Published {
                epochs: 500,
                lr: LearningRate::Learned,
                schedule: Schedule::Pdd,
                carry_momentum: true,
                ..base
            },
            Self::PddIdc => {
                Published { epochs: 500, carry_momentum: true, halve_lr_after_sets: Some(PDD_IDC_HALVED_AFTER), ..idc }
            }
        })
    }
}

/// DSA's protocol, which those of the others are said by.
pub(super) fn dsa() -> Published {
    Published {
        epochs: 1000,
        steps: None,
        loss: Loss::CrossEntropy,
        optimizer: Optimizer::Sgd,
        lr: LearningRate::Fixed(0.01),
        momentum: 0.9,
        weight_decay: 5e-4,
        schedule: Schedule::Dc,
        warm_up: 0,
        average: 0.0,
        batch: 256,
        augment: Cow::Borrowed(DSA),
        cutmix: 0.0,
        carry_momentum: false,
        halve_lr_after_sets: None,
        points_every: None,
    }
}

/// Epochs between the moments from which the named recipe's script picks the best, where it has such.
pub fn points_every(recipe: &Value) -> Option<u64> {
    serde_json::from_value::<Preset>(recipe.clone()).ok()?.published()?.points_every
}

impl Published {
    /// The parameters that a recipe stands for, as a pipeline file names them; those that nearly all recipes have alike only where they
    /// differ.
    pub fn parameters(&self) -> Value {
        let mut all = json!({
            "epochs": self.epochs, "lr": self.lr, "momentum": self.momentum, "weight_decay": self.weight_decay,
            "schedule": self.schedule, "batch": self.batch, "augment": self.augment, "cutmix": self.cutmix,
            "carry_momentum": self.carry_momentum, "halve_lr_after_sets": self.halve_lr_after_sets,
        });
        if let Some(steps) = self.steps {
            all["steps"] = steps.into();
        }
        if !self.loss.is_default() {
            all["loss"] = json!(self.loss);
        }
        if !self.optimizer.is_default() {
            all["optimizer"] = json!(self.optimizer);
        }
        if self.warm_up > 0 {
            all["warm_up"] = self.warm_up.into();
        }
        if self.average > 0.0 {
            all["average"] = self.average.into();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `methods.md` 13, row by row: epochs, lr, schedule, batch, augmentation, CutMix, momentum kept.
    #[test]
    fn presets_are_the_published_protocols() {
        let learned = || json!("learned");
        let rows = [
            ("dc", 300, json!(0.01), "dc", 256, "none", 0.0, false),
            ("dsa", 1000, json!(0.01), "dc", 256, DSA, 0.0, false),
            ("dm", 1000, json!(0.01), "dc", 256, DSA, 0.0, false),
            ("cafe", 600, json!(0.01), "dc", 256, "none", 0.0, false),
            ("cafe_dsa", 1000, json!(0.01), "dc", 256, DSA, 0.0, false),
            ("idc", 1000, json!(0.01), "idc", 64, "idc:color_crop_flip_scale_rotate", 0.5, false),
            ("idc_digits", 1000, json!(0.01), "idc", 64, "idc:color_crop_scale_rotate", 0.5, false),
            ("idc_mnist", 1000, json!(0.01), "idc", 64, "idc:color_crop_scale_rotate", 0.0, false),
            ("mtt", 1000, learned(), "dc", 256, DSA, 0.0, false),
            ("pdd_mtt", 500, learned(), "pdd", 256, DSA, 0.0, true),
            ("pdd", 500, learned(), "pdd", 256, DSA, 0.0, true),
            ("pdd_idc", 500, json!(0.01), "idc", 64, "idc:color_crop_flip_scale_rotate", 0.5, true),
        ];
        for (name, epochs, lr, schedule, batch, augment, cutmix, carry) in rows {
            let preset: Preset = serde_json::from_value(json!(name)).unwrap();
            let found = preset.published().unwrap().parameters();
            let expected = json!({
                "epochs": epochs, "lr": lr, "momentum": 0.9, "weight_decay": 5e-4, "schedule": schedule,
                "batch": batch, "augment": augment, "cutmix": cutmix, "carry_momentum": carry,
                "halve_lr_after_sets": (name == "pdd_idc").then_some(6),
            });
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn every_augmentation_is_written_in_its_canonical_form() {
        for text in [DSA, DSA_DIGITS, IDC, IDC_DIGITS, IDC_CUTOUT] {
            assert_eq!(super::super::params::canonical_policy(text).as_deref(), Ok(text));
        }
    }
}
