//! Data sets by name, and arrays of NumPy.

use pddflow_artifact::{ImageSize, Side};
use serde_json::{Value, json};

use crate::bench::{Bench, text};
use crate::download::Server;
use crate::make;

#[test]
fn arrays_of_keras_are_read_with_channels_last() {
    let bench = Bench::new();
    let pixels: Vec<u8> = (0..3 * 4 * 5 * 3).collect();
    let side = |images: &str, labels: &str, values: &[u8]| {
        [
            (format!("{images}.npy"), make::npy("|u1", &[3, 4, 5, 3], &pixels)),
            (format!("{labels}.npy"), make::npy("|u1", &[3, 1], values)),
        ]
    };
    let files = [side("x_train", "y_train", &[1, 0, 2]), side("x_test", "y_test", &[2, 2, 0])].concat();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let path = text(&bench.write("own.npz", make::zip(&files)));
    let data = bench.dataset(&json!({ "source": { "npz": { "path": path } }, "normalize": "none" })).unwrap();
    assert_eq!(data.size(), ImageSize { channels: 3, height: 4, width: 5 });
    assert_eq!((data.labels(Side::Train), data.labels(Side::Test)), ([1, 0, 2].as_slice(), [2, 2, 0].as_slice()));
    assert_eq!(data.class_names(), ["0", "1", "2"]);
    // The green plane of the first image: every third byte from the second on.
    let green: Vec<u8> = (0..60).filter(|place| place % 3 == 1).collect();
    assert_eq!(data.pixels(Side::Train)[20..40], green);
    let named = json!({ "source": { "npz": { "path": path, "class_names": ["a", "b"] } } });
    assert!(bench.refusal(&named).contains("the label is 2, and there are 2 classes"));
}

#[test]
fn arrays_that_are_no_images_say_what_is_missing() {
    let check = |arrays: &[(&str, Vec<u8>)], words: &[&str]| {
        let bench = Bench::new();
        let path = text(&bench.write("own.npz", make::zip(arrays)));
        let found = bench.refusal(&json!({ "source": { "npz": { "path": path } } }));
        assert!(words.iter().all(|word| found.contains(word)), "{found}");
    };
    let images = || make::npy("|u1", &[2, 2, 2], &[0; 8]);
    check(&[("arr_0.npy", images())], &["no array `x_train`", "arr_0", "call the arrays"]);
    check(&[("images.npy", images())], &["no array `y_train`", "`labels`"]);
    let short = make::npy("|u1", &[3], &[0; 3]);
    check(&[("images.npy", images()), ("labels.npy", short)], &["do not go together"]);
    let floats = make::npy("<f4", &[2, 2, 2], &[0; 32]);
    check(&[("images.npy", floats), ("labels.npy", make::npy("|u1", &[2], &[0; 2]))], &["F32", "astype('uint8')"]);
}

#[test]
fn arrays_that_changed_on_the_disk_and_negative_labels_are_refused() {
    let bench = Bench::new();
    let refusal = |bytes: Vec<u8>| {
        let path = text(&bench.write("own.npz", bytes));
        bench.refusal(&json!({ "source": { "npz": { "path": path } } }))
    };
    let images = ("images.npy", make::npy("|u1", &[2, 2, 2], &[77; 8]));
    let mut flipped = make::stored_zip(&[images.clone(), ("labels.npy", make::npy("|u1", &[2], &[0; 2]))]);
    let pixel = flipped.windows(8).position(|bytes| bytes == [77; 8]).unwrap();
    flipped[pixel] ^= 1;
    let found = refusal(flipped);
    assert!(found.contains("the array `images`") && found.to_lowercase().contains("checksum"), "{found}");
    let negative = ("labels.npy", make::npy("|i1", &[2], &[0, 0xff]));
    let found = refusal(make::zip(&[images, negative]));
    assert!(found.contains("image 1: the label is -1, and there are"), "{found}");
}

