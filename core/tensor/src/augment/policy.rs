//! Which transforms happen, and with what parameters.

use std::fmt;

use super::transform;
use crate::error::{Result, TensorError, shape_error};
use crate::resample_map::Grid;
use crate::{RandomKey, Tensor};

/// Brightness is shifted by up to half of this, either way.
const BRIGHTNESS: f64 = 1.0;
/// Saturation is multiplied by 0 to this.
const SATURATION: f64 = 2.0;
/// Contrast is multiplied by half to half plus this.
const CONTRAST: f64 = 1.0;
/// Largest shift, in sides.
const SHIFT: f64 = 0.125;
/// Side of the square that is cut out, in sides.
const CUTOUT: f64 = 0.5;
/// Scale factors lie between the inverse of this and this.
const SCALE: f64 = 1.2;
/// Largest angle in degrees, either way.
const ANGLE: f64 = 15.0;
/// Width over height of a random crop that is resized, from the inverse of this to this, uniform in its logarithm.
const ASPECT: f64 = 4.0 / 3.0;
/// Crops that are drawn until one fits into the image.
const TRIES: usize = 10;

/// Whether the images of a batch share their parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// One draw for every image.
    Siamese,
    /// One draw for each image, the first being that of `Siamese`. The operation is one for the batch all the same.
    PerImage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Color,
    Crop,
    Cutout,
    Flip,
    Scale,
    Rotate,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Color, "color"),
    (Kind::Crop, "crop"),
    (Kind::Cutout, "cutout"),
    (Kind::Flip, "flip"),
    (Kind::Scale, "scale"),
    (Kind::Rotate, "rotate"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    None,
    /// One of the listed kinds, drawn for the batch; corners aligned.
    Dsa,
    /// Flip, colour, one of crop, scale and rotate, then cutout; centres aligned.
    Idc,
    /// Strips in a new order, a crop that is resized, then flip if listed; so many strips along each side.
    Tiles(usize),
}

/// What may happen to a batch.
///
/// Written `none`, or `dsa:` or `idc:` followed by kinds joined with `_`, out of color, crop, cutout, flip, scale
/// and rotate, for example `dsa:crop_flip`. The order does not matter. `dsa` and `idc` alone mean all six.
///
/// - `dsa`: **one** of the kinds, drawn uniformly; `color` means brightness, saturation and contrast in that order.
/// - `idc`: flip if listed, colour if listed, **one** of the listed among crop, scale and rotate, cutout if
///   listed, in that order.
/// - `tiles:2` or `tiles:2_flip`, of images that are 2 by 2 smaller ones (or another number): the strips of columns and
///   those of rows in a new order, a crop of 1/2 to 1 of the area with an aspect of 3/4 to 4/3, resized to the whole,
///   and a flip if listed. The source is RDED (Sun et al. 2024), whose crops are those of torchvision's
///   `RandomResizedCrop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    family: Family,
    kinds: Vec<Kind>,
}

impl Policy {
    /// The policy that leaves images as they are.
    #[must_use]
    pub fn none() -> Self {
        Self { family: Family::None, kinds: Vec::new() }
    }

