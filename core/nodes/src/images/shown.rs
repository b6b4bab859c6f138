//! Sets as pixels.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{Dataset, DistilledSet, ImageSize, Normalization, Preprocessing, PreprocessingNote, file_stem};
use pddflow_runner::Artifact;

const PIXEL_MAX: f64 = 255.0;

/// The images of a set as pixels.
pub(crate) struct Shown {
    pub(crate) size: ImageSize,
    /// Interleaved channels, image after image.
    pub(crate) pixels: Vec<u8>,
    /// Rows of each class.
    pub(crate) class_rows: Vec<Vec<usize>>,
}

impl Shown {
    /// The pixels of one image.
    pub(crate) fn image(&self, row: usize) -> &[u8] {
        &self.pixels[row * self.size.elements()..(row + 1) * self.size.elements()]
    }
}

/// Undoes the preprocessing and cuts to what a pixel can be. `data` is needed for whitened sets only, whose matrices are in
/// the data set.
pub(crate) fn show(set: &DistilledSet, from: &Artifact, data: Option<&Dataset>) -> NodeResult<Shown> {
    let size = set.size();
    let preprocessing = preprocessing(set, from, data)?;
    let values = preprocessing.invert(&set.images).during("undoing the normalisation")?;
    let (elements, plane) = (size.elements(), size.height * size.width);
    let mut pixels = vec![0; values.len()];
    for (out, planes) in pixels.chunks_mut(elements).zip(values.chunks(elements)) {
        for (place, out) in out.iter_mut().enumerate() {
            *out = to_pixel(planes[place % size.channels * plane + place / size.channels]);
        }
    }
    let mut class_rows = vec![Vec::new(); set.classes()];
    for (row, class) in set.hard_labels().during("reading labels")?.into_iter().enumerate() {
        class_rows[class].push(row);
    }
    Ok(Shown { size, pixels, class_rows })
}

/// A file name without ending for each set: its method and, where several sets share it, its stage or place.
pub(crate) fn set_names(sets: &[DistilledSet]) -> Vec<String> {
    let methods: Vec<String> = sets.iter().map(|set| file_stem(&set.info.method)).collect();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    methods.iter().for_each(|method| *count.entry(method.to_lowercase()).or_default() += 1);
    let staged = methods.iter().zip(sets).map(|(method, set)| match count[&method.to_lowercase()] {
        1 => method.clone(),
        _ => format!("{method}-stage{}", set.info.stage),
    });
    let mut names: Vec<String> = Vec::new();
    for name in staged {
        let taken = |name: &String| names.iter().any(|taken| taken.to_lowercase() == name.to_lowercase());
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name));
        names.push(free.unwrap_or(name));
    }
    names
}

fn preprocessing(set: &DistilledSet, from: &Artifact, data: Option<&Dataset>) -> NodeResult<Preprocessing> {
    let channels = set.size().channels;
    let note = &set.info.preprocessing;
    if let Some(data) = data {
        if data.preprocessing_digest() != note.digest() {
            let message = format!("the set of `{}` was made for another normalisation than that of `data`", from.from);
            return Err(fail("set_mismatch", message).with_help("wire the `dataset` node that the set was made from"));
        }
        return Ok(data.preprocessing().clone());
    }
    Ok(match note {
        PreprocessingNote::None { .. } => Preprocessing::new(Normalization::None, channels),
        PreprocessingNote::Standard { mean, std, origin, .. } => {
            let (mean, std, origin) = (mean.clone(), std.clone(), *origin);
            Preprocessing::new(Normalization::Standard { mean, std, origin }, channels)
        }
        PreprocessingNote::Zca { .. } => {
            let message = format!("the set of `{}` is whitened, and the whitening is in its data set", from.from);
            return Err(
                fail("data_needed", message).with_help("wire it: `needs: { sets: ..., data: <the dataset node> }`")
            );
        }
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to the range first")]
fn to_pixel(value: f64) -> u8 {
    (value * PIXEL_MAX).round().clamp(0.0, PIXEL_MAX) as u8
}
