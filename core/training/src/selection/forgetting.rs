//! Forgetting scores (Toneva et al., ICLR 2019, and their code).

use serde::{Deserialize, Serialize};

/// What is known of each example while one net is trained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Events so far.
    pub events: Vec<u64>,
    /// Whether it was right at its last presentation.
    pub last: Vec<bool>,
    /// Whether it was ever right.
    pub learned: Vec<bool>,
    /// Epochs that were noted.
    pub epochs: u64,
}

impl Tally {
    /// Nothing is known of so many examples.
    #[must_use]
    pub fn new(examples: usize) -> Self {
        let none = vec![false; examples];
        Self { events: vec![0; examples], last: none.clone(), learned: none, epochs: 0 }
    }

    /// Notes one epoch: whether each example was right when it was presented, before the step.
    pub fn note(&mut self, correct: &[bool]) {
        for (example, correct) in correct.iter().enumerate() {
            self.events[example] += u64::from(self.last[example] && !correct);
            self.learned[example] |= correct;
            self.last[example] = *correct;
        }
        self.epochs += 1;
    }

    /// The events of each example, the number of epochs for one that was never right: it is the hardest there is.
    /// (DeepCore leaves such examples at 0.)
    #[must_use]
    pub fn scores(&self) -> Vec<u64> {
        let score = |(events, learned): (&u64, &bool)| if *learned { *events } else { self.epochs };
        self.events.iter().zip(&self.learned).map(score).collect()
    }
}

/// Number of forgetting events of each example, summed over runs.
///
/// `correct[run][epoch][example]` says whether the example was right when it was presented in that epoch, before the step.
/// An event is right at one presentation and wrong at the next; see [`Tally::scores`] for examples that were never right.
#[must_use]
pub fn forgetting_scores(correct: &[Vec<Vec<bool>>]) -> Vec<u64> {
    let examples = correct.first().and_then(|run| run.first()).map_or(0, Vec::len);
    let mut scores = vec![0; examples];
    for run in correct {
        let mut tally = Tally::new(examples);
        run.iter().for_each(|epoch| tally.note(epoch));
        scores.iter_mut().zip(tally.scores()).for_each(|(sum, score)| *sum += score);
    }
    scores
}

/// Examples by ascending score, ties by row: the easiest first.
#[must_use]
pub fn easiest_first(scores: &[u64]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..scores.len()).collect();
    rows.sort_by_key(|row| (scores[*row], *row));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Epochs in columns: right is `x`.
    fn run(examples: &[&str]) -> Vec<Vec<bool>> {
        let epochs = examples.iter().map(|line| line.len()).max().unwrap_or(0);
        (0..epochs).map(|epoch| examples.iter().map(|line| line.as_bytes()[epoch] == b'x').collect()).collect()
    }

    #[test]
    fn events_of_a_hand_made_table() {
        let table = run(&["xxxx", "....", "x.x.", ".x.x", "...x", "x..."]);
        assert_eq!(forgetting_scores(std::slice::from_ref(&table)), [0, 4, 2, 1, 0, 1]);
        assert_eq!(easiest_first(&forgetting_scores(&[table])), [0, 4, 3, 5, 2, 1]);
    }

    #[test]
    fn runs_are_added_and_an_example_that_one_run_never_learns_counts_its_epochs() {
        assert_eq!(forgetting_scores(&[run(&["x.x", "..."]), run(&["...", "x.x"])]), [1 + 3, 3 + 1]);
    }

    #[test]
    fn there_may_be_no_example() {
        assert_eq!(forgetting_scores(&[]), [0; 0]);
    }
}
