//! The legs of an evaluation.

use pddflow_artifact::failure::NodeResult;
use pddflow_training::protocol::{Leg, Numbers, Pool, Training, stage_sets, step_size};

/// A leg for each stage; `learned` are the sets' own step sizes. In `Union` a learned step size is that of the last set.
pub(super) fn legs(
    pool: &Pool,
    learned: &[Option<f64>],
    training: Training,
    numbers: &Numbers,
    test_rows: usize,
) -> NodeResult<Vec<Leg>> {
    let stages = stage_sets(training, learned.len());
    let count = stages.len();
    let leg = |(stage, sets): (usize, std::ops::Range<usize>)| {
        let newest = sets.end - 1;
        let lr = step_size(&numbers.lr, stage, count, &[(newest, learned[newest])])?;
        Ok(Leg {
            rows: pool.rows(sets),
            lr: lr * numbers.late_factor(stage),
            fresh: stage == 0,
            test_rows,
            phase: 1,
            stage: stage + 1,
        })
    };
    stages.into_iter().enumerate().map(leg).collect()
}

/// The one leg on real images.
pub(super) fn full_leg(rows: Vec<usize>, numbers: &Numbers, test_rows: usize) -> NodeResult<Leg> {
    let lr = step_size(&numbers.lr, 0, 1, &[(0, None)])?;
    Ok(Leg { rows, lr, fresh: true, test_rows, phase: 1, stage: 1 })
}

#[cfg(test)]
mod tests {
    use pddflow_host::{Decoded, Labels};
    use pddflow_tensor::{DType, Device, Tensor};
    use serde_json::{Value, json};

    use super::*;
    use pddflow_training::protocol::{RecipeParams, pool_of};

    fn numbers(with: &Value) -> Numbers {
        let mut all = json!({ "model": "convnet" });
        all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        Numbers::of(&serde_json::from_value::<RecipeParams>(all).unwrap()).unwrap()
    }

    fn pool(rows: &[usize]) -> Pool {
        let set = |rows: &usize| Decoded {
            images: Tensor::full(0.0, &[*rows, 1, 1, 1], DType::F32, &Device::Cpu).unwrap(),
            labels: Labels::Hard(Tensor::from_i64(vec![0; *rows], &[*rows], &Device::Cpu).unwrap()),
        };
        pool_of(&rows.iter().map(set).collect::<Vec<_>>(), 1).unwrap()
    }

    fn shown(training: Training, with: &Value) -> Vec<(Vec<usize>, f64)> {
        let learned = [Some(0.1), Some(0.2), Some(0.3)];
        let legs = legs(&pool(&[1, 2, 1]), &learned, training, &numbers(with), 5).unwrap();
        assert!(legs.iter().enumerate().all(|(at, leg)| leg.fresh == (at == 0) && leg.stage == at + 1));
        legs.into_iter().map(|leg| (leg.rows, leg.lr)).collect()
    }

    #[test]
    fn progressive_stages_grow_at_their_own_step_sizes() {
        let expected = vec![(vec![0], 0.1), (vec![0, 1, 2], 0.2), (vec![0, 1, 2, 3], 0.3)];
        assert_eq!(shown(Training::Progressive, &json!({ "recipe": "pdd_mtt" })), expected);
    }

    #[test]
    fn sequential_stages_stand_alone() {
        let expected = vec![(vec![0], 0.5), (vec![1, 2], 0.4), (vec![3], 0.3)];
        assert_eq!(shown(Training::Sequential, &json!({ "lr": [0.5, 0.4, 0.3] })), expected);
    }

    #[test]
    fn a_union_is_one_stage_at_the_last_step_size() {
        assert_eq!(shown(Training::Union, &json!({ "lr": "learned" })), vec![(vec![0, 1, 2, 3], 0.3)]);
    }

    #[test]
    fn late_stages_train_at_half_the_step_size() {
        let lr: Vec<f64> = shown(Training::Progressive, &json!({ "lr": 1.0, "halve_lr_after_sets": 2 }))
            .into_iter()
            .map(|(_, lr)| lr)
            .collect();
        assert_eq!(lr, [1.0, 1.0, 0.5]);
    }

    #[test]
    fn a_missing_step_size_names_the_set() {
        let learned = [Some(0.1), None];
        let numbers = numbers(&json!({ "lr": "learned" }));
        let error = legs(&pool(&[1, 1]), &learned, Training::Progressive, &numbers, 1).unwrap_err();
        assert!(error.message.contains("set 2"), "{}", error.message);
    }
}
