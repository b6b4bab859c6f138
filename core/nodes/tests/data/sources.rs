//! Every source with good files.

use image::DynamicImage;
use pddflow_artifact::{ImageSize, Normalization, Origin, Side};
use pddflow_tensor::{DType, Device};
use serde_json::{Value, json};

use crate::bench::{Bench, shared, text};
use crate::make;

#[test]
fn the_embedded_set_has_its_published_normalisation() {
    let data = Bench::new().dataset(&json!({ "source": "fashion-mini" })).unwrap();
    assert_eq!((data.rows(Side::Train), data.rows(Side::Test), data.classes()), (2000, 500, 10));
    assert_eq!(data.size(), ImageSize { channels: 1, height: 28, width: 28 });
    assert_eq!(data.class_names()[9], "Ankle boot");
    assert_eq!(data.labels(Side::Train)[0], 9);
    assert!(data.license().unwrap().contains("MIT"));
    let Normalization::Standard { mean, std, origin } = data.preprocessing().normalization() else {
        panic!("not standard")
    };
    assert_eq!(
        (mean.as_slice(), std.as_slice(), *origin),
        ([0.2861].as_slice(), [0.3530].as_slice(), Origin::Published)
    );
    let images = data.images(Side::Test, DType::F64, &Device::Cpu).unwrap();
    assert_eq!(images.shape(), [500, 1, 28, 28]);
    let pixel = data.pixels(Side::Test)[14 * 28 + 14];
    let value = images.to_f64_vec().unwrap()[14 * 28 + 14];
    assert_eq!(value, (f64::from(pixel) / 255.0 - 0.2861) / 0.3530);
    let single = data.images(Side::Test, DType::F32, &Device::Cpu).unwrap().to_f32_vec().unwrap()[14 * 28 + 14];
    #[expect(clippy::cast_possible_truncation, reason = "rounded once is the promise")]
    let rounded = value as f32;
    assert_eq!(single, rounded);
}

#[test]
fn subsets_keep_the_first_images_and_number_classes_anew() {
    let bench = Bench::new();
    let full = bench.dataset(&json!({ "source": "fashion-mini" })).unwrap();
    let with = json!({ "source": "fashion-mini", "classes": ["Bag", 0], "train_per_class": 3, "test_per_class": 2 });
    let few = bench.dataset(&with).unwrap();
    assert_eq!(few.class_names(), ["Bag", "T-shirt/top"]);
    assert_eq!((few.rows(Side::Train), few.rows(Side::Test)), (6, 4));
    let of = |rows: &[Vec<usize>], class: usize| rows[class][..3].to_vec();
    let (new, old) = (few.class_rows(Side::Train), full.class_rows(Side::Train));
    for (class, full_class) in [(0, 8), (1, 0)] {
        for (row, full_row) in of(&new, class).into_iter().zip(of(&old, full_class)) {
            assert_eq!(few.pixels(Side::Train)[row * 784..][..784], full.pixels(Side::Train)[full_row * 784..][..784]);
        }
    }
}

#[test]
fn normalisation_can_be_computed_given_or_left_out() {
    let bench = Bench::new();
    let data = |normalize: Value| bench.dataset(&json!({ "source": "fashion-mini", "normalize": normalize })).unwrap();
    let computed = data(json!("computed"));
    let values = computed.images(Side::Train, DType::F64, &Device::Cpu).unwrap().to_f64_vec().unwrap();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    // Sums of 1.6 million doubles of size 1.
    assert!(mean.abs() < 1e-10 && (variance - 1.0).abs() < 1e-10, "{mean} {variance}");
    let none = data(json!("none")).images(Side::Train, DType::F32, &Device::Cpu).unwrap().to_f32_vec().unwrap();
    assert!(none.iter().all(|value| (0.0..=1.0).contains(value)) && none.contains(&1.0));
    let given = data(json!({ "standard": { "mean": [0.5], "std": [0.25] } }));
    assert_eq!(given.preprocessing().mean_std(), (vec![0.5], vec![0.25]));
    let digests = [computed, given, data(json!("none"))].map(|data| data.preprocessing_digest());
    assert!(digests[0] != digests[1] && digests[1] != digests[2]);
}

