//! Bad files: each is refused with what, where and what to do.

use serde_json::{Value, json};

use crate::bench::{Bench, shared, text};
use crate::make;

/// The refusal of an IDX pair.
fn idx(images: &[u8], labels: &[u8]) -> String {
    let bench = Bench::new();
    let (images, labels) = (bench.write("images", images), bench.write("labels", labels));
    bench.refusal(&json!({ "source": { "idx": { "train_images": text(&images), "train_labels": text(&labels) } } }))
}

fn check(refusal: &str, code: &str, words: &[&str]) {
    assert!(refusal.starts_with(&format!("pddflow::nodes::{code} |")), "{refusal}");
    for word in words {
        assert!(refusal.contains(word), "`{word}` is not in: {refusal}");
    }
}

#[test]
fn idx_files() {
    let (images, labels) = (make::idx_images(4, 3, 2), make::idx_labels(&[0, 1, 0, 1]));
    check(&idx(&images[..30], &labels), "data_damaged", &["images`", "cut off", "[4, 3, 2]", "40 bytes", "30 bytes"]);
    check(&idx(&images[..9], &labels), "data_damaged", &["ends after 9 bytes, inside the header"]);
    check(&idx(&[], &labels), "data_damaged", &["ends after 0 bytes"]);
    check(&idx(&[images.clone(), vec![0]].concat(), &labels), "data_damaged", &["too long"]);
    check(&idx(&labels, &images), "data_damaged", &["begins with [00, 00, 08, 01]", "name an IDX file of images"]);
    check(&idx(b"<html>", &labels), "data_damaged", &["begins with"]);
    check(&idx(&images, &make::idx_labels(&[0, 1])), "data_damaged", &["has 4 images", "has 2 labels"]);
    let mut huge = images.clone();
    huge[4..16].fill(0xff);
    check(&idx(&huge, &labels), "data_damaged", &["cut off", "more bytes than any file has"]);
    let packed = make::gzip(&images);
    check(&idx(&packed[..packed.len() - 9], &labels), "data_damaged", &["gzip data are damaged or cut off"]);
    let mut flipped = packed.clone();
    let crc = flipped.len() - 6;
    flipped[crc] ^= 1;
    check(&idx(&flipped, &labels), "data_damaged", &["gzip"]);
    let bomb = make::gzip(&[make::idx_images(1, 1, 1), vec![0; 50_000_000]].concat());
    check(&idx(&bomb, &labels), "data_damaged", &["too long"]);
}

#[test]
fn missing_files_are_named_with_the_places_searched() {
    let bench = Bench::new();
    let with = json!({ "source": { "idx": { "train_images": "nowhere.idx", "train_labels": "x" } } });
    check(&bench.refusal(&with), "data_missing", &["`nowhere.idx`", "pipeline file", "data`"]);
    let error = bench.key_parts("dataset", &with).unwrap_err();
    assert_eq!(error.code, "pddflow::nodes::data_missing");
    let folder = text(&bench.path(""));
    check(&bench.refusal(&json!({ "source": { "cifar10": { "path": folder } } })), "data_missing", &["test_batch.bin"]);
    check(
        &bench.refusal(&json!({ "source": { "tiny-imagenet": { "path": folder } } })),
        "data_missing",
        &["wnids.txt"],
    );
    check(
        &bench.refusal(&json!({ "source": { "parquet": { "path": folder } } })),
        "data_missing",
        &["train-*.parquet"],
    );
    check(&bench.refusal(&json!({ "source": { "image-folder": { "path": folder } } })), "data_missing", &["<class>"]);
}

#[test]
fn class_numbers_out_of_range() {
    let bench = Bench::new();
    let images = bench.write("i", make::idx_images(2, 2, 2));
    let labels = bench.write("l", make::idx_labels(&[0, 7]));
    let source = json!({ "train_images": text(&images), "train_labels": text(&labels), "class_names": ["a", "b"] });
    check(&bench.refusal(&json!({ "source": { "idx": source } })), "data_label", &["label 1", "is 7", "2 classes"]);
}

