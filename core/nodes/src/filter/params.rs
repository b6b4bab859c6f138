//! Parameters of the kind `filter`.

use pddflow_artifact::params::{problem, resolve};
use pddflow_runner::pipeline::ParamProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which examples stay: exactly one of `range`, `quantile` and `bin`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterParams {
    /// Scores from the first number up to, but not including, the second; `null` is open.
    #[serde(default)]
    pub(super) range: Option<[Option<f64>; 2]>,
    /// Shares of the examples in the order of their scores, the easiest first: `[0, 0.2]` is the easiest fifth. Examples of
    /// equal score are ordered by their place in the data.
    #[serde(default)]
    pub(super) quantile: Option<[f64; 2]>,
    /// One of several bins of scores, the easiest first.
    #[serde(default)]
    pub(super) bin: Option<Bin>,
    /// Cut each class by its own scores instead of all examples together.
    #[serde(default)]
    pub(super) per_class: bool,
}

/// A bin of scores. The last bin holds its upper edge too.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bin {
    /// Which bin, from 1: the easiest.
    #[schemars(range(min = 1))]
    pub(super) number: usize,
    /// Number of bins of equal width between the lowest and the highest score. Either this or `edges`.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(super) of: Option<usize>,
    /// Edges of the bins, ascending: n + 1 numbers make n bins; a score outside them is in no bin. Either this or `of`.
    #[serde(default)]
    pub(super) edges: Option<Vec<f64>>,
}

/// Checks `with` and fills in the defaults.
pub(super) fn check(with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let resolved = resolve::<FilterParams>(with)?;
    let params: FilterParams =
        serde_json::from_value(resolved.clone()).map_err(|error| vec![problem("", error.to_string(), None)])?;
    match params.problem() {
        Some(found) => Err(vec![found]),
        None => Ok(resolved),
    }
}

impl FilterParams {
    fn problem(&self) -> Option<ParamProblem> {
        match (&self.range, &self.quantile, &self.bin) {
            (Some([low, high]), None, None) => {
                let empty = low.zip(*high).is_some_and(|(low, high)| low >= high);
                let help = "`[3, 6]` keeps 3, 4 and 5; `[3, null]` has no end";
                empty.then(|| problem("/range", "no number is in this range", Some(help.into())))
            }
            (None, Some([from, to]), None) => {
                let right = 0.0 <= *from && from < to && *to <= 1.0;
                let help = "`[0, 0.2]` is the easiest fifth of the examples";
                (!right).then(|| problem("/quantile", "shares must ascend within 0 to 1", Some(help.into())))
            }
            (None, None, Some(bin)) => bin.problem(),
            _ => {
                let help = "for example `range: [0, 3]`, `quantile: [0, 0.2]` or `bin: { number: 1, of: 5 }`";
                Some(problem("", "give one of `range`, `quantile` and `bin`", Some(help.into())))
            }
        }
    }
}

impl Bin {
    fn problem(&self) -> Option<ParamProblem> {
        let bins = match (self.of, &self.edges) {
            (Some(bins), None) => bins,
            (None, Some(edges)) => {
                let ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
                if edges.len() < 2 || !ascending {
                    let help = "`[0, 3, 6]` makes two bins";
                    return Some(problem("/bin/edges", "edges must be at least 2 and ascend", Some(help.into())));
                }
                edges.len() - 1
            }
            _ => {
                let help = "`of: 5` for five bins of equal width, or `edges: [0, 3, 6]`";
                return Some(problem("/bin", "give either `of` or `edges`", Some(help.into())));
            }
        };
        if bins == 0 {
            return Some(problem("/bin/of", "`of` must be at least 1", None));
        }
        (self.number == 0 || self.number > bins).then(|| {
            let help = format!("bins count from 1, the easiest, to {bins}");
            problem("/bin/number", format!("there is no bin {} of {bins}", self.number), Some(help))
        })
    }
}
