//! One small artifact of every type, and of every form that it has; and what other programs write.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use pddflow_artifact::{
    CurvePoint, Dataset, DatasetParts, DistilledSet, Files, ImageSize, LabelledImages, NamedTensors, NetData,
    NetWeights, NetsInfo, Normalization, Origin, Preprocessing, Reading, Results, Scores, SetInfo, StoredWeight,
    Trajectories, Zca,
};
use pddflow_cache::Digest;
use pddflow_host::Labels;
use pddflow_tensor::{Device, Tensor};
use serde_json::json;

/// How many there are.
pub(crate) const COUNT: usize = 11;

/// What is inside of `.pt` files of PyTorch, and an array of NumPy.
pub(crate) fn pickles() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    let inside = |file: &str, ending: &str| {
        let bytes = fs_err::read(folder.join(file)).expect("a file");
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive");
        let place = (0..archive.len())
            .find(|at| archive.by_index(*at).is_ok_and(|file| file.name().is_ok_and(|name| name.ends_with(ending))));
        let mut found = Vec::new();
        archive.by_index(place.expect("a file")).expect("a file").read_to_end(&mut found).expect("its bytes");
        found
    };
    vec![
        inside("kinds.pt", "data.pkl"),
        inside("res_DC.pt", "data.pkl"),
        inside("state.pt", "data.pkl"),
        inside("set.npz", "class_names.npy"),
        inside("set.npz", "images.npy"),
    ]
}

/// A `.pt` with this pickle, and enough numbers for its tensors' storages of 384 bytes.
pub(crate) fn torch(pickle: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let numbers = (0..4).map(|key| (format!("a/data/{key}"), vec![1; 384]));
    for (name, bytes) in std::iter::once(("a/data.pkl".to_owned(), pickle.to_vec())).chain(numbers) {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(name, options).expect("a file");
        archive.write_all(&bytes).expect("its bytes");
    }
    archive.finish().expect("an archive").into_inner()
}

/// The bytes of all of them.
pub(crate) fn artifacts() -> Vec<Vec<u8>> {
    let ones = Zca { epsilon: 0.1, mean: vec![0.3; 2], transform: vec![1.0; 4], inverse: vec![1.0; 4] };
    let standard = Normalization::Standard { mean: vec![0.5], std: vec![0.25], origin: Origin::Computed };
    let one = |shape: &[usize], values: &[f32]| tensor(values, shape);
    let net = vec![one(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), one(&[2], &[0.0, 1.0])];
    let snapshot = vec![net[0].clone()];
    let mut files = Files::new();
    files.insert("table.csv", b"a,b\n1,2\n".to_vec()).expect("a name");
    files.insert("folder/table.md", b"| a |\n".to_vec()).expect("a name");
    let hard = Labels::Hard(Tensor::from_i64(vec![0, 1], &[2], &Device::Cpu).expect("labels"));
    let soft = Labels::Soft(one(&[2, 2], &[0.9, 0.1, 0.2, 0.8]));
    let scores = Scores {
        method: "forgetting".into(),
        made_by: json!({ "epochs": 2 }),
        images: Digest::of(b"images"),
        scores: vec![0.0, 3.5],
    };
    let tensors = [("classes", one(&[1, 2], &[0.5, 1.5])), ("dense.bias", one(&[1], &[2.0]))];
    let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into();
    let named = NamedTensors { tensors, data: None, made_by: json!({ "kind": "generator" }) };
    let bytes = [
        Dataset::encode(&dataset(Normalization::Zca(Arc::new(ones)))),
        Dataset::encode(&dataset(standard)),
        set(hard).encode(),
        set(soft).encode(),
        files.encode(),
        results().encode(),
        scores.encode(),
        named.encode(),
        Trajectories::encode(&nets(true), &[0, 2], &[vec![snapshot.clone(), snapshot]]),
        NetWeights::encode(&nets(true), &[net]),
        NetWeights::encode_fresh(&nets(false), 7),
    ];
    bytes.into_iter().map(|bytes| bytes.expect("an artifact")).collect()
}

fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_f32(values.to_vec(), shape, &Device::Cpu).expect("a tensor")
}

fn dataset(normalization: Normalization) -> DatasetParts {
    DatasetParts {
        size: ImageSize { channels: 1, height: 2, width: 1 },
        train: LabelledImages { pixels: (0..6).collect(), labels: vec![0, 1, 1] },
        held_out: LabelledImages { pixels: vec![7; 2], labels: vec![0] },
        test: LabelledImages { pixels: vec![255; 2], labels: vec![1] },
        class_names: vec!["a".into(), "ü | b".into()],
        class_ids: None,
        preprocessing: Preprocessing::new(normalization, 1),
        source: "made".into(),
        license: Some("none".into()),
    }
}

fn set(labels: Labels) -> DistilledSet {
    DistilledSet {
        images: tensor(&[0.5, -1.0, 2.0, 0.25], &[2, 1, 2, 1]),
        labels,
        learnables: BTreeMap::from([("base".to_owned(), tensor(&[0.1, 0.2], &[2]))]),
        step_size: Some(0.01),
        info: SetInfo {
            method: "dm".into(),
            source: "made".into(),
            made_by: json!({ "matcher": { "dm": {} } }),
            recipe: json!({ "lr": 0.01 }),
            ipc: 1,
            stage: 1,
            class_names: vec!["a".into(), "b".into()],
            class_ids: None,
            preprocessing: Preprocessing::new(Normalization::None, 1).note(),
            real_images: None,
        },
    }
}

fn results() -> Results {
    let reading = Reading { stage: 1, epoch: 10, accuracies: vec![0.5, 0.75] };
    Results {
        method: "dm".into(),
        labels: BTreeMap::from([("ipc".into(), json!(10))]),
        rule: "last".into(),
        reported: reading.clone(),
        others: BTreeMap::from([("best_on_test".into(), reading.clone())]),
        curve: vec![CurvePoint { reading, held_out: Some(0.5), phase: None }],
        protocol: json!({ "epochs": 10 }),
    }
}

fn nets(trained: bool) -> NetsInfo {
    let weight = |name: &str, shape: &[usize], statistic| StoredWeight {
        name: name.to_owned(),
        shape: shape.to_vec(),
        statistic,
    };
    let data = NetData {
        source: "made".into(),
        class_names: vec!["a".into(), "b".into()],
        shape: [1, 2, 1],
        preprocessing: Digest::of(b"preprocessing"),
    };
    let weights = vec![weight("conv", &[2, 2], false), weight("mean", &[2], true)];
    NetsInfo {
        model: json!({ "mlp": {} }),
        first: 0,
        count: 1,
        sets: Vec::new(),
        data: trained.then_some(data),
        weights: if trained { weights } else { Vec::new() },
        made_by: json!({}),
    }
}
