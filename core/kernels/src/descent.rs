//! One step of gradient descent, in place.

use super::Real;
use super::buffer::GRAIN;
use super::parallel::{chunks, chunks_of_two};
use super::simd::{Kernel, dispatch};

/// Numbers of a step of gradient descent, as in PyTorch's `SGD`.
#[derive(Clone, Copy)]
pub struct Step<T> {
    /// Learning rate.
    pub lr: T,
    /// Share of the last step that is added; 0 is none.
    pub momentum: T,
    /// The weight times this is added to the gradient.
    pub weight_decay: Option<T>,
    /// Whether the momentum looks ahead.
    pub nesterov: bool,
}

/// `weight -= lr d`.
pub fn plain<T: Real>(weight: &mut [T], gradient: &[T], step: Step<T>) {
    chunks(weight, GRAIN, |index, weight| {
        let gradient = &gradient[index * GRAIN..][..weight.len()];
        dispatch(Plain { weight, gradient, step });
    });
}

/// With the buffer; `first` if it holds nothing yet.
pub fn with_buffer<T: Real>(weight: &mut [T], gradient: &[T], buffer: &mut [T], first: bool, step: Step<T>) {
    chunks_of_two(weight, buffer, GRAIN, |index, weight, buffer| {
        let gradient = &gradient[index * GRAIN..][..weight.len()];
        dispatch(WithBuffer { weight, gradient, buffer, first, step });
    });
}

impl<T: Real> Step<T> {
    #[inline(always)]
    fn slope(&self, weight: T, gradient: T) -> T {
        self.weight_decay.map_or(gradient, |decay| gradient + weight * decay)
    }
}

struct Plain<'a, T> {
    weight: &'a mut [T],
    gradient: &'a [T],
    step: Step<T>,
}

impl<T: Real> Kernel for Plain<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (weight, &gradient) in self.weight.iter_mut().zip(self.gradient) {
            *weight -= self.step.slope(*weight, gradient) * self.step.lr;
        }
    }
}

struct WithBuffer<'a, T> {
    weight: &'a mut [T],
    gradient: &'a [T],
    buffer: &'a mut [T],
    first: bool,
    step: Step<T>,
}

impl<T: Real> Kernel for WithBuffer<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let step = self.step;
        for ((weight, &gradient), buffer) in self.weight.iter_mut().zip(self.gradient).zip(self.buffer) {
            let slope = step.slope(*weight, gradient);
            let moved = if self.first { slope } else { *buffer * step.momentum + slope };
            let along = if step.nesterov { slope + moved * step.momentum } else { moved };
            *weight -= along * step.lr;
            *buffer = moved;
        }
    }
}
