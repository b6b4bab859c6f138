//! The kind `distill`: a matcher makes a small synthetic set mimic the real data; see `pddflow_distillation`.

use pddflow_artifact::params::{read, read_part, schema};
use pddflow_cache::KeyPart;
use pddflow_distillation::{
    DistillParams, On, check, check_planned, distill, learns_no_rate, made_recipe, makes_script, needs_horizon,
};
use pddflow_host::Role;
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Growing, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::identity;
use pddflow_training::recipe::{LENGTH_HELP, ProtocolParams, follows_script};
use pddflow_training::sets::one_artifact;
use serde_json::{Value, json};

use crate::kind::{Connected, Kind, input_problem, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 5;

/// See the module.
pub(crate) struct DistillKind;

impl Kind for DistillKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 2 << 30, gpus: 1 }
    }

    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "distill".into(),
            summary: "Makes a small synthetic set that trains nets as the real data does.".into(),
            inputs: vec![
                port("data", "dataset", Arity::One, "the real data"),
                port("previous", "set", Arity::Many, "earlier sets that this one adds to; they never change"),
                port("trajectories", "trajectories", Arity::Many, "how experts learned, in shards"),
                port("start", "weights", Arity::Many, "nets to start matching from, in shards; fresh ones mean none"),
                port("tensors", "tensors", Arity::Optional, "what the matcher works from, such as a generator"),
            ],
            outputs: vec![
                port("set", "set", Arity::One, "the synthetic images with labels and recipe"),
                port("curve", "curve", Arity::One, "the matcher's metrics over the iterations"),
            ],
            parameters: schema::<DistillParams>,
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings.plugins(), with)
    }

    fn check_inputs(
        &self,
        surroundings: &Surroundings,
        with: &Value,
        count: &dyn Fn(&str) -> usize,
    ) -> Result<(), InputProblem> {
        let Ok(params) = read::<DistillParams>(with) else { return Ok(()) };
        let stages = params.stage_after(count("previous"));
        let lr = params.evaluation.as_ref().and_then(|evaluation| evaluation.training.lr.as_ref());
        if let Some(message) = lr.and_then(|lr| lr.too_short(stages)) {
            let message = format!("in `evaluation.training`, {message}");
            return Err(input_problem("previous", message, LENGTH_HELP));
        }
        if params.fixed_start && count("start") == 0 {
            let help = "wire an `advance` node without sets, or leave out `fixed_start`";
            return Err(input_problem("start", "`fixed_start` needs the nets that matching starts from", help));
        }
        check_planned(surroundings.for_nets(), &params, count)
    }

    /// The model of the wired nets, where none is named: its plugin decides the result.
    fn complete(&self, node: &Connected<'_>) -> Option<Value> {
        let model = nets_of(node).find_map(|(_, nets)| nets.with().get("model").filter(|model| model.is_object()))?;
        names_no_model(node).then(|| {
            let mut with = node.with().clone();
            with["model"] = model.clone();
            with
        })
    }

    fn check_connections(&self, _: &Surroundings, node: &Connected<'_>) -> Result<(), InputProblem> {
        if let (true, Some((port, nets))) = (names_no_model(node), nets_of(node).next()) {
            let message = format!("of which model the nets of `{}` are is not known before they are made", nets.id());
            return Err(input_problem(port, message, "name it: for example `model: convnet` in the parameters"));
        }
        let evaluates_on = node.with().pointer("/evaluation/on");
        if evaluates_on.is_some_and(|on| on == On::HeldOut.name()) { node.needs_held_out("data") } else { Ok(()) }
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let params: DistillParams = read(node.with)?;
        let mut parts = surroundings.numeric_parts(REVISION);
        let matcher = identity::of_matcher(surroundings.plugins(), &params.matcher, node.folder)?;
        parts.extend(matcher.into_iter().map(|(name, value)| part(&name, value)));
        for (place, model) in params.models().iter().enumerate() {
            let name = if place == 0 { "model".to_owned() } else { format!("model {}", place + 1) };
            parts.push(part(&name, surroundings.plugins().key(Role::Model, &model.id)?));
        }
        Ok(parts)
    }

    fn growing(&self, surroundings: &Surroundings, with: &Value) -> Option<Growing> {
        let params: DistillParams = read(with).ok()?;
        let extends =
            params.extends() && (params.horizon.is_some() || !needs_horizon(surroundings.for_nets(), &params));
        extends.then_some(Growing { parameter: "iterations", wanted: params.iterations })
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let data = surroundings.prepare(context, &one_artifact(inputs, "data")?.digest)?;
        distill(surroundings.for_nets(), &data, node, inputs, context)
    }
}

fn names_no_model(node: &Connected<'_>) -> bool {
    node.with()["model"].is_null() && node.with().get("models").is_none()
}

/// The nodes that give nets, with their ports.
fn nets_of<'a>(node: &Connected<'a>) -> impl Iterator<Item = (&'static str, Connected<'a>)> + use<'a> {
    let node = *node;
    ["trajectories", "start"].into_iter().flat_map(move |port| node.at(port).map(move |nets| (port, nets)))
}

/// No set at the port `sets` may be one whose script would be followed, as far as it is known how they are made.
pub(crate) fn needs_no_script(
    surroundings: &Surroundings,
    node: &Connected<'_>,
    (what, help): (&str, &str),
) -> Result<(), InputProblem> {
    let port = "sets";
    let with_one = json!({ "script": {} });
    let Ok(given) = read_part::<ProtocolParams>(node.with()) else { return Ok(()) };
    if !follows_script(&given, &[&with_one]) {
        return Ok(());
    }
    let is_one = |set: &Connected<'_>| {
        set.kind() == "distill" && read(set.with()).is_ok_and(|params| makes_script(surroundings.for_nets(), &params))
    };
    let Some(set) = node.at(port).find(is_one) else { return Ok(()) };
    Err(input_problem(port, format!("the set of `{}` is of use step by step only, {what}", set.id()), help))
}

/// The recipe of the set that a `distill` node makes, as far as it is known.
pub(crate) fn recipe_of_set(surroundings: &Surroundings, set: &Connected<'_>) -> Option<Value> {
    made_recipe(surroundings.for_nets(), &read(set.with()).ok()?)
}

/// The sets at a port must have learned learning rates, as far as it is known how they are made.
pub(crate) fn needs_learned(
    surroundings: &Surroundings,
    node: &Connected<'_>,
    port: &'static str,
) -> Result<(), InputProblem> {
    let learns_none = |set: &Connected<'_>| match set.kind() {
        "select" => true,
        "distill" => read(set.with()).is_ok_and(|params| learns_no_rate(surroundings.for_nets(), &params)),
        _ => false,
    };
    let Some(set) = node.at(port).find(learns_none) else { return Ok(()) };
    let message =
        format!("`lr: learned` asks for a learning rate that was learned with the set of `{}`, and none is", set.id());
    Err(input_problem(port, message, "give a number as `lr`, or leave it to the recipe of the set"))
}