    /// Reads a policy.
    ///
    /// # Errors
    /// When the text is not a policy; the message lists what is allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let fail = |message: String| Err(TensorError::Policy { text: text.to_owned(), message });
        if text == "none" {
            return Ok(Self::none());
        }
        let all = || KINDS.map(|(_, name)| name).join("_");
        let (family, list) = text.split_once(':').map_or((text, all()), |(family, list)| (family, list.to_owned()));
        let family = match family {
            "dsa" => Family::Dsa,
            "idc" => Family::Idc,
            "tiles" => {
                let (number, kinds) = match list.split_once('_') {
                    Some((number, "flip")) => (number, vec![Kind::Flip]),
                    _ => (list.as_str(), Vec::new()),
                };
                return match number.parse() {
                    Ok(tiles) if tiles > 0 => Ok(Self { family: Family::Tiles(tiles), kinds }),
                    _ => fail("write how many tiles there are along a side: `tiles:2` or `tiles:2_flip`".to_owned()),
                };
            }
            _ => return fail("write `none`, `dsa:KINDS`, `idc:KINDS` or `tiles:NUMBER`".to_owned()),
        };
        let mut kinds = Vec::new();
        for word in list.split('_') {
            let Some((kind, _)) = KINDS.iter().find(|(_, name)| *name == word) else {
                let known = KINDS.map(|(_, name)| name).join(", ");
                return fail(format!("`{word}` is no kind; kinds are {known}, joined with `_`"));
            };
            if kinds.contains(kind) {
                return fail(format!("`{word}` is listed twice"));
            }
            kinds.push(*kind);
        }
        kinds.sort_unstable();
        Ok(Self { family, kinds })
    }

    /// The one way to write this policy: kinds in a fixed order.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.to_string()
    }

    /// The policy without a kind, for instance without `cutout` where CutMix is used; `none` when nothing is left.
    ///
    /// # Errors
    /// When `name` is no kind.
    pub fn without(&self, name: &str) -> Result<Self> {
        let removed = Self::parse(&format!("dsa:{name}"))?.kinds;
        let kinds: Vec<Kind> = self.kinds.iter().copied().filter(|kind| !removed.contains(kind)).collect();
        let nothing = kinds.is_empty() && !matches!(self.family, Family::Tiles(_));
        Ok(if nothing { Self::none() } else { Self { family: self.family, kinds } })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::None => return f.write_str("none"),
            Family::Dsa => "dsa",
            Family::Idc => "idc",
            Family::Tiles(tiles) => {
                return write!(f, "tiles:{tiles}{}", if self.kinds.contains(&Kind::Flip) { "_flip" } else { "" });
            }
        };
        let names: Vec<&str> =
            KINDS.iter().filter(|(kind, _)| self.kinds.contains(kind)).map(|(_, name)| *name).collect();
        write!(f, "{family}:{}", names.join("_"))
    }
}

/// The images `[image, channel, row, column]` after a policy.
///
/// # Errors
/// When the tensor has not these axes or is i64, or has fewer pixels along a side than there are to be tiles.
pub fn apply(policy: &Policy, x: &Tensor, draw: Draw, key: RandomKey) -> Result<Tensor> {
    let [images, _, rows, columns] = *x.shape() else {
        return shape_error("augment", &[x.shape()], "the axes are [image, channel, row, column]");
    };
    let draws = if draw == Draw::Siamese { 1.min(images) } else { images };
    let batch = Batch { key, draws, size: [rows, columns] };
    match policy.family {
        Family::None => Ok(x.clone()),
        Family::Dsa => match batch.pick(&policy.kinds) {
            Some(kind) => batch.one(kind, x, Grid::Corners),
            None => Ok(x.clone()),
        },
        Family::Idc => batch.idc(&policy.kinds, x),
        Family::Tiles(tiles) => {
            let x = transform::shuffle(x, &batch.orders("tile row", tiles), &batch.orders("tile column", tiles))?;
            let x = transform::resized_crop(&x, &batch.boxes(1.0 / tiles as f64))?;
            if policy.kinds.contains(&Kind::Flip) { batch.one(Kind::Flip, &x, Grid::Centres) } else { Ok(x) }
        }
    }
}

struct Batch {
    key: RandomKey,
    /// How many draws of each parameter: 1 or the number of images.
    draws: usize,
    size: [usize; 2],
}

impl Batch {
    fn pick(&self, kinds: &[Kind]) -> Option<Kind> {
        #[expect(clippy::cast_possible_truncation, reason = "there are six kinds")]
        kinds.get(self.key.fold("kind").below(kinds.len() as u64) as usize).copied()
    }

    fn idc(&self, kinds: &[Kind], x: &Tensor) -> Result<Tensor> {
        let movers: Vec<Kind> =
            kinds.iter().copied().filter(|kind| matches!(kind, Kind::Crop | Kind::Scale | Kind::Rotate)).collect();
        let listed = |kind: Kind| kinds.contains(&kind).then_some(kind);
        let order = [listed(Kind::Flip), listed(Kind::Color), self.pick(&movers), listed(Kind::Cutout)];
        order.into_iter().flatten().try_fold(x.clone(), |x, kind| self.one(kind, &x, Grid::Centres))
    }

