//! Scores as a histogram.

use pddflow_artifact::Scores;
use pddflow_artifact::failure::{NodeResult, fail};

use super::params::FigureParams;
use crate::drawing::{Axis, Bar, Chart, Marks};

/// Bars by default, where values are not few whole numbers.
const BINS: usize = 30;
/// Whole numbers with at most so many steps between them have one bar each.
const MOST_WHOLE: f64 = 60.0;

/// The chart of scores: how many examples have which.
pub(super) fn chart(scores: &Scores, params: &FigureParams) -> NodeResult<Chart> {
    if scores.scores.is_empty() {
        return Err(fail("empty_data", "there are no scores to draw"));
    }
    let bars = bars(&scores.scores, params.bins);
    Ok(Chart {
        title: params.title.clone(),
        x_label: params.x_label.clone().unwrap_or_else(|| scores.method.clone()),
        y_label: params.y_label.clone().unwrap_or_else(|| "training examples".to_owned()),
        x: Axis::of_bars(&bars),
        y: Axis::count(bars.iter().map(|bar| bar.count).max().unwrap_or(0) as f64),
        marks: Marks::Bars(bars),
    })
}

/// Bars of equal width over the range of the scores; the last one includes its right edge.
fn bars(scores: &[f64], bins: Option<usize>) -> Vec<Bar> {
    let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let whole = scores.iter().all(|score| score.fract() == 0.0);
    let (from, width, count) = match bins {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
        None if whole && most - least <= MOST_WHOLE => (least - 0.5, 1.0, (most - least) as usize + 1),
        _ if most == least => (least - 0.5, 1.0, 1),
        bins => {
            let count = bins.unwrap_or(BINS);
            (least, (most - least) / count as f64, count)
        }
    };
    let mut bars: Vec<Bar> = (0..count)
        .map(|bar| Bar { from: from + bar as f64 * width, to: from + (bar + 1) as f64 * width, count: 0, marked: 0 })
        .collect();
    for score in scores {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and cut to the bars"
        )]
        let bar = (((score - from) / width) as usize).min(count - 1);
        bars[bar].count += 1;
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(scores: &[f64], bins: Option<usize>) -> Vec<(f64, f64, u64)> {
        bars(scores, bins).into_iter().map(|bar| (bar.from, bar.to, bar.count)).collect()
    }

    #[test]
    fn whole_numbers_have_a_bar_each() {
        assert_eq!(counts(&[0.0, 2.0, 2.0], None), [(-0.5, 0.5, 1), (0.5, 1.5, 0), (1.5, 2.5, 2)]);
    }

    #[test]
    fn the_last_bar_has_its_right_edge() {
        assert_eq!(counts(&[0.0, 0.5, 1.0], Some(2)), [(0.0, 0.5, 1), (0.5, 1.0, 2)]);
        assert_eq!(counts(&[0.25, 0.25], Some(4)), [(-0.25, 0.75, 2)]);
    }
}
