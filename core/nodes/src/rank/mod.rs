//! The kind `rank`: how good a set is beyond its labels and its augmentation, by the scores of DD-Ranking.
//!
//! | score | what |
//! |---|---|
//! | HLR | hard label recovery: accuracy on all real data minus that on the set, both with hard labels |
//! | IOR | improvement over random: accuracy on the set by its own recipe minus that on as many random real images by the same |
//! | LRS | label robust score, `s(w IOR - (1 - w) HLR)`, w = 0.5 |
//! | ARS | augmentation robust score, `s(g a + (1 - g) p)`, g = 0.5: a is IOR, p the same without augmentation |
//!
//! with `s(x) = (e^x - e^-1) / (e - e^-1)` and accuracies from 0 to 1, so that a score is from 0 to 1 (Li et al., "DD-Ranking:
//! Rethinking the Evaluation of Dataset Distillation", 2025, release of June 2025). The release takes accuracies in percent to the
//! exponential function, repeats nothing by its seeds, and chooses epoch and learning rate on the test images; here they are
//! shares, every training is an `evaluate` node of its own, and the moment is the one that `reading` names.
//!
//! Nets of several evaluations are compared in the order of their numbers: the first net on the set with the first one on random
//! images, and so on. Of the training on all real data the mean counts.

mod node;
mod params;
mod scores;

pub(crate) use node::RankKind;
