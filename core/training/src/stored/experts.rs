//! Trajectories of experts.

use pddflow_artifact::Trajectories;
use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::{Segment, WeightRole, WeightSpec};
use pddflow_runner::{Artifact, NodeContext};
use pddflow_tensor::{RandomKey, Tensor};

use super::{Wanted, check, check_shards, mismatch, ready};
use crate::init::initial_weights;

/// Experts by place, from the shards of a port; snapshots are read when they are asked for.
pub struct Experts {
    shards: Vec<Trajectories>,
    /// For each weight of the model its fixed value if it is a statistic, which trajectories do not hold.
    statistics: Vec<Option<Tensor>>,
}

impl Experts {
    /// Reads the notes of the shards; no weights yet.
    pub fn open(context: &NodeContext<'_>, artifacts: &[Artifact]) -> NodeResult<Self> {
        let open = |artifact: &Artifact| {
            Ok(Trajectories::decode(&context.get(&artifact.digest).during("reading trajectories")?)?)
        };
        Ok(Self { shards: artifacts.iter().map(open).collect::<NodeResult<_>>()?, statistics: Vec::new() })
    }

    /// Checks the shards against each other and against what is wanted. `artifacts` are those of [`Self::open`].
    pub fn check(mut self, artifacts: &[Artifact], wanted: &Wanted<'_>) -> NodeResult<Self> {
        let shards: Vec<_> = self.shards.iter().map(Trajectories::info).zip(artifacts).collect();
        shards.iter().try_for_each(|(info, artifact)| check(info, wanted, artifact))?;
        check_shards(&shards)?;
        for (shard, artifact) in self.shards.iter().zip(artifacts).skip(1) {
            if shard.epochs() != self.shards[0].epochs() {
                let message = format!("were kept at other epochs than those of `{}`", artifacts[0].from);
                return Err(mismatch(artifact, &message, "give all shards the same `snapshots`"));
            }
        }
        self.statistics = statistics(wanted)?;
        Ok(self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// Whether they began with nets that had seen sets.
    pub fn are_advanced(&self) -> bool {
        self.shards.first().is_some_and(|shard| !shard.info().sets.is_empty())
    }

    /// Number of nets.
    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.info().count).sum()
    }

    /// The model of the nets: `{ id: { ... } }`.
    pub fn model(&self) -> Option<&serde_json::Value> {
        self.shards.first().map(|shard| &shard.info().model)
    }

    /// Epochs that were kept.
    pub fn epochs(&self) -> &[u64] {
        self.shards.first().map_or(&[], Trajectories::epochs)
    }

    /// Weights of the net at `place`, through all shards in their order, after `epoch` epochs.
    pub fn snapshot(&self, place: usize, epoch: u64, wanted: &Wanted<'_>) -> NodeResult<Vec<Tensor>> {
        let mut left = place;
        for shard in &self.shards {
            if left >= shard.info().count {
                left -= shard.info().count;
                continue;
            }
            let mut learnable = shard.snapshot(left, epoch)?.into_iter();
            let weight = |statistic: &Option<Tensor>| match statistic {
                Some(value) => Ok(value.clone()),
                None => {
                    let tensor = learnable.next().ok_or_else(|| fail("no_such_net", "a snapshot is too short"))?;
                    ready(&tensor, wanted.dtype, wanted.device).during("reading a snapshot")
                }
            };
            return self.statistics.iter().map(weight).collect();
        }
        Err(fail("no_such_net", format!("there are {} experts, number {place} was asked for", self.count())))
    }

    /// A segment of `length` epochs of a random net, from a random epoch of `starts`; every epoch that this may ask for
    /// must have been kept.
    pub fn segment(
        &self,
        starts: std::ops::Range<u64>,
        length: u64,
        key: RandomKey,
        wanted: &Wanted<'_>,
    ) -> NodeResult<Segment> {
        self.check_kept(&starts, length)?;
        let place = usize::try_from(key.fold("net").below(self.count() as u64)).unwrap_or(0);
        let epoch = starts.start + key.fold("epoch").below(starts.end - starts.start);
        Ok(Segment {
            start: self.snapshot(place, epoch, wanted)?,
            target: self.snapshot(place, epoch + length, wanted)?,
            epoch,
        })
    }

    fn check_kept(&self, starts: &std::ops::Range<u64>, length: u64) -> NodeResult<()> {
        let epochs = self.epochs();
        let mut needed = starts.clone().flat_map(|start| [start, start.saturating_add(length)]);
        let Some(missing) = needed.find(|epoch| epochs.binary_search(epoch).is_err()) else { return Ok(()) };
        let last = (starts.end - 1).saturating_add(length);
        let message = format!(
            "segments of {length} epochs that start at epochs {} to {} need the snapshots 0 to {last} or a part of them; \
             the one of epoch {missing} is not there: {}",
            starts.start,
            starts.end - 1,
            kept(epochs)
        );
        Err(fail("trajectories_too_short", message).with_help(format!(
            "train the experts for at least {last} epochs and keep these snapshots (`snapshots: epoch`), or let segments \
             start earlier or be shorter"
        )))
    }
}

