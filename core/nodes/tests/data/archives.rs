//! Data sets that come as one archive: from a path, a data folder, and a server on this machine.

use std::collections::BTreeMap;
use std::net::TcpListener;

use pddflow_artifact::Side;
use serde_json::{Value, json};

use crate::bench::{Bench, shared, text};
use crate::download::Server;
use crate::make;

const CIFAR10: &str = "cifar-10-binary.tar.gz";
const CIFAR100: &str = "cifar-100-binary.tar.gz";
const TINY: &str = "tiny-imagenet-200.zip";

fn cifar10() -> Vec<u8> {
    let label = |batch: u8| make::cifar(&[&[batch], &[batch + 4]]);
    let mut files: Vec<(String, Vec<u8>)> =
        (1..=5).map(|batch| (format!("cifar-10-batches-bin/data_batch_{batch}.bin"), label(batch))).collect();
    files.push(("cifar-10-batches-bin/test_batch.bin".into(), make::cifar(&[&[0]])));
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    make::tar_gz(&files)
}

fn cifar100() -> Vec<u8> {
    make::tar_gz(&[
        ("cifar-100-binary/train.bin", make::cifar(&[&[0, 1], &[1, 0]])),
        ("cifar-100-binary/test.bin", make::cifar(&[&[0, 1]])),
        ("cifar-100-binary/fine_label_names.txt", b"apple\nbear\n".to_vec()),
        ("cifar-100-binary/coarse_label_names.txt", b"fruit\nanimal\n".to_vec()),
    ])
}

fn tiny_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("wnids.txt", b"n2\nn1\n".to_vec()),
        ("words.txt", b"n1\tgoldfish, Carassius\nn2\tkoala\n".to_vec()),
        ("train/n1/images/n1_1.JPEG", make::jpeg(8, 8)),
        ("train/n1/images/n1_0.JPEG", make::jpeg(8, 8)),
        ("train/n1/n1_boxes.txt", b"n1_0.JPEG\t0\t0\t7\t7\n".to_vec()),
        ("train/n2/images/n2_0.JPEG", make::jpeg(8, 8)),
        ("val/images/val_0.JPEG", make::jpeg(8, 8)),
        ("val/val_annotations.txt", b"val_0.JPEG\tn1\t0\t0\t62\t62\n".to_vec()),
    ]
}

fn tiny() -> Vec<u8> {
    let files: Vec<(String, Vec<u8>)> =
        tiny_files().into_iter().map(|(name, bytes)| (format!("tiny-imagenet-200/{name}"), bytes)).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    make::zip(&files)
}

fn md5(bytes: &[u8]) -> String {
    format!("{:x}", md5::compute(bytes))
}

fn serving(name: &str, bytes: Vec<u8>, cuts: Vec<usize>) -> Server {
    Server::new(BTreeMap::from([(format!("/{name}"), bytes)]), cuts)
}

fn at(source: &str, mirror: &str, md5: &str) -> Value {
    json!({ "source": { source: { "mirror": mirror, "md5": md5 } } })
}

