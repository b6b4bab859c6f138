//! Forgetting scores (Toneva et al., ICLR 2019, and their code).

/// Number of forgetting events of each example, summed over runs.
///
/// `correct[run][epoch][example]` says whether the example was right when it was presented in that epoch, before the step.
/// An event is right at one presentation and wrong at the next. An example that was never right in a run gets the number of
/// epochs for that run: it is the hardest there is. (DeepCore leaves such examples at 0.)
#[must_use]
pub fn forgetting_scores(correct: &[Vec<Vec<bool>>]) -> Vec<u64> {
    let examples = correct.first().and_then(|run| run.first()).map_or(0, Vec::len);
    let mut scores = vec![0; examples];
    for run in correct {
        for (example, score) in scores.iter_mut().enumerate() {
            let learned = run.iter().any(|epoch| epoch[example]);
            let events = run.windows(2).filter(|pair| pair[0][example] && !pair[1][example]).count();
            *score += if learned { events } else { run.len() } as u64;
        }
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
