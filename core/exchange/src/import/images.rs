//! Images of others as numbers that nets see.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{ImageSize, Normalization, Preprocessing};
use pddflow_data::foreign::{Array, Number};
use pddflow_runner::NodeContext;
use pddflow_tensor::{Device, Tensor};

use super::formation::decoded;
use super::params::{ImportParams, Values};

/// Largest value of a byte; it becomes 1.
const BYTE_MAX: f64 = 255.0;
/// Numbers that are said to be pixels may lie outside of 0 to 1 by this, as distilled ones do; normalised ones and bytes go
/// further.
const PIXEL_SLACK: f64 = 0.5;

/// The images of an array as F32 `[n, c, h, w]`, decoded and normalised as the data.
pub(super) fn images(
    array: &Array,
    size: ImageSize,
    params: &ImportParams,
    preprocessing: &Preprocessing,
    context: &NodeContext<'_>,
) -> NodeResult<Tensor> {
    let values = params.values.as_ref();
    let (rows, order) = layout(array.shape(), size)?;
    let mut numbers = array.to_f64();
    if order == Order::ChannelsLast {
        numbers = channels_first(&numbers, size);
    }
    if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
        let message = format!("image {} has a number that is not finite", place / size.elements().max(1));
        return Err(fail("import_values", message).with_help("the set is damaged; get it again"));
    }
    let of_pixels = |pixels: Vec<f64>| {
        let (pixels, rows) = decoded(pixels, rows, size, params.factor)?;
        tensor(&normalised(pixels, (rows, size), preprocessing)?, rows, size)
    };
    match (array.number(), values) {
        (Number::U8, None | Some(Values::Pixels)) => {
            of_pixels(numbers.into_iter().map(|byte| byte / BYTE_MAX).collect())
        }
        (Number::U8, Some(_)) => {
            Err(fail("import_values", "the images are bytes, which are pixels and not normalised")
                .with_help("leave `values` out"))
        }
        (number, _) if number.is_whole() => {
            Err(fail("import_values", format!("the images are whole numbers of {} bytes", number.bytes()))
                .with_help("save pixels as unsigned bytes, or as numbers from 0 to 1"))
        }
        (_, None) => {
            let (least, most) = range(&numbers);
            let message =
                format!("it is not said what the numbers of the images are; they lie between {least:.3} and {most:.3}");
            Err(fail("import_values", message).with_help(
                "`values: normalised` for numbers as nets see them with these data, `values: pixels` for pixels from 0 to 1, \
                 `values: { standard: { mean: [...], std: [...] } }` for pixels normalised otherwise",
            ))
        }
        (_, Some(Values::Normalised)) => {
            let (least, most) = range(&numbers);
            if least >= 0.0 && most <= 1.0 && !matches!(preprocessing.normalization(), Normalization::None) {
                context.warn(format!(
                    "the images are said to be normalised, and all numbers lie between {least:.3} and {most:.3}, as pixels do"
                ));
            }
            tensor(&numbers, rows, size)
        }
        (_, Some(Values::Pixels)) => {
            let (least, most) = range(&numbers);
            if least < -PIXEL_SLACK || most > 1.0 + PIXEL_SLACK {
                let message = format!("numbers from {least:.3} to {most:.3} are no pixels from 0 to 1");
                return Err(fail("import_values", message)
                    .with_help("divide bytes by 255; for normalised images say so with `values:`"));
            }
            of_pixels(numbers)
        }
        (_, Some(Values::Standard { mean, std })) => {
            if mean.len() != size.channels {
                let message = format!(
                    "`values` has {} numbers for mean, and the images have {} channels",
                    mean.len(),
                    size.channels
                );
                return Err(fail("import_values", message).with_help("give one mean and one std for each channel"));
            }
            let channels = mean.iter().copied().zip(std.iter().copied());
            of_pixels(by_channel(numbers, size, channels, |value, (mean, std)| value * std + mean))
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    ChannelsFirst,
    ChannelsLast,
}

/// How many images of the data's size an array has, and in which order its axes are. A class axis may stand in front.
fn layout(shape: &[usize], size: ImageSize) -> NodeResult<(usize, Order)> {
    let ImageSize { channels, height, width } = size;
    let of = |axes: &[usize]| match axes {
        [c, h, w] if [*c, *h, *w] == [channels, height, width] => Some(Order::ChannelsFirst),
        [h, w, c] if [*c, *h, *w] == [channels, height, width] => Some(Order::ChannelsLast),
        _ => None,
    };
    let found = match shape {
        [n, h, w] if channels == 1 && [*h, *w] == [height, width] => Some((*n, Order::ChannelsFirst)),
        [n, axes @ ..] if axes.len() == 3 => of(axes).map(|order| (*n, order)),
        [classes, n, axes @ ..] if axes.len() == 3 => of(axes).map(|order| (classes * n, order)),
        _ => None,
    };
    match found {
        Some((rows, order)) if rows > 0 => Ok((rows, order)),
        _ => {
            let message = format!("the images are {shape:?}, and those of the data {channels}x{height}x{width}");
            Err(fail("import_shape", message).with_help(
                "images are `[n, channel, row, column]` (or with channels last) of the data's size; wire the data that the set \
                 was made from, in the same size",
            ))
        }
    }
}

fn channels_first(numbers: &[f64], size: ImageSize) -> Vec<f64> {
    let mut out = Vec::with_capacity(numbers.len());
    for image in numbers.chunks_exact(size.elements()) {
        for channel in 0..size.channels {
            out.extend(image.iter().skip(channel).step_by(size.channels));
        }
    }
    out
}

fn by_channel<P: Copy>(
    mut numbers: Vec<f64>,
    size: ImageSize,
    channels: impl Iterator<Item = P> + Clone,
    change: impl Fn(f64, P) -> f64,
) -> Vec<f64> {
    for (plane, channel) in numbers.chunks_mut(size.height * size.width).zip(channels.cycle()) {
        plane.iter_mut().for_each(|value| *value = change(*value, channel));
    }
    numbers
}

/// Pixels from 0 to 1 as nets see them.
fn normalised(
    pixels: Vec<f64>,
    (rows, size): (usize, ImageSize),
    preprocessing: &Preprocessing,
) -> NodeResult<Vec<f64>> {
    match preprocessing.normalization() {
        Normalization::None => Ok(pixels),
        Normalization::Standard { mean, std, .. } => {
            let channels = mean.iter().copied().zip(std.iter().copied());
            Ok(by_channel(pixels, size, channels, |value, (mean, std)| (value - mean) / std))
        }
        Normalization::Zca(zca) => {
            let doing = "whitening imported images";
            let white = zca.whiten(&tensor(&pixels, rows, size)?).during(doing)?;
            white.to_f64_vec().during(doing)
        }
    }
}

fn tensor(numbers: &[f64], rows: usize, size: ImageSize) -> NodeResult<Tensor> {
    #[expect(clippy::cast_possible_truncation, reason = "sets are stored in single precision")]
    let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
    Tensor::from_f32(numbers, &[rows, size.channels, size.height, size.width], &Device::Cpu).during("reading images")
}

fn range(numbers: &[f64]) -> (f64, f64) {
    numbers
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), number| (least.min(*number), most.max(*number)))
}
