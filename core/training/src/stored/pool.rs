//! Pools of weights.

use pddflow_artifact::NetWeights;
use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_cache::Digest;
use pddflow_runner::{Artifact, NodeContext};
use pddflow_tensor::Tensor;

use super::{NetRange, Wanted, check, check_shards, mismatch, ready};
use crate::init::first_weights;

/// Nets by number, from the shards of a port.
pub struct Pool {
    shards: Vec<NetWeights>,
}

impl Pool {
    /// The shards as they are stored; [`Self::check`] comes later where the data are known later.
    pub fn open(context: &NodeContext<'_>, artifacts: &[Artifact]) -> NodeResult<Self> {
        let open =
            |artifact: &Artifact| Ok(NetWeights::decode(&context.get(&artifact.digest).during("reading weights")?)?);
        Ok(Self { shards: artifacts.iter().map(open).collect::<NodeResult<_>>()? })
    }

    /// Checks the shards against each other and against what is wanted. `artifacts` are those of [`Self::open`].
    pub fn check(&self, artifacts: &[Artifact], wanted: &Wanted<'_>) -> NodeResult<()> {
        let shards: Vec<_> = self.shards.iter().map(NetWeights::info).zip(artifacts).collect();
        shards.iter().try_for_each(|(info, artifact)| check(info, wanted, artifact))?;
        check_shards(&shards)?;
        let seeds: Vec<_> = self.shards.iter().map(NetWeights::fresh).collect();
        match seeds.windows(2).position(|pair| pair[0] != pair[1]) {
            Some(place) => {
                Err(mismatch(&artifacts[place + 1], "begin from another seed", "give all shards one `seed`"))
            }
            None => Ok(()),
        }
    }

    /// Whether there is no net that has learned something: none at all, or fresh ones only.
    pub fn is_fresh(&self) -> bool {
        self.shards.iter().all(|shard| shard.fresh().is_some())
    }

    /// Number of nets.
    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.info().count).sum()
    }

    /// Digests of the sets that the nets were trained through.
    pub fn sets(&self) -> &[Digest] {
        self.shards.first().map_or(&[], |shard| &shard.info().sets)
    }

    /// The model of the nets: `{ id: { ... } }`.
    pub fn model(&self) -> Option<&serde_json::Value> {
        self.shards.first().map(|shard| &shard.info().model)
    }

    /// Checks that the nets of a range are there; an empty pool has all.
    pub fn check_range(&self, range: NetRange) -> NodeResult<()> {
        match range.numbers().find(|number| !self.shards.is_empty() && self.find(*number).is_none()) {
            None => Ok(()),
            Some(number) => {
                let had: Vec<String> = self.shards.iter().map(shown).collect();
                let message = format!("there is no start for net {number}: `start` has {}", had.join(", "));
                Err(fail("no_such_net", message).with_help("lower `nets`, or wire the shard that has this net"))
            }
        }
    }

    /// The weights of net `number`. An empty pool has the first weights of `seed`.
    pub fn net(&self, number: usize, seed: u64, wanted: &Wanted<'_>) -> NodeResult<Vec<Tensor>> {
        let doing = "reading weights";
        let Some((shard, place)) = self.find(number) else {
            return first_weights(wanted.specs, (seed, number), wanted.dtype, wanted.device).during(doing);
        };
        if let Some(seed) = shard.fresh() {
            return first_weights(wanted.specs, (seed, number), wanted.dtype, wanted.device).during(doing);
        }
        let weights = shard.net(place)?;
        weights.iter().map(|tensor| ready(tensor, wanted.dtype, wanted.device).during(doing)).collect()
    }

    /// The net at `place` (from 0) of a pool that is not empty, through all shards in their order.
    pub fn at(&self, place: usize, wanted: &Wanted<'_>) -> NodeResult<Vec<Tensor>> {
        let mut left = place;
        for shard in &self.shards {
            if left < shard.info().count {
                return self.net(shard.info().first + left, 0, wanted);
            }
            left -= shard.info().count;
        }
        Err(fail("no_such_net", format!("the pool has {} nets, net {place} was asked for", self.count())))
    }

    fn find(&self, number: usize) -> Option<(&NetWeights, usize)> {
        let holds = |shard: &&NetWeights| {
            let info = shard.info();
            (info.first..info.first + info.count).contains(&number)
        };
        self.shards.iter().find(holds).map(|shard| (shard, number - shard.info().first))
    }
}

fn shown(shard: &NetWeights) -> String {
    let info = shard.info();
    format!("nets {} to {}", info.first, info.first + info.count - 1)
}
