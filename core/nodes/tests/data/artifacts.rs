//! Bytes of artifacts: there and back, and damaged.

use std::collections::BTreeMap;
use std::sync::Arc;

use pddflow_artifact::{
    Dataset, DatasetParts, DistilledSet, ImageSize, LabelledImages, Normalization, Origin, Preprocessing, RealImages,
    SetInfo, Side, Zca,
};
use pddflow_cache::Blob;
use pddflow_host::Labels;
use pddflow_runner::NodeError;
use pddflow_tensor::{Device, Tensor};
use serde_json::json;

const SIZE: ImageSize = ImageSize { channels: 3, height: 2, width: 1 };

fn parts(normalization: Normalization) -> DatasetParts {
    DatasetParts {
        size: SIZE,
        train: LabelledImages { pixels: (0..18).collect(), labels: vec![0, 1, 1] },
        held_out: LabelledImages::default(),
        test: LabelledImages { pixels: vec![255; 6], labels: vec![1] },
        class_names: vec!["a".into(), "ü | b".into()],
        class_ids: None,
        preprocessing: Preprocessing::new(normalization, 3),
        source: "made".into(),
        license: None,
    }
}

fn zca() -> Normalization {
    let matrix: Vec<f32> = (0..36_u8).map(|i| 0.1 * f32::from(i)).collect();
    Normalization::Zca(Arc::new(Zca { epsilon: 0.1, mean: vec![0.3; 6], transform: matrix.clone(), inverse: matrix }))
}

fn standard() -> Normalization {
    Normalization::Standard { mean: vec![0.1 + 0.2; 3], std: vec![1.0 / 3.0; 3], origin: Origin::Computed }
}

#[test]
fn a_data_set_comes_back_bit_for_bit() {
    for normalization in [Normalization::None, standard(), zca()] {
        let parts = parts(normalization);
        let bytes = Dataset::encode(&parts).unwrap();
        assert_eq!(bytes, Dataset::encode(&parts).unwrap());
        let data = Dataset::decode(&Blob::from(bytes)).unwrap();
        assert_eq!(data.pixels(Side::Train), parts.train.pixels);
        assert_eq!(data.labels(Side::Train), parts.train.labels);
        assert_eq!(data.pixels(Side::Test), parts.test.pixels);
        assert_eq!(data.rows(Side::HeldOut), 0);
        assert_eq!(data.class_names(), parts.class_names);
        assert_eq!(data.size(), SIZE);
        assert_eq!(data.preprocessing(), &parts.preprocessing);
        assert_eq!(data.preprocessing_digest(), parts.preprocessing.digest());
    }
}

#[test]
fn held_out_images_come_back_bit_for_bit_and_change_nothing_where_there_are_none() {
    let held_out = LabelledImages { pixels: vec![9; 12], labels: vec![1, 0] };
    let with = DatasetParts { held_out, ..parts(zca()) };
    let bytes = Dataset::encode(&with).unwrap();
    let data = Dataset::decode(&Blob::from(bytes.clone())).unwrap();
    let images = |side| LabelledImages { pixels: data.pixels(side).to_vec(), labels: data.labels(side).to_vec() };
    assert_eq!(images(Side::HeldOut), with.held_out);
    let [train, held_out, test] = [Side::Train, Side::HeldOut, Side::Test].map(images);
    assert_eq!(Dataset::encode(&data.with_images(train.clone(), held_out, test.clone())).unwrap(), bytes);
    let without = Dataset::encode(&data.with_images(train, LabelledImages::default(), test)).unwrap();
    assert_eq!(without, Dataset::encode(&parts(zca())).unwrap());
    let wrong = DatasetParts { held_out: LabelledImages { pixels: vec![9; 6], labels: vec![2] }, ..parts(standard()) };
    let error = Dataset::encode(&wrong).unwrap_err().to_string();
    assert!(error.contains("held_out image 0 has the class number 2"), "{error}");
}

#[test]
fn a_data_set_that_contradicts_itself_is_not_written() {
    let check = |change: &dyn Fn(&mut DatasetParts), expected: &str| {
        let mut parts = parts(standard());
        change(&mut parts);
        let error = Dataset::encode(&parts).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&|parts| parts.train.labels[1] = 2, "train image 1 has the class number 2");
    check(&|parts| parts.train.pixels.truncate(17), "3 labels and 17 pixel values");
    check(
        &|parts| {
            parts.preprocessing = Preprocessing::new(
                Normalization::Standard { mean: vec![0.0], std: vec![1.0], origin: Origin::Given },
                3,
            );
        },
        "1 means",
    );
    check(
        &|parts| {
            parts.preprocessing = Preprocessing::new(
                Normalization::Standard { mean: vec![0.0; 3], std: vec![0.0; 3], origin: Origin::Given },
                3,
            );
        },
        "cannot be used",
    );
}

fn set(labels: Labels) -> DistilledSet {
    let images: Vec<f32> = (0..24_u8).map(|i| f32::from(i) - 7.125).collect();
    DistilledSet {
        images: Tensor::from_f32(images, &[4, 3, 2, 1], &Device::Cpu).unwrap(),
        labels,
        learnables: BTreeMap::from([("base".into(), Tensor::from_f64(vec![0.1, 0.2], &[2], &Device::Cpu).unwrap())]),
        step_size: Some(0.1 + 0.2),
        info: SetInfo {
            method: "dm".into(),
            source: "made".into(),
            made_by: json!({ "matcher": { "dm": {} } }),
            recipe: json!({ "lr": 0.01 }),
            ipc: 2,
            stage: 1,
            class_names: vec!["a".into(), "b".into()],
            class_ids: None,
            preprocessing: Preprocessing::new(standard(), 3).note(),
            real_images: None,
        },
    }
}

