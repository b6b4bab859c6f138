//! The node of kind `split`.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{problem, read, resolve, schema};
use pddflow_artifact::{DistilledSet, SetInfo};
use pddflow_cache::KeyPart;
use pddflow_host::Labels;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_tensor::{Device, Tensor};
use pddflow_training::recipe::has_script;
use pddflow_training::sets::{one_artifact, store_set};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the artifact changes for the same parameters.
const REVISION: u32 = 1;

/// Which part of the set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SplitParams {
    /// How many parts of the same number of images per class the set is cut into.
    #[schemars(range(min = 1))]
    parts: usize,
    /// Which of them, from 1: the images of each class in the order that the set has them.
    #[schemars(range(min = 1))]
    part: usize,
}

/// See the module.
pub(crate) struct SplitKind;

impl Kind for SplitKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "split".into(),
            summary: "Takes one of several equal parts of a set, such as one stage of a progressive training on it."
                .into(),
            inputs: vec![port("set", "set", Arity::One, "the set that is cut into parts")],
            outputs: vec![port("set", "set", Arity::One, "the part; its stage is its number")],
            parameters: schema::<SplitParams>,
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let resolved = resolve::<SplitParams>(with)?;
        let params: SplitParams =
            serde_json::from_value(resolved.clone()).map_err(|error| vec![problem("", error.to_string(), None)])?;
        let mut problems = Vec::new();
        if params.parts == 0 {
            problems.push(problem("/parts", "`parts` must be at least 1", None));
        } else if params.part == 0 || params.part > params.parts {
            let message = format!("there is no part {} of {}", params.part, params.parts);
            problems.push(problem("/part", message, Some(format!("parts count from 1 to {}", params.parts))));
        }
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
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
        let params: SplitParams = read(node.with)?;
        let input = one_artifact(inputs, "set")?;
        let set = DistilledSet::decode(&context.get(&input.digest).during("reading a set")?)?;
        let digest = store_set(&params.part_of(set)?, context)?;
        Ok(Outputs { artifacts: BTreeMap::from([("set".to_owned(), digest)]), metrics: BTreeMap::new() })
    }
}

impl SplitParams {
    fn part_of(&self, set: DistilledSet) -> NodeResult<DistilledSet> {
        let (ipc, each) = (set.info.ipc, set.info.ipc / self.parts);
        if has_script(&set.info.recipe) {
            return Err(fail("script", "the set is of use step by step only, in an order that its parts do not have")
                .with_help("use it as a whole, or make a set for each stage"));
        }
        if each == 0 || !ipc.is_multiple_of(self.parts) {
            let message = format!("{ipc} images per class cannot be cut into {} equal parts", self.parts);
            return Err(fail("set_parts", message).with_help("choose a number of parts that divides it"));
        }
        let stored = ipc * set.classes();
        if !set.rows().is_multiple_of(stored) {
            let message =
                format!("the set has {} images, which are no multiple of its {stored} stored ones", set.rows());
            return Err(fail("set_parts", message).with_help("split a set of the kind `distill` or `select`"));
        }
        // Rows are class by class, `ipc` of each; where several images are decoded from one, all first ones come first, then
        // all second ones, so that the place within a class is the same in every round.
        let kept = |rows: usize| -> NodeResult<Tensor> {
            let first = (self.part - 1) * each;
            let rows: Vec<i64> = (0..rows)
                .filter(|row| (first..first + each).contains(&(row % ipc)))
                .map(|row| i64::try_from(row).unwrap_or(i64::MAX))
                .collect();
            let count = rows.len();
            Tensor::from_i64(rows, &[count], &Device::Cpu).during("splitting the set")
        };
        let take = |tensor: &Tensor, rows: &Tensor| tensor.gather(0, rows).during("splitting the set");
        let rows = kept(set.rows())?;
        let labels = match &set.labels {
            Labels::Hard(labels) => Labels::Hard(take(labels, &rows)?),
            Labels::Soft(labels) => Labels::Soft(take(labels, &rows)?),
        };
        let mut learnables = BTreeMap::new();
        for (name, value) in set.learnables {
            // Images and labels have a row for each stored image, a learning rate has none.
            let by_row = value.shape().first() == Some(&stored);
            let value = if by_row { take(&value, &kept(stored)?)? } else { value };
            learnables.insert(name, value);
        }
        Ok(DistilledSet {
            images: take(&set.images, &rows)?,
            labels,
            learnables,
            step_size: set.step_size,
            info: self.info(set.info, set.step_size),
        })
    }

    fn info(&self, info: SetInfo, learned: Option<f64>) -> SetInfo {
        let mut recipe = info.recipe;
        if let (Some(learned), Some(recipe)) = (learned, recipe.as_object_mut()) {
            // The learning rates of all stages up to this one: that of the whole set in each.
            recipe.insert("step_sizes".to_owned(), json!(vec![learned; self.part]));
        }
        SetInfo {
            made_by: json!({ "kind": "split", "part": self.part, "parts": self.parts, "of": info.made_by }),
            recipe,
            ipc: info.ipc / self.parts,
            stage: self.part,
            ..info
        }
    }
}
