//! Weights of several nets: what the kind `advance` gives.

use std::collections::BTreeMap;

use pddflow_cache::Blob;
use pddflow_tensor::Tensor;

use super::container;
use super::error::ArtifactError;
use super::nets_format::{NetsInfo, StoredWeight, VERSION, WEIGHTS as ARTIFACT, WeightsNote};
use super::stack::{Stack, pack};

/// All weights of several nets, statistics too. They are read one net at a time where they lie.
///
/// Nets that have seen nothing yet are stored as their seed alone: what shapes they have depends on the data that they
/// will see, and their first weights follow from seed and number (`nets::first_weights`).
#[derive(Clone, Debug)]
pub struct NetWeights {
    blob: Blob,
    info: NetsInfo,
    fresh: Option<u64>,
    stacks: Vec<Stack>,
}

/// Name of a weight's array.
pub(crate) fn array_name(weight: &str) -> String {
    format!("weight.{weight}")
}

/// What trajectories and weights have in common.
pub(crate) fn check_info(artifact: &'static str, info: &NetsInfo) -> Result<(), ArtifactError> {
    let named = info.model.as_object().is_some_and(|choice| choice.len() == 1);
    let consistent = info.data.is_some() != info.weights.is_empty();
    if info.count > 0 && named && consistent {
        return Ok(());
    }
    Err(ArtifactError::content(artifact, format!("it describes {} nets of the model {}", info.count, info.model)))
}

impl NetWeights {
    /// The bytes of trained nets: `nets[net][weight]`, weights in the order of `info`.
    ///
    /// # Errors
    /// When the counts do not fit each other or a shape is not that of `info`.
    pub fn encode(info: &NetsInfo, nets: &[Vec<Tensor>]) -> Result<Vec<u8>, ArtifactError> {
        check_info(ARTIFACT, info)?;
        let fits = |net: &Vec<Tensor>| {
            net.len() == info.weights.len() && net.iter().zip(&info.weights).all(|(t, w)| t.shape() == w.shape)
        };
        if nets.len() != info.count || info.data.is_none() || !nets.iter().all(fits) {
            let message = format!("they are not {} nets with the weights of the model", info.count);
            return Err(ArtifactError::content(ARTIFACT, message));
        }
        let mut arrays = BTreeMap::new();
        for (place, weight) in info.weights.iter().enumerate() {
            let array = pack(&[nets.len()], &weight.shape, nets.iter().filter_map(|net| net.get(place)));
            let array = array.map_err(|error| ArtifactError::content(ARTIFACT, error.to_string()))?;
            arrays.insert(array_name(&weight.name), array);
        }
        container::write(ARTIFACT, &arrays, &note(info, None))
    }

    /// The bytes of nets that have seen nothing yet.
    ///
    /// # Errors
    /// When `info` is that of trained nets.
    pub fn encode_fresh(info: &NetsInfo, seed: u64) -> Result<Vec<u8>, ArtifactError> {
        check_info(ARTIFACT, info)?;
        if info.data.is_some() || !info.sets.is_empty() {
            return Err(ArtifactError::content(ARTIFACT, "nets that were trained have no seed"));
        }
        container::write(ARTIFACT, &BTreeMap::new(), &note(info, Some(seed)))
    }

