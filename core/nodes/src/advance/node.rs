//! The node of kind `advance`.

use std::collections::BTreeMap;

use pddflow_artifact::NetWeights;
use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_artifact::params::{read, schema};
use pddflow_cache::{Digest, KeyPart};
use pddflow_host::{Net, Role};
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem};
use pddflow_runner::{Artifact, Expected, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_tensor::{Device, RandomKey, Tensor};
use pddflow_training::recipe::{ProtocolParams, Recipe, follows_script, needs_no_teacher};
use pddflow_training::segments::{JoinedSets, progressive, scripted_behind, scripts};
use pddflow_training::sets::{LoadedSet, load_sets_alone};
use pddflow_training::stored::{Pool, Wanted, fresh_info, info, specs_of};
use pddflow_training::trainer::{
    Architecture, EpochKeys, Hyperparameters, Job, Keeps, NetState, Observer, Segment, Trainer,
};
use serde_json::{Value, json};

use super::params::{AdvanceParams, check};
use crate::distill::needs_learned;
use crate::kind::{Connected, Kind, port};
use crate::shard::{self, Shard};
use crate::surroundings::{Surroundings, part};

/// Raised when the node's numbers change for the same parameters.
const REVISION: u32 = 3;

/// See the module.
pub(crate) struct AdvanceKind;

impl Kind for AdvanceKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 1 << 30, gpus: 1 }
    }

    fn spec(&self) -> KindSpec {
        let (shards, shard) = shard::ports();
        KindSpec {
            name: "advance".into(),
            summary: "Trains nets progressively on sets: where the next stage of distillation starts.".into(),
            inputs: vec![
                port("sets", "set", Arity::Many, "the sets, in the order of their stages; none for fresh nets"),
                port("start", "weights", Arity::Many, "the same nets after the first of these sets, in shards"),
                shards,
            ],
            outputs: vec![port("weights", "weights", Arity::One, "all weights of each net"), shard],
            parameters: schema::<AdvanceParams>,
            seeded: true,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings, with)
    }

    fn check_connections(&self, surroundings: &Surroundings, node: &Connected<'_>) -> Result<(), InputProblem> {
        if node.with()["lr"] == "learned" { needs_learned(surroundings, node, "sets") } else { Ok(()) }
    }

    fn shards(&self, with: &Value, wanted: usize) -> Option<Vec<Value>> {
        let params: AdvanceParams = read(with).ok()?;
        Some(shard::pieces(with, params.nets.count, wanted))
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let params: AdvanceParams = read(&Shard::take(node.with)?.0)?;
        let mut parts = surroundings.numeric_parts(REVISION);
        parts.push(part("model", surroundings.plugins().key(Role::Model, &params.model.id)?));
        Ok(parts)
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let (with, part) = Shard::take(node.with)?;
        let params: AdvanceParams = read(&with)?;
        let shards = shard::wired(inputs, context)?;
        let (sets, wired) = (inputs.port("sets"), inputs.port("start"));
        let start = Pool::open(context, wired)?;
        check_prefix(start.sets(), sets)?;
        let made_by = json!({ "kind": "advance", "with": node.with });
        let Some((loaded, about)) = load_sets_alone(surroundings.tensors(), context, sets)? else {
            // Nets that have seen nothing are drawn by whoever reads them.
            if part.is_some() {
                return shard::stored::<()>(&[], context);
            }
            let info = fresh_info(&params.model, params.nets, Vec::new(), made_by);
            return stored(&NetWeights::encode_fresh(&info, params.seed)?, context);
        };
        let registry = surroundings.plugins().open()?;
        let model = registry.model(&params.model.id, &params.model.config).map_err(|error| from_plugin(&error))?;
        let specs = specs_of(&model, &about)?;
        let (device, dtype) = (surroundings.device(), surroundings.dtype());
        let wanted = Wanted { choice: &params.model, specs: &specs, data: &about, device, dtype };
        start.check(wired, &wanted)?;
        start.check_range(params.nets)?;
        let course = Course::of(&params, &loaded, (start.sets().len(), about.class_names.len()))?;
        let key = RandomKey::new(params.seed).fold("advance");
        let job = Job {
            trainer: Trainer {
                architecture: Architecture { model: &model, specs: &specs },
                segments: &course.segments,
                settings: &course.settings,
                keys: EpochKeys::ByStage { before: course.before },
            },
            observer: &Start { pool: &start, seed: params.seed, wanted: &wanted },
            nets: shard::nets(part, params.nets).numbers(),
            key: &|number| key.fold_u64(number as u64),
            keeps: Keeps::Weights,
            device,
            shards: &shards,
        };
        let nets = job.run(context)?;
        if part.is_some() {
            return shard::stored(&nets, context);
        }
        let digests: Vec<Digest> = sets.iter().map(|set| set.digest).collect();
        let info = info(&wanted, params.nets, digests, made_by);
        let nets: Vec<Vec<Tensor>> = nets.iter().map(on_cpu).collect::<NodeResult<_>>()?;
        stored(&NetWeights::encode(&info, &nets)?, context)
    }
}