#[test]
fn whitened_images_have_the_covariance_that_the_formula_says() {
    let bench = Bench::new();
    let data = bench.dataset(&json!({ "source": "fashion-mini", "normalize": "zca" })).unwrap();
    let white = data.images(Side::Train, DType::F64, &Device::Cpu).unwrap();
    let back = data.preprocessing().invert(&white).unwrap();
    let pixels = data.pixels(Side::Train).iter().map(|pixel| f64::from(*pixel) / 255.0);
    let error = back.iter().zip(pixels).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
    // The matrices are stored in single precision: 784 products of values up to 3 with 6e-8 each.
    assert!(error < 1e-4, "{error}");
    let rows = white.reshape(&[2000, 784]).unwrap();
    let mean = rows.mean(&[0], false).unwrap().to_f64_vec().unwrap();
    assert!(mean.iter().all(|value| value.abs() < 1e-4));
    // Variance over all directions: the sum of s / (s + 0.1), each below 1.
    let total: f64 = rows.square().unwrap().mean(&[0], false).unwrap().to_f64_vec().unwrap().iter().sum();
    assert!(total > 1.0 && total < 784.0, "{total}");
    let single = data.images(Side::Test, DType::F32, &Device::Cpu).unwrap();
    assert_eq!(single.shape(), [500, 1, 28, 28]);
}

#[test]
fn idx_files_plain_and_packed_give_one_artifact() {
    let bench = Bench::new();
    let (images, labels) = (make::idx_images(6, 4, 3), make::idx_labels(&[0, 1, 2, 0, 1, 2]));
    let source = |images: &str, labels: &str| json!({ "source": { "idx": { "train_images": text(&bench.path(images)), "train_labels": text(&bench.path(labels)) } } });
    bench.write("a", &images);
    bench.write("b", &labels);
    bench.write("a.gz", make::gzip(&images));
    bench.write("b.gz", make::gzip(&labels));
    let plain = source("a", "b");
    assert_eq!(bench.dataset_digest(&plain).unwrap(), bench.dataset_digest(&source("a.gz", "b.gz")).unwrap());
    let data = bench.dataset(&plain).unwrap();
    assert_eq!(data.size(), ImageSize { channels: 1, height: 4, width: 3 });
    assert_eq!(data.class_names(), ["0", "1", "2"]);
    assert_eq!(data.rows(Side::Test), 0);
    assert_eq!(data.pixels(Side::Train), &images[16..]);
}

#[test]
fn keys_follow_content_and_not_places() {
    let bench = Bench::new();
    let source = |folder: &str| {
        let path = |name: &str| text(&bench.path(&format!("{folder}/{name}")));
        json!({ "source": { "idx": { "train_images": path("i"), "train_labels": path("l") } } })
    };
    for folder in ["here", "there"] {
        bench.write(&format!("{folder}/i"), make::idx_images(2, 2, 2));
        bench.write(&format!("{folder}/l"), make::idx_labels(&[0, 1]));
    }
    let key = |folder: &str| bench.key(&source(folder)).unwrap();
    let before = key("here");
    assert_eq!(before, key("there"));
    bench.write("there/l", make::idx_labels(&[1, 0]));
    assert_ne!(before, key("there"));
    assert_eq!(before, key("here"));
}

#[test]
fn a_relative_path_is_found_in_a_data_folder() {
    let bench = Bench::new();
    bench.write("data/small/i", make::idx_images(2, 2, 2));
    bench.write("data/small/l", make::idx_labels(&[0, 1]));
    let source = json!({ "idx": { "train_images": "small/i", "train_labels": "small/l" } });
    assert_eq!(bench.dataset(&json!({ "source": source })).unwrap().rows(Side::Train), 2);
}

#[test]
fn cifar10_batches_follow_each_other() {
    let bench = Bench::new();
    for batch in 1..=5_u8 {
        bench.write(&format!("cifar-10-batches-bin/data_batch_{batch}.bin"), make::cifar(&[&[batch], &[batch + 4]]));
    }
    bench.write("cifar-10-batches-bin/test_batch.bin", make::cifar(&[&[0]]));
    let with =
        json!({ "source": { "cifar10": { "path": text(&bench.path("")) } }, "classes": [1, 2, 3, 4, 5, 6, 7, 8, 9] });
    let data = bench.dataset(&with).unwrap();
    assert_eq!(data.labels(Side::Train), [0, 4, 1, 5, 2, 6, 3, 7, 4, 8]);
    assert_eq!(data.class_names()[0], "automobile");
    assert_eq!(data.pixels(Side::Train)[3072], 1);
}

