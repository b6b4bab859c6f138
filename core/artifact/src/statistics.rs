//! Mean, standard deviation and interval: one definition for tables, figures and comparisons of runs.
//!
//! Every standard deviation is that of a sample (divisor n - 1). Accuracies are grouped by seed: the mean is the mean over
//! the seeds' means, and the deviation between seeds and that between nets of one seed are two numbers, since only the
//! first says how far a repeated experiment would differ.

use std::collections::BTreeMap;

/// Quantiles of Student's t distribution at 0.975 for 1 to 30 degrees of freedom (any table of the distribution).
const T_975: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The quantile of the normal distribution, for more degrees of freedom.
const NORMAL_975: f64 = 1.960;

/// Mean of values; 0 for none.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Sample standard deviation (divisor n - 1); `None` for fewer than two values.
#[must_use]
pub fn sample_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// Metrics of a record: mean and, for several nets, standard deviation in percent of accuracies from 0 to 1, under `name`
/// and `name_std`.
pub fn accuracy_metrics(name: &str, accuracies: &[f64]) -> impl Iterator<Item = (String, f64)> + use<> {
    let deviation = sample_deviation(accuracies).map(|std| (format!("{name}_std"), 100.0 * std));
    [Some((name.to_owned(), 100.0 * mean(accuracies))), deviation].into_iter().flatten()
}

/// Accuracies of nets, grouped by the seed of the experiment that made them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BySeed(BTreeMap<u64, Vec<f64>>);

impl BySeed {
    /// Adds nets of one seed.
    pub fn add(&mut self, seed: u64, values: impl IntoIterator<Item = f64>) {
        self.0.entry(seed).or_default().extend(values);
    }

    /// Number of seeds.
    #[must_use]
    pub fn seeds(&self) -> usize {
        self.0.len()
    }

    /// Number of nets of all seeds.
    #[must_use]
    pub fn nets(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// All values, seed by seed.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        self.0.values().flatten().copied().collect()
    }

    /// Mean over the seeds' means.
    #[must_use]
    pub fn mean(&self) -> f64 {
        mean(&self.seed_means())
    }

    /// Sample standard deviation of the seeds' means; `None` for one seed.
    #[must_use]
    pub fn between_seeds(&self) -> Option<f64> {
        sample_deviation(&self.seed_means())
    }

    /// Sample standard deviation between nets of one seed: the root of the mean variance over the seeds; `None` when no
    /// seed has two nets.
    #[must_use]
    pub fn between_nets(&self) -> Option<f64> {
        let deviations = self.0.values().filter_map(|values| sample_deviation(values));
        let variances: Vec<f64> = deviations.map(|deviation| deviation * deviation).collect();
        (!variances.is_empty()).then(|| mean(&variances).sqrt())
    }

    /// The deviation to show beside the mean: between seeds where there are several, else between nets.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        self.between_seeds().or_else(|| if self.seeds() == 1 { self.between_nets() } else { None })
    }

    /// The mean difference to `other` over the seeds that both have, with the half-width of its 95 % confidence interval
    /// (paired t interval); `None` when they share no seed.
    #[must_use]
    pub fn paired_difference(&self, other: &Self) -> Option<Difference> {
        let pairs = self.0.iter().filter_map(|(seed, values)| Some(mean(values) - mean(other.0.get(seed)?)));
        let differences: Vec<f64> = pairs.collect();
        if differences.is_empty() {
            return None;
        }
        let count = differences.len();
        let half_width = sample_deviation(&differences).map(|deviation| {
            let quantile = T_975.get(count - 2).copied().unwrap_or(NORMAL_975);
            quantile * deviation / (count as f64).sqrt()
        });
        Some(Difference { mean: mean(&differences), half_width, seeds: count })
    }

    fn seed_means(&self) -> Vec<f64> {
        self.0.values().map(|values| mean(values)).collect()
    }
}

/// A paired difference between two rows of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Mean over the seeds.
    pub mean: f64,
    /// Half of the 95 % confidence interval; `None` for one seed, which says nothing of the spread.
    pub half_width: Option<f64>,
    /// Seeds that both rows have.
    pub seeds: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_seed(groups: &[(u64, &[f64])]) -> BySeed {
        let mut all = BySeed::default();
        for (seed, values) in groups {
            all.add(*seed, values.iter().copied());
        }
        all
    }

    #[test]
    fn deviations_are_those_of_a_sample() {
        assert_eq!((mean(&[1.0, 3.0]), sample_deviation(&[1.0, 3.0])), (2.0, Some(2.0_f64.sqrt())));
        assert_eq!((mean(&[]), sample_deviation(&[1.0])), (0.0, None));
    }

    #[test]
    fn every_seed_counts_once_however_many_nets_it_has() {
        let all = by_seed(&[(0, &[1.0, 3.0]), (1, &[8.0])]);
        assert_eq!(all.mean(), 5.0);
        assert_eq!(all.between_seeds(), Some(18.0_f64.sqrt()));
        assert_eq!(all.between_nets(), Some(2.0_f64.sqrt()));
        assert_eq!((all.seeds(), all.nets()), (2, 3));
    }

    #[test]
    fn one_seed_shows_the_deviation_between_its_nets() {
        assert_eq!(by_seed(&[(0, &[1.0, 3.0])]).deviation(), Some(2.0_f64.sqrt()));
        assert_eq!(by_seed(&[(0, &[1.0])]).deviation(), None);
        assert_eq!(by_seed(&[(0, &[1.0]), (1, &[3.0])]).deviation(), Some(2.0_f64.sqrt()));
    }

    #[test]
    fn a_paired_difference_has_a_t_interval_over_common_seeds() {
        let one = by_seed(&[(0, &[2.0]), (1, &[4.0]), (2, &[6.0]), (7, &[100.0])]);
        let other = by_seed(&[(0, &[1.0]), (1, &[2.0]), (2, &[3.0])]);
        let found = one.paired_difference(&other).unwrap();
        // Differences 1, 2, 3: mean 2, deviation 1, t(2) = 4.303.
        assert_eq!((found.mean, found.seeds), (2.0, 3));
        assert!((found.half_width.unwrap() - 4.303 / 3.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(one.paired_difference(&by_seed(&[(9, &[1.0])])), None);
        let single = by_seed(&[(0, &[3.0])]).paired_difference(&by_seed(&[(0, &[1.0])])).unwrap();
        assert_eq!((single.mean, single.half_width), (2.0, None));
    }
}
