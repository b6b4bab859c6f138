//! The real images as tensors, shared by the nodes that use them.
//!
//! A data set is decoded and normalised once and kept while the cache lives, within a bound on memory: several nodes of
//! a run read the same one, and one of them may read it thousands of times.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{Dataset, Normalization, RealImages, Side};
use pddflow_cache::Digest;
use pddflow_host::{InputShape, Labels, ValueRange};
use pddflow_runner::NodeContext;
use pddflow_tensor::{DType, Device, RandomKey, Tensor, TensorError};

use crate::samples::Samples;

/// Bytes of images that are kept for later nodes. The data set used last is always kept.
const KEPT_BYTES: usize = 2 << 30;

/// What to do where images that were set aside are asked for, and there are none.
pub const NO_HELD_OUT_HELP: &str =
    "set `held_out: 0.1` on the `dataset` node: a tenth of its training images is set aside";

/// Where tensors live, and their number format.
#[derive(Clone, Debug)]
pub struct TensorOptions {
    /// Where they live.
    pub device: Device,
    /// Number format of images, weights and gradients.
    pub dtype: DType,
}

/// Images of one split, normalised, with their classes.
pub struct Split {
    samples: Samples,
    classes_of_rows: Vec<i64>,
    class_rows: Vec<Vec<usize>>,
}

impl Split {
    /// A split over normalised `images` `[row, channel, height, width]`.
    pub fn new(images: Tensor, classes_of_rows: Vec<i64>, classes: usize) -> Result<Self, TensorError> {
        let mut class_rows = vec![Vec::new(); classes];
        for (row, class) in classes_of_rows.iter().enumerate() {
            if let Some(rows) = usize::try_from(*class).ok().and_then(|class| class_rows.get_mut(class)) {
                rows.push(row);
            }
        }
        let labels = Tensor::from_i64(classes_of_rows.clone(), &[classes_of_rows.len()], &images.device())?;
        Ok(Self { samples: Samples { images, labels: Labels::Hard(labels) }, classes_of_rows, class_rows })
    }

    /// Number of images.
    pub fn rows(&self) -> usize {
        self.classes_of_rows.len()
    }

    /// All images with their labels.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The class of each row.
    pub fn classes_of_rows(&self) -> &[i64] {
        &self.classes_of_rows
    }

    /// The rows of each class, ascending.
    pub fn class_rows(&self) -> &[Vec<usize>] {
        &self.class_rows
    }

    /// Rows of one class or of all without repeats, as a matcher's key chooses them; all of them if there are fewer than `count`.
    pub fn choose(&self, class: Option<usize>, count: usize, key: RandomKey) -> Vec<usize> {
        match class {
            Some(class) => {
                let own = &self.class_rows[class];
                key.choose(own.len(), count.min(own.len())).into_iter().map(|place| own[place]).collect()
            }
            None => key.choose(self.rows(), count.min(self.rows())),
        }
    }

    /// The named rows, in that order.
    pub fn take(&self, rows: &[usize]) -> Result<Samples, TensorError> {
        self.samples.take(rows)
    }

    /// The named rows as a split of their own.
    pub fn part(&self, rows: &[usize]) -> Result<Self, TensorError> {
        let classes = rows.iter().map(|row| self.classes_of_rows[*row]).collect();
        Self::new(self.take(rows)?.images, classes, self.class_rows.len())
    }
}

/// A data set ready for work.
pub struct Prepared {
    /// Number of classes.
    pub classes: usize,
    /// Size of one image.
    pub shape: InputShape,
    /// Range of the values.
    pub value_range: ValueRange,
    /// The artifact that it is.
    pub digest: Digest,
    /// What the stored data set says of itself.
    pub dataset: Dataset,
    /// Where its tensors live, and their number format.
    pub tensors: TensorOptions,
    /// The training split.
    pub train: Split,
    held_out: OnceLock<Arc<Split>>,
    test: OnceLock<Arc<Split>>,
}

impl Prepared {
    /// The test split; made at the first call, since distillation never needs it.
    pub fn test(&self) -> NodeResult<Arc<Split>> {
        self.made(&self.test, Side::Test)
    }

    /// The images that sets are made from.
    #[must_use]
    pub fn real_images(&self) -> RealImages {
        RealImages { data: self.digest.to_string(), count: self.train.rows() }
    }

    /// Whether training images were set aside.
    #[must_use]
    pub fn has_held_out(&self) -> bool {
        self.dataset.rows(Side::HeldOut) > 0
    }

    /// The training images that were set aside; made at the first call.
    ///
    /// # Errors
    /// There are none.
    pub fn held_out(&self) -> NodeResult<Arc<Split>> {
        if !self.has_held_out() {
            return Err(fail("no_held_out", "the data set has no held-out images").with_help(NO_HELD_OUT_HELP));
        }
        self.made(&self.held_out, Side::HeldOut)
    }

