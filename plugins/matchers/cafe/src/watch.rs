//! When the dynamic loops end: accuracies of a net, and how far the latest of them lie apart.

use pddflow_sdk::{Iteration, Key, Mode, Result, Tensor};
use std::collections::VecDeque;

/// The latest accuracies.
pub(crate) struct Watch {
    length: usize,
    latest: VecDeque<f64>,
}

impl Watch {
    pub(crate) fn new(length: usize) -> Self {
        Self { length, latest: VecDeque::with_capacity(length) }
    }

    /// Takes one more. Once there are enough, gives largest minus smallest, and forgets the oldest.
    pub(crate) fn add(&mut self, accuracy: f64) -> Option<f64> {
        self.latest.push_back(accuracy);
        if self.latest.len() < self.length {
            return None;
        }
        let (low, high) =
            self.latest.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)));
        self.latest.pop_front();
        Some(high - low)
    }
}

/// Measures the accuracy of a net on real images, the same number of every class.
pub(crate) struct Meter {
    leaky: bool,
    before: f64,
}

impl Meter {
    pub(crate) fn new(leaky: bool) -> Self {
        Self { leaky, before: 0.0 }
    }

    pub(crate) fn measure<'call>(
        &mut self,
        run: &Iteration<'call>,
        weights: &[Tensor<'call>],
        batch: usize,
        key: Key<'call>,
    ) -> Result<f64> {
        let classes = run.problem().classes;
        let mut sum = 0.0;
        for class in 0..classes {
            let key = key.fold_u64(class as u64)?;
            let real = run.real_batch(Some(class), batch, key)?;
            sum += run.forward(weights, &real.images, Mode::Eval, key)?.logits.accuracy(&real.labels)?;
        }
        Ok(self.value(sum, classes))
    }

    /// The accuracy from the sum over the classes; a leaky one also holds its share of the one before.
    fn value(&mut self, sum: f64, classes: usize) -> f64 {
        let start = if self.leaky { self.before } else { 0.0 };
        self.before = (start + sum) / classes as f64;
        self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_known_once_there_are_enough_and_forgets_the_oldest() {
        let mut watch = Watch::new(3);
        assert_eq!([0.5, 0.25, 0.25, 0.25, 0.5].map(|x| watch.add(x)), [None, None, Some(0.25), Some(0.0), Some(0.25)]);
    }

    #[test]
    fn accuracies_leak_only_when_asked_to() {
        let (mut plain, mut leaky) = (Meter::new(false), Meter::new(true));
        let all = |meter: &mut Meter| [2.0, 2.0, 2.0].map(|sum| meter.value(sum, 4));
        assert_eq!(all(&mut plain), [0.5, 0.5, 0.5]);
        assert_eq!(all(&mut leaky), [0.5, 0.625, 0.65625]);
    }
}
