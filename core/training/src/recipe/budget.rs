//! Equal training: how many epochs each stage gets, so that every way to train presents as many images.
//!
//! `presented: E` stands for as many images as E epochs over the union of all sets have. Of K sets of the same size, these are E
//! epochs of one stage on all of them, E epochs of each stage on one set alone, and 2E / (K + 1) epochs of each progressive stage.
//! Stages have whole epochs: each one gets so many that the images presented up to its end come as near as they can to their
//! share, so that the whole is off by half an epoch of the last stage at most.

/// Budgets of epochs of stages with `images` images each for `presented` epochs over a union of `union` images. A schedule runs
/// `extra` epochs more than its budget; every stage runs at least one.
pub(super) fn budgets(presented: f64, extra: u64, images: &[usize], union: usize) -> Vec<u64> {
    let all = images.iter().sum::<usize>().max(1) as f64;
    let each = presented * union as f64 / all;
    let (mut wanted, mut done) = (0.0, 0.0);
    let stage = |images: &usize| {
        let images = (*images).max(1) as f64;
        wanted += each * images;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 1, and bounded by the check"
        )]
        let epochs = ((wanted - done) / images).round().max(1.0).max(extra as f64) as u64;
        done += epochs as f64 * images;
        epochs - extra
    };
    images.iter().map(stage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images that are presented in all.
    fn presented(budgets: &[u64], extra: u64, images: &[usize]) -> u64 {
        budgets.iter().zip(images).map(|(budget, images)| (budget + extra) * *images as u64).sum()
    }

    #[test]
    fn sets_of_one_size_have_the_epochs_of_the_formula() {
        let progressive = |sets: usize| (1..=sets).map(|set| 20 * set).collect::<Vec<_>>();
        assert_eq!(budgets(300.0, 0, &[100], 100), [300]);
        assert_eq!(budgets(300.0, 0, &[20; 5], 100), [300; 5]);
        assert_eq!(budgets(300.0, 0, &progressive(5), 100), [100; 5]);
        assert_eq!(budgets(300.0, 1, &progressive(5), 100), [99; 5]);
        assert_eq!(budgets(1.5 * 300.0, 1, &[100], 100), [449]);
    }

    #[test]
    fn presented_images_are_equal_within_half_an_epoch_of_the_union() {
        for sets in 1..=12_usize {
            for epochs in [1.0, 2.5, 10.0, 37.0, 300.0, 1001.0] {
                for extra in [0, 1] {
                    for size in [1, 7, 100] {
                        let union = sets * size;
                        let progressive: Vec<usize> = (1..=sets).map(|set| set * size).collect();
                        let uneven: Vec<usize> = (1..=sets).map(|set| set * set * size).collect();
                        let last = *uneven.last().unwrap();
                        let ways =
                            [(vec![union], union), (vec![size; sets], union), (progressive, union), (uneven, last)];
                        for (images, union) in ways {
                            let budgets = budgets(epochs, extra, &images, union);
                            let found = presented(&budgets, extra, &images) as f64;
                            let least = images.iter().sum::<usize>() as f64;
                            let wanted = (epochs * union as f64).max(least);
                            let off = (found - wanted).abs() / union as f64;
                            // Where each stage runs its single epoch there is nothing left to choose.
                            assert!(
                                off <= 0.5 || epochs * union as f64 <= 2.0 * least,
                                "{images:?} {epochs} {extra}: {off}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_stage_runs_one_epoch_at_least() {
        assert_eq!(budgets(1.0, 1, &[10, 20, 30], 30), [0; 3]);
        assert_eq!(budgets(0.01, 0, &[10, 20], 20), [1; 2]);
        assert_eq!(budgets(5.0, 1, &[], 0), [0; 0]);
    }
}
