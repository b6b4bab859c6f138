//! How nets learned: their weights at several epochs. What the kind `train` gives.

use std::collections::{BTreeMap, BTreeSet};

use pddflow_cache::Blob;
use pddflow_tensor::Tensor;

use super::container;
use super::error::ArtifactError;
use super::nets_format::{NetsInfo, StoredWeight, TRAJECTORIES as ARTIFACT, TrajectoriesNote, VERSION};
use super::stack::{Stack, pack};
use super::weights::{array_name, check_info};

/// Learnable weights of several nets at the epochs that were kept. The numbers stay where they are stored (usually in a
/// mapped file) and are read one snapshot at a time.
#[derive(Clone, Debug)]
pub struct Trajectories {
    blob: Blob,
    info: NetsInfo,
    epochs: Vec<u64>,
    /// One for each learnable weight, `[net, epoch, ...]`.
    stacks: Vec<Stack>,
}

fn learnable(info: &NetsInfo) -> Vec<&StoredWeight> {
    info.weights.iter().filter(|weight| !weight.statistic).collect()
}

impl Trajectories {
    /// The bytes of trajectories: `nets[net][snapshot][learnable weight]`, snapshots in the order of `epochs`.
    ///
    /// # Errors
    /// When the counts do not fit each other or a shape is not that of `info`.
    pub fn encode(info: &NetsInfo, epochs: &[u64], nets: &[Vec<Vec<Tensor>>]) -> Result<Vec<u8>, ArtifactError> {
        let wrong = |message: String| Err(ArtifactError::content(ARTIFACT, message));
        check(info, epochs)?;
        let weights = learnable(info);
        if nets.len() != info.count || nets.iter().any(|net| net.len() != epochs.len()) {
            return wrong(format!("they are not {} nets at {} epochs each", info.count, epochs.len()));
        }
        let snapshots = || nets.iter().flatten();
        let fits = |snapshot: &Vec<Tensor>| {
            snapshot.len() == weights.len() && snapshot.iter().zip(&weights).all(|(t, w)| t.shape() == w.shape)
        };
        if !snapshots().all(fits) {
            return wrong("a snapshot has not the shapes of the model's weights".to_owned());
        }
        let mut arrays = BTreeMap::new();
        for (place, weight) in weights.iter().enumerate() {
            let tensors = snapshots().filter_map(|snapshot| snapshot.get(place));
            let array = pack(&[nets.len(), epochs.len()], &weight.shape, tensors);
            let array = array.map_err(|error| ArtifactError::content(ARTIFACT, error.to_string()))?;
            arrays.insert(array_name(&weight.name), array);
        }
        let (artifact, nets) = (ARTIFACT.to_owned(), info.clone());
        let note = TrajectoriesNote { artifact, version: VERSION, epochs: epochs.to_vec(), nets };
        container::write(ARTIFACT, &arrays, &note)
    }

    /// Reads what [`Self::encode`] wrote; the blob is kept.
    ///
    /// # Errors
    /// When the bytes are damaged, of another artifact or version, or contradict themselves.
    pub fn decode(blob: &Blob) -> Result<Self, ArtifactError> {
        let (tensors, note): (_, TrajectoriesNote) = container::open(ARTIFACT, VERSION, blob)?;
        let (info, epochs) = (note.nets, note.epochs);
        check(&info, &epochs)?;
        let leading = [info.count, epochs.len()];
        let open = |weight: &StoredWeight| {
            Stack::open(ARTIFACT, (&tensors, blob), &array_name(&weight.name), &leading, &weight.shape)
        };
        let stacks = learnable(&info).into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { blob: blob.clone(), info, epochs, stacks })
    }

    /// What they say of themselves.
    #[must_use]
    pub fn info(&self) -> &NetsInfo {
        &self.info
    }

    /// Epochs after which the weights were kept, ascending; 0 is before training.
    #[must_use]
    pub fn epochs(&self) -> &[u64] {
        &self.epochs
    }

    /// The learnable weights of the net at `place` (from 0) after `epoch` epochs, in the model's order, on the CPU.
    ///
    /// # Errors
    /// When there is no such net, or its weights were not kept at that epoch.
    pub fn snapshot(&self, place: usize, epoch: u64) -> Result<Vec<Tensor>, ArtifactError> {
        let wrong = |message: String| ArtifactError::content(ARTIFACT, message);
        if place >= self.info.count {
            return Err(wrong(format!("net {place} of {} was asked for", self.info.count)));
        }
        let at = self.epochs.binary_search(&epoch);
        let at = at.map_err(|_| wrong(format!("nothing was kept after epoch {epoch}")))?;
        let read = |stack: &Stack| stack.tensor(&self.blob, place * self.epochs.len() + at);
        self.stacks.iter().map(read).collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))
    }
}

fn check(info: &NetsInfo, epochs: &[u64]) -> Result<(), ArtifactError> {
    check_info(ARTIFACT, info)?;
    let ascending = epochs.windows(2).all(|pair| pair[0] < pair[1]);
    if epochs.is_empty() || !ascending || info.data.is_none() {
        return Err(ArtifactError::content(ARTIFACT, format!("the epochs {epochs:?} are not those of trained nets")));
    }
    let names: BTreeSet<&str> = info.weights.iter().map(|weight| weight.name.as_str()).collect();
    match names.len() == info.weights.len() {
        true => Ok(()),
        false => Err(ArtifactError::content(ARTIFACT, "two weights have one name")),
    }
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::Device;

    use super::super::weights::tests::sample_info;
    use super::*;

    fn snapshot(value: f32) -> Vec<Tensor> {
        vec![
            Tensor::from_f32(vec![value; 6], &[2, 3], &Device::Cpu).unwrap(),
            Tensor::from_f32(vec![value + 0.5], &[1], &Device::Cpu).unwrap(),
        ]
    }

    fn sample() -> Vec<u8> {
        let nets = vec![vec![snapshot(0.0), snapshot(1.0)], vec![snapshot(2.0), snapshot(3.0)]];
        Trajectories::encode(&sample_info(), &[0, 3], &nets).unwrap()
    }

    #[test]
    fn each_snapshot_comes_back_by_net_and_epoch() {
        let read = Trajectories::decode(&Blob::from(sample())).unwrap();
        assert_eq!((read.info(), read.epochs()), (&sample_info(), [0, 3].as_slice()));
        for (net, epoch, expected) in [(0, 0, 0.0), (0, 3, 1.0), (1, 0, 2.0), (1, 3, 3.0)] {
            let weights = read.snapshot(net, epoch).unwrap();
            assert_eq!(weights.len(), 2, "statistics are not kept");
            assert_eq!(weights[0].to_f64_vec().unwrap(), [expected; 6]);
            assert_eq!(weights[1].to_f64_vec().unwrap(), [expected + 0.5]);
        }
        assert!(read.snapshot(0, 2).unwrap_err().to_string().contains("epoch 2"));
        assert!(read.snapshot(2, 0).unwrap_err().to_string().contains("net 2 of 2"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let nets = vec![vec![snapshot(0.0)], vec![snapshot(2.0)]];
        for epochs in [[].as_slice(), &[0, 3], &[3, 0]] {
            assert!(Trajectories::encode(&sample_info(), epochs, &nets).is_err(), "{epochs:?}");
        }
        let bytes = sample();
        assert!(Trajectories::decode(&Blob::from(bytes[..bytes.len() - 1].to_vec())).is_err());
    }
}