    fn one(&self, kind: Kind, x: &Tensor, grid: Grid) -> Result<Tensor> {
        match kind {
            Kind::Color => {
                let x = transform::brightness(x, &self.uniform("brightness", |u| (u - 0.5) * BRIGHTNESS))?;
                let x = transform::saturation(&x, &self.uniform("saturation", |u| u * SATURATION))?;
                transform::contrast(&x, &self.uniform("contrast", |u| u * CONTRAST + 0.5))
            }
            Kind::Crop => {
                transform::crop(x, &self.shift("crop row", self.size[0]), &self.shift("crop column", self.size[1]))
            }
            Kind::Cutout => {
                let [rows, columns] = self.size.map(|side| part(CUTOUT, side));
                let (row, column) = (
                    self.offset("cutout row", self.size[0], rows),
                    self.offset("cutout column", self.size[1], columns),
                );
                transform::cutout(x, &row, &column, [rows, columns])
            }
            Kind::Flip => {
                let mirrored: Vec<bool> = self.uniform("flip", |u| u).iter().map(|&u| u < 0.5).collect();
                transform::flip(x, &mirrored)
            }
            Kind::Scale => {
                let factor = |u| u * (SCALE - 1.0 / SCALE) + 1.0 / SCALE;
                transform::scale(x, &self.uniform("scale column", factor), &self.uniform("scale row", factor), grid)
            }
            Kind::Rotate => {
                transform::rotate(x, &self.uniform("rotate", |u| ((u - 0.5) * 2.0 * ANGLE).to_radians()), grid)
            }
        }
    }

    fn uniform(&self, name: &str, value: impl Fn(f64) -> f64) -> Vec<f64> {
        self.key.fold(name).uniform_f64(self.draws).into_iter().map(value).collect()
    }

    /// Orders of so many strips.
    fn orders(&self, name: &str, count: usize) -> Vec<Vec<usize>> {
        (0..self.draws).map(|draw| self.key.fold(name).fold_u64(draw as u64).permutation(count)).collect()
    }

    /// Rectangles of this share of the area or more.
    fn boxes(&self, least: f64) -> Vec<[usize; 4]> {
        let drawn = |draw: usize| self.key.fold("tile crop").fold_u64(draw as u64).uniform_f64(4 * TRIES);
        (0..self.draws).map(|draw| random_box(self.size, least, &drawn(draw))).collect()
    }

    /// Whole shifts, uniform between minus and plus the largest.
    fn shift(&self, name: &str, side: usize) -> Vec<i64> {
        let largest = part(SHIFT, side);
        self.whole(name, 2 * largest + 1).into_iter().map(|shift| shift - signed(largest)).collect()
    }

    /// Centres of a cut of `cut` pixels: `0..=side` when it is even, `0..side` when it is odd.
    fn offset(&self, name: &str, side: usize, cut: usize) -> Vec<i64> {
        self.whole(name, side + 1 - cut % 2)
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "sides of images are small")]
    fn whole(&self, name: &str, count: usize) -> Vec<i64> {
        self.uniform(name, |u| (u * count as f64).floor()).into_iter().map(|v| v as i64).collect()
    }
}

/// The first rectangle of the image that four uniform numbers each make: share of the area, aspect, place. If none fits, the largest in
/// the middle whose aspect is allowed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides of images are small"
)]
fn random_box([height, width]: [usize; 2], least: f64, drawn: &[f64]) -> [usize; 4] {
    for four in drawn.chunks_exact(4) {
        let area = (height * width) as f64 * (least + (1.0 - least) * four[0]);
        let aspect = libm::exp(libm::log(ASPECT) * (2.0 * four[1] - 1.0));
        let (rows, columns) = (part((area / aspect).sqrt(), 1), part((area * aspect).sqrt(), 1));
        if (1..=height).contains(&rows) && (1..=width).contains(&columns) {
            let at = |drawn: f64, left: usize| (drawn * (left + 1) as f64) as usize;
            return [at(four[2], height - rows), at(four[3], width - columns), rows, columns];
        }
    }
    let rows = height.min(part(width as f64 * ASPECT, 1)).max(1);
    let columns = width.min(part(height as f64 * ASPECT, 1)).max(1);
    [(height - rows) / 2, (width - columns) / 2, rows, columns]
}

/// A share of a side in whole pixels, halves rounded up.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides of images are small"
)]
fn part(share: f64, side: usize) -> usize {
    (share * side as f64 + 0.5).floor() as usize
}