    /// Reads what [`Self::encode`] or [`Self::encode_fresh`] wrote; the blob is kept.
    ///
    /// # Errors
    /// When the bytes are damaged, of another artifact or version, or contradict themselves.
    pub fn decode(blob: &Blob) -> Result<Self, ArtifactError> {
        let (tensors, note): (_, WeightsNote) = container::open(ARTIFACT, VERSION, blob)?;
        let info = note.nets;
        check_info(ARTIFACT, &info)?;
        if note.fresh.is_some() != info.data.is_none() {
            return Err(ArtifactError::content(ARTIFACT, "nets are either fresh or trained"));
        }
        let open = |weight: &StoredWeight| {
            Stack::open(ARTIFACT, (&tensors, blob), &array_name(&weight.name), &[info.count], &weight.shape)
        };
        let stacks = info.weights.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { blob: blob.clone(), info, fresh: note.fresh, stacks })
    }

    /// What they say of themselves.
    #[must_use]
    pub fn info(&self) -> &NetsInfo {
        &self.info
    }

    /// The seed of nets that have seen nothing yet.
    #[must_use]
    pub fn fresh(&self) -> Option<u64> {
        self.fresh
    }

    /// The weights of the trained net at `place` (from 0), in the model's order, on the CPU.
    ///
    /// # Errors
    /// When there is no such net.
    pub fn net(&self, place: usize) -> Result<Vec<Tensor>, ArtifactError> {
        let wrong = |message: String| ArtifactError::content(ARTIFACT, message);
        if place >= self.info.count || self.fresh.is_some() {
            return Err(wrong(format!("the stored net {place} was asked for")));
        }
        let read = |stack: &Stack| stack.tensor(&self.blob, place);
        self.stacks.iter().map(read).collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))
    }
}

fn note(info: &NetsInfo, fresh: Option<u64>) -> WeightsNote {
    WeightsNote { artifact: ARTIFACT.to_owned(), version: VERSION, fresh, nets: info.clone() }
}

#[cfg(test)]
pub(crate) mod tests {
    use pddflow_cache::Digest;
    use pddflow_tensor::Device;
    use serde_json::json;

    use super::super::nets_format::NetData;
    use super::*;

    pub(in super::super) fn sample_info() -> NetsInfo {
        let weight = |name: &str, shape: &[usize], statistic| StoredWeight {
            name: name.to_owned(),
            shape: shape.to_vec(),
            statistic,
        };
        NetsInfo {
            model: json!({ "convnet": { "width": 4 } }),
            first: 3,
            count: 2,
            sets: vec![Digest::of(b"set")],
            data: Some(NetData {
                source: "test".into(),
                class_names: vec!["a".into(), "b".into()],
                shape: [1, 2, 2],
                preprocessing: Digest::of(b"preprocessing"),
            }),
            weights: vec![weight("a", &[2, 3], false), weight("mean", &[2], true), weight("b", &[1], false)],
            made_by: json!({ "kind": "advance" }),
        }
    }

    fn net(value: f32) -> Vec<Tensor> {
        let of = |shape: &[usize]| Tensor::from_f32(vec![value; shape.iter().product()], shape, &Device::Cpu).unwrap();
        vec![of(&[2, 3]), of(&[2]), of(&[1])]
    }

    #[test]
    fn each_net_comes_back_with_its_statistics() {
        let bytes = NetWeights::encode(&sample_info(), &[net(1.0), net(2.0)]).unwrap();
        let read = NetWeights::decode(&Blob::from(bytes)).unwrap();
        assert_eq!((read.info(), read.fresh()), (&sample_info(), None));
        let second = read.net(1).unwrap();
        assert_eq!(second.iter().map(|t| t.shape().to_vec()).collect::<Vec<_>>(), [vec![2, 3], vec![2], vec![1]]);
        assert_eq!(second[1].to_f64_vec().unwrap(), [2.0, 2.0]);
        assert!(read.net(2).is_err());
    }

    #[test]
    fn fresh_nets_are_their_seed() {
        let info = NetsInfo { data: None, weights: Vec::new(), sets: Vec::new(), ..sample_info() };
        let bytes = NetWeights::encode_fresh(&info, 7).unwrap();
        let read = NetWeights::decode(&Blob::from(bytes)).unwrap();
        assert_eq!((read.fresh(), read.info()), (Some(7), &info));
        assert!(read.net(0).is_err());
        assert!(NetWeights::encode_fresh(&sample_info(), 7).is_err());
        assert!(NetWeights::encode(&info, &[]).is_err());
    }

    #[test]
    fn wrong_shapes_and_counts_are_refused() {
        assert!(NetWeights::encode(&sample_info(), &[net(1.0)]).is_err());
        let mut cut = net(1.0);
        cut.pop();
        assert!(NetWeights::encode(&sample_info(), &[net(1.0), cut]).is_err());
    }
}