/// What the nets are shown that have seen the first sets already.
struct Course {
    segments: Vec<Segment>,
    settings: Hyperparameters,
    /// Segments that are behind them.
    before: usize,
}

impl Course {
    fn of(params: &AdvanceParams, sets: &[LoadedSet], (seen, classes): (usize, usize)) -> NodeResult<Self> {
        let carried: Vec<&Value> = sets.iter().map(|set| &set.recipe).collect();
        if follows_script(&params.given(), &carried) {
            let decoded: Vec<_> = sets.iter().map(|set| set.decoded.clone()).collect();
            let (segments, before) = scripted_behind(&JoinedSets::new(&decoded, classes)?, &scripts(sets)?, seen);
            let recipe = Recipe::of(&ProtocolParams::default(), &carried, sets.len())?;
            return Ok(Self { segments, settings: recipe.settings, before });
        }
        if params.epochs.is_none() {
            needs_no_teacher(carried, "say by `epochs` and the like how nets are trained on the labels of the set")?;
        }
        let segments = progressive(sets, seen, &|stage| params.lr(stage, &sets[stage]), classes)?;
        Ok(Self { segments, settings: params.settings()?, before: seen })
    }
}

/// Nets that have seen sets already must have seen those that are listed first.
fn check_prefix(seen: &[Digest], sets: &[Artifact]) -> NodeResult<()> {
    let mut listed = sets.iter().map(|set| &set.digest);
    if seen.iter().all(|digest| listed.next() == Some(digest)) {
        return Ok(());
    }
    let message =
        format!("the nets of `start` were trained through {} sets that are not the first ones of `sets`", seen.len());
    Err(fail("other_sets", message).with_help(
        "wire as `start` the `advance` of the stage before, and as `sets` all its sets and then the new one",
    ))
}

/// Where the nets begin.
struct Start<'a> {
    pool: &'a Pool,
    seed: u64,
    wanted: &'a Wanted<'a>,
}

impl Observer for Start<'_> {
    type Notes = ();

    fn begin(&self, state: &mut NetState<()>, _: usize) -> NodeResult<()> {
        state.net = Net::new(self.pool.net(state.number, self.seed, self.wanted)?);
        Ok(())
    }

    fn epoch(&self, _: &mut NetState<()>, _: u64, _: &dyn Fn() -> bool) -> NodeResult<()> {
        Ok(())
    }
}

fn on_cpu(net: &NetState<()>) -> NodeResult<Vec<Tensor>> {
    let weights = net.net.weights.iter();
    weights.map(|weight| weight.to_device(&Device::Cpu).during("storing the weights")).collect()
}

fn stored(bytes: &[u8], context: &NodeContext<'_>) -> NodeResult<Outputs> {
    let digest = context.put(bytes).during("storing the weights")?;
    Ok(Outputs { artifacts: BTreeMap::from([("weights".to_owned(), digest)]), metrics: BTreeMap::new() })
}
