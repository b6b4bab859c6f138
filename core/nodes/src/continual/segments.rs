//! The segments of class-incremental learning; the tables of the parent module in code.

use std::collections::BTreeSet;

use pddflow_artifact::failure::NodeResult;
use pddflow_training::recipe::Recipe;
use pddflow_training::segments::{JoinedSets, Training, stage_sets};
use pddflow_training::trainer::Segment;

use super::load::PartSet;
use super::params::Mode;
use super::phases::PhaseSets;

/// Stages of the phase that has most of them.
pub(super) fn stages_of_a_phase(phases: &[PhaseSets], training: Training) -> usize {
    phases.iter().map(|phase| stage_sets(training, phase.sets.len()).len()).max().unwrap_or(0)
}

/// The segments of all phases. Where the number of presented images is given, it is that of each phase, in epochs over all sets
/// that the phase trains on.
pub(super) fn segments(
    (joined, sets): (&JoinedSets, &[PartSet]),
    phases: &[PhaseSets],
    (mode, training): (Mode, Training),
    recipe: &Recipe,
) -> NodeResult<Vec<Segment>> {
    let mut segments = Vec::new();
    for number in 0..phases.len() {
        let so_far = &phases[..=number];
        let stages = match mode {
            Mode::Fresh => fresh_stages(so_far, training),
            Mode::Continue => continued_stages(so_far, training),
        };
        let count = stages.len();
        let images: Vec<usize> = stages.iter().map(|stage| joined.rows(stage.trained.iter().copied()).len()).collect();
        let union: BTreeSet<usize> = stages.iter().flat_map(|stage| stage.trained.iter().copied()).collect();
        let budgets = recipe.budgets(&images, joined.rows(union).len());
        for (stage, Stage { trained, newest }) in stages.into_iter().enumerate() {
            let learned: Vec<(usize, Option<f64>)> = newest.iter().map(|set| (*set, sets[*set].step_size)).collect();
            let lr = recipe.lr.of_stage(stage, count, &learned)? * recipe.late_factor(stage);
            segments.push(Segment {
                epochs: budgets.get(stage).copied(),
                fresh: stage == 0 && (number == 0 || mode == Mode::Fresh),
                phase: number + 1,
                stage: stage + 1,
                ..joined.segment(trained, lr)
            });
        }
    }
    Ok(segments)
}

/// The sets of one stage.
struct Stage {
    trained: Vec<usize>,
    /// Those that a learned learning rate is taken from.
    newest: Vec<usize>,
}

/// Every phase so far gives its share to each stage; one with fewer sets than others stays at its last.
fn fresh_stages(phases: &[PhaseSets], training: Training) -> Vec<Stage> {
    let most = phases.iter().map(|phase| phase.sets.len()).max().unwrap_or(0);
    let stage = |number: usize| {
        let (mut trained, mut newest) = (Vec::new(), Vec::new());
        for phase in phases {
            let own = stage_sets(training, phase.sets.len());
            let own = &phase.sets[own[number.min(own.len() - 1)].clone()];
            trained.extend(own);
            newest.extend(own.last());
        }
        Stage { trained, newest }
    };
    (0..stage_sets(training, most).len()).map(stage).collect()
}

/// All of the earlier phases, with the last phase's share.
fn continued_stages(phases: &[PhaseSets], training: Training) -> Vec<Stage> {
    let Some((last, earlier)) = phases.split_last() else { return Vec::new() };
    let before: Vec<usize> = earlier.iter().flat_map(|phase| phase.sets.iter().copied()).collect();
    let stage = |range: std::ops::Range<usize>| {
        let own = &last.sets[range];
        Stage {
            trained: before.iter().chain(own).copied().collect(),
            newest: own.last().copied().into_iter().collect(),
        }
    };
    stage_sets(training, last.sets.len()).into_iter().map(stage).collect()
}

#[cfg(test)]
mod tests {
    use pddflow_training::recipe::ProtocolParams;
    use serde_json::{Value, json};

    use super::super::phases::tests::part;
    use super::super::phases::{phases, test_order};
    use super::*;

    /// Two phases of one class each, the first with two sets and the second with one; row r of the pool is set r.
    fn shown(mode: Mode, training: Training, lr: &Value) -> Vec<(usize, usize, bool, Vec<usize>, f64, usize)> {
        let sets = [part("a", &[0], Some(0.1)), part("b", &[0], Some(0.2)), part("c", &[1], Some(0.4))];
        let names = ["zero".to_owned(), "one".to_owned()];
        let phases = phases(&sets, &names).unwrap();
        let joined = JoinedSets::new(&sets.clone().map(|set| set.decoded), 2).unwrap();
        let (_, ends) = test_order(&phases, &[vec![0, 1], vec![2]]);
        let params: ProtocolParams = serde_json::from_value(json!({ "lr": lr })).unwrap();
        let recipe = Recipe::of(&params, &[], 1).unwrap();
        let found = segments((&joined, &sets), &phases, (mode, training), &recipe).unwrap();
        let show = |one: Segment| {
            let lr = (one.lr * 1e6).round() / 1e6;
            (one.phase, one.stage, one.fresh, one.rows.unwrap(), lr, ends[one.phase - 1])
        };
        found.into_iter().map(show).collect()
    }

    #[test]
    fn fresh_nets_train_on_the_first_sets_of_all_phases_first() {
        assert_eq!(
            shown(Mode::Fresh, Training::Progressive, &json!("learned")),
            [
                (1, 1, true, vec![0], 0.1, 2),
                (1, 2, false, vec![0, 1], 0.2, 2),
                (2, 1, true, vec![0, 2], 0.25, 3),
                (2, 2, false, vec![0, 1, 2], 0.3, 3),
            ]
        );
    }

    #[test]
    fn a_continued_net_keeps_all_of_the_earlier_phases() {
        assert_eq!(
            shown(Mode::Continue, Training::Progressive, &json!("learned")),
            [(1, 1, true, vec![0], 0.1, 2), (1, 2, false, vec![0, 1], 0.2, 2), (2, 1, false, vec![0, 1, 2], 0.4, 3),]
        );
    }

    #[test]
    fn a_union_is_one_stage_of_the_whole_memory() {
        let union = [(1, 1, true, vec![0, 1], 0.5, 2), (2, 1, true, vec![0, 1, 2], 0.5, 3)];
        assert_eq!(shown(Mode::Fresh, Training::Union, &json!(0.5)), union);
    }

    #[test]
    fn sequential_stages_take_one_set_of_each_phase() {
        let rows = |mode| -> Vec<Vec<usize>> {
            shown(mode, Training::Sequential, &json!(0.5)).into_iter().map(|segment| segment.3).collect()
        };
        assert_eq!(rows(Mode::Fresh), [vec![0], vec![1], vec![0, 2], vec![1, 2]]);
        assert_eq!(rows(Mode::Continue), [vec![0], vec![1], vec![0, 1, 2]]);
    }
}
