//! Which mean and standard deviation are used.

use std::sync::Arc;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ImageSize, LabelledImages, Normalization, Origin, Preprocessing};
use pddflow_runner::NodeContext;

use crate::normalize_params::Normalize;
use crate::published::{Published, published};
use crate::raw::RawData;
use crate::zca;

/// A file in a known layout is taken for the known data when no channel's mean is further from the published one. The
/// published means of CIFAR are right to 0.0005; another set in the same layout was off by 0.03.
const MEAN_TOLERANCE: f64 = 0.01;
const PIXEL_MAX: f64 = 255.0;

/// Mean and standard deviation of each channel, of pixels in [0, 1] (`methods.md` 0.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Of each channel.
    pub mean: Vec<f64>,
    /// Population standard deviation of each channel.
    pub std: Vec<f64>,
}

/// The preprocessing of `data`, which `full` was cut to.
pub fn preprocessing(
    normalize: &Normalize,
    source: &str,
    data: &RawData,
    full: &Moments,
    context: &NodeContext<'_>,
) -> NodeResult<Preprocessing> {
    let channels = data.size.channels;
    let standard = |moments: Moments, origin| Normalization::Standard { mean: moments.mean, std: moments.std, origin };
    let normalization = match normalize {
        Normalize::None => Normalization::None,
        Normalize::Computed => standard(usable(&data.train, data.size, context), Origin::Computed),
        Normalize::Standard => match of_source(source, full, context) {
            Some(moments) if moments.mean.len() == channels => standard(moments, Origin::Published),
            _ => standard(usable(&data.train, data.size, context), Origin::Computed),
        },
        Normalize::Given { mean, std } => {
            if mean.len() != channels {
                let message =
                    format!("`normalize` has {} numbers for mean, and the images have {channels} channels", mean.len());
                return Err(fail("data_normalize", message).with_help("give one mean and one std for each channel"));
            }
            standard(Moments { mean: mean.clone(), std: std.clone() }, Origin::Given)
        }
        Normalize::Zca { epsilon } => {
            Normalization::Zca(Arc::new(zca::fit(&data.train, data.size, *epsilon, context)?))
        }
    };
    Ok(Preprocessing::new(normalization, channels))
}

/// Mean and population standard deviation over all pixels of each channel; exact sums.
pub fn moments(images: &LabelledImages, size: ImageSize) -> Moments {
    let plane = (size.height * size.width).max(1);
    let mut counts = vec![[0_u64; 256]; size.channels];
    for (number, plane) in images.pixels.chunks(plane).enumerate() {
        let counts = &mut counts[number % size.channels];
        plane.iter().for_each(|pixel| counts[usize::from(*pixel)] += 1);
    }
    let (mut mean, mut std) = (Vec::new(), Vec::new());
    for counts in &counts {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let average = weighted(counts, |pixel| pixel) / total;
        let variance = weighted(counts, |pixel| (pixel - average) * (pixel - average)) / total;
        mean.push(average / PIXEL_MAX);
        std.push(variance.sqrt() / PIXEL_MAX);
    }
    Moments { mean, std }
}

fn weighted(counts: &[u64; 256], value: impl Fn(f64) -> f64) -> f64 {
    (0_u32..).zip(counts).map(|(pixel, count)| *count as f64 * value(f64::from(pixel))).sum()
}

/// The moments with 1 in place of a standard deviation of 0.
fn usable(images: &LabelledImages, size: ImageSize, context: &NodeContext<'_>) -> Moments {
    let mut moments = moments(images, size);
    for (channel, std) in moments.std.iter_mut().enumerate() {
        if *std <= 0.0 {
            context.warn(format!("channel {channel} has the same value everywhere; it is not scaled"));
            *std = 1.0;
        }
    }
    moments
}

/// The entry of a source that is one certain data set, if the files hold that data set.
fn of_source(source: &str, full: &Moments, context: &NodeContext<'_>) -> Option<Moments> {
    let (name, sure) = match source {
        "fashion-mini" | "fashion-mnist" => ("fashion-mnist", true),
        "cifar10" | "cifar100" => (source, false),
        "svhn" => (source, false),
        "mnist" | "tiny-imagenet" => (source, true),
        _ => return None,
    };
    let Published { mean, std, .. } = published(name)?;
    let near = full.mean.iter().zip(*mean).all(|(found, published)| (found - published).abs() <= MEAN_TOLERANCE);
    if !sure && !near {
        let found: Vec<String> = full.mean.iter().map(|value| format!("{value:.4}")).collect();
        context.warn(format!(
            "the files are in the layout of {source} but hold other data (mean {}): mean and standard deviation are \
             computed instead of taken from the table",
            found.join(", ")
        ));
        return None;
    }
    Some(Moments { mean: mean.to_vec(), std: std.to_vec() })
}