#[test]
fn cifar100_has_fine_and_coarse_labels() {
    let bench = Bench::new();
    bench.write("c/train.bin", make::cifar(&[&[0, 1], &[1, 0], &[1, 2]]));
    bench.write("c/test.bin", make::cifar(&[&[0, 1]]));
    bench.write("c/fine_label_names.txt", "apple\nbear\nbee\n");
    bench.write("c/coarse_label_names.txt", "fruit\nanimal\n\n");
    let data = |labels: &str| {
        let source = json!({ "cifar100": { "path": text(&bench.path("c")), "labels": labels } });
        bench.dataset(&json!({ "source": source })).unwrap()
    };
    let (fine, coarse) = (data("fine"), data("coarse"));
    assert_eq!((fine.labels(Side::Train), fine.class_names().len()), ([1, 0, 2].as_slice(), 3));
    assert_eq!((coarse.labels(Side::Train), coarse.class_names().len()), ([0, 1, 1].as_slice(), 2));
    // Other data in this layout do not get the numbers of CIFAR-100.
    assert!(matches!(fine.preprocessing().normalization(), Normalization::Standard { origin: Origin::Computed, .. }));
}

#[test]
fn image_folders_are_sorted_and_mixed_colours_unite() {
    let bench = Bench::new();
    bench.write("f/train/cat/b.png", make::png(4, 3));
    bench.write("f/train/cat/a.PNG", make::grey_png(4, 3));
    bench.write("f/train/dog/1.jpg", make::jpeg(4, 3));
    bench.write("f/train/dog/notes.txt", "no picture");
    bench.write("f/val/dog/1.png", make::png(4, 3));
    let data = bench.dataset(&json!({ "source": { "image-folder": { "path": text(&bench.path("f")) } } })).unwrap();
    assert_eq!(data.size(), ImageSize { channels: 3, height: 3, width: 4 });
    assert_eq!(data.class_names(), ["cat", "dog"]);
    assert_eq!(data.labels(Side::Train), [0, 0, 1]);
    assert_eq!(data.labels(Side::Test), [1]);
    let (grey, colour) = data.pixels(Side::Train).split_at(36);
    assert_eq!((&grey[..12], &grey[12..24]), (&grey[12..24], &grey[24..]));
    assert_eq!(&colour[..4], [0, 1, 2, 3], "red counts columns");
    assert_eq!(&colour[12..20], [0, 0, 0, 0, 1, 1, 1, 1], "green counts rows");
    assert_eq!(data.pixels(Side::Test), &colour[..36]);
}

#[test]
fn grey_pictures_stay_grey() {
    let bench = Bench::new();
    bench.write("f/a/1.png", make::grey_png(5, 5));
    bench.write("f/b/1.png", make::grey_png(5, 5));
    let data = bench.dataset(&json!({ "source": { "image-folder": { "path": text(&bench.path("f")) } } })).unwrap();
    assert_eq!(data.size().channels, 1);
}

