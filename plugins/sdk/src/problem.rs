//! The task of a matcher.

use crate::call::{elements, sized};
use pddflow_abi as abi;

/// The task.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Classes of the data set.
    pub classes: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// New synthetic images per class.
    pub ipc: usize,
    /// Mean subtracted from pixels in `[0, 1]`, for each channel.
    pub mean: Vec<f64>,
    /// Standard deviation that pixels were divided by, for each channel.
    pub std: Vec<f64>,
}

impl Problem {
    /// Copies what the host gave.
    ///
    /// # Safety
    /// `raw` is a problem of the host, valid now.
    pub(crate) unsafe fn new(raw: *const abi::Problem) -> Self {
        // SAFETY: passed on to the caller.
        let raw = unsafe { sized(raw) };
        // SAFETY: the host gives one number for each channel.
        let copy = |data: *const f64| unsafe { elements(data, raw.channels) }.to_vec();
        Self {
            classes: raw.classes as usize,
            channels: raw.channels as usize,
            height: raw.height as usize,
            width: raw.width as usize,
            ipc: raw.ipc as usize,
            mean: copy(raw.mean),
            std: copy(raw.std),
        }
    }

    /// Shape of the images of one set: `[classes * ipc, channels, height, width]`.
    #[must_use]
    pub fn images(&self) -> [usize; 4] {
        [self.classes * self.ipc, self.channels, self.height, self.width]
    }

    /// Class numbers of the images of one set, which go class by class: `ipc` times 0, then `ipc` times 1, and so on.
    #[must_use]
    pub fn labels(&self) -> Vec<i64> {
        (0..self.classes as i64).flat_map(|class| vec![class; self.ipc]).collect()
    }
}