fn cifar(train: &[u8], test: &[u8]) -> String {
    let bench = Bench::new();
    bench.write("c/train.bin", train);
    bench.write("c/test.bin", test);
    bench.write("c/fine_label_names.txt", "a\nb\n");
    bench.refusal(&json!({ "source": { "cifar100": { "path": text(&bench.path("c")) } } }))
}

#[test]
fn cifar_files() {
    let good = make::cifar(&[&[0, 0], &[0, 1]]);
    check(&cifar(&good[..5000], &good), "data_damaged", &["train.bin", "5000 bytes", "record 1", "at byte 1926"]);
    check(&cifar(&good, &[]), "data_damaged", &["test.bin", "0 bytes"]);
    check(&cifar(&make::cifar(&[&[0, 0], &[0, 9]]), &good), "data_label", &["record 1", "is 9"]);
    check(&cifar(&make::cifar(&[&[0, 0]]), &good), "data_empty", &["class 1 (`b`)", "no training image"]);
}

/// The refusal of a folder of two good pictures and this one.
fn folder(name: &str, bytes: &[u8]) -> String {
    let bench = Bench::new();
    bench.write("f/cat/a.png", make::png(6, 6));
    bench.write("f/dog/a.png", make::png(6, 6));
    bench.write(&format!("f/{name}"), bytes);
    bench.refusal(&json!({ "source": { "image-folder": { "path": text(&bench.path("f")) } } }))
}

#[test]
fn pictures() {
    check(&folder("dog/b.png", &make::png(6, 5)), "data_size", &["dog/b.png", "5 x 6", "6 x 6", "resize"]);
    let jpeg = make::jpeg(6, 6);
    check(&folder("dog/b.jpg", &jpeg[..jpeg.len() - 40]), "data_damaged", &["dog/b.jpg", "cut off"]);
    let png = make::png(6, 6);
    check(&folder("dog/b.png", &png[..png.len() / 2]), "data_damaged", &["dog/b.png", "cannot be decoded"]);
    let mut flipped = png.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    check(&folder("dog/b.png", &flipped), "data_damaged", &["dog/b.png"]);
    check(&folder("dog/b.png", b"hello"), "data_damaged", &["no PNG and no JPEG"]);
    check(&folder("dog/b.png", b""), "data_damaged", &["no PNG and no JPEG"]);
    check(&folder("dog/b.webp", b"RIFF"), "data_format", &["dog/b.webp", "convert it"]);
    check(&folder("emu/notes.txt", b"x"), "data_empty", &["emu`", "no PNG or JPEG"]);
}

#[test]
fn a_picture_that_claims_to_be_huge_is_refused() {
    let mut huge = make::png(6, 6);
    // Width and height of the header chunk; its digest no longer fits either.
    huge[16..24].fill(0x7f);
    check(&folder("dog/b.png", &huge), "data_damaged", &["cannot be decoded"]);
}

#[test]
fn test_classes_must_be_training_classes() {
    let bench = Bench::new();
    bench.write("f/train/cat/a.png", make::png(6, 6));
    bench.write("f/test/cow/a.png", make::png(6, 6));
    let with = json!({ "source": { "image-folder": { "path": text(&bench.path("f")) } } });
    check(&bench.refusal(&with), "data_class", &["cow`", "training images do not have"]);
}

fn parquet(bytes: &[u8], more: &[(&str, Value)]) -> String {
    let bench = Bench::new();
    let mut source = json!({ "train": [text(&bench.write("t.parquet", bytes))] });
    more.iter().for_each(|(name, value)| source[*name] = value.clone());
    bench.refusal(&json!({ "source": { "parquet": source } }))
}