fn hard(labels: &[i64]) -> Labels {
    Labels::Hard(Tensor::from_i64(labels.to_vec(), &[labels.len()], &Device::Cpu).unwrap())
}

fn soft() -> Labels {
    Labels::Soft(Tensor::from_f32(vec![0.9, 0.1, 0.8, 0.2, 0.3, 0.7, 0.0, 1.0], &[4, 2], &Device::Cpu).unwrap())
}

#[test]
fn a_set_comes_back_bit_for_bit() {
    for labels in [hard(&[0, 0, 1, 1]), soft()] {
        let mut set = set(labels);
        set.info.real_images = Some(RealImages { data: "b3:0123".into(), count: 5000 });
        let bytes = set.encode().unwrap();
        let back = DistilledSet::decode(&bytes).unwrap();
        assert_eq!(back.encode().unwrap(), bytes);
        assert_eq!(back.info, set.info);
        assert_eq!(back.step_size, set.step_size);
        assert_eq!(back.hard_labels().unwrap(), [0, 0, 1, 1]);
        assert_eq!(back.learnables["base"].to_f64_vec().unwrap(), [0.1, 0.2]);
        assert_eq!((back.rows(), back.classes(), back.size()), (4, 2, SIZE));
    }
}

#[test]
fn a_set_that_contradicts_itself_is_not_written() {
    let check = |set: DistilledSet, expected: &str| {
        let error = set.encode().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(set(hard(&[0, 0, 1])), "shape [3] for 4 images");
    check(set(hard(&[0, 0, 1, 2])), "image 3 has the class 2");
    check(set(hard(&[0, -1, 1, 1])), "image 1 has the class -1");
    check(DistilledSet { step_size: Some(f64::NAN), ..set(soft()) }, "learning rate");
    let nan = Tensor::from_f32(vec![f32::NAN; 24], &[4, 3, 2, 1], &Device::Cpu).unwrap();
    check(DistilledSet { images: nan, ..set(soft()) }, "`images` holds numbers that are not finite");
    let flat = Tensor::from_f32(vec![0.0; 24], &[4, 6], &Device::Cpu).unwrap();
    check(DistilledSet { images: flat, ..set(soft()) }, "shape [4, 6]");
}

/// No byte string that is cut or changed may panic; a cut one is always refused.
fn shake(bytes: &[u8], decode: &dyn Fn(&[u8]) -> Result<(), NodeError>) {
    decode(bytes).unwrap();
    for keep in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        let error = decode(&bytes[..keep]).expect_err("cut bytes were accepted");
        assert!(error.code.starts_with("pddflow::nodes::artifact") && error.help.is_some(), "{error:?}");
    }
    for place in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = bytes.to_vec();
            changed[place] ^= flip;
            let _ = decode(&changed);
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let data = |bytes: &[u8]| Dataset::decode(&Blob::from(bytes.to_vec())).map(drop).map_err(NodeError::from);
    shake(&Dataset::encode(&parts(zca())).unwrap(), &data);
    let set_bytes = set(soft()).encode().unwrap();
    shake(&set_bytes, &|bytes| DistilledSet::decode(bytes).map(drop).map_err(NodeError::from));
}

#[test]
fn one_artifact_is_not_taken_for_another() {
    let bytes = set(soft()).encode().unwrap();
    let error = NodeError::from(Dataset::decode(&Blob::from(bytes)).unwrap_err());
    assert_eq!(error.code, "pddflow::nodes::artifact_type");
    assert_eq!(error.message, "expected a dataset artifact and found `set`");
}

/// Files that version 1 wrote. When this fails, the format has changed: raise its version and keep reading the old one.
/// `PDDFLOW_WRITE_FIXTURES=1` writes files that do not exist yet.
#[test]
fn what_version_1_wrote_is_read_and_written_alike() {
    let check = |name: &str, bytes: Vec<u8>, again: &dyn Fn(&[u8]) -> Vec<u8>| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name);
        if !path.exists() && std::env::var_os("PDDFLOW_WRITE_FIXTURES").is_some() {
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, &bytes).unwrap();
        }
        let old = fs_err::read(&path).unwrap();
        assert_eq!(old, bytes, "{name} is written differently");
        assert_eq!(again(&old), old, "{name} is not read in full");
    };
    let set_again = |bytes: &[u8]| DistilledSet::decode(bytes).unwrap().encode().unwrap();
    check("set_v1_soft.safetensors", set(soft()).encode().unwrap(), &set_again);
    check("set_v1_hard.safetensors", set(hard(&[0, 0, 1, 1])).encode().unwrap(), &set_again);
    let data_again = |bytes: &[u8]| {
        let data = Dataset::decode(&Blob::from(bytes.to_vec())).unwrap();
        let images = |side| LabelledImages { pixels: data.pixels(side).to_vec(), labels: data.labels(side).to_vec() };
        let [train, held_out, test] = [Side::Train, Side::HeldOut, Side::Test].map(images);
        Dataset::encode(&data.with_images(train, held_out, test)).unwrap()
    };
    check("dataset_v1_standard.safetensors", Dataset::encode(&parts(standard())).unwrap(), &data_again);
    check("dataset_v1_zca.safetensors", Dataset::encode(&parts(zca())).unwrap(), &data_again);
}
