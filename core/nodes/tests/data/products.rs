//! What is made of sets and results: pictures, exports, tables.

use std::collections::BTreeMap;
use std::process::Command;

use pddflow_artifact::{Dataset, DistilledSet, Files, Normalization, Preprocessing, Reading, Results, SetInfo, Side};
use pddflow_host::Labels;
use pddflow_tensor::{DType, Device, Tensor};
use serde_json::{Value, json};

use crate::bench::Bench;

/// The first images of each class as a set, normalised as the data.
fn set(data: &Dataset, method: &str, stage: usize, ipc: usize) -> DistilledSet {
    let rows: Vec<usize> = data.class_rows(Side::Train).iter().flat_map(|rows| rows[..ipc].to_vec()).collect();
    let labels: Vec<i64> = rows.iter().map(|row| i64::from(data.labels(Side::Train)[*row])).collect();
    let count = rows.len();
    let index = Tensor::from_i64(rows.iter().map(|row| i64::try_from(*row).unwrap()).collect(), &[count], &Device::Cpu);
    let images = data.images(Side::Train, DType::F32, &Device::Cpu).unwrap().gather(0, &index.unwrap()).unwrap();
    DistilledSet {
        images,
        labels: Labels::Hard(Tensor::from_i64(labels, &[count], &Device::Cpu).unwrap()),
        learnables: BTreeMap::new(),
        step_size: (stage == 2).then_some(0.02),
        info: SetInfo {
            method: method.into(),
            source: data.source().into(),
            made_by: json!({ "kind": "select" }),
            recipe: json!({ "lr": 0.01, "augment": "dsa:color_crop" }),
            ipc,
            stage,
            class_names: data.class_names().to_vec(),
            class_ids: data.class_ids().cloned(),
            preprocessing: data.preprocessing().note(),
            real_images: None,
        },
    }
}

fn first_pixels(data: &Dataset, class: usize, number: usize) -> Vec<u8> {
    let row = data.class_rows(Side::Train)[class][number];
    let each = data.size().elements();
    data.pixels(Side::Train)[row * each..][..each].to_vec()
}

#[test]
fn grids_show_the_very_pixels_of_real_images() {
    for normalize in ["standard", "none", "zca"] {
        let bench = Bench::new();
        let with = json!({ "source": "fashion-mini", "normalize": normalize });
        let data = bench.dataset(&with).unwrap();
        let artifact = bench.put_set(&set(&data, "real / first", 1, 3));
        let ports = [("sets", vec![artifact]), ("data", vec![bench.data_artifact(&with)])];
        let files = bench.files("images", &json!({ "scale": 2 }), &ports).unwrap();
        let picture = image::load_from_memory(files.get("real---first.png").unwrap()).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), ((3 * 29 + 1) * 2, (10 * 29 + 1) * 2));
        for (class, number) in [(0, 0), (3, 2), (9, 1)] {
            let (left, top) = (u32::try_from(number * 29 + 1).unwrap(), u32::try_from(class * 29 + 1).unwrap());
            let shown = (0..784_u32).map(|i| picture.get_pixel((left + i % 28) * 2 + 1, (top + i / 28) * 2).0[0]);
            assert_eq!(shown.collect::<Vec<u8>>(), first_pixels(&data, class, number), "{normalize} {class} {number}");
        }
    }
}

#[test]
fn values_beyond_a_pixel_are_cut() {
    let bench = Bench::new();
    let data = bench.dataset(&json!({ "source": "fashion-mini" })).unwrap();
    let mut bright = set(&data, "bright", 1, 1);
    bright.images = bright.images.abs().unwrap().mul_scalar(100.0).unwrap().add_scalar(100.0).unwrap();
    let ports = [("sets", vec![bench.put_set(&bright)])];
    let files = bench.files("images", &json!({ "scale": 1 }), &ports).unwrap();
    let picture = image::load_from_memory(files.get("bright.png").unwrap()).unwrap().into_luma8();
    assert_eq!(picture.get_pixel(5, 5).0, [255]);
}