#[test]
fn parquet_files() {
    let row = |label| (Some(make::png(4, 4)), label);
    let good = make::parquet(&[row(0), row(1), row(0), row(1)], Some(&["a", "b"]));
    check(&parquet(&good[..good.len() - 20], &[]), "data_damaged", &["t.parquet", "Parquet"]);
    check(&parquet(b"PAR1", &[]), "data_damaged", &["t.parquet"]);
    let label = make::parquet(&[row(0), row(1), row(5)], Some(&["a", "b"]));
    check(&parquet(&label, &[]), "data_label", &["row 2", "is 5", "2 classes"]);
    check(&parquet(&make::parquet(&[row(0), row(-1)], None), &[]), "data_label", &["row 1", "is -1"]);
    let null = make::parquet(&[row(0), row(1), row(0), (None, 1)], None);
    check(&parquet(&null, &[]), "data_damaged", &["row 3", "there is no value"]);
    let broken = make::parquet(&[row(0), (Some(b"no picture".to_vec()), 1)], None);
    check(&parquet(&broken, &[]), "data_damaged", &["row 1", "no PNG and no JPEG"]);
    check(&parquet(&good, &[("label", json!("lable"))]), "data_column", &["labels", "did you mean `label`?"]);
    check(&parquet(&good, &[("image", json!("label"))]), "data_column", &["pictures", "INT64"]);
}

#[test]
fn tiny_imagenet_files() {
    let refusal = |annotations: &str| {
        let bench = Bench::new();
        bench.write("t/wnids.txt", "n1\n");
        bench.write("t/train/n1/images/a.JPEG", make::jpeg(8, 8));
        bench.write("t/val/images/v.JPEG", make::jpeg(8, 8));
        bench.write("t/val/val_annotations.txt", annotations);
        bench.refusal(&json!({ "source": { "tiny-imagenet": { "path": text(&bench.path("t")) } } }))
    };
    check(&refusal("v.JPEG\tn1\nv.JPEG\tn9\n"), "data_damaged", &["line 2", "`n9`"]);
    check(&refusal("v.JPEG\n"), "data_damaged", &["line 1", "tabulator"]);
    check(&refusal("w.JPEG\tn1\n"), "data_missing", &["w.JPEG", "line 1"]);
}

#[test]
fn classes_that_are_not_there() {
    let bench = Bench::new();
    let with = |classes: Value| json!({ "source": "fashion-mini", "classes": classes });
    check(&bench.refusal(&with(json!(["Bagg"]))), "data_class", &["`Bagg`", "did you mean `Bag`?"]);
    check(&bench.refusal(&with(json!([10]))), "data_class", &["`10`", "10 classes"]);
    check(&bench.refusal(&with(json!([8, "Bag"]))), "data_class", &["twice"]);
}

#[test]
fn a_mean_for_other_channels() {
    let with =
        json!({ "source": "fashion-mini", "normalize": { "standard": { "mean": [0, 0, 0], "std": [1, 1, 1] } } });
    check(&Bench::new().refusal(&with), "data_normalize", &["3 numbers", "1 channels"]);
}

#[test]
fn real_files_that_are_damaged() {
    let Some(path) = shared("cifar10-jpeg") else { return };
    let bytes = fs_err::read(path.join("test-00000-of-00001.parquet")).unwrap();
    check(&parquet(&bytes[..bytes.len() / 2], &[]), "data_damaged", &["t.parquet"]);
    let mut flipped = bytes.clone();
    // Inside the pictures of the first row group: some picture, or its page, is no longer what it was.
    flipped[2_000..2_400].fill(0);
    check(&parquet(&flipped, &[]), "data_damaged", &["t.parquet"]);
}

#[test]
fn a_real_jpeg_that_is_cut_off() {
    let Some(path) = shared("tiny-imagenet-mini") else { return };
    let bytes = fs_err::read(path.join("train/n01443537/images/n01443537_0.JPEG")).unwrap();
    for keep in [10, bytes.len() / 3, bytes.len() - 2] {
        check(&folder("dog/b.jpg", &bytes[..keep]), "data_damaged", &["dog/b.jpg"]);
    }
}
