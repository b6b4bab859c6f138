//! Which images a leg of a net's training uses, and with which step size.

use std::ops::Range;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::Decoded;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::nets::Samples;
use crate::sets::join_sets;

/// How several sets are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Training {
    /// Stage i trains on the union of the first i sets.
    #[default]
    Progressive,
    /// One stage on the union of all sets; a learned step size is that of the last set.
    Union,
    /// Stage i trains on set i alone.
    Sequential,
    /// On the real training images and no set: the upper bound.
    Full,
}

/// One leg of the training of a net.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    /// Rows of the pool that it trains on.
    pub rows: Vec<usize>,
    /// Its step size before the schedule's drops.
    pub lr: f64,
    /// Whether it begins with new weights; the first leg does.
    pub fresh: bool,
    /// How many of the test images count, from the first on.
    pub test_rows: usize,
    /// Phase of class-incremental learning, from 1; 1 where there are none.
    pub phase: usize,
    /// Stage of progressive training within the phase, from 1.
    pub stage: usize,
}

/// The images of all sets, one set after the other.
#[derive(Clone, Debug)]
pub struct Pool {
    /// All images with their labels; probabilities if any set has such.
    pub samples: Samples,
    ranges: Vec<Range<usize>>,
}

/// All sets as one pool.
pub fn pool_of(sets: &[Decoded], classes: usize) -> NodeResult<Pool> {
    let mut ranges = Vec::with_capacity(sets.len());
    let mut end = 0;
    for set in sets {
        let start = end;
        end += set.images.shape().first().copied().unwrap_or(0);
        ranges.push(start..end);
    }
    let joined = join_sets(sets, classes)?.ok_or_else(|| fail("empty_data", "there is no set to train on"))?;
    Ok(Pool { samples: Samples { images: joined.images, labels: joined.labels }, ranges })
}

impl Pool {
    /// The rows of the named sets, in that order.
    pub fn rows(&self, sets: impl IntoIterator<Item = usize>) -> Vec<usize> {
        sets.into_iter().filter_map(|set| self.ranges.get(set).cloned()).flatten().collect()
    }
}

/// The sets of each stage, of `count` sets in order; the last one is the stage's newest.
pub fn stage_sets(training: Training, count: usize) -> Vec<Range<usize>> {
    match training {
        Training::Progressive => (1..=count).map(|end| 0..end).collect(),
        Training::Sequential => (0..count).map(|set| set..set + 1).collect(),
        Training::Union | Training::Full => std::iter::once(0..count).collect(),
    }
}

#[cfg(test)]
mod tests {
    use pddflow_host::Labels;
    use pddflow_tensor::{DType, Device, Tensor};

    use super::*;

    fn set(value: f64, rows: usize, labels: Option<Labels>) -> Decoded {
        let images = Tensor::full(value, &[rows, 1, 2, 2], DType::F32, &Device::Cpu).unwrap();
        let hard = || Labels::Hard(Tensor::from_i64(vec![0; rows], &[rows], &Device::Cpu).unwrap());
        Decoded { images, labels: labels.unwrap_or_else(hard) }
    }

    #[test]
    fn stages_of_each_way_to_train() {
        assert_eq!(stage_sets(Training::Progressive, 3), [0..1, 0..2, 0..3]);
        assert_eq!(stage_sets(Training::Sequential, 3), [0..1, 1..2, 2..3]);
        assert_eq!(stage_sets(Training::Union, 3), vec![0..3; 1]);
        for training in [Training::Progressive, Training::Sequential] {
            assert_eq!(stage_sets(training, 1), stage_sets(Training::Union, 1));
        }
    }

    #[test]
    fn a_pool_knows_the_rows_of_its_sets() {
        let pool = pool_of(&[set(1.0, 1, None), set(2.0, 2, None), set(3.0, 1, None)], 1).unwrap();
        assert_eq!(pool.rows(0..2), [0, 1, 2]);
        assert_eq!(pool.rows([2, 0]), [3, 0]);
        let values = pool.samples.images.to_f64_vec().unwrap();
        assert_eq!(values.into_iter().step_by(4).collect::<Vec<_>>(), [1.0, 2.0, 2.0, 3.0]);
    }

    #[test]
    fn soft_labels_make_the_pool_soft() {
        let soft = Labels::Soft(Tensor::from_f32(vec![0.25, 0.75], &[1, 2], &Device::Cpu).unwrap());
        let pool = pool_of(&[set(2.0, 1, None), set(1.0, 1, Some(soft))], 2).unwrap();
        assert_eq!(pool.samples.labels.tensor().to_f64_vec().unwrap(), [1.0, 0.0, 0.25, 0.75]);
    }

    #[test]
    fn no_sets_are_no_pool() {
        assert_eq!(pool_of(&[], 2).unwrap_err().code, "pddflow::nodes::empty_data");
    }
}
