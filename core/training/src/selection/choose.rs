//! Which rows of one class are chosen (`methods.md` 9).
//!
//! Every function takes the features of one class's images and returns row numbers in the order chosen. Ties go to the
//! lower row. Distances are Euclidean, summed in double precision in a fixed order, so the choice does not depend on threads.
//! Features are read as they are stored: large ones are limited by the memory that they are read from.

use pddflow_tensor::RandomKey;
use rayon::prelude::*;

/// Rounds of Lloyd's algorithm after which k-means stops even if the clusters still change.
const KMEANS_ROUNDS: usize = 100;

/// Partial sums of a distance, so that additions need not wait for each other.
const SUMS: usize = 8;

/// A number of a feature: `f32` or `f64`.
pub trait Number: Copy + Into<f64> + Sync {}

impl Number for f32 {}
impl Number for f64 {}

/// Features of the images of one class.
#[derive(Clone, Copy, Debug)]
pub struct Features<'a, T> {
    values: &'a [T],
    width: usize,
}

impl<'a, T: Number> Features<'a, T> {
    /// Row-major features, `width` numbers for each image.
    #[must_use]
    pub fn new(values: &'a [T], width: usize) -> Self {
        Self { values, width: width.max(1) }
    }

    /// Number of images.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    fn row(&self, row: usize) -> &'a [T] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        for row in 0..self.rows() {
            add(&mut mean, self.row(row));
        }
        let rows = self.rows().max(1) as f64;
        mean.iter_mut().for_each(|value| *value /= rows);
        mean
    }

    /// A row as a point.
    fn point(&self, row: usize) -> Vec<f64> {
        self.row(row).iter().map(|&value| value.into()).collect()
    }

    /// Squared distance of every row to `point`.
    fn distances(&self, point: &[f64]) -> Vec<f64> {
        self.values.par_chunks(self.width).map(|row| squared_distance(row, point)).collect()
    }
}

/// Herding: at step k the unchosen row that minimises `|(k + 1) * mean - sum of the chosen - row|`.
///
/// This is the rule of the distillation papers (DatasetCondensation issue 15, IDC's coreset file). DeepCore maximises the
/// same distance, which is a different selection.
#[must_use]
pub fn herding<T: Number>(features: Features<'_, T>, count: usize) -> Vec<usize> {
    let mean = features.mean();
    let mut target = vec![0.0; features.width];
    let mut free = vec![true; features.rows()];
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count.min(features.rows()) {
        add(&mut target, &mean);
        let Some(row) = smallest(&features.distances(&target), &free) else { break };
        target.iter_mut().zip(features.row(row)).for_each(|(target, &value)| *target -= value.into());
        free[row] = false;
        chosen.push(row);
    }
    chosen
}

/// Greedy k-center: the row closest to the mean, then always the row whose nearest chosen row is farthest.
#[must_use]
pub fn k_center<T: Number>(features: Features<'_, T>, count: usize) -> Vec<usize> {
    let free = vec![true; features.rows()];
    let first = smallest(&features.distances(&features.mean()), &free);
    farthest_first(features, first, count)
}

/// Greedy k-center from a random first row (DeepCore's variant).
#[must_use]
pub fn k_center_random_start<T: Number>(features: Features<'_, T>, count: usize, key: RandomKey) -> Vec<usize> {
    let rows = features.rows();
    let first = (rows > 0).then(|| key.choose(rows, 1)[0]);
    farthest_first(features, first, count)
}

fn farthest_first<T: Number>(features: Features<'_, T>, first: Option<usize>, count: usize) -> Vec<usize> {
    let count = count.min(features.rows());
    let (Some(first), true) = (first, count > 0) else { return Vec::new() };
    let mut chosen = vec![first];
    let mut nearest = features.distances(&features.point(first));
    nearest[first] = f64::NEG_INFINITY;
    while chosen.len() < count {
        let row = largest(&nearest);
        for (near, distance) in nearest.iter_mut().zip(features.distances(&features.point(row))) {
            *near = near.min(distance);
        }
        nearest[row] = f64::NEG_INFINITY;
        chosen.push(row);
    }
    chosen
}

/// `count` different rows, uniformly.
#[must_use]
pub fn random(rows: usize, count: usize, key: RandomKey) -> Vec<usize> {
    key.choose(rows, count.min(rows))
}

/// The rows with the highest scores.
#[must_use]
pub fn highest(scores: &[f64], count: usize) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..scores.len()).collect();
    rows.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    rows.truncate(count);
    rows
}

/// k-means with as many clusters as rows are wanted; from each cluster the row nearest to its centre.
///
/// Centres start by k-means++. A row that is nearest to two centres is taken once, the second centre takes its next
/// nearest, so that always `count` different rows come out.
#[must_use]
pub fn k_means<T: Number>(features: Features<'_, T>, count: usize, key: RandomKey) -> Vec<usize> {
    let count = count.min(features.rows());
    let mut centres = spread_centres(features, count, key);
    let mut owners = nearest_centres(features, &centres);
    for _ in 0..KMEANS_ROUNDS {
        move_centres(features, &owners, &mut centres);
        let next = nearest_centres(features, &centres);
        if next == owners {
            break;
        }
        owners = next;
    }
    let mut free = vec![true; features.rows()];
    let mut chosen = Vec::with_capacity(count);
    for centre in &centres {
        if let Some(row) = smallest(&features.distances(centre), &free) {
            free[row] = false;
            chosen.push(row);
        }
    }
    chosen
}