#[test]
fn sets_of_one_method_are_told_apart_by_stage() {
    let bench = Bench::new();
    let data = bench.dataset(&json!({ "source": "fashion-mini" })).unwrap();
    let sets = [set(&data, "DM", 1, 1), set(&data, "dm", 2, 1), set(&data, "dm", 2, 1), set(&data, "dc", 1, 1)];
    let ports = [("sets", sets.iter().map(|set| bench.put_set(set)).collect())];
    let files = bench.files("images", &json!({}), &ports).unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["DM-stage1.png", "dc.png", "dm-stage2-2.png", "dm-stage2.png"]);
    // Small images are shown larger.
    let picture = image::load_from_memory(files.get("dc.png").unwrap()).unwrap();
    assert_eq!(picture.width(), (28 + 2) * 4);
}

#[test]
fn whitened_sets_need_their_data() {
    let bench = Bench::new();
    let with = json!({ "source": "fashion-mini", "normalize": "zca", "train_per_class": 5 });
    let data = bench.dataset(&with).unwrap();
    let artifact = bench.put_set(&set(&data, "dm", 1, 1));
    for kind in ["images", "export"] {
        let error = bench.files(kind, &json!({}), &[("sets", vec![artifact.clone()])]).unwrap_err();
        assert_eq!(error.code, "pddflow::nodes::data_needed");
        assert!(error.message.contains("make[1]") && error.help.unwrap().contains("data:"), "{}", error.message);
    }
    let other = bench.data_artifact(&json!({ "source": "fashion-mini", "normalize": "none" }));
    let ports = [("sets", vec![artifact]), ("data", vec![other])];
    assert_eq!(bench.files("images", &json!({}), &ports).unwrap_err().code, "pddflow::nodes::set_mismatch");
}

fn export(normalize: &str, count: usize) -> (Files, Dataset) {
    let bench = Bench::new();
    let with = json!({ "source": "fashion-mini", "normalize": normalize });
    let data = bench.dataset(&with).unwrap();
    let sets = (1..=count).map(|stage| bench.put_set(&set(&data, "dm", stage, 2))).collect();
    let ports = [("sets", sets), ("data", vec![bench.data_artifact(&with)])];
    (bench.files("export", &json!({}), &ports).unwrap(), data)
}

