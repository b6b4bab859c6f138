//! Sets and scores of other programs. The files in `tests/foreign` are written by PyTorch and NumPy (`make.py` there).

use std::path::{Path, PathBuf};

use pddflow_artifact::{Dataset, DistilledSet, Scores, Side};
use pddflow_host::Labels;
use pddflow_runner::{Artifact, Inputs, NodeError};
use serde_json::{Value, json};

use crate::bench::{Bench, text};
use crate::make;

/// A file that PyTorch or NumPy wrote.
fn foreign(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(name)
}

/// Three classes of 4x4 grey images, as the files are for.
fn small(bench: &Bench, normalize: &Value) -> Artifact {
    bench.write("images", make::idx_images(9, 4, 4));
    bench.write("labels", make::idx_labels(&[0, 1, 2, 0, 1, 2, 0, 1, 2]));
    let idx = json!({ "train_images": text(&bench.path("images")), "train_labels": text(&bench.path("labels")) });
    bench.data_artifact(&json!({ "source": { "idx": idx }, "normalize": normalize }))
}

fn import(bench: &Bench, data: Artifact, with: &Value, output: &str) -> Result<Vec<u8>, NodeError> {
    let outputs = bench.run("import", with, &Inputs([("data".to_owned(), vec![data])].into()))?;
    Ok(bench.store.get(&outputs.artifacts[output]).unwrap().to_vec())
}

fn set(bench: &Bench, with: &Value) -> Result<DistilledSet, NodeError> {
    let data = small(bench, &json!("none"));
    Ok(DistilledSet::decode(&import(bench, data, with, "set")?).unwrap())
}

fn files(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| text(&foreign(name))).collect()
}

/// The value of the first pixel of each image: its number in the files.
fn firsts(set: &DistilledSet) -> Vec<f64> {
    set.images.to_f64_vec().unwrap().into_iter().step_by(16).collect()
}

fn refused(with: &Value) -> String {
    let error = set(&Bench::new(), with).err().unwrap_or_else(|| panic!("{with} was accepted"));
    format!(
        "{} | {} | {}",
        error.code,
        error.message,
        error.help.unwrap_or_else(|| panic!("no advice: {}", error.message))
    )
}