#[test]
fn a_fraction_of_each_class_becomes_test_images() {
    let bench = Bench::new();
    for class in ["a", "b"] {
        for number in 0..10 {
            let picture: DynamicImage = image::GrayImage::from_pixel(2, 2, image::Luma([number])).into();
            bench.write(&format!("f/{class}/{number}.png"), make::encoded(&picture, image::ImageFormat::Png));
        }
    }
    let data = |seed: u64| {
        let source =
            json!({ "image-folder": { "path": text(&bench.path("f")), "test_fraction": 0.3, "split_seed": seed } });
        bench.dataset(&json!({ "source": source })).unwrap()
    };
    let first = data(0);
    assert_eq!(first.class_rows(Side::Test).iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(first.class_rows(Side::Train).iter().map(Vec::len).collect::<Vec<_>>(), [7, 7]);
    let mut all: Vec<u8> =
        [Side::Train, Side::Test].iter().flat_map(|side| first.pixels(*side).iter().step_by(4)).copied().collect();
    all.sort_unstable();
    assert_eq!(all, (0..10).flat_map(|value| [value, value]).collect::<Vec<u8>>());
    assert_eq!(first.pixels(Side::Test), data(0).pixels(Side::Test));
    assert_ne!(first.pixels(Side::Test), data(1).pixels(Side::Test));
}

#[test]
fn resizing_brings_pictures_to_one_size() {
    let bench = Bench::new();
    for (name, bytes) in
        [("f/a/1.png", make::png(40, 20)), ("f/a/2.png", make::png(8, 8)), ("f/b/1.png", make::png(9, 31))]
    {
        bench.write(name, bytes);
    }
    let source = json!({ "image-folder": { "path": text(&bench.path("f")), "resize": 16 } });
    let data = bench.dataset(&json!({ "source": source })).unwrap();
    assert_eq!(data.size(), ImageSize { channels: 3, height: 16, width: 16 });
}

#[test]
fn parquet_files_have_pictures_labels_and_names() {
    let bench = Bench::new();
    let rows = [(Some(make::png(4, 4)), 1), (Some(make::grey_png(4, 4)), 0), (Some(make::jpeg(4, 4)), 1)];
    bench.write("p/train-00000-of-00001.parquet", make::parquet(&rows, Some(&["cat", "dog"])));
    bench.write("p/test-00000-of-00001.parquet", make::parquet(&rows[1..], Some(&["cat", "dog"])));
    let data = bench.dataset(&json!({ "source": { "parquet": { "path": text(&bench.path("p")) } } })).unwrap();
    assert_eq!(data.class_names(), ["cat", "dog"]);
    assert_eq!((data.labels(Side::Train), data.labels(Side::Test)), ([1, 0, 1].as_slice(), [0, 1].as_slice()));
    assert_eq!(data.size(), ImageSize { channels: 3, height: 4, width: 4 });
    bench.write("other.parquet", make::parquet(&rows, None));
    let source =
        json!({ "parquet": { "train": [text(&bench.path("other.parquet"))], "image": "img", "label": "label" } });
    assert_eq!(bench.dataset(&json!({ "source": source })).unwrap().class_names(), ["0", "1"]);
}

#[test]
fn tiny_imagenet_takes_names_and_validation_images() {
    let bench = Bench::new();
    bench.write("tiny-imagenet-200/wnids.txt", "n2\nn1\n");
    bench.write("tiny-imagenet-200/words.txt", "n1\tgoldfish, Carassius\nn2\tkoala\nn3\tgoose\n");
    for (name, side) in
        [("train/n1/images/n1_0.JPEG", 8), ("train/n2/images/n2_0.JPEG", 8), ("val/images/val_0.JPEG", 8)]
    {
        bench.write(&format!("tiny-imagenet-200/{name}"), make::jpeg(side, side));
    }
    bench.write("tiny-imagenet-200/val/val_annotations.txt", "val_0.JPEG\tn1\t0\t0\t62\t62\n");
    let data = bench.dataset(&json!({ "source": { "tiny-imagenet": { "path": text(&bench.path("")) } } })).unwrap();
    assert_eq!(data.class_names(), ["koala", "goldfish"]);
    assert_eq!((data.labels(Side::Train), data.labels(Side::Test)), ([0, 1].as_slice(), [1].as_slice()));
}

#[test]
fn reading_stops_when_asked_to() {
    let bench = Bench::new();
    bench.write("f/a/1.png", make::png(4, 4));
    bench.cancel.stop();
    let with = |source: Value| json!({ "source": source, "normalize": "zca" });
    assert!(bench.dataset(&with(json!("fashion-mini"))).unwrap_err().cancelled);
    let folder = json!({ "image-folder": { "path": text(&bench.path("f")) } });
    assert!(bench.dataset(&with(folder)).unwrap_err().cancelled);
}

#[test]
fn real_cifar10_from_parquet() {
    let Some(path) = shared("cifar10-jpeg") else { return };
    let data = Bench::new().dataset(&json!({ "source": { "parquet": { "path": text(&path) } } })).unwrap();
    assert_eq!(data.class_names()[..2], ["airplane", "automobile"]);
    assert_eq!(data.size(), ImageSize { channels: 3, height: 32, width: 32 });
    let (mean, std) = data.preprocessing().mean_std();
    // CIFAR-10's means and its standard deviation over all pixels, of a part of the images, as JPEG.
    for (found, expected) in mean.iter().chain(&std).zip([0.4914, 0.4822, 0.4465, 0.2470, 0.2435, 0.2616]) {
        assert!((found - expected).abs() < 0.02, "{mean:?} {std:?}");
    }
    println!("{} training and {} test images", data.rows(Side::Train), data.rows(Side::Test));
}

#[test]
fn real_images_in_the_layout_of_cifar100() {
    let Some(path) = shared("imagenet100-32") else { return };
    let data = Bench::new().dataset(&json!({ "source": { "cifar100": { "path": text(&path) } } })).unwrap();
    assert_eq!((data.rows(Side::Train), data.rows(Side::Test), data.classes()), (10_000, 2_000, 100));
    assert_eq!(data.class_names()[0], "goldfish");
    assert!(data.class_rows(Side::Train).iter().all(|rows| rows.len() == 100));
}

#[test]
fn real_tiny_imagenet() {
    let Some(path) = shared("tiny-imagenet-mini") else { return };
    let data = Bench::new().dataset(&json!({ "source": { "tiny-imagenet": { "path": text(&path) } } })).unwrap();
    assert_eq!((data.classes(), data.rows(Side::Test)), (20, 200));
    assert_eq!(data.size(), ImageSize { channels: 3, height: 64, width: 64 });
    assert_eq!(data.class_names()[1], "European fire salamander");
    assert_eq!(data.preprocessing().mean_std().0, [0.485, 0.456, 0.406]);
}