/// Which epochs were kept, in words.
fn kept(epochs: &[u64]) -> String {
    let (Some(first), Some(last)) = (epochs.first(), epochs.last()) else { return "none was kept".to_owned() };
    if last - first + 1 == epochs.len() as u64 {
        return format!("epochs {first} to {last} were kept");
    }
    let epochs: Vec<String> = epochs.iter().map(u64::to_string).collect();
    format!("epochs {} were kept", epochs.join(", "))
}

/// Statistics as they start; what they are afterwards belongs to no expert's trajectory, and training does not read them.
fn statistics(wanted: &Wanted<'_>) -> NodeResult<Vec<Option<Tensor>>> {
    let value = |spec: &WeightSpec| match spec.role {
        WeightRole::Learnable => Ok(None),
        WeightRole::Statistic => {
            let one = initial_weights(std::slice::from_ref(spec), RandomKey::new(0), wanted.dtype, wanted.device);
            Ok(one.during("making statistics")?.pop())
        }
    };
    wanted.specs.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use pddflow_cache::{Blob, Digest};
    use pddflow_host::Init;
    use pddflow_tensor::{DType, Device};
    use serde_json::json;

    use super::*;
    use crate::choice::PluginChoice;
    use pddflow_artifact::{NetData, NetsInfo, StoredWeight};

    fn spec(name: &str, role: WeightRole) -> WeightSpec {
        WeightSpec { name: name.to_owned(), shape: vec![1], init: Init::Constant(7.0), role }
    }

    /// Nets `first` and the next one; weight `a` of net n after epoch e is `10 n + e`.
    fn shard(first: usize, epochs: &[u64]) -> Trajectories {
        let stored = |name: &str, statistic| StoredWeight { name: name.to_owned(), shape: vec![1], statistic };
        let info = NetsInfo {
            model: json!({ "m": {} }),
            first,
            count: 2,
            sets: Vec::new(),
            data: Some(data()),
            weights: vec![stored("a", false), stored("mean", true)],
            made_by: json!({}),
        };
        let value = |net: usize, epoch: u64| (10 * net) as f32 + epoch as f32;
        let snapshot = |net, epoch| vec![Tensor::from_f32(vec![value(net, epoch)], &[1], &Device::Cpu).unwrap()];
        let net = |net| epochs.iter().map(|epoch| snapshot(net, *epoch)).collect();
        let nets: Vec<_> = (first..first + 2).map(net).collect();
        Trajectories::decode(&Blob::from(Trajectories::encode(&info, epochs, &nets).unwrap())).unwrap()
    }

    fn data() -> NetData {
        NetData {
            source: "test".into(),
            class_names: vec!["c".into()],
            shape: [1, 1, 1],
            preprocessing: Digest::of(b""),
        }
    }

    fn with<T>(shards: Vec<Trajectories>, look: impl FnOnce(&Experts, &Wanted<'_>) -> T) -> T {
        let choice = PluginChoice { id: "m".into(), config: json!({}) };
        let specs = [spec("a", WeightRole::Learnable), spec("mean", WeightRole::Statistic)];
        let wanted = Wanted { choice: &choice, specs: &specs, data: &data(), device: &Device::Cpu, dtype: DType::F32 };
        let statistics = statistics(&wanted).unwrap();
        look(&Experts { shards, statistics }, &wanted)
    }

    #[test]
    fn segments_run_along_one_net_and_reach_every_net_and_start() {
        with(vec![shard(0, &[0, 1, 2, 3]), shard(2, &[0, 1, 2, 3])], |experts, wanted| {
            let mut seen = std::collections::BTreeSet::new();
            for draw in 0..100 {
                let segment = experts.segment(0..2, 2, RandomKey::new(draw), wanted).unwrap();
                let value = |weights: &[Tensor]| weights[0].to_f64_vec().unwrap()[0];
                let (start, target) = (value(&segment.start), value(&segment.target));
                assert_eq!(target - start, 2.0);
                assert_eq!(start % 10.0, segment.epoch as f64);
                assert_eq!(segment.target[1].to_f64_vec().unwrap(), [7.0], "statistics are as at the start");
                seen.insert(start as u64);
            }
            assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 10, 11, 20, 21, 30, 31]);
        });
    }

    #[test]
    fn a_segment_that_was_not_kept_says_what_is_there_and_what_is_needed() {
        with(vec![shard(0, &[0, 1, 2, 3])], |experts, wanted| {
            // The draw may be one that is there: every start that was asked for counts.
            let error = experts.segment(0..3, 2, RandomKey::new(0), wanted).unwrap_err();
            assert_eq!(error.code, "pddflow::nodes::trajectories_too_short");
            assert!(error.message.contains("0 to 4") && error.message.contains("epochs 0 to 3"), "{}", error.message);
            assert!(error.help.unwrap().contains("at least 4 epochs"));
        });
        with(vec![shard(0, &[0, 2])], |experts, wanted| {
            assert!(experts.segment(0..1, 2, RandomKey::new(0), wanted).is_ok());
            let error = experts.segment(0..1, 1, RandomKey::new(0), wanted).unwrap_err();
            assert!(error.message.contains("epochs 0, 2 were kept"), "{}", error.message);
        });
    }
}
