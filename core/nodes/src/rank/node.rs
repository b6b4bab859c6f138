//! The node of kind `rank`.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{read, schema, suggestion};
use pddflow_artifact::statistics::{accuracy_metrics, mean};
use pddflow_artifact::{Reading, Results};
use pddflow_cache::KeyPart;
use pddflow_figures::shown;
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use serde_json::Value;

use super::params::{RankParams, check};
use super::scores::{Accuracies, scores};
use crate::kind::{Kind, input_problem, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the scores change for the same results.
const REVISION: u32 = 1;
/// Parameters of a training in which a set and random images should agree.
const SAME_RECIPE: [&str; 11] = [
    "stage_epochs",
    "batch",
    "augment",
    "cutmix",
    "loss",
    "optimizer",
    "momentum",
    "weight_decay",
    "schedule",
    "warm_up",
    "average",
];
/// What all results are of.
const SAME: [&str; 2] = ["source", "model"];

/// See the module.
pub(crate) struct RankKind;

impl Kind for RankKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "rank".into(),
            summary: "Scores results by DD-Ranking: hard label recovery, improvement over random, LRS and ARS.".into(),
            inputs: vec![
                port("results", "results", Arity::One, "nets trained on the set by its own recipe"),
                port(
                    "random",
                    "results",
                    Arity::Some,
                    "nets trained on as many random real images by the same recipe; of several, all",
                ),
                port("full", "results", Arity::Optional, "nets trained on all real data; needed for HLR and LRS"),
                port(
                    "hard",
                    "results",
                    Arity::Optional,
                    "nets trained on the set with `hard_labels`; by default those of `results`",
                ),
                port(
                    "plain",
                    "results",
                    Arity::Optional,
                    "nets trained on the set without augmentation; needed for ARS",
                ),
                port("random_plain", "results", Arity::Many, "the same on the random real images; needed for ARS"),
            ],
            outputs: vec![port(
                "results",
                "results",
                Arity::One,
                "those of `results` with the readings hlr, ior, lrs and ars",
            )],
            parameters: schema::<RankParams>,
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(with)
    }

    fn check_inputs(&self, _: &Surroundings, _: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        match (count("plain"), count("random_plain")) {
            (0, 1..) => Err(input_problem(
                "random_plain",
                "nothing is wired to compare it with",
                "wire `plain`, the set trained on without augmentation, or leave both out",
            )),
            (1.., 0) => Err(input_problem(
                "plain",
                "nothing is wired to compare it with",
                "wire `random_plain`, random images trained on without augmentation, or leave both out",
            )),
            _ => Ok(()),
        }
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
        let params: RankParams = read(node.with)?;
        let given = Given { inputs, context, reading: &params.reading };
        let own = given.one("results")?.ok_or_else(|| NodeError::internal("port `results` takes one"))?;
        let accuracies = given.accuracies(&own)?;
        let found = scores(&accuracies, params.lrs_weight, params.ars_weight);
        let mut results = own.results.clone();
        let mut metrics: BTreeMap<String, f64> = BTreeMap::new();
        for (name, values) in found {
            metrics.extend(accuracy_metrics(name, &values));
            let Reading { stage, epoch, .. } = own.reading;
            results.others.insert(name.to_owned(), Reading { stage, epoch, accuracies: values });
        }
        let digest = context.put(&results.encode()?).during("storing the scores")?;
        Ok(Outputs { artifacts: BTreeMap::from([("results".to_owned(), digest)]), metrics })
    }
}

/// A result with the reading that counts.
struct Read {
    from: String,
    results: Results,
    reading: Reading,
}

struct Given<'a> {
    inputs: &'a Inputs,
    context: &'a NodeContext<'a>,
    reading: &'a str,
}

