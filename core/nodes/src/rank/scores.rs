//! The scores of accuracies.

use std::f64::consts::E;

/// Accuracies from 0 to 1 of nets, in the order of their numbers; all but `full` of equally many.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Accuracies {
    /// On the set, by its own recipe.
    pub(super) own: Vec<f64>,
    /// On the set with hard labels.
    pub(super) hard: Vec<f64>,
    /// On random real images, by the set's recipe.
    pub(super) random: Vec<f64>,
    /// On all real data: the mean.
    pub(super) full: Option<f64>,
    /// On the set and on random real images, both without augmentation.
    pub(super) plain: Option<[Vec<f64>; 2]>,
}

/// One score with its value for each net.
pub(super) type Score = (&'static str, Vec<f64>);

/// The scores that can be told of these accuracies, by the names of their readings.
pub(super) fn scores(of: &Accuracies, lrs_weight: f64, ars_weight: f64) -> Vec<Score> {
    let ior = differences(&of.own, &of.random);
    let mut found = Vec::new();
    if let Some(full) = of.full {
        let hlr: Vec<f64> = of.hard.iter().map(|hard| full - hard).collect();
        let lrs = ior.iter().zip(&hlr).map(|(ior, hlr)| scaled(lrs_weight * ior - (1.0 - lrs_weight) * hlr)).collect();
        found.extend([("hlr", hlr), ("lrs", lrs)]);
    }
    if let Some([own, random]) = &of.plain {
        let plain = differences(own, random);
        let ars =
            ior.iter().zip(&plain).map(|(ior, plain)| scaled(ars_weight * ior + (1.0 - ars_weight) * plain)).collect();
        found.push(("ars", ars));
    }
    found.push(("ior", ior));
    found
}

fn differences(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().zip(other).map(|(one, other)| one - other).collect()
}

/// From -1..1 to 0..1.
fn scaled(value: f64) -> f64 {
    (libm::exp(value) - 1.0 / E) / (E - 1.0 / E)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 5e-4, "{found} is not {expected}");
    }

    #[test]
    fn scores_are_those_of_shares_and_not_of_percent() {
        near(scaled(0.0), 0.269);
        near(scaled(1.0), 1.0);
        near(scaled(-1.0), 0.0);
        // A perfect set where random images give 0.3: IOR 0.7, HLR 0.
        let of = Accuracies {
            own: vec![1.0],
            hard: vec![1.0],
            random: vec![0.3],
            full: Some(1.0),
            plain: Some([vec![0.5], vec![0.5]]),
        };
        let found = scores(&of, 0.5, 0.5);
        let score = |name: &str| found.iter().find(|(own, _)| *own == name).unwrap().1[0];
        near(score("hlr"), 0.0);
        near(score("ior"), 0.7);
        near(score("lrs"), 0.447);
        near(score("ars"), 0.447);
        near(scores(&of, 0.0, 1.0)[1].1[0], 0.269);
    }

    #[test]
    fn nets_are_compared_one_by_one() {
        let of = Accuracies {
            own: vec![0.5, 0.75],
            hard: vec![0.5, 0.75],
            random: vec![0.25, 0.25],
            full: Some(1.0),
            plain: None,
        };
        let found = scores(&of, 0.5, 0.5);
        assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["hlr", "lrs", "ior"]);
        assert_eq!((&found[0].1, &found[2].1), (&vec![0.5, 0.25], &vec![0.25, 0.5]));
    }
}
