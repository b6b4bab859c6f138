//! Which images each stage trains on, and with which step size.

use pddflow_host::Decoded;

use super::params::Training;
use super::recipe::StepSize;
use crate::distill::join_sets;
use crate::failure::{NodeResult, fail};
use crate::nets::Samples;
use crate::sets::LoadedSet;

/// One stage of the training of a net.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// What it trains on.
    pub(super) samples: Samples,
    /// Its step size before the schedule's drops.
    pub(super) lr: f64,
}

/// The stages of a training mode; in `Union` the step size is that of the last set.
pub(super) fn stages(sets: &[LoadedSet], training: Training, lr: StepSize, classes: usize) -> NodeResult<Vec<Stage>> {
    let last = sets.len();
    let ranges: Vec<std::ops::Range<usize>> = match training {
        Training::Progressive => (1..=last).map(|end| 0..end).collect(),
        Training::Sequential => (0..last).map(|set| set..set + 1).collect(),
        Training::Union => std::iter::once(0..last).collect(),
    };
    ranges
        .into_iter()
        .map(|range| {
            let lr = step_size(sets, range.end - 1, lr)?;
            let decoded: Vec<Decoded> = sets[range].iter().map(|set| set.decoded.clone()).collect();
            let joined = join_sets(&decoded, classes)?.ok_or_else(|| fail("empty_data", "a stage has no set"))?;
            Ok(Stage { samples: Samples { images: joined.images, labels: joined.labels }, lr })
        })
        .collect()
}

fn step_size(sets: &[LoadedSet], set: usize, lr: StepSize) -> NodeResult<f64> {
    match lr {
        StepSize::Fixed(value) => Ok(value),
        StepSize::Learned => sets[set].step_size.filter(|value| *value > 0.0 && value.is_finite()).ok_or_else(|| {
            let found = sets[set].step_size.map_or_else(|| "none".to_owned(), |value| value.to_string());
            fail("no_step_size", format!("set {} has no usable learned step size: {found}", set + 1))
                .with_help("give a number as `lr`, or use a recipe with a fixed step size, such as `recipe: dsa`")
        }),
    }
}

#[cfg(test)]
mod tests {
    use pddflow_host::Labels;
    use pddflow_tensor::{DType, Device, Tensor};

    use super::*;

    fn set(value: f64, rows: usize, step_size: Option<f64>) -> LoadedSet {
        let images = Tensor::full(value, &[rows, 1, 2, 2], DType::F32, &Device::Cpu).unwrap();
        let labels = Tensor::from_i64(vec![0; rows], &[rows], &Device::Cpu).unwrap();
        LoadedSet {
            decoded: Decoded { images, labels: Labels::Hard(labels) },
            step_size,
            method: String::new(),
            ipc: rows,
        }
    }

    fn shown(training: Training, lr: StepSize) -> Vec<(Vec<f64>, f64)> {
        let sets = [set(1.0, 1, Some(0.1)), set(2.0, 2, Some(0.2)), set(3.0, 1, Some(0.3))];
        let stages = stages(&sets, training, lr, 1).unwrap();
        let first_pixels = |stage: &Stage| {
            let values = stage.samples.images.to_f64_vec().unwrap();
            values.into_iter().step_by(4).collect()
        };
        stages.iter().map(|stage| (first_pixels(stage), stage.lr)).collect()
    }

    #[test]
    fn progressive_stages_grow() {
        let expected = vec![(vec![1.0], 0.1), (vec![1.0, 2.0, 2.0], 0.2), (vec![1.0, 2.0, 2.0, 3.0], 0.3)];
        assert_eq!(shown(Training::Progressive, StepSize::Learned), expected);
    }

    #[test]
    fn sequential_stages_stand_alone() {
        let expected = vec![(vec![1.0], 0.5), (vec![2.0, 2.0], 0.5), (vec![3.0], 0.5)];
        assert_eq!(shown(Training::Sequential, StepSize::Fixed(0.5)), expected);
    }

    #[test]
    fn union_is_one_stage_at_the_last_step_size() {
        assert_eq!(shown(Training::Union, StepSize::Learned), vec![(vec![1.0, 2.0, 2.0, 3.0], 0.3)]);
    }

    #[test]
    fn a_missing_step_size_names_the_set() {
        let sets = [set(1.0, 1, Some(0.1)), set(2.0, 1, None)];
        let error = stages(&sets, Training::Progressive, StepSize::Learned, 1).unwrap_err();
        assert!(error.message.contains("set 2"), "{}", error.message);
    }

    #[test]
    fn soft_labels_make_the_union_soft() {
        let mut soft = set(1.0, 1, None);
        soft.decoded.labels = Labels::Soft(Tensor::from_f32(vec![0.25, 0.75], &[1, 2], &Device::Cpu).unwrap());
        let union = stages(&[set(2.0, 1, None), soft], Training::Union, StepSize::Fixed(0.1), 2).unwrap();
        assert_eq!(union[0].samples.labels.tensor().to_f64_vec().unwrap(), [1.0, 0.0, 0.25, 0.75]);
    }
}