#[test]
fn an_export_has_everything_to_train_on() {
    let (files, data) = export("standard", 1);
    assert_eq!(files.len(), 4 + 20, "{:?}", files.iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert!(files.get("train.py").is_some());
    let manifest: Value = serde_json::from_slice(files.get("manifest.json").unwrap()).unwrap();
    assert_eq!(manifest["preprocessing"]["mean"], json!([0.2861]));
    assert_eq!(manifest["preprocessing"]["digest"], json!(data.preprocessing_digest()));
    assert_eq!(manifest["sets"][0]["recipe"]["lr"], json!(0.01));
    assert_eq!(manifest["sets"][0]["images"], json!([20, 1, 28, 28]));
    assert!(manifest["source_license"].as_str().unwrap().contains("MIT"));
    let readme = std::str::from_utf8(files.get("README.md").unwrap()).unwrap();
    for words in ["(byte / 255 - mean) / std", "0.2861", "augment: dsa:color_crop", "safetensors.numpy"] {
        assert!(readme.contains(words), "{words}: {readme}");
    }
    let picture = image::load_from_memory(files.get("png/000-T-shirt-top/0001.png").unwrap()).unwrap().into_luma8();
    assert_eq!(picture.into_raw(), first_pixels(&data, 0, 1));
    let set = DistilledSet::decode(files.get("images.safetensors").unwrap()).unwrap();
    assert_eq!(set.hard_labels().unwrap()[..4], [0, 0, 1, 1]);
}

#[test]
fn stages_have_folders_in_the_order_of_training() {
    let (files, _) = export("none", 2);
    let manifest: Value = serde_json::from_slice(files.get("manifest.json").unwrap()).unwrap();
    let names: Vec<&str> =
        manifest["sets"].as_array().unwrap().iter().map(|set| set["file"].as_str().unwrap()).collect();
    assert_eq!(names, ["01-dm-stage1/images.safetensors", "02-dm-stage2/images.safetensors"]);
    assert!(names.iter().all(|name| files.get(name).is_some()));
    let readme = std::str::from_utf8(files.get("README.md").unwrap()).unwrap();
    assert!(readme.contains("Progressive") && readme.contains("learned learning rate: 0.02"), "{readme}");
    assert!(readme.contains("| 2 | 1 to 2 | 4 | 0.01 | 501 |"), "{readme}");
    assert!(readme.contains("From epoch 252 of the stage on"), "{readme}");
    // 8.2 and 13 of the reference: E + 1 epochs, a tenth after E / 2 + 1, momentum kept; the sets' own recipe gives `lr`.
    let training = &manifest["training"];
    assert_eq!((&training["recipe"], &training["number_of_stages"]), (&json!("own"), &json!(2)));
    assert_eq!(training["stages"][1]["lr_is_multiplied"], json!([{ "from_epoch": 252, "by": 0.1 }]));
    assert_eq!(training["momentum_is_kept_between_stages"], json!(true));
    assert_eq!(training["stages"][1]["trains_on_sets"], json!([1, 2]));
    assert_eq!(training["preprocessing_digest"], manifest["preprocessing"]["digest"]);
    assert_eq!(training["augment"], json!("dsa:color_crop"));
}

#[test]
fn sets_of_different_data_are_not_exported_together() {
    let bench = Bench::new();
    let set_of = |normalize: &str| {
        let data = bench.dataset(&json!({ "source": "fashion-mini", "normalize": normalize })).unwrap();
        bench.put_set(&set(&data, "dm", 1, 1))
    };
    let error = bench.files("export", &json!({}), &[("sets", vec![set_of("none"), set_of("standard")])]).unwrap_err();
    assert_eq!(error.code, "pddflow::nodes::set_mismatch");
}

/// Loads every file as the README says, whitens the real pixels with the exported matrices, and compares.
const PYTHON: &str = r#"
import json, os, sys
import numpy as np
from safetensors.numpy import load_file
os.chdir(sys.argv[1])
manifest = json.load(open("manifest.json"))
for entry in manifest["sets"]:
    tensors = load_file(entry["file"])
    images, labels = tensors["images"], tensors["labels"]
    assert list(images.shape) == entry["images"] and images.dtype == np.float32, images.shape
    assert labels.dtype == np.int64 and labels.shape == (len(images),), labels
    assert np.isfinite(images).all() and sorted(set(labels.tolist())) == list(range(10))
    if entry["step_size"] is not None:
        assert float(tensors["step_size"][0]) == entry["step_size"]
if "file" in manifest["preprocessing"]:
    zca = load_file(manifest["preprocessing"]["file"])
    pixels = np.fromfile("pixels.bin", dtype=np.uint8).reshape(1, -1) / 255
    white = (pixels - zca["mean"]) @ zca["transform"]
    error = np.abs(white - images[:1].reshape(1, -1)).max()
    assert error < 1e-3, error
print("fine")
"#;

#[test]
fn python_loads_an_export() {
    let python = std::env::var("PDDFLOW_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let available = Command::new(&python).args(["-c", "import numpy, safetensors"]).output();
    if !available.is_ok_and(|output| output.status.success()) {
        println!("SKIP: {python} has no numpy and safetensors (another one: PDDFLOW_TEST_PYTHON)");
        return;
    }
    for normalize in ["standard", "zca"] {
        let folder = tempfile::tempdir().unwrap();
        let (files, data) = export(normalize, 2);
        files.write_to(folder.path()).unwrap();
        fs_err::write(folder.path().join("pixels.bin"), first_pixels(&data, 0, 0)).unwrap();
        let output = Command::new(&python).args(["-c", PYTHON]).arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{normalize}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn results(method: &str, ipc: usize, accuracies: &[f64]) -> Results {
    Results {
        method: method.into(),
        labels: BTreeMap::from([("ipc".into(), json!(ipc)), ("model".into(), json!("convnet"))]),
        rule: "last".into(),
        reported: Reading { stage: 1, epoch: 10, accuracies: accuracies.to_vec() },
        others: BTreeMap::new(),
        curve: Vec::new(),
        protocol: json!({ "epochs": 10 }),
    }
}

#[test]
fn a_table_comes_in_three_forms() {
    let bench = Bench::new();
    let all = [results("random", 10, &[0.5, 0.6]), results("dm", 10, &[0.7, 0.9]), results("dm", 1, &[0.25, 0.25])];
    let ports = [("results", all.iter().map(|results| bench.put_results(results)).collect())];
    let with =
        json!({ "columns": "ipc", "title": "Fashion", "published": [{ "row": "dm", "column": 10, "mean": 83.5 }] });
    let files = bench.files("table", &with, &ports).unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["table.csv", "table.json", "table.md"]);
    let text = std::str::from_utf8(files.get("table.md").unwrap()).unwrap();
    assert!(text.contains("| dm | 25.0 ± 0.0 | 80.0 ± 14.1 | 83.5¹ | last epoch |"), "{text}");
    let json: Value = serde_json::from_slice(files.get("table.json").unwrap()).unwrap();
    assert_eq!(json["cells"].as_array().unwrap().len(), 3);
    let error = bench.files("table", &json!({ "rows": "epoches" }), &ports).unwrap_err();
    assert_eq!(error.help.unwrap(), "did you mean `epochs`?");
}

#[test]
fn preprocessing_of_one_channel_does_not_touch_another() {
    let normalization = Normalization::Standard {
        mean: vec![0.0, 0.5, 1.0],
        std: vec![1.0, 2.0, 4.0],
        origin: pddflow_artifact::Origin::Given,
    };
    let zeros = Tensor::zeros(&[2, 3, 1, 2], DType::F32, &Device::Cpu).unwrap();
    let pixels = Preprocessing::new(normalization, 3).invert(&zeros).unwrap();
    assert_eq!(pixels, [0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 0.0, 0.0, 0.5, 0.5, 1.0, 1.0]);
}

/// Where the manifest says that the pictures of each set are.
fn pictures(files: &Files) -> Vec<Value> {
    let manifest: Value = serde_json::from_slice(files.get("manifest.json").unwrap()).unwrap();
    manifest["sets"].as_array().unwrap().iter().map(|set| set["pictures"].clone()).collect()
}

#[test]
fn an_export_is_a_data_set_of_hugging_face_where_that_is_asked_for() {
    let bench = Bench::new();
    let with = json!({ "source": "fashion-mini" });
    let data = bench.dataset(&with).unwrap();
    let sets: Vec<DistilledSet> = (1..=2).map(|stage| set(&data, "a: \"b\"", stage, 2)).collect();
    let wired = || sets.iter().map(|set| bench.put_set(set)).collect::<Vec<_>>();
    let ports = [("sets", wired()), ("data", vec![bench.data_artifact(&with)])];
    let files = bench.files("export", &json!({ "layout": "hugging_face" }), &ports).unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"data/train.parquet") && names.contains(&"train.py"), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with(".png")), "{names:?}");
    let readme = String::from_utf8(files.get("README.md").unwrap().to_vec()).unwrap();
    let front = readme.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0;
    for line in [
        "license: mit",
        "pretty_name: \"fashion-mnist, distilled by a: \\\"b\\\"\"",
        "- image-classification",
        "- n<1K",
        "    path: data/train.parquet",
    ] {
        assert!(front.replace("fashion-mini", "fashion-mnist").contains(line), "{line} is not in\n{front}");
    }
    // Its pictures are those of the sets, with their classes, by whoever reads Parquet.
    let path = bench.write("train.parquet", files.get("data/train.parquet").unwrap());
    let source = json!({ "parquet": { "train": [path.to_str().unwrap()] } });
    let read = bench.dataset(&json!({ "source": source, "normalize": "none" })).unwrap();
    assert_eq!((read.rows(Side::Train), read.class_names()), (40, data.class_names()));
    assert_eq!(read.pixels(Side::Train)[..784], first_pixels(&data, 0, 0));
    assert_eq!(read.pixels(Side::Train)[39 * 784..], first_pixels(&data, 9, 1));
    assert_eq!(pictures(&files), [json!("data/train.parquet"), json!("data/train.parquet")]);
    // The plain layout is as it was.
    let plain = bench.files("export", &json!({ "layout": "folder" }), &[("sets", wired())]).unwrap();
    assert!(plain.get("README.md").unwrap().starts_with(b"# Distilled"));
    let first = pictures(&plain)[0].as_str().unwrap().to_owned();
    assert!(plain.iter().any(|(name, _)| name.starts_with(&format!("{first}/"))), "{first}");
    let bare = bench.files("export", &json!({ "pictures": false }), &[("sets", wired())]).unwrap();
    assert_eq!(pictures(&bare), [json!(null), json!(null)]);
}
