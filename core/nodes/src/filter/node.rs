//! The node of kind `filter`.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{read, schema};
use pddflow_artifact::{Dataset, Side};
use pddflow_cache::KeyPart;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::sets::{load_scores, one_artifact};
use serde_json::Value;

use super::params::{FilterParams, check};
use super::range::{histogram, part_of};
use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the artifact changes for the same parameters.
const REVISION: u32 = 1;

/// See the module.
pub(crate) struct FilterKind;

impl Kind for FilterKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "filter".into(),
            summary: "Keeps the training examples whose difficulty lies in a range.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the data"),
                port("scores", "scores", Arity::One, "the difficulty of each of its training examples"),
            ],
            outputs: vec![port("data", "dataset", Arity::One, "the examples that stay; all held-out and test images")],
            parameters: schema::<FilterParams>,
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(with)
    }

    fn key_parts(&self, _: &Surroundings, _: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![part("revision", REVISION)])
    }

    fn run(
        &self,
        _: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: FilterParams = read(node.with)?;
        let input = one_artifact(inputs, "data")?;
        let data = Dataset::decode(&context.get(&input.digest).during("reading the data set")?)?;
        let scores = load_scores(context, one_artifact(inputs, "scores")?, &data)?;
        let rows = rows(&params, &data, &scores)?;
        let whole = |side| data.take(side, &(0..data.rows(side)).collect::<Vec<_>>());
        let parts = data.with_images(data.take(Side::Train, &rows), whole(Side::HeldOut), whole(Side::Test));
        let metrics = BTreeMap::from([
            ("train_images".to_owned(), rows.len() as f64),
            ("train_images_before".to_owned(), data.rows(Side::Train) as f64),
        ]);
        let digest = context.put(&Dataset::encode(&parts)?).during("storing the data set")?;
        Ok(Outputs { artifacts: BTreeMap::from([("data".to_owned(), digest)]), metrics })
    }
}

/// The rows that stay, ascending; every class keeps at least one.
fn rows(params: &FilterParams, data: &Dataset, scores: &[f64]) -> NodeResult<Vec<usize>> {
    let of_class = data.class_rows(Side::Train);
    let all: Vec<usize> = (0..scores.len()).collect();
    let groups = if params.per_class { of_class.iter().collect() } else { vec![&all] };
    let mut stays = vec![false; scores.len()];
    let mut text = String::new();
    for group in groups.into_iter().filter(|group| !group.is_empty()) {
        let part = part_of(params, scores, group);
        part.rows.iter().for_each(|row| stays[*row] = true);
        // The parts of later classes have other numbers; the first stands for all.
        text = if text.is_empty() { part.text } else { text };
    }
    let whose = if params.per_class { " (per class, here class 0)" } else { "" };
    let kept: Vec<usize> = all.into_iter().filter(|row| stays[*row]).collect();
    if kept.is_empty() {
        let message = format!("{text}{whose}: no training example; the scores are {}", histogram(scores));
        return Err(fail("empty_bin", message).with_help("choose a range that has examples, or use `quantile`"));
    }
    if let Some(class) = of_class.iter().position(|rows| !rows.is_empty() && !rows.iter().any(|row| stays[*row])) {
        let own: Vec<f64> = of_class[class].iter().map(|row| scores[*row]).collect();
        let (name, kept) = (&data.class_names()[class], kept.len());
        let message = format!(
            "{text}{whose}: none of its {kept} training examples is of class {class} (`{name}`); the scores of this class \
             are {}",
            histogram(&own)
        );
        return Err(fail("empty_bin", message)
            .with_help("choose a wider range, or cut each class by its own scores with `per_class: true`"));
    }
    Ok(kept)
}
