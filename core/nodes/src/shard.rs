//! A part of a node's nets, so that several machines can train them: `shards: 4` beside `with`.
//!
//! A piece of work is a node of the same kind, and with the same parameters but `shard`, whose output `shard` holds the
//! trained nets. The node itself takes them at its port `shards`, trains nothing, and gives what it would have given:
//! nets share nothing, and those of a shard are those of a checkpoint.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_artifact::params::read;
use pddflow_cache::Blob;
use pddflow_runner::pipeline::{Arity, PortSpec, SHARD, SHARDS};
use pddflow_runner::{Inputs, NodeContext, Outputs};
use pddflow_training::stored::NetRange;
use pddflow_training::trainer::{NetState, SHARD_FORMAT, shard};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kind::port;

/// Which part of its nets a node trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shard {
    /// Its place, from 0.
    index: usize,
    /// How many parts there are.
    of: usize,
    /// The form in which its nets are stored.
    format: u32,
}

impl Shard {
    /// Parameters without the shard, and the shard.
    pub(crate) fn take(with: &Value) -> NodeResult<(Cow<'_, Value>, Option<Self>)> {
        let Some(shard) = with.get(SHARD) else { return Ok((Cow::Borrowed(with), None)) };
        let shard = read(shard)?;
        let mut rest = with.clone();
        rest.as_object_mut().and_then(|rest| rest.remove(SHARD));
        Ok((Cow::Owned(rest), Some(shard)))
    }

    /// Its nets: as many as those of every other shard, or one more.
    fn nets(self, all: NetRange) -> NetRange {
        let at = |index: usize| index * (all.count / self.of) + index.min(all.count % self.of);
        let (begin, end) = (at(self.index), at(self.index + 1));
        NetRange { first: all.first + begin, count: end - begin }
    }
}

/// The nets that a node trains itself.
pub(crate) fn nets(shard: Option<Shard>, all: NetRange) -> NetRange {
    shard.map_or(all, |shard| shard.nets(all))
}

/// Parameters of the pieces of a node with so many nets: as many as are wanted, and none without a net.
pub(crate) fn pieces(with: &Value, nets: usize, wanted: usize) -> Vec<Value> {
    let of = wanted.min(nets);
    let piece = |index| {
        let mut with = with.clone();
        with[SHARD] = json!(Shard { index, of, format: SHARD_FORMAT });
        with
    };
    (0..of).map(piece).collect()
}

/// The port at which the trained nets come in, and the one at which a piece gives them.
pub(crate) fn ports() -> (PortSpec, PortSpec) {
    (
        port(SHARDS, SHARD, Arity::Many, "nets that other nodes have trained; filled by `shards` beside `with`"),
        port(SHARD, SHARD, Arity::One, "nets of a piece, for the node that joins them"),
    )
}

/// The nets that come in.
pub(crate) fn wired(inputs: &Inputs, context: &NodeContext<'_>) -> NodeResult<Vec<Blob>> {
    let read = |shard: &pddflow_runner::Artifact| context.get(&shard.digest).during("reading the shards");
    inputs.port(SHARDS).iter().map(read).collect()
}

/// What a piece gives.
pub(crate) fn stored<N: Serialize + Clone>(nets: &[NetState<N>], context: &NodeContext<'_>) -> NodeResult<Outputs> {
    let digest = context.put(&shard(nets)?).during("storing the nets")?;
    Ok(Outputs { artifacts: BTreeMap::from([(SHARD.to_owned(), digest)]), metrics: BTreeMap::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_net_is_in_one_shard() {
        let all = NetRange { first: 20, count: 10 };
        for wanted in [1, 2, 3, 4, 9, 10, 99] {
            let pieces = pieces(&json!({ "lr": 0.1 }), all.count, wanted);
            assert_eq!(pieces.len(), wanted.min(10));
            let mut numbers = Vec::new();
            for with in &pieces {
                let (rest, shard) = Shard::take(with).unwrap();
                assert_eq!(*rest, json!({ "lr": 0.1 }));
                numbers.extend(nets(shard, all).numbers());
            }
            assert_eq!(numbers, (20..30).collect::<Vec<_>>(), "{wanted}");
        }
    }
}