#[expect(clippy::cast_possible_wrap, reason = "sides of images are small")]
fn signed(value: usize) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Device};

    #[test]
    fn crops_have_the_least_area_or_more_and_allowed_aspects_and_the_whole_image_stays_whole() {
        let mut found = std::collections::BTreeSet::new();
        for seed in 0..400 {
            let drawn = RandomKey::new(seed).uniform_f64(4 * TRIES);
            let [top, left, rows, columns] = random_box([32, 48], 0.5, &drawn);
            assert!(top + rows <= 32 && left + columns <= 48, "{top} {left} {rows} {columns}");
            let (area, aspect) = (rows * columns, columns as f64 / rows as f64);
            assert!(area as f64 > 0.46 * 32.0 * 48.0 && (0.7..1.43).contains(&aspect), "{rows} x {columns}");
            found.insert((top > 0, left > 0, rows < columns));
            // Of a square, all of the area leaves one crop, whatever the aspect: what RDED does without tiles.
            assert_eq!(random_box([32, 32], 1.0, &drawn), [0, 0, 32, 32]);
        }
        assert_eq!(found.len(), 8, "every place, high and wide ones");
        // 0.5 of the area at an aspect of 1: 0.7071 of each side; the numbers of torchvision's rule by hand.
        assert_eq!(random_box([100, 100], 0.5, &[0.0, 0.5, 0.999, 0.0]), [29, 0, 71, 71]);
        assert_eq!(random_box([100, 100], 0.0, &[0.75, 0.0, 0.5, 0.5]), [0, 13, 100, 75]);
        // No try fits into a narrow image: the largest part of it in the middle that is not too high.
        let none = [1.0, 1.0, 0.0, 0.0].repeat(TRIES);
        assert_eq!(random_box([90, 30], 1.0, &none), [25, 0, 40, 30]);
        assert_eq!(random_box([30, 90], 1.0, &none), [0, 25, 30, 40]);
    }

    #[test]
    fn tiled_images_are_made_of_their_tiles() {
        let pixels = (0..2 * 6 * 6).map(f64::from).collect();
        let x = Tensor::from_values(pixels, &[2, 1, 6, 6], DType::F64, &Device::Cpu).unwrap();
        let policy = Policy::parse("tiles:3").unwrap();
        for seed in 0..20 {
            let batch = Batch { key: RandomKey::new(seed), draws: 2, size: [6, 6] };
            let (rows, columns) = (batch.orders("tile row", 3), batch.orders("tile column", 3));
            let mut expected = Vec::new();
            for (image, [top, left, height, width]) in batch.boxes(1.0 / 3.0).into_iter().enumerate() {
                let at = |row: usize, column: usize| {
                    let from = |order: &[usize], place: usize| 2 * order[place / 2] + place % 2;
                    (36 * image + 6 * from(&rows[image], row) + from(&columns[image], column)) as f64
                };
                let place = |out: usize, side: usize| {
                    let exact = ((out as f64 + 0.5) * side as f64 / 6.0 - 0.5).max(0.0);
                    (exact as usize, (exact as usize + 1).min(side - 1), exact.fract())
                };
                for pixel in 0..36 {
                    let ((r, below, v), (c, right, u)) = (place(pixel / 6, height), place(pixel % 6, width));
                    let line = |row: usize| at(top + row, left + c) * (1.0 - u) + at(top + row, left + right) * u;
                    expected.push(line(r) * (1.0 - v) + line(below) * v);
                }
            }
            let found = apply(&policy, &x, Draw::PerImage, RandomKey::new(seed)).unwrap().to_f64_vec().unwrap();
            let error = found.iter().zip(&expected).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
            assert!(error < 1e-12, "seed {seed}: {error}");
            // The derivative along a direction, against the difference: the sum of squares is a parabola along it.
            let sum = |x: &Tensor| {
                let y = apply(&policy, x, Draw::PerImage, RandomKey::new(seed)).unwrap();
                y.mul(&y).unwrap().sum_all().unwrap()
            };
            let way = RandomKey::new(seed).fold("way").normal_f64(72);
            let way = Tensor::from_values(way, &[2, 1, 6, 6], DType::F64, &Device::Cpu).unwrap();
            let leaf = x.variable().unwrap();
            let slope = crate::grad(&[sum(&leaf)], &[leaf], None, crate::Keep::No).unwrap()[0].mul(&way).unwrap();
            let at = |step: f64| sum(&x.add(&way.mul_scalar(step).unwrap()).unwrap()).item().unwrap();
            let (slope, difference) = (slope.sum_all().unwrap().item().unwrap(), (at(0.5) - at(-0.5)) / 1.0);
            assert!((slope - difference).abs() < 1e-9 * difference.abs().max(1.0), "seed {seed}: {slope} {difference}");
        }
        let small = Tensor::zeros(&[1, 1, 2, 2], DType::F64, &Device::Cpu).unwrap();
        let error = apply(&policy, &small, Draw::PerImage, RandomKey::new(0)).unwrap_err().to_string();
        assert!(error.contains("no order of strips of a side of 2 pixels"), "{error}");
    }
}
