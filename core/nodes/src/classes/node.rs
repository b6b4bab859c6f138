//! The node of kind `classes`.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{problem, read, resolve, schema};
use pddflow_artifact::{ClassIds, Dataset, LabelledImages, Side};
use pddflow_cache::KeyPart;
use pddflow_data::class_order;
use pddflow_data::{ClassRef, chosen};
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::sets::one_artifact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the artifact changes for the same parameters.
const REVISION: u32 = 1;

/// Which classes: a list, or a step of an order.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ClassesParams {
    /// These classes, by name or number, numbered anew in this order. Either this or `order`.
    #[serde(default)]
    classes: Option<Vec<ClassRef>>,
    /// The classes of one step of class-incremental learning. Either this or `classes`.
    #[serde(default)]
    order: Option<Order>,
}

/// A step of an order of classes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The order that numpy's legacy generator gives for this seed; published results use 0 to 4. Either this or `given`.
    #[serde(default)]
    seed: Option<u32>,
    /// This order, by name or number. Either this or `seed`.
    #[serde(default)]
    given: Option<Vec<ClassRef>>,
    /// Number of steps of equal size that the order is cut into.
    #[schemars(range(min = 1))]
    steps: usize,
    /// Which of them, from 1.
    #[schemars(range(min = 1))]
    step: usize,
    /// Also the classes of the steps before: all classes seen so far.
    #[serde(default)]
    seen: bool,
}

/// See the module.
pub(crate) struct ClassesKind;

impl Kind for ClassesKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "classes".into(),
            summary: "Keeps some classes of a data set, such as those of one step of class-incremental learning."
                .into(),
            inputs: vec![port("data", "dataset", Arity::One, "the data with all classes")],
            outputs: vec![port(
                "data",
                "dataset",
                Arity::One,
                "their training, held-out and test images, numbered anew from 0",
            )],
            parameters: schema::<ClassesParams>,
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let resolved = resolve::<ClassesParams>(with)?;
        let params: ClassesParams =
            serde_json::from_value(resolved.clone()).map_err(|error| vec![problem("", error.to_string(), None)])?;
        let problems = params.problems();
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
        let params: ClassesParams = read(node.with)?;
        let input = one_artifact(inputs, "data")?;
        let data = Dataset::decode(&context.get(&input.digest).during("reading the data set")?)?;
        let kept = params.kept(data.class_names())?;
        let [train, held_out, test] =
            [Side::Train, Side::HeldOut, Side::Test].map(|side| restricted(&data, side, &kept));
        check_not_empty(&train, &kept, data.class_names())?;
        let mut parts = data.with_images(train, held_out, test);
        parts.class_names = kept.iter().map(|class| data.class_names()[*class].clone()).collect();
        parts.class_ids = ClassIds::choose(data.class_ids(), &kept, data.classes());
        let counts = [
            ("classes", kept.len()),
            ("train_images", parts.train.labels.len()),
            ("test_images", parts.test.labels.len()),
        ];
        let metrics = counts.map(|(name, count)| (name.to_owned(), count as f64)).into();
        let digest = context.put(&Dataset::encode(&parts)?).during("storing the data set")?;
        Ok(Outputs { artifacts: BTreeMap::from([("data".to_owned(), digest)]), metrics })
    }
}

impl ClassesParams {
    fn problems(&self) -> Vec<ParamProblem> {
        match (&self.classes, &self.order) {
            (Some(classes), None) if classes.is_empty() => {
                vec![problem("/classes", "no class is named", Some("name at least one".into()))]
            }
            (Some(_), None) => Vec::new(),
            (None, Some(order)) => order.problems(),
            _ => {
                let help = "`classes: [0, 1]`, or `order: { seed: 0, steps: 5, step: 1 }`";
                vec![problem("", "give either `classes` or `order`", Some(help.into()))]
            }
        }
    }

    /// Numbers of the classes that stay, in their new order.
    fn kept(&self, names: &[String]) -> NodeResult<Vec<usize>> {
        match (&self.classes, &self.order) {
            (_, Some(order)) => order.kept(names),
            (Some(classes), None) => chosen(classes, names),
            (None, None) => Err(NodeError::internal("`classes` has neither a list nor an order")),
        }
    }
}

impl Order {
    fn problems(&self) -> Vec<ParamProblem> {
        let mut problems = Vec::new();
        if self.seed.is_some() == self.given.is_some() {
            let help = Some("`seed: 0` for numpy's order, or `given: [...]` with the classes".into());
            problems.push(problem("/order", "give either `seed` or `given`", help));
        }
        if self.steps == 0 {
            problems.push(problem("/order/steps", "`steps` must be at least 1", None));
        } else if self.step == 0 || self.step > self.steps {
            let message = format!("there is no step {} of {}", self.step, self.steps);
            problems.push(problem("/order/step", message, Some(format!("steps count from 1 to {}", self.steps))));
        }
        problems
    }

    fn kept(&self, names: &[String]) -> NodeResult<Vec<usize>> {
        let order = match (&self.given, self.seed) {
            (Some(given), _) => chosen(given, names)?,
            (None, seed) => class_order(seed.unwrap_or(0), names.len()),
        };
        if order.is_empty() || !order.len().is_multiple_of(self.steps) {
            let message = format!("{} classes cannot be cut into {} equal steps", order.len(), self.steps);
            return Err(
                fail("class_steps", message).with_help("choose a number of steps that divides the number of classes")
            );
        }
        let each = order.len() / self.steps;
        let first = if self.seen { 0 } else { (self.step - 1) * each };
        Ok(order[first..self.step * each].to_vec())
    }
}

/// The images of the kept classes, in their old order, with new labels.
fn restricted(data: &Dataset, side: Side, kept: &[usize]) -> LabelledImages {
    let mut new_labels = vec![None; data.classes()];
    for (new, old) in kept.iter().enumerate() {
        // Both count classes, of which there are at most 65,536.
        new_labels[*old] = u16::try_from(new).ok();
    }
    let labels = data.labels(side).iter().enumerate();
    let (rows, labels): (Vec<usize>, Vec<u16>) =
        labels.filter_map(|(row, old)| Some((row, new_labels[usize::from(*old)]?))).unzip();
    LabelledImages { labels, ..data.take(side, &rows) }
}

fn check_not_empty(train: &LabelledImages, kept: &[usize], names: &[String]) -> NodeResult<()> {
    let mut found = vec![false; kept.len()];
    train.labels.iter().for_each(|label| found[usize::from(*label)] = true);
    let Some(empty) = found.iter().position(|found| !found) else { return Ok(()) };
    let message = format!("the class {} (`{}`) has no training image", kept[empty], names[kept[empty]]);
    Err(fail("data_empty", message).with_help("leave the class out, or filter less of the data before"))
}