#[test]
fn archives_are_downloaded_once_and_read_as_their_folders_are() {
    for (source, name, bytes, expected) in [
        ("cifar10", CIFAR10, cifar10(), (10, 0)),
        ("cifar100", CIFAR100, cifar100(), (2, 1)),
        ("tiny-imagenet", TINY, tiny(), (3, 1)),
    ] {
        let server = serving(name, bytes.clone(), Vec::new());
        let bench = Bench::new();
        let mut with = at(source, &server.address, &md5(&bytes));
        if source == "cifar10" {
            // The made archive has no image of class 0 to train on.
            with["classes"] = json!([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        }
        let data = bench.dataset(&with).unwrap();
        let rows = (data.rows(Side::Train), data.rows(Side::Test));
        assert_eq!(rows, expected, "{source}");
        assert_eq!(server.requests(), [format!("/{name} all")]);
        let digest = bench.dataset_digest(&with).unwrap();
        assert_eq!(server.requests(), [""; 0], "{source}");
        let left: Vec<_> = fs_err::read_dir(bench.path("downloads").join(source)).unwrap().collect();
        assert_eq!(left.len(), 1, "{source}: {left:?}");
        // The same archive by its path is the same data.
        let path = bench.write(&format!("elsewhere/{name}"), &bytes);
        with["source"] = json!({ source: { "path": text(&path) } });
        assert_eq!(bench.dataset_digest(&with).unwrap(), digest, "{source}");
    }
}

#[test]
fn an_archive_that_breaks_off_is_continued() {
    let bytes = cifar100();
    let server = serving(CIFAR100, bytes.clone(), vec![200, 100]);
    Bench::new().dataset(&at("cifar100", &server.address, &md5(&bytes))).unwrap();
    let expected = ["all", "200-", "300-"].map(|range| format!("/{CIFAR100} {range}"));
    assert_eq!(server.requests(), expected);
}

#[test]
fn an_archive_with_another_checksum_is_never_kept() {
    for (source, name) in [("cifar10", CIFAR10), ("cifar100", CIFAR100), ("tiny-imagenet", TINY)] {
        let server = serving(name, b"another file".to_vec(), Vec::new());
        let bench = Bench::new();
        let refusal = bench.refusal(&json!({ "source": { source: { "mirror": server.address } } }));
        assert!(refusal.starts_with("pddflow::nodes::download_wrong") && refusal.contains(name), "{refusal}");
        assert_eq!(fs_err::read_dir(bench.path("downloads").join(source)).unwrap().count(), 0);
    }
}

#[test]
fn a_missing_archive_and_a_server_that_is_away_name_the_source() {
    let server = Server::new(BTreeMap::new(), Vec::new());
    let refusal = Bench::new().refusal(&json!({ "source": { "cifar100": { "mirror": server.address } } }));
    assert!(refusal.contains("download_refused") && refusal.contains("status 404"), "{refusal}");
    assert!(refusal.contains("source: { cifar100: { path: ... } }"), "{refusal}");
    let gone = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let refusal = Bench::new().refusal(&json!({ "source": { "tiny-imagenet": { "mirror": gone } } }));
    assert!(refusal.contains("download_failed") && refusal.contains("check the connection"), "{refusal}");
    assert!(refusal.contains("tiny-imagenet: { path: ... }") && !refusal.contains("package"), "{refusal}");
}

#[test]
fn a_data_folder_is_used_before_anything_is_downloaded() {
    let bench = Bench::new();
    for (name, bytes) in tiny_files() {
        bench.write(&format!("data/tiny-imagenet-200/{name}"), bytes);
    }
    let near = bench.dataset_digest(&json!({ "source": "tiny-imagenet" })).unwrap();
    let bytes = tiny();
    let server = serving(TINY, bytes.clone(), Vec::new());
    assert_eq!(bench.dataset_digest(&at("tiny-imagenet", &server.address, &md5(&bytes))).unwrap(), near);
}

#[test]
fn a_damaged_archive_by_path_is_told() {
    let bench = Bench::new();
    let refusal = |source: &str, name: &str, bytes: &[u8]| {
        let path = bench.write(&format!("damaged/{name}"), bytes);
        bench.refusal(&json!({ "source": { source: { "path": text(&path) } } }))
    };
    let (cifar, tiny) = (cifar100(), tiny());
    for refusal in [
        refusal("cifar100", CIFAR100, &cifar[..cifar.len() / 2]),
        refusal("cifar100", CIFAR100, b"no archive"),
        refusal("cifar100", CIFAR100, &make::tar_gz(&[("x", vec![1])])),
        refusal("tiny-imagenet", TINY, &tiny[..tiny.len() / 2]),
        refusal("tiny-imagenet", TINY, &make::zip(&[("x", vec![1])])),
    ] {
        assert!(refusal.contains("data_damaged") && refusal.contains("damaged/"), "{refusal}");
    }
}

#[test]
fn what_is_known_before_the_download_enters_the_key_and_the_place_does_not() {
    let bench = Bench::new();
    let key = |with: Value| bench.key(&with).unwrap();
    let wanted = |mirror: &str, md5: &str| at("cifar100", mirror, md5);
    let (one, two) = ("0".repeat(32), "1".repeat(32));
    assert_eq!(key(wanted("http://a", &one)), key(wanted("http://b", &one)));
    assert_ne!(key(wanted("http://a", &one)), key(wanted("http://a", &two)));
    assert_ne!(key(json!({ "source": "cifar10" })), key(json!({ "source": "cifar100" })));
    let coarse = json!({ "source": { "cifar100": { "labels": "coarse" } } });
    assert_ne!(key(json!({ "source": "cifar100" })), key(coarse));
}

#[test]
fn places_that_contradict_each_other_are_found_before_anything_runs() {
    let bench = Bench::new();
    let check = |config: Value, pointer: &str| {
        let problems = bench.check("dataset", &json!({ "source": { "cifar10": config } })).unwrap_err();
        assert_eq!(problems[0].pointer, format!("/source/cifar10/{pointer}"), "{problems:?}");
    };
    check(json!({ "path": "x", "mirror": "http://x" }), "mirror");
    check(json!({ "md5": "0".repeat(32) }), "md5");
    check(json!({ "mirror": "http://x", "md5": "xyz" }), "md5");
}

#[test]
fn real_tiny_imagenet_packed_is_the_same() {
    let Some(folder) = shared("tiny-imagenet-mini") else { return };
    let mut files = Vec::new();
    pack(&folder, "", &mut files);
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, bytes): &(String, Vec<u8>)| (name.as_str(), bytes.clone())).collect();
    let bench = Bench::new();
    let path = bench.write(TINY, make::zip(&files));
    let digest =
        |path| bench.dataset_digest(&json!({ "source": { "tiny-imagenet": { "path": text(path) } } })).unwrap();
    assert_eq!(digest(&path), digest(&folder));
}

fn pack(folder: &std::path::Path, prefix: &str, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            pack(&path, &format!("{name}/"), into);
        } else {
            into.push((name, fs_err::read(path).unwrap()));
        }
    }
}