    fn made(&self, place: &OnceLock<Arc<Split>>, side: Side) -> NodeResult<Arc<Split>> {
        if let Some(made) = place.get() {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(split(&self.tensors, &self.dataset, side)?);
        Ok(Arc::clone(place.get_or_init(|| made)))
    }

    fn bytes(&self) -> usize {
        let lazy = [&self.held_out, &self.test].map(|side| side.get().map_or(0, |side| side.rows()));
        let rows = self.train.rows() + lazy.iter().sum::<usize>();
        rows * self.shape.elements() * size_of::<f32>()
    }
}

/// Recently used data sets, the latest last.
#[derive(Default)]
pub struct SplitCache {
    kept: Mutex<Vec<Arc<Slot>>>,
}

struct Slot {
    digest: Digest,
    device: Device,
    ready: Mutex<Option<Arc<Prepared>>>,
}

impl SplitCache {
    /// The data set of an artifact. Two nodes that ask at once wait for one and the same reading.
    pub fn prepare(
        &self,
        tensors: &TensorOptions,
        context: &NodeContext<'_>,
        digest: &Digest,
    ) -> NodeResult<Arc<Prepared>> {
        let slot = self.slot(digest, &tensors.device);
        let mut ready = slot.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = ready.as_ref() {
            return Ok(Arc::clone(prepared));
        }
        let prepared = Arc::new(prepare(tensors, context, digest)?);
        *ready = Some(Arc::clone(&prepared));
        drop(ready);
        self.forget_oldest();
        Ok(prepared)
    }

    fn slot(&self, digest: &Digest, device: &Device) -> Arc<Slot> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|slot| slot.digest == *digest && slot.device == *device);
        let new = || Arc::new(Slot { digest: *digest, device: device.clone(), ready: Mutex::default() });
        let slot = found.map_or_else(new, |place| kept.remove(place));
        kept.push(Arc::clone(&slot));
        slot
    }

    fn forget_oldest(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |slot: &Slot| {
            // A slot whose lock is taken is being filled just now: its size is not known, and it is in use.
            slot.ready.try_lock().ok().and_then(|ready| ready.as_ref().map(|data| data.bytes())).unwrap_or(0)
        };
        while kept.len() > 1 && kept.iter().map(|slot| size(slot)).sum::<usize>() > KEPT_BYTES {
            kept.remove(0);
        }
    }
}

fn prepare(tensors: &TensorOptions, context: &NodeContext<'_>, digest: &Digest) -> NodeResult<Prepared> {
    let dataset = Dataset::decode(&context.get(digest).during("reading the data set")?)?;
    let size = dataset.size();
    let train = split(tensors, &dataset, Side::Train)?;
    Ok(Prepared {
        classes: dataset.classes(),
        shape: InputShape { channels: size.channels, height: size.height, width: size.width },
        value_range: value_range(&dataset, &train)?,
        tensors: tensors.clone(),
        digest: *digest,
        train,
        held_out: OnceLock::new(),
        test: OnceLock::new(),
        dataset,
    })
}

fn split(tensors: &TensorOptions, dataset: &Dataset, side: Side) -> NodeResult<Split> {
    let images = dataset.images(side, tensors.dtype, &tensors.device).during("normalising the images")?;
    let classes = dataset.labels(side).iter().map(|class| i64::from(*class)).collect();
    Split::new(images, classes, dataset.classes()).during("preparing the labels")
}

/// Black and white after normalisation. Whitening mixes pixels, so that its range is the one that was seen.
fn value_range(dataset: &Dataset, train: &Split) -> NodeResult<ValueRange> {
    let (mean, std) = dataset.preprocessing().mean_std();
    let (min, max) = if matches!(dataset.preprocessing().normalization(), Normalization::Zca(_)) && train.rows() > 0 {
        let extreme =
            |of: Result<Tensor, TensorError>| of.and_then(|range| range.to_f64_vec()).during("finding the range");
        let images = &train.samples().images;
        (extreme(images.min(&[0, 2, 3], false))?, extreme(images.max(&[0, 2, 3], false))?)
    } else {
        let at = |pixel: f64| mean.iter().zip(&std).map(|(mean, std)| (pixel - mean) / std).collect();
        (at(0.0), at(1.0))
    };
    Ok(ValueRange { min, max, mean, std })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_class_and_taken_in_order() {
        let images = Tensor::from_f32(vec![0.0, 1.0, 2.0, 3.0], &[4, 1, 1, 1], &Device::Cpu).unwrap();
        let split = Split::new(images, vec![1, 0, 1, 1], 3).unwrap();
        assert_eq!(split.class_rows(), [vec![1], vec![0, 2, 3], vec![]]);
        let part = split.part(&[3, 1]).unwrap();
        assert_eq!(part.samples().images.to_f64_vec().unwrap(), [3.0, 1.0]);
        assert_eq!(part.classes_of_rows(), [1, 0]);
        assert_eq!(part.samples().images.dtype(), DType::F32);
    }
}
