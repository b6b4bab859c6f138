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
}

/// What may happen to a batch.
///
/// Written `none`, or `dsa:` or `idc:` followed by kinds joined with `_`, out of color, crop, cutout, flip, scale
/// and rotate, for example `dsa:crop_flip`. The order does not matter. `dsa` and `idc` alone mean all six.
///
/// - `dsa`: **one** of the kinds, drawn uniformly; `color` means brightness, saturation and contrast in that order.
/// - `idc`: flip if listed, colour if listed, **one** of the listed among crop, scale and rotate, cutout if
///   listed, in that order.
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
            _ => return fail("write `none`, `dsa:KINDS` or `idc:KINDS`".to_owned()),
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
        Ok(if kinds.is_empty() { Self::none() } else { Self { family: self.family, kinds } })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::None => return f.write_str("none"),
            Family::Dsa => "dsa",
            Family::Idc => "idc",
        };
        let names: Vec<&str> =
            KINDS.iter().filter(|(kind, _)| self.kinds.contains(kind)).map(|(_, name)| *name).collect();
        write!(f, "{family}:{}", names.join("_"))
    }
}

/// The images `[image, channel, row, column]` after a policy.
///
/// # Errors
/// When the tensor has not these axes or is i64.
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
