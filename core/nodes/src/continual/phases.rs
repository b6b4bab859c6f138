//! Which sets belong to which phase.

use std::collections::BTreeSet;

use pddflow_artifact::failure::{NodeResult, fail};

use super::load::PartSet;

/// The classes of one phase and its sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PhaseSets {
    /// Its classes.
    pub(super) ids: BTreeSet<usize>,
    /// Places of its sets, in the order of their stages.
    pub(super) sets: Vec<usize>,
}

/// Groups sets by their classes: sets of the same classes are stages of one phase, and phases come in the order of their
/// first sets. Phases may not share a class.
pub(super) fn phases(sets: &[PartSet], class_names: &[String]) -> NodeResult<Vec<PhaseSets>> {
    let mut phases: Vec<PhaseSets> = Vec::new();
    for (place, set) in sets.iter().enumerate() {
        let ids: BTreeSet<usize> = set.ids.iter().copied().collect();
        if let Some(phase) = phases.iter_mut().find(|phase| phase.ids == ids) {
            phase.sets.push(place);
            continue;
        }
        for earlier in &phases {
            let shared: Vec<&str> =
                ids.intersection(&earlier.ids).filter_map(|id| class_names.get(*id)).map(String::as_str).collect();
            if !shared.is_empty() {
                let (first, second) = (&sets[earlier.sets[0]].from, &set.from);
                let message = format!("the sets of `{first}` and `{second}` share classes: {}", shared.join(", "));
                return Err(fail("class_overlap", message)
                    .with_help("the classes of a phase must be new; sets of one phase have exactly the same classes"));
            }
        }
        phases.push(PhaseSets { ids, sets: vec![place] });
    }
    Ok(phases)
}

/// Number of classes after each phase.
pub(super) fn classes_seen(phases: &[PhaseSets]) -> Vec<usize> {
    let mut seen = 0;
    let mut after = |phase: &PhaseSets| {
        seen += phase.ids.len();
        seen
    };
    phases.iter().map(&mut after).collect()
}

/// Test rows in the order of the phases of their classes, and how many there are after each phase.
pub(super) fn test_order(phases: &[PhaseSets], class_rows: &[Vec<usize>]) -> (Vec<usize>, Vec<usize>) {
    let (mut rows, mut ends) = (Vec::new(), Vec::new());
    for phase in phases {
        rows.extend(phase.ids.iter().filter_map(|class| class_rows.get(*class)).flatten().copied());
        ends.push(rows.len());
    }
    (rows, ends)
}

#[cfg(test)]
pub(super) mod tests {
    use pddflow_host::{Decoded, Labels};
    use pddflow_tensor::{DType, Device, Tensor};

    use super::*;

    /// A set of one image per class.
    pub(in crate::continual) fn part(from: &str, ids: &[usize], step_size: Option<f64>) -> PartSet {
        let labels = ids.iter().map(|id| *id as i64).collect();
        PartSet {
            from: from.to_owned(),
            decoded: Decoded {
                images: Tensor::full(0.0, &[ids.len(), 1, 1, 1], DType::F32, &Device::Cpu).unwrap(),
                labels: Labels::Hard(Tensor::from_i64(labels, &[ids.len()], &Device::Cpu).unwrap()),
            },
            step_size,
            method: "m".into(),
            ipc: 1,
            ids: ids.to_vec(),
            recipe: serde_json::Value::Null,
            made_by: serde_json::Value::Null,
        }
    }

    fn names() -> Vec<String> {
        ["a", "b", "c", "d"].map(str::to_owned).to_vec()
    }

    #[test]
    fn sets_of_the_same_classes_are_stages_of_one_phase() {
        let sets = [part("x", &[2, 0], None), part("y", &[3], None), part("z", &[0, 2], None)];
        let found = phases(&sets, &names()).unwrap();
        assert_eq!(found.iter().map(|phase| phase.sets.clone()).collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
        assert_eq!(classes_seen(&found), [2, 3]);
    }

    #[test]
    fn phases_that_share_a_class_are_refused() {
        let error = phases(&[part("x", &[0, 1], None), part("y", &[1, 2], None)], &names()).unwrap_err();
        assert_eq!(error.code, "pddflow::nodes::class_overlap");
        assert!(error.message.contains("`x` and `y` share classes: b"), "{}", error.message);
    }

    #[test]
    fn tests_of_a_phase_come_after_those_before() {
        let sets = [part("x", &[2], None), part("y", &[0], None)];
        let found = phases(&sets, &names()).unwrap();
        let rows = [vec![1, 4], vec![0], vec![2, 3, 5], vec![]];
        assert_eq!(test_order(&found, &rows), (vec![2, 3, 5, 1, 4], vec![3, 5]));
    }
}