/// k-means++: each further centre is a row drawn with a probability proportional to its squared distance to the nearest.
fn spread_centres<T: Number>(features: Features<'_, T>, count: usize, key: RandomKey) -> Vec<Vec<f64>> {
    let draws = key.uniform_f64(count);
    let mut centres: Vec<Vec<f64>> = Vec::with_capacity(count);
    let mut nearest = vec![f64::INFINITY; features.rows()];
    for draw in draws {
        let row = if centres.is_empty() { uniform_row(draw, features.rows()) } else { weighted_row(draw, &nearest) };
        centres.push(features.point(row));
        for (near, distance) in nearest.iter_mut().zip(features.distances(&features.point(row))) {
            *near = near.min(distance);
        }
    }
    centres
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the draw is in [0, 1)")]
fn uniform_row(draw: f64, rows: usize) -> usize {
    ((draw * rows as f64) as usize).min(rows.saturating_sub(1))
}

fn weighted_row(draw: f64, weights: &[f64]) -> usize {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return uniform_row(draw, weights.len());
    }
    let mut left = draw * total;
    for (row, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return row;
        }
    }
    largest(weights)
}

fn nearest_centres<T: Number>(features: Features<'_, T>, centres: &[Vec<f64>]) -> Vec<usize> {
    features
        .values
        .par_chunks(features.width)
        .map(|row| {
            let distances: Vec<f64> = centres.iter().map(|centre| squared_distance(row, centre)).collect();
            smallest(&distances, &vec![true; distances.len()]).unwrap_or(0)
        })
        .collect()
}

/// Each centre becomes the mean of its rows; a centre without rows stays.
fn move_centres<T: Number>(features: Features<'_, T>, owners: &[usize], centres: &mut [Vec<f64>]) {
    for (number, centre) in centres.iter_mut().enumerate() {
        let own: Vec<usize> = (0..owners.len()).filter(|row| owners[*row] == number).collect();
        if own.is_empty() {
            continue;
        }
        centre.fill(0.0);
        own.iter().for_each(|row| add(centre, features.row(*row)));
        centre.iter_mut().for_each(|value| *value /= own.len() as f64);
    }
}

fn add<T: Number>(sum: &mut [f64], row: &[T]) {
    sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value.into());
}

fn squared_distance<T: Number>(a: &[T], b: &[f64]) -> f64 {
    let square = |a: T, b: f64| (a.into() - b) * (a.into() - b);
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    let mut sums = [0.0; SUMS];
    for (a, b) in a.iter().zip(b) {
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += square(a, b);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| square(a, b)).sum();
    sums.iter().sum::<f64>() + rest
}

fn smallest(values: &[f64], free: &[bool]) -> Option<usize> {
    let free_rows = (0..values.len()).filter(|row| free[*row]);
    free_rows.min_by(|a, b| values[*a].total_cmp(&values[*b]))
}

/// The first row with the largest value; 0 for an empty list.
fn largest(values: &[f64]) -> usize {
    (0..values.len()).rev().max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds on a line, around 0 and around 10.
    const LINE: [f64; 6] = [0.0, 0.2, -0.2, 10.0, 10.3, 9.7];

    fn sorted(mut rows: Vec<usize>) -> Vec<usize> {
        rows.sort_unstable();
        rows
    }

    #[test]
    fn herding_of_the_whole_class_takes_every_row_and_starts_at_the_mean() {
        let chosen = herding(Features::new(&LINE, 1), 6);
        assert_eq!(sorted(chosen.clone()), [0, 1, 2, 3, 4, 5]);
        assert_eq!(chosen[0], 5, "the mean is 5, and 9.7 is the nearest row");
    }

    #[test]
    fn k_means_takes_one_row_from_each_cloud() {
        let chosen = sorted(k_means(Features::new(&LINE, 1), 2, RandomKey::new(0)));
        assert_eq!(chosen, [0, 3]);
    }

    #[test]
    fn k_means_of_equal_rows_gives_different_rows() {
        let chosen = sorted(k_means(Features::new(&[1.0; 4], 1), 4, RandomKey::new(1)));
        assert_eq!(chosen, [0, 1, 2, 3]);
    }

    #[test]
    fn k_center_alternates_between_the_clouds() {
        let chosen = k_center(Features::new(&LINE, 1), 2);
        assert_eq!(chosen, [5, 2], "9.7 is nearest to the mean, -0.2 farthest from it");
    }

    #[test]
    fn k_center_never_repeats_a_row() {
        let chosen = sorted(k_center_random_start(Features::new(&[2.0; 5], 1), 5, RandomKey::new(4)));
        assert_eq!(chosen, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn more_rows_than_there_are_gives_all() {
        assert_eq!(random(3, 9, RandomKey::new(0)).len(), 3);
        assert_eq!(highest(&[1.0, 3.0, 3.0], 9), [1, 2, 0]);
    }
}