impl Given<'_> {
    fn all(&self, port: &str) -> NodeResult<Vec<Read>> {
        let read = |artifact: &pddflow_runner::Artifact| {
            let results = Results::decode(&self.context.get(&artifact.digest).during("reading results")?)?;
            let reading = results.reading(self.reading).map(|(_, reading)| reading.clone()).ok_or_else(|| {
                let message = format!("the results of `{}` have no reading `{}`", artifact.from, self.reading);
                fail("no_reading", message).with_help(suggestion(self.reading, &results.reading_names()))
            })?;
            Ok(Read { from: artifact.from.to_string(), results, reading })
        };
        self.inputs.port(port).iter().map(read).collect()
    }

    fn one(&self, port: &str) -> NodeResult<Option<Read>> {
        Ok(self.all(port)?.pop())
    }

    /// All accuracies, compared with those of the set.
    fn accuracies(&self, own: &Read) -> NodeResult<Accuracies> {
        let nets = own.reading.accuracies.len();
        let random = self.all("random")?;
        for result in &random {
            self.check_like(own, result, &SAME_RECIPE, true)?;
        }
        let hard = self.one("hard")?;
        let is_soft = own.results.label("soft_labels") == Some(Value::Bool(true));
        let full = self.one("full")?;
        if full.is_some() && hard.is_none() && is_soft {
            let message = format!("the set of `{}` has soft labels, and HLR is of hard ones", own.from);
            return Err(fail("rank_input", message)
                .with_help("wire `hard`: an `evaluate` node of the same set with `hard_labels: true`"));
        }
        for result in hard.iter().chain(&full) {
            self.check_like(own, result, &[], false)?;
        }
        let plain = match self.one("plain")? {
            None => None,
            Some(set) => {
                let random = self.all("random_plain")?;
                for result in std::iter::once(&set).chain(&random) {
                    check_plain(result)?;
                    self.check_like(own, result, &["stage_epochs", "batch"], true)?;
                }
                Some([joined("plain", &[set], nets)?, joined("random_plain", &random, nets)?])
            }
        };
        let own_accuracies = own.reading.accuracies.clone();
        Ok(Accuracies {
            hard: hard.map_or_else(|| Ok(own_accuracies.clone()), |hard| joined("hard", &[hard], nets))?,
            own: own_accuracies,
            random: joined("random", &random, nets)?,
            full: full.map(|full| mean(&full.reading.accuracies)),
            plain,
        })
    }

    /// Refuses a result of other data, another net or (`as_many`) another number of images, and warns of another recipe.
    fn check_like(&self, own: &Read, other: &Read, recipe: &[&str], as_many: bool) -> NodeResult<()> {
        let labels = SAME.into_iter().chain(as_many.then_some("ipc"));
        for label in labels {
            let (one, two) = (own.results.label(label), other.results.label(label));
            if one != two {
                let text = |value: Option<Value>| value.map_or_else(|| "nothing".to_owned(), |value| shown(&value));
                let (one, two) = (text(one), text(two));
                let message = format!("`{}` has the {label} {two}, and `{}` {one}", other.from, own.from);
                return Err(fail("rank_input", message)
                    .with_help("compare nets of one model on one data set, on equally many images per class"));
            }
        }
        let differs = |name: &&&str| own.results.protocol.get(**name) != other.results.protocol.get(**name);
        let differing: Vec<&str> = recipe.iter().filter(differs).copied().collect();
        if !differing.is_empty() {
            self.context.warn(format!(
                "`{}` was trained by another recipe than `{}` ({}): part of the difference is the recipe's",
                other.from,
                own.from,
                differing.join(", ")
            ));
        }
        Ok(())
    }
}

fn check_plain(result: &Read) -> NodeResult<()> {
    let (augment, cutmix) = (&result.results.protocol["augment"], &result.results.protocol["cutmix"]);
    if augment == "none" && cutmix.as_f64().unwrap_or(0.0) == 0.0 {
        return Ok(());
    }
    let message = format!("`{}` was trained with augmentation ({})", result.from, shown(augment));
    Err(fail("rank_input", message).with_help("give its node `augment: none` and `cutmix: 0`"))
}

/// The accuracies of the nets of one or several results, which must be as many as those on the set.
fn joined(port: &str, results: &[Read], nets: usize) -> NodeResult<Vec<f64>> {
    let all: Vec<f64> = results.iter().flat_map(|result| result.reading.accuracies.iter().copied()).collect();
    if all.len() == nets {
        return Ok(all);
    }
    let message = format!("`{port}` has {} nets, and `results` {nets}", all.len());
    Err(fail("rank_input", message).with_help("give all `evaluate` nodes the same `nets`"))
}
