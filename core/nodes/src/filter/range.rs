//! Which rows have their score in the asked part.

use super::params::{Bin, FilterParams};

/// A part of the scores, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// The rows in it, ascending.
    pub(super) rows: Vec<usize>,
    /// What it is, for messages: `bin 2 of 5, scores in [3, 6)`.
    pub(super) text: String,
}

/// The rows of `among` (ascending) that the parameters ask for.
pub(super) fn part_of(params: &FilterParams, scores: &[f64], among: &[usize]) -> Part {
    let within = |inside: &dyn Fn(f64) -> bool| among.iter().copied().filter(|row| inside(scores[*row])).collect();
    if let Some([from, to]) = params.quantile {
        return quantile(scores, among, from, to);
    }
    if let Some(bin) = &params.bin {
        let edges = edges(bin, scores, among);
        let (low, high, last) = (edges[bin.number - 1], edges[bin.number], bin.number + 1 == edges.len());
        let close = if last { "]" } else { ")" };
        let text = format!("bin {} of {}, scores in [{low}, {high}{close}", bin.number, edges.len() - 1);
        return Part { rows: within(&|score| low <= score && (score < high || (last && score == high))), text };
    }
    let [low, high] = params.range.unwrap_or_default();
    let text = |bound: Option<f64>| bound.map_or_else(|| "..".to_owned(), |bound| bound.to_string());
    Part {
        rows: within(&|score| low.is_none_or(|low| low <= score) && high.is_none_or(|high| score < high)),
        text: format!("scores in [{}, {})", text(low), text(high)),
    }
}

/// The bins' edges; those of equal width lie between the lowest and the highest score.
fn edges(bin: &Bin, scores: &[f64], among: &[usize]) -> Vec<f64> {
    if let Some(edges) = &bin.edges {
        return edges.clone();
    }
    let bins = bin.of.unwrap_or(1);
    let of_rows = || among.iter().map(|row| scores[*row]);
    let low = of_rows().fold(f64::INFINITY, f64::min);
    let high = of_rows().fold(f64::NEG_INFINITY, f64::max);
    // The last edge is the highest score itself: computed, it could fall short of it.
    (0..bins).map(|edge| low + (high - low) * edge as f64 / bins as f64).chain([high]).collect()
}

fn quantile(scores: &[f64], among: &[usize], from: f64, to: f64) -> Part {
    let mut ordered = among.to_vec();
    ordered.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(a.cmp(b)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a row count")]
    let place = |share: f64| (ordered.len() as f64 * share).round() as usize;
    let (first, end) = (place(from), place(to));
    let mut rows = ordered[first..end].to_vec();
    rows.sort_unstable();
    Part { rows, text: format!("quantile {from} to {to}") }
}

/// The counts of the scores in ten bins of equal width (fewer for few different whole scores), as one line.
pub(super) fn histogram(scores: &[f64]) -> String {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (sorted.first().copied(), sorted.last().copied()) else { return "no scores".into() };
    let bins = 10;
    let edge = |edge: usize| low + (high - low) * edge as f64 / bins as f64;
    let mut parts = Vec::new();
    let mut from = 0;
    for bin in 1..=bins {
        let end = if bin == bins { sorted.len() } else { sorted.partition_point(|score| *score < edge(bin)) };
        if end > from {
            parts.push(format!("{} from {:.3}", end - from, edge(bin - 1)));
        }
        from = end;
    }
    format!("{} (highest {high:.3})", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const SCORES: [f64; 8] = [0.0, 5.0, 1.0, 10.0, 2.0, 2.0, 9.0, 4.0];

    fn rows(with: Value) -> Vec<usize> {
        let params: FilterParams = serde_json::from_value(with).unwrap();
        part_of(&params, &SCORES, &(0..SCORES.len()).collect::<Vec<_>>()).rows
    }

    #[test]
    fn a_range_is_half_open() {
        assert_eq!(rows(json!({ "range": [2, 5] })), [4, 5, 7]);
        assert_eq!(rows(json!({ "range": [5, null] })), [1, 3, 6]);
        assert_eq!(rows(json!({ "range": [null, 2] })), [0, 2]);
    }

    #[test]
    fn bins_of_equal_width_hold_everything_once() {
        let bins: Vec<Vec<usize>> =
            (1..=5).map(|number| rows(json!({ "bin": { "number": number, "of": 5 } }))).collect();
        assert_eq!(bins, [vec![0, 2], vec![4, 5], vec![1, 7], vec![], vec![3, 6]]);
    }

    #[test]
    fn the_last_bin_of_given_edges_holds_its_end() {
        assert_eq!(rows(json!({ "bin": { "number": 1, "edges": [0, 4, 9] } })), [0, 2, 4, 5]);
        assert_eq!(rows(json!({ "bin": { "number": 2, "edges": [0, 4, 9] } })), [1, 6, 7]);
    }

    #[test]
    fn quantiles_hold_everything_once_and_break_ties_by_row() {
        assert_eq!(rows(json!({ "quantile": [0, 0.5] })), [0, 2, 4, 5]);
        assert_eq!(rows(json!({ "quantile": [0.25, 0.375] })), [4]);
        assert_eq!(rows(json!({ "quantile": [0.5, 1] })), [1, 3, 6, 7]);
    }

    #[test]
    fn the_histogram_leaves_empty_bins_out() {
        assert_eq!(histogram(&[0.0, 0.0, 10.0]), "2 from 0.000, 1 from 9.000 (highest 10.000)");
        assert_eq!(histogram(&[]), "no scores");
    }
}
