//! CutMix: a box of every image replaced by the same box of a partner.

use crate::error::{Result, shape_error};
use crate::{RandomKey, Tensor};

/// With probability `probability`, pastes one random box of each image's partner into it. Gives the images, the
/// partners' labels, and the share of the own label: the loss is `ratio CE(own) + (1 - ratio) CE(partner)`.
///
/// The box's share is 1 - lambda with lambda uniform in `[0, 1)` (Beta(1, 1)), its centre uniform; partners are a
/// random permutation. Labels are i64 `[image]` or probabilities `[image, class]`. When nothing is pasted, images
/// and labels come back as they are, with ratio 1.
///
/// # Errors
/// When `x` has not the axes `[image, channel, row, column]` or labels do not match the images.
pub fn cutmix(x: &Tensor, labels: &Tensor, probability: f64, key: RandomKey) -> Result<(Tensor, Tensor, f64)> {
    let [images, _, height, width] = *x.shape() else {
        return shape_error("cutmix", &[x.shape()], "the axes are [image, channel, row, column]");
    };
    if labels.shape().first() != Some(&images) {
        return shape_error("cutmix", &[x.shape(), labels.shape()], "there must be one label for each image");
    }
    let draws = key.fold("cutmix").uniform_f64(4);
    if draws[0] >= probability {
        return Ok((x.clone(), labels.clone(), 1.0));
    }
    let centre = [place(draws[2], height), place(draws[3], width)];
    let area = cut_box([height, width], draws[1], centre);
    let order = key.fold("cutmix partner").permutation(images);
    let order: Vec<i64> = order.into_iter().filter_map(|row| i64::try_from(row).ok()).collect();
    let partner = Tensor::from_i64(order, &[images], &x.device())?;
    let (mixed, ratio) = paste(x, &partner, area)?;
    Ok((mixed, labels.gather(0, &partner)?, ratio))
}

/// The box `[row from, row to, column from, column to]` (ends exclusive) around `centre` (row, column): sides
/// `floor(side sqrt(1 - lambda))`, from `centre - side/2` to `centre + side/2` with halves rounded down, so that an
/// odd side loses one pixel, clipped to the image of `size` rows and columns.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides of images are small"
)]
pub fn cut_box(size: [usize; 2], lambda: f64, centre: [usize; 2]) -> [usize; 4] {
    let share = (1.0 - lambda).clamp(0.0, 1.0).sqrt();
    let half = size.map(|side| (side as f64 * share).floor() as usize / 2);
    let from = |axis: usize| centre[axis].saturating_sub(half[axis]).min(size[axis]);
    let to = |axis: usize| (centre[axis] + half[axis]).min(size[axis]);
    [from(0), to(0), from(1), to(1)]
}

/// The images with the box of image `partner[i]` (i64, of the unmixed batch) pasted into image i, and the share of
/// each image that is its own: 1 - box area / image area.
///
/// # Errors
/// When the box leaves the image, or a partner is none of the images.
pub fn paste(x: &Tensor, partner: &Tensor, area: [usize; 4]) -> Result<(Tensor, f64)> {
    let [_, _, height, width] = *x.shape() else {
        return shape_error("cutmix", &[x.shape()], "the axes are [image, channel, row, column]");
    };
    let [top, bottom, left, right] = area;
    if top > bottom || bottom > height || left > right || right > width {
        return shape_error("cutmix", &[x.shape()], format!("the box {area:?} is no part of the image"));
    }
    let mut mask = vec![0.0; height * width];
    for row in top..bottom {
        mask[row * width + left..row * width + right].fill(1.0);
    }
    let mask = Tensor::from_values(mask, &[1, 1, height, width], x.dtype(), &x.device())?;
    let mixed = mask.select(&x.gather(0, partner)?, x)?;
    #[expect(clippy::cast_precision_loss, reason = "areas of images are small")]
    let share = ((bottom - top) * (right - left)) as f64 / (height * width) as f64;
    Ok((mixed, 1.0 - share))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides of images are small"
)]
fn place(uniform: f64, side: usize) -> usize {
    (uniform * side as f64).floor() as usize
}
