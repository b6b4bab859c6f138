//! Planes, and what is done to them.

use std::ops::Range;

use crate::Real;
use crate::buffer::{GRAIN, items_per_task};
use crate::parallel::{for_each, map};

/// What is computed in the same pass, after the affine map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// Nothing.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// ReLU, then the mean of 2x2 windows with stride 2.
    ReluPool,
}

impl Epilogue {
    /// Rows and columns of the result.
    pub fn plane(self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Identity | Self::Relu => [rows, columns],
            Self::ReluPool => [rows / 2, columns / 2],
        }
    }
}

/// What has a mean and a variance of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Every plane of every image: instance normalisation.
    Plane,
    /// Every channel, over all images: batch normalisation.
    Channel,
}

impl Over {
    /// Rows of a table `[row, channel]` of statistics, for so many images.
    #[must_use]
    pub fn rows(self, images: usize) -> usize {
        match self {
            Self::Plane => images,
            Self::Channel => 1,
        }
    }
}

/// Planes `[image, channel, row, column]` and what is done to them.
#[derive(Clone, Copy, Debug)]
pub struct Planes {
    /// Images of the batch.
    pub images: usize,
    /// Channels of each.
    pub channels: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Columns of a plane.
    pub width: usize,
    /// What is normalised together.
    pub over: Over,
    /// What follows the normalisation.
    pub epilogue: Epilogue,
}

impl Planes {
    /// Of a shape `[image, channel, row, column]`.
    pub fn new([images, channels, height, width]: [usize; 4], over: Over, epilogue: Epilogue) -> Self {
        Self { images, channels, height, width, over, epilogue }
    }

    pub(super) fn count(&self) -> usize {
        self.images * self.channels
    }

    pub(super) fn len(&self) -> usize {
        self.height * self.width
    }

    pub(super) fn out_len(&self) -> usize {
        self.epilogue.plane([self.height, self.width]).iter().product()
    }

    /// Place of a plane's statistics.
    pub(super) fn group(&self, plane: usize) -> usize {
        match self.over {
            Over::Plane => plane,
            Over::Channel => plane % self.channels,
        }
    }

    /// n
    pub(super) fn shared<T: Real>(&self) -> T {
        let planes = if self.over == Over::Plane { 1 } else { self.images };
        T::from_usize(planes * self.len())
    }

    /// Sums of each channel over the images, in their order, of numbers that `measure` has for a range of planes.
    pub(super) fn channel_sums<T: Real, const N: usize>(
        &self,
        measure: impl Fn(Range<usize>) -> Vec<[T; N]> + Sync,
    ) -> Vec<[T; N]> {
        let per_task = self.per_task();
        let parts = map(self.count().div_ceil(per_task), |task| {
            measure(task * per_task..self.count().min((task + 1) * per_task))
        });
        let mut sums = vec![[0.0; N]; self.channels];
        for (plane, part) in parts.iter().flatten().enumerate() {
            for (sum, &part) in sums[plane % self.channels].iter_mut().zip(part) {
                *sum += Into::<f64>::into(part);
            }
        }
        sums.into_iter().map(|sums| sums.map(T::from_f64)).collect()
    }

    /// Calls `task(first plane, planes)`, in parallel when it pays.
    pub(super) fn for_tasks(&self, task: impl Fn(usize, usize) + Sync) {
        let per_task = self.per_task();
        let tasks = self.count().div_ceil(per_task);
        for_each(tasks, tasks > 2, |index| {
            let first = index * per_task;
            task(first, per_task.min(self.count() - first));
        });
    }

    pub(super) fn per_task(&self) -> usize {
        items_per_task(self.len(), GRAIN)
    }
}