#[test]
fn the_files_of_trajectory_matching_are_a_set_with_its_learning_rate() {
    let from = files(&["images_best.pt", "labels_best.pt", "lr.pt"]);
    let found = set(&Bench::new(), &json!({ "from": from, "as": "set", "values": "normalised" })).unwrap();
    assert_eq!(found.images.shape(), [6, 1, 4, 4]);
    assert_eq!(firsts(&found), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(found.hard_labels().unwrap(), [0, 0, 1, 1, 2, 2]);
    assert_eq!((found.info.ipc, found.info.stage, found.info.method.as_str()), (2, 1, "imported"));
    let step_size = found.step_size.unwrap();
    assert!((step_size - 0.025).abs() < 1e-8, "{step_size}");
    assert_eq!(found.info.recipe, json!({ "lr": "learned", "step_sizes": [step_size] }));
}

#[test]
fn a_folder_with_these_files_is_the_same_set_and_places_are_in_no_key() {
    let bench = Bench::new();
    for name in ["images_best.pt", "labels_best.pt", "lr.pt"] {
        bench.write(&format!("run/{name}"), fs_err::read(foreign(name)).unwrap());
    }
    bench.write("run/images_100.pt", b"of an earlier iteration");
    let folder = json!({ "from": text(&bench.path("run")), "as": "set", "values": "normalised" });
    let from = files(&["images_best.pt", "labels_best.pt", "lr.pt"]);
    let named = json!({ "from": from, "as": "set", "values": "normalised" });
    let bytes = |with: &Value| {
        DistilledSet::decode(&import(&bench, small(&bench, &json!("none")), with, "set").unwrap()).unwrap()
    };
    assert_eq!(firsts(&bytes(&folder)), firsts(&bytes(&named)));
    let key = bench.key_of("import", &named).unwrap();
    assert_eq!(bench.key_of("import", &folder).unwrap(), key);
    assert!(key.contains("files=\"b3:") && !key.contains(&text(&foreign(""))), "{key}");
    bench.write("run/lr.pt", fs_err::read(foreign("labels_best.pt")).unwrap());
    assert_ne!(bench.key_of("import", &folder).unwrap(), key);
}

#[test]
fn one_of_the_experiments_of_gradient_matching_is_chosen() {
    let of =
        |entry: usize| json!({ "from": files(&["res_DC.pt"]), "as": "set", "values": "normalised", "entry": entry });
    assert_eq!(firsts(&set(&Bench::new(), &of(0)).unwrap())[5], 5.0);
    assert_eq!(firsts(&set(&Bench::new(), &of(1)).unwrap())[5], 15.0);
    assert!(refused(&of(2)).contains("2 sets, and number 2"));
}

#[test]
fn classes_are_matched_by_their_names() {
    // Labels 2, 2, 0, 0, 1, 1 of the classes called 1, 2, 0: those of the data's numbers 0, 0, 1, 1, 2, 2.
    let found = set(&Bench::new(), &json!({ "from": files(&["set.npz"]), "as": "set" })).unwrap();
    assert_eq!(found.hard_labels().unwrap(), [0, 0, 1, 1, 2, 2]);
    // Bytes with channels last; 10 times the number of the image.
    let expected: Vec<f64> =
        [0.0_f32, 10.0, 20.0, 30.0, 40.0, 50.0].iter().map(|byte| f64::from(byte / 255.0)).collect();
    assert_eq!(firsts(&found), expected);
    assert_eq!(found.step_size, Some(0.5));
    let other = json!({ "from": files(&["set.npz"]), "as": "set", "classes": ["0", "1", "two"] });
    assert!(refused(&other).contains("`two`"));
    let given = json!({ "from": files(&["set.npz"]), "as": "set", "classes": ["2", "1", "0"] });
    let found = set(&Bench::new(), &given).unwrap();
    assert_eq!(firsts(&found)[0], expected[0], "the file's label 2 is called 0 here");
    assert_eq!(firsts(&found)[4], expected[2], "and its label 0 is called 2");
}

#[test]
fn pixels_are_normalised_as_the_data_are() {
    let bench = Bench::new();
    let names = ["a", "b", "c"];
    for (number, name) in names.iter().enumerate() {
        bench.write(&format!("pictures/{number:03}-{number}/0.png"), make::grey_png(4, 4));
        assert!(!name.is_empty());
    }
    let normalize = json!({ "standard": { "mean": [0.25], "std": [0.5] } });
    let with =
        json!({ "from": text(&bench.path("pictures")), "as": "set", "method": "RDED", "recipe": { "epochs": 7 } });
    let found = DistilledSet::decode(&import(&bench, small(&bench, &normalize), &with, "set").unwrap()).unwrap();
    let grey = image::load_from_memory(&make::grey_png(4, 4)).unwrap().into_luma8();
    let expected: Vec<f64> = grey.iter().map(|pixel| (f64::from(*pixel) / 255.0 - 0.25) / 0.5).collect();
    let shown: Vec<f64> = found.images.to_f64_vec().unwrap()[..16].to_vec();
    for (found, expected) in shown.iter().zip(&expected) {
        // Rounded once to single precision.
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    assert_eq!((found.info.method.as_str(), found.info.ipc), ("RDED", 1));
    assert_eq!(found.info.recipe, json!({ "epochs": 7, "given": ["epochs"] }));
    // Numbers that were normalised otherwise are brought to the same.
    let other = make::npz(&[
        (
            "images",
            &[3, 4, 4],
            &grey.iter().cycle().take(48).map(|p| (f32::from(*p) / 255.0 - 0.5) / 0.25).collect::<Vec<f32>>(),
        ),
        ("labels", &[3, 3], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
    ]);
    let path = text(&bench.write("other.npz", other));
    let with = json!({ "from": path, "as": "set", "values": { "standard": { "mean": [0.5], "std": [0.25] } } });
    let found = DistilledSet::decode(&import(&bench, small(&bench, &normalize), &with, "set").unwrap()).unwrap();
    assert!(matches!(found.labels, Labels::Soft(_)));
    for (found, expected) in found.images.to_f64_vec().unwrap().iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn logits_become_probabilities_where_that_is_said() {
    let bench = Bench::new();
    let logits = [3.0_f32, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0];
    let path =
        text(&bench.write("soft.npz", make::npz(&[("images", &[3, 4, 4], &[0.5; 48]), ("labels", &[3, 3], &logits)])));
    let with = |soft: &str| json!({ "from": path, "as": "set", "values": "pixels", "soft_labels": soft });
    assert!(refused(&with("probabilities")).contains("sum is 3.0000"));
    let found = set(&bench, &with("logits")).unwrap();
    let Labels::Soft(labels) = &found.labels else { panic!("hard labels") };
    let largest = libm::exp(3.0) / (libm::exp(3.0) + 2.0);
    assert!((labels.to_f64_vec().unwrap()[4] - largest).abs() < 1e-6);
}

#[test]
fn a_set_of_this_program_keeps_what_it_says_of_itself() {
    let bench = Bench::new();
    let data = small(&bench, &json!("none"));
    let select = bench.run(
        "select",
        &json!({ "method": "random", "ipc": 2 }),
        &Inputs([("data".to_owned(), vec![data.clone()])].into()),
    );
    let chosen = bench.store.get(&select.unwrap().artifacts["set"]).unwrap();
    let path = text(&bench.write("images.safetensors", &*chosen));
    let with = json!({ "from": path, "as": "set" });
    let (before, after) = (
        DistilledSet::decode(&chosen).unwrap(),
        DistilledSet::decode(&import(&bench, data, &with, "set").unwrap()).unwrap(),
    );
    assert_eq!(after.info.method, "random");
    assert_eq!(after.images.to_f64_vec().unwrap(), before.images.to_f64_vec().unwrap());
    // For data that are normalised otherwise its numbers are others.
    let other = small(&bench, &json!({ "standard": { "mean": [0.25], "std": [0.5] } }));
    let moved = DistilledSet::decode(&import(&bench, other, &with, "set").unwrap()).unwrap();
    for (moved, pixel) in moved.images.to_f64_vec().unwrap().iter().zip(before.images.to_f64_vec().unwrap()) {
        assert!((moved - (pixel - 0.25) / 0.5).abs() < 1e-6);
    }
    let error = import(&bench, bench.data_artifact(&json!({ "source": "fashion-mini" })), &with, "set").unwrap_err();
    assert!(error.message.contains("1x4x4, the data 1x28x28"), "{}", error.message);
}

#[test]
fn a_file_that_would_run_something_is_refused_and_runs_nothing() {
    let error = refused(&json!({ "from": files(&["attack.pt"]), "as": "set", "values": "pixels" }));
    assert!(error.contains("import_unreadable") && error.contains("`posix.system`"), "{error}");
    assert!(error.contains("was not called") && error.contains("state_dict"), "{error}");
    assert!(!Path::new("attacked").exists());
}

#[test]
fn what_does_not_fit_says_what_and_what_to_do() {
    let check = |with: Value, what: &[&str]| {
        let error = refused(&with);
        assert!(what.iter().all(|part| error.contains(part)), "{error}");
    };
    let both = files(&["images_best.pt", "labels_best.pt"]);
    check(json!({ "from": both, "as": "set" }), &["import_values", "between 0.000 and 5.150", "values: normalised"]);
    check(json!({ "from": both, "as": "set", "values": "pixels" }), &["no pixels", "divide bytes by 255"]);
    check(json!({ "from": files(&["images_best.pt"]), "as": "set", "values": "normalised" }), &["no labels"]);
    check(json!({ "from": files(&["labels_best.pt"]), "as": "set", "values": "normalised" }), &["no images"]);
    check(json!({ "from": files(&["old.pt"]), "as": "set", "values": "normalised" }), &["before version 1.6"]);
    check(
        json!({ "from": files(&["make.py"]), "as": "set", "values": "normalised" }),
        &["import_format", "safetensors"],
    );
    check(
        json!({ "from": files(&["images_best.pt", "images_best.pt"]), "as": "set", "values": "normalised" }),
        &["before already"],
    );
    check(json!({ "from": ["nowhere.pt"], "as": "set", "values": "normalised" }), &["data_missing", "nowhere.pt"]);
    let standard = json!({ "standard": { "mean": [0.5, 0.5, 0.5], "std": [1, 1, 1] } });
    check(json!({ "from": both, "as": "set", "values": standard }), &["3 numbers for mean", "1 channels"]);
    let bench = Bench::new();
    let npz = |images: &[usize], labels: &[f32]| {
        let count = images.iter().product();
        let path = format!("{images:?}.npz");
        text(&bench.write(&path, make::npz(&[("images", images, &vec![0.5; count]), ("labels", &[3, 3], labels)])))
    };
    let one_hot = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    check(json!({ "from": npz(&[3, 3, 4, 4], &one_hot), "as": "set", "values": "pixels" }), &["[3, 3, 4, 4]", "1x4x4"]);
    check(json!({ "from": npz(&[2, 4, 4], &one_hot), "as": "set", "values": "pixels" }), &["[3, 3], for 2 images"]);
    let data = bench.data_artifact(&json!({ "source": "fashion-mini" }));
    let error = import(&bench, data, &json!({ "from": both, "as": "set", "values": "normalised" }), "set").unwrap_err();
    assert!(error.message.contains("1x28x28"), "{}", error.message);
}

#[test]
fn labels_of_no_class_and_classes_without_images_are_refused() {
    let bench = Bench::new();
    let of = |labels: &[i64]| {
        let images = make::npy("<f4", &[3, 4, 4], &[0; 192]);
        let labels: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        bench.write("i.npy", images);
        bench.write("l.npy", make::npy("<i8", &[3], &labels));
        refused(
            &json!({ "from": [text(&bench.path("i.npy")), text(&bench.path("l.npy"))], "as": "set", "values": "pixels" }),
        )
    };
    assert!(of(&[1, 2, 3]).contains("image 2 has the label 3"));
    assert!(of(&[0, 1, 1]).contains("no image is of class 2"));
}

#[test]
fn undecoded_images_of_idc_are_cut_out_and_enlarged() {
    let bench = Bench::new();
    // Three images, one of each class, whose quarters are 2x2 images; the first quarter of image k rises from k to k + 1 by columns.
    let quarter = |image: usize, row: usize, column: usize| match (row / 2, column / 2) {
        (0, 0) => (image + column % 2) as f32 / 10.0,
        (row, column) => (10 * image + 2 * row + column) as f32 / 100.0,
    };
    let pixels = (0..3).flat_map(|image| (0..16).map(move |place| quarter(image, place / 4, place % 4)));
    let bytes: Vec<u8> = pixels.flat_map(f32::to_le_bytes).collect();
    let images = text(&bench.write("images.npy", make::npy("<f4", &[3, 1, 4, 4], &bytes)));
    let labels: Vec<u8> = [2_i64, 0, 1].into_iter().flat_map(i64::to_le_bytes).collect();
    let labels = text(&bench.write("labels.npy", make::npy("<i8", &[3], &labels)));
    let with = json!({ "from": [images, labels], "as": "set", "values": "pixels", "factor": 2 });
    let found = set(&bench, &with).unwrap();
    assert_eq!((found.images.shape(), found.info.ipc), (&[12, 1, 4, 4][..], 4));
    assert_eq!(found.hard_labels().unwrap(), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    // Class 0 is image 1. Its first quarter by half-pixel centres, then the others, each of one value.
    let values = found.images.to_f64_vec().unwrap();
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    [0.1, 0.125, 0.175, 0.2].into_iter().enumerate().for_each(|(column, value)| near(values[column], value));
    [0.11, 0.12, 0.13].into_iter().enumerate().for_each(|(cell, value)| near(values[16 * (cell + 1)], value));
    let problems = |with: Value| bench.check("import", &with).unwrap_err()[0].message.clone();
    let normalised = json!({ "from": "x", "as": "set", "values": "normalised", "factor": 2 });
    assert!(problems(normalised).contains("are pixels"));
    assert!(problems(json!({ "from": "x", "as": "set", "values": "pixels", "factor": 0 })).contains("1 to 16"));
}

#[test]
fn scores_are_those_of_the_training_images() {
    let bench = Bench::new();
    let numbers: Vec<u8> = (0..9_i64).flat_map(i64::to_le_bytes).collect();
    let path = text(&bench.write("scores.npy", make::npy("<i8", &[9], &numbers)));
    let with = json!({ "from": path, "as": "scores", "method": "forgetting" });
    let data = small(&bench, &json!("none"));
    let bytes = import(&bench, data.clone(), &with, "scores").unwrap();
    let found = Scores::decode(&bytes).unwrap();
    let dataset = Dataset::decode(&bench.store.get(&data.digest).unwrap()).unwrap();
    assert!(found.belong_to(&dataset));
    assert_eq!((found.method.as_str(), found.scores[8]), ("forgetting", 8.0));
    let scores = Artifact { digest: bench.store.put(&bytes).unwrap(), artifact: "scores".into(), ..data.clone() };
    let inputs = Inputs([("data".to_owned(), vec![data]), ("scores".to_owned(), vec![scores])].into());
    let outputs = bench.run("filter", &json!({ "range": [6, null] }), &inputs).unwrap();
    let kept = Dataset::decode(&bench.store.get(&outputs.artifacts["data"]).unwrap()).unwrap();
    assert_eq!(kept.rows(Side::Train), 3);
    let mini = bench.data_artifact(&json!({ "source": "fashion-mini" }));
    let error = import(&bench, mini, &with, "scores").unwrap_err();
    assert!(error.message.contains("[9], and the data have 2000"), "{}", error.message);
}

#[test]
fn parameters_that_say_nothing_are_found_before_anything_runs() {
    let bench = Bench::new();
    let problems = |with: Value| {
        let found = bench.check("import", &with).unwrap_err();
        found.into_iter().map(|found| format!("{}: {}", found.pointer, found.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        problems(json!({ "from": "x", "as": "scores", "values": "pixels" })),
        ["/values: `values` says nothing of scores"]
    );
    assert_eq!(
        problems(json!({ "from": "x", "as": "weights" })),
        ["/as: `weights` are those of a model, and none is given"]
    );
    assert_eq!(
        problems(json!({ "from": [], "as": "set" })),
        ["/from: invalid length 0, expected a name, or a list of names"]
    );
    assert!(problems(json!({ "from": "x", "as": "sets" }))[0].starts_with("/as: `sets` is not known here"));
    let standard = json!({ "from": "x", "as": "set", "values": { "standard": { "mean": [0.5], "std": [0] } } });
    assert!(problems(standard)[0].starts_with("/values/standard"));
}
