//! The task in its C form.

use crate::convert::{dtype_number, words};
use crate::types::{InputShape, Problem};
use pddflow_abi as abi;
use pddflow_tensor::{DType, RandomKey};

/// The struct and the arrays that it points to.
pub(crate) struct Numbers {
    raw: Box<abi::Problem>,
    /// Mean, standard deviation, minimum, maximum.
    _channels: [Vec<f64>; 4],
}

impl Numbers {
    pub(crate) fn of(problem: &Problem) -> Self {
        let range = &problem.value_range;
        let channels = [&range.mean, &range.std, &range.min, &range.max].map(|values| {
            // A plugin reads one number for each channel, so there must be as many.
            let last = values.last().copied().unwrap_or(0.0);
            (0..problem.shape.channels).map(|channel| values.get(channel).copied().unwrap_or(last)).collect()
        });
        let mut numbers = Self::bare(problem.shape, problem.classes, problem.dtype, channels);
        let raw = &mut numbers.raw;
        raw.ipc = problem.ipc as u64;
        raw.learnable_rows = problem.learnable_rows as u64;
        raw.seed_key = words(problem.seed_key);
        numbers
    }

    /// What a matcher is told in an iteration; nowhere else is it told how many there will be.
    pub(crate) fn of_iteration(problem: &Problem) -> Self {
        let mut numbers = Self::of(problem);
        numbers.raw.iterations = problem.horizon.unwrap_or(0);
        numbers
    }

    /// What a model is told.
    pub(crate) fn of_model(shape: InputShape, classes: usize, dtype: DType) -> Self {
        let zeros = vec![0.0; shape.channels];
        let ones = vec![1.0; shape.channels];
        Self::bare(shape, classes, dtype, [zeros.clone(), ones.clone(), zeros, ones])
    }

    fn bare(shape: InputShape, classes: usize, dtype: DType, channels: [Vec<f64>; 4]) -> Self {
        let raw = Box::new(abi::Problem {
            size: size_of::<abi::Problem>() as u32,
            dtype: dtype_number(dtype),
            classes: classes as u64,
            channels: shape.channels as u64,
            height: shape.height as u64,
            width: shape.width as u64,
            ipc: 0,
            iterations: 0,
            learnable_rows: 0,
            mean: channels[0].as_ptr(),
            std: channels[1].as_ptr(),
            minimum: channels[2].as_ptr(),
            maximum: channels[3].as_ptr(),
            seed_key: words(RandomKey::from_words([0; 4])),
        });
        Self { raw, _channels: channels }
    }

    pub(crate) fn pointer(&self) -> *const abi::Problem {
        self.raw()
    }

    pub(crate) fn raw(&self) -> &abi::Problem {
        &self.raw
    }
}
