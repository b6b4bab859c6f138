//! The authors' numbers by data set; the table is in the crate's documentation.

use crate::Config;
use crate::metric::Metric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A data set with numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Preset {
    /// CIFAR-10, CIFAR-100, Tiny-ImageNet.
    Cifar,
    /// SVHN.
    Svhn,
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
}

/// What a preset decides, with what was given in its place.
pub(crate) struct Numbers {
    pub(crate) metric: Metric,
    pub(crate) lr: f64,
    pub(crate) side: f64,
    pub(crate) samples: usize,
    pub(crate) augment: String,
    pub(crate) augment_net: String,
    pub(crate) cutmix: f64,
}

impl Preset {
    /// How to train on the set: 1000 epochs in batches of 64, the step size a fifth from 2/3 of them on and a fifth of that from
    /// 5/6 on. Digits are not mirrored; where there is no CutMix, there may be cutout.
    pub(crate) fn recipe(self, factor: usize, ipc: usize) -> serde_json::Value {
        let (augment, cutmix) = match self {
            Self::Cifar | Self::FashionMnist => ("idc:color_crop_flip_scale_rotate", 0.5),
            Self::Svhn if factor == 1 && ipc == 1 => ("idc:color_crop_cutout_scale_rotate", 0.0),
            Self::Mnist if factor > 1 => ("idc:color_crop_scale_rotate", 0.0),
            Self::Svhn | Self::Mnist => ("idc:color_crop_scale_rotate", 0.5),
        };
        let mut recipe = pddflow_sdk::recipe(1000, augment);
        recipe["batch"] = 64.into();
        recipe["schedule"] = "idc".into();
        recipe["cutmix"] = cutmix.into();
        recipe
    }
}

impl Numbers {
    pub(crate) fn new(config: &Config) -> Self {
        let (metric, lr, side, samples) = match config.preset {
            Preset::Cifar => (Metric::Mse, 5e-3, 32.0, 2000),
            Preset::Svhn => (Metric::Mse, 5e-3, 32.0, 500),
            Preset::Mnist => (Metric::L1, 1e-4, 28.0, 500),
            Preset::FashionMnist => (Metric::L1, 1e-4, 32.0, 500),
        };
        let small_digits = config.preset == Preset::Mnist && config.factor > 1;
        let augment = if small_digits { "idc:color_crop" } else { "idc:color_crop_cutout" };
        let text = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        Self {
            metric: config.metric.unwrap_or(metric),
            lr: config.lr.unwrap_or(lr),
            side: config.side.unwrap_or(side),
            samples: config.samples.unwrap_or(samples),
            augment: text(&config.augment, augment),
            augment_net: text(&config.augment_net, "idc:color_crop"),
            cutmix: config.cutmix.unwrap_or(if small_digits { 0.0 } else { 0.5 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_takes_the_place_of_the_preset() {
        let config = Config { preset: Preset::Mnist, cutmix: Some(0.25), ..Config::default() };
        let numbers = Numbers::new(&config);
        assert_eq!((numbers.metric, numbers.side, numbers.cutmix), (Metric::L1, 28.0, 0.25));
        assert_eq!((numbers.augment.as_str(), numbers.samples), ("idc:color_crop", 500));
        assert_eq!(Numbers::new(&Config { factor: 1, ..config }).augment, "idc:color_crop_cutout");
    }

    #[test]
    fn recipes_mirror_no_digits() {
        for (preset, mirrors) in
            [(Preset::Cifar, true), (Preset::FashionMnist, true), (Preset::Svhn, false), (Preset::Mnist, false)]
        {
            let recipe = preset.recipe(2, 10);
            assert_eq!(recipe["augment"].as_str().map(|augment| augment.contains("flip")), Some(mirrors), "{preset:?}");
            assert_eq!((&recipe["batch"], &recipe["schedule"]), (&64.into(), &"idc".into()));
        }
        assert_eq!(Preset::Svhn.recipe(1, 1)["cutmix"], 0.0);
    }
}