/// Ten images of 2x3 with the pixel `20 image + 6 channel + 3 row + column` and the labels 10 (the digit 0), 9, 8, ...
fn svhn(bench: &Bench, packed: bool) -> Value {
    let mut pixels = Vec::new();
    for image in 0..10_u8 {
        for channel in 0..3_u8 {
            for column in 0..3_u8 {
                for row in 0..2_u8 {
                    pixels.push(20 * image + 6 * channel + 3 * row + column);
                }
            }
        }
    }
    let file = make::mat(&[("X", &[2, 3, 3, 10], pixels), ("y", &[10, 1], (1..=10).rev().collect())], packed);
    for name in ["train_32x32.mat", "test_32x32.mat"] {
        bench.write(&format!("svhn-{packed}/{name}"), &file);
    }
    json!({ "source": { "svhn": { "path": text(&bench.path(&format!("svhn-{packed}"))) } } })
}

#[test]
fn digits_of_matlab_files_are_read_by_rows_and_ten_is_zero() {
    let bench = Bench::new();
    for packed in [false, true] {
        let with = svhn(&bench, packed);
        let data = bench.dataset(&with).unwrap();
        assert_eq!(data.size(), ImageSize { channels: 3, height: 2, width: 3 });
        assert_eq!(data.labels(Side::Train), [0, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(data.pixels(Side::Test)[..6], [0, 1, 2, 3, 4, 5]);
        assert_eq!(data.pixels(Side::Test)[18 + 6..18 + 12], [26, 27, 28, 29, 30, 31]);
        assert!(data.license().unwrap().contains("non-commercial"));
    }
}

#[test]
fn damaged_digits_are_refused() {
    let bench = Bench::new();
    let with = svhn(&bench, false);
    let whole = fs_err::read(bench.path("svhn-false/train_32x32.mat")).unwrap();
    let check = |bytes: &[u8], words: &str| {
        bench.write("svhn-false/train_32x32.mat", bytes);
        let found = bench.refusal(&with);
        assert!(found.contains(words) && found.contains("train_32x32.mat"), "{found}");
    };
    check(&whole[..whole.len() - 40], "cut off");
    check(b"not a file of MATLAB", "no MATLAB file");
    check(b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "HDF5");
    check(&make::mat(&[("X", &[2, 3, 3, 2], vec![0; 36])], true), "no variable `y`");
    check(&make::mat(&[("X", &[2, 3, 3, 2], vec![0; 36]), ("y", &[2, 1], vec![1, 11])], true), "the label is 11");
    fs_err::remove_file(bench.path("svhn-false/train_32x32.mat")).unwrap();
    assert!(bench.refusal(&with).contains("the folder must have"));
}

#[test]
fn files_that_are_not_mnist_are_not_taken_for_it() {
    let bench = Bench::new();
    let names =
        ["train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"];
    for (number, name) in names.iter().enumerate() {
        let images = number % 2 == 0;
        bench.write(&format!("m/{name}"), if images { make::idx_images(1, 28, 28) } else { make::idx_labels(&[0]) });
    }
    let found = bench.refusal(&json!({ "source": { "mnist": { "path": text(&bench.path("m")) } } }));
    assert!(found.contains("is not MNIST's file") && found.contains("md5:6bbc9ace898e44ae57da46a324031adb"), "{found}");
    let key = bench.key(&json!({ "source": "mnist" })).unwrap();
    assert!(key.contains("md5:27ae3e4e09519cfbb04c329615203637"), "{key}");
}

#[test]
fn what_a_server_sends_in_their_names_is_verified() {
    let bench = Bench::new();
    for (source, file) in [("mnist", "train-images-idx3-ubyte.gz"), ("svhn", "train_32x32.mat")] {
        let files = [(format!("/{file}"), make::gzip(&make::idx_images(1, 2, 2)))].into();
        let server = Server::new(files, Vec::new());
        let found = bench.refusal(&json!({ "source": { source: { "mirror": server.address } } }));
        assert!(found.contains("download_wrong") && found.contains(file), "{found}");
        assert_eq!(server.requests(), [format!("/{file} all")]);
        let both = json!({ "source": { source: { "mirror": "x", "path": "y" } } });
        assert!(bench.check("dataset", &both).unwrap_err()[0].message.contains("either `path` or `mirror`"));
    }
}
