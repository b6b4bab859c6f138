//! Parameters of the kind `figure`.

use pddflow_artifact::params::{problem, resolve};
use pddflow_runner::pipeline::ParamProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::drawing::Scale;
use pddflow_artifact::Names;

/// Sides of a figure in pixels.
const SIDES: std::ops::RangeInclusive<u64> = 100..=4000;
/// More bins are thinner than a pixel.
const MOST_BINS: u64 = 500;

/// What a pipeline file can say of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FigureParams {
    /// What the horizontal axis is: a label of the results with numbers (such as `ipc`), a parameter of the evaluation,
    /// or a place in time (`phase`, `classes_seen`, `stage`, `epoch`). A result whose label is missing or no number is
    /// drawn as a level line: the accuracy on the full data, say.
    #[serde(default = "ipc")]
    pub(super) x: String,
    /// What there is one line for each of, as `rows` of a table.
    #[serde(default = "method")]
    pub(super) lines: Names,
    /// Which accuracy: `reported`, `last`, `best_on_held_out` or `best_on_test`.
    #[serde(default = "reported")]
    pub(super) reading: String,
    /// Labels besides `seed` in which the results of one point may differ, as in a table.
    #[serde(default)]
    pub(super) pool: Vec<String>,
    /// Further level lines at these shares of each level line: `[0.9]` is 90 % of the accuracy on the full data.
    #[serde(default)]
    pub(super) shares: Vec<f64>,
    /// A line above the figure.
    #[serde(default)]
    pub(super) title: Option<String>,
    /// Text below the horizontal axis; by default what `x` is.
    #[serde(default)]
    pub(super) x_label: Option<String>,
    /// Text beside the vertical axis.
    #[serde(default)]
    pub(super) y_label: Option<String>,
    /// How the horizontal axis is spread.
    #[serde(default)]
    pub(super) x_scale: Scale,
    /// Whether the standard deviation is drawn: between seeds where there are several, else between nets.
    #[serde(default = "yes")]
    pub(super) error_bars: bool,
    /// Bars of a histogram, 1 to 500; by default one for each value where values are few whole numbers, else 30.
    #[serde(default)]
    pub(super) bins: Option<usize>,
    /// Width in pixels of the SVG, 100 to 4000; the PNG has twice as many.
    #[serde(default = "width")]
    pub(super) width: u32,
    /// Height, as `width`.
    #[serde(default = "height")]
    pub(super) height: u32,
}

fn ipc() -> String {
    "ipc".to_owned()
}

fn method() -> Names {
    Names::one("method")
}

fn reported() -> String {
    "reported".to_owned()
}

fn yes() -> bool {
    true
}

fn width() -> u32 {
    640
}

fn height() -> u32 {
    420
}

/// Checks the parameters; defaults are filled in.
pub fn check(with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let resolved = resolve::<FigureParams>(with)?;
    let mut problems = Vec::new();
    for side in ["width", "height"] {
        if !resolved[side].as_u64().is_some_and(|pixels| SIDES.contains(&pixels)) {
            let help = format!("give {} to {} pixels", SIDES.start(), SIDES.end());
            problems.push(problem(format!("/{side}"), "it is out of range", Some(help)));
        }
    }
    if resolved["bins"].as_u64().is_some_and(|bins| bins == 0 || bins > MOST_BINS) {
        problems.push(problem("/bins", "it is out of range", Some(format!("give 1 to {MOST_BINS}"))));
    }
    for (place, share) in resolved["shares"].as_array().into_iter().flatten().enumerate() {
        if !share.as_f64().is_some_and(|share| share > 0.0 && share < 1.0) {
            let help = Some("for example `[0.9]`".to_owned());
            problems.push(problem(format!("/shares/{place}"), "a share is above 0 and below 1", help));
        }
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}
