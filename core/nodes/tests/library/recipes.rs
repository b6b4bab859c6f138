//! Recipes besides gradient descent on the cross-entropy, and sets that are read by kernel regression.

use pddflow_artifact::{DistilledSet, Results};
use serde_json::json;

use crate::harness::{Bench, distill_pipeline, picked};

const LEARNED: &str = "kip: { batch: 20, learn_labels: true, lr_labels: 0.5 }";

fn ran(text: &str) -> Bench {
    let bench = Bench::new();
    bench.run(text).unwrap_or_else(|error| panic!("{}: {}", error.code, error.message));
    bench
}

fn results(text: &str) -> Results {
    ran(text).results("eval")
}

#[test]
fn losses_and_optimisers_train_differently_and_are_recorded() {
    let curve = |with: &str| results(&picked(1, &format!("nets: 1, epochs: 3, lr: 0.01, {with}"))).reported.accuracies;
    let plain = curve("");
    assert_eq!(plain, curve("loss: cross_entropy, optimizer: sgd"));
    let all: Vec<_> = ["loss: mse", "optimizer: adam", "optimizer: adamw, weight_decay: 0.5"].map(curve).into();
    assert!(all.iter().all(|other| *other != plain) && all[0] != all[1] && all[1] != all[2], "{plain:?} {all:?}");
    let protocol = results(&picked(1, "nets: 1, epochs: 1, loss: mse, optimizer: adam")).protocol;
    assert_eq!((&protocol["loss"], &protocol["optimizer"]), (&json!("mse"), &json!("adam")));
}

#[test]
fn steps_are_whole_epochs_that_have_so_many() {
    // Ten images in batches of 4 are three steps.
    for (steps, schedule, expected) in [(1, "constant", 1), (4, "constant", 2), (9, "dc", 3), (10, "idc", 4)] {
        let with = format!("nets: 1, batch: 4, steps: {steps}, schedule: {schedule}");
        assert_eq!(results(&picked(1, &with)).protocol["stage_epochs"], json!([expected]), "{with}");
    }
    let problems = Bench::new().problems(&picked(1, "steps: 4, presented: 2"));
    assert!(problems.contains("`steps` and `presented` exclude each other"), "{problems}");
}

#[test]
fn learned_labels_are_trained_on_as_they_are() {
    let own = ran(&distill_pipeline(LEARNED, 3));
    assert_eq!(own.results("eval").protocol["loss"], json!("mse"));
    let other = distill_pipeline(LEARNED, 3).replace("epochs: 3", "epochs: 3, recipe: dc");
    let failure = Bench::new().run(&other).unwrap_err();
    assert!(failure.code.ends_with("labels") && failure.message.contains("no probabilities"), "{}", failure.message);
    assert!(failure.help.unwrap().contains("loss: mse"));
    results(&distill_pipeline(LEARNED, 3).replace("epochs: 3", "epochs: 3, recipe: dc, hard_labels: true"));
}

#[test]
fn a_set_is_read_by_the_kernel_that_it_names() {
    let read = |with: &str| {
        let text = distill_pipeline("kip: { batch: 100, depth: 2 }", 5);
        results(&text.replace("model: { convnet: { width: 4 } }, nets: 2, epochs: 3", with))
    };
    let own = read("regression: {}");
    let kernel = json!({ "fully_connected": { "depth": 2, "tangent": true } });
    assert_eq!(own.protocol["regression"], json!({ "kernel": kernel, "ridge": 1e-6 }));
    assert_eq!((&own.labels["model"], own.reported.accuracies.len()), (&kernel, 1));
    assert!(own.reported.accuracies[0] > 0.3, "{:?}", own.reported);
    let named = read("regression: { kernel: { fully_connected: { depth: 2 } }, ridge: 1.0e-6 }");
    assert_eq!(named.reported, own.reported);
    assert_ne!(read("regression: { ridge: 10 }").reported, own.reported);
    let failure = Bench::new().run(&picked(1, "regression: {}")).unwrap_err();
    assert!(failure.code.ends_with("no_kernel"), "{}", failure.message);
}

#[test]
fn features_of_nets_are_a_kernel_and_every_stage_is_read() {
    let with = |nets: usize| {
        format!("nets: {nets}, regression: {{ kernel: {{ features: {{ nets: 2, gaussian: true }} }}, ridge: 0.005 }}")
    };
    let found = results(&picked(3, &with(2)));
    assert_eq!(found.curve.iter().map(|point| point.reading.stage).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(found.reported.accuracies.len(), 2);
    assert_ne!(found.reported.accuracies[0], found.reported.accuracies[1], "nets of their own");
    assert_eq!(results(&picked(3, &with(1))).reported.accuracies[0], found.reported.accuracies[0]);
    assert_ne!(
        results(&picked(3, &with(1).replace("true", "false"))).reported.accuracies[0],
        found.reported.accuracies[0]
    );
}

#[test]
fn a_regression_that_makes_no_sense_is_refused_before_it_runs() {
    for (with, expected) in [
        ("regression: {}, report: best_on_test, curve_every: 1", "no epochs to choose from"),
        ("regression: {}, training: sequential", "on the union of sets"),
        ("regression: { ridge: -1 }", "at least 0"),
        ("regression: { kernel: { fully_connected: { depth: 0 } } }", "from 1 to 64"),
        ("regression: { kernel: { features: { nets: 0 } } }", "from 1 to 4096"),
    ] {
        let problems = Bench::new().problems(&picked(1, with));
        assert!(problems.contains(expected), "{with}: {problems}");
    }
    let without =
        picked(1, "regression: { kernel: { features: {} } }").replace("model: { convnet: { width: 4 } }, ", "");
    assert!(Bench::new().problems(&without).contains("features need a net"));
    let without = picked(1, "nets: 1").replace("model: { convnet: { width: 4 } }, ", "");
    assert!(Bench::new().problems(&without).contains("no `model` is named"));
}

#[test]
fn regression_on_features_is_distilled_and_read() {
    let frepo =
        results(&distill_pipeline("frepo: { batch: 30, pool: 2, max_age: 1 }", 4).replace("epochs: 3", "steps: 3"));
    let recipe = (&frepo.protocol["loss"], &frepo.protocol["optimizer"], &frepo.protocol["stage_epochs"]);
    assert_eq!(recipe, (&json!("mse"), &json!("adam"), &json!([3])));
    let own = results(&distill_pipeline("frepo: { batch: 30, pool: 2 }", 1).replace("epochs: 3", "lr: 0.0003"));
    assert_eq!(own.protocol["stage_epochs"], json!([1000]), "the release's steps for ten images");
    let rfad = distill_pipeline("rfad: { batch: 30, nets: 2, batches: 2 }", 3);
    assert_eq!(results(&rfad).protocol["loss"], json!("mse"));
    let read = results(&rfad.replace("nets: 2, epochs: 3", "nets: 2, regression: {}"));
    let features = &read.protocol["regression"]["kernel"]["features"];
    assert_eq!((&features["gaussian"], &features["nets"]), (&json!(true), &json!(16)));
}

#[test]
fn crops_are_those_that_a_net_finds_easiest_with_its_labels() {
    let text = |with: &str| {
        picked(1, "nets: 1, epochs: 1").replace(
            "method: random, ipc: 1",
            &format!("method: crops, ipc: 2, model: {{ convnet: {{ width: 4 }} }}, {with}"),
        )
    };
    let set = |with: &str| {
        let bench = ran(&text(with));
        DistilledSet::decode(&bench.artifact("pick[1].set")).unwrap()
    };
    let chosen = set("candidates: 20, crops: 3, epochs: 2");
    assert_eq!((chosen.rows(), chosen.labels.tensor().shape()), (20, &[20, 10][..]));
    let labels = chosen.labels.tensor().to_f64_vec().unwrap();
    let sums = labels.chunks(10).map(|row| row.iter().sum::<f64>());
    assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-5), "probabilities");
    // Of more crops and images the easiest ones are easier, class by class; the first of a class is its easiest.
    let own = |labels: &[f64], row: usize| labels[row * 10 + row / 2];
    let more = set("candidates: 20, crops: 12, epochs: 2").labels.tensor().to_f64_vec().unwrap();
    let sum = |labels: &[f64]| (0..20).map(|row| libm::log(own(labels, row))).sum::<f64>();
    assert!(sum(&more) > sum(&labels), "{} {}", sum(&more), sum(&labels));
    assert!((0..10).all(|class| own(&labels, 2 * class) >= own(&labels, 2 * class + 1)));
    // Whole images as they are: one crop with all of the area.
    let whole = set("candidates: 2, crops: 1, least_area: 1, epochs: 2");
    let pixels = whole.images.to_f64_vec().unwrap();
    let rows: Vec<usize> = serde_json::from_value(whole.info.made_by["rows"].clone()).unwrap();
    let random = set("candidates: 2, crops: 1, least_area: 1, epochs: 3");
    assert_eq!(rows.len(), 20);
    let mut same =
        pixels.chunks(784).map(|one| random.images.to_f64_vec().unwrap().chunks(784).any(|other| other == one));
    assert!(same.all(|same| same), "the same two images of each class, whatever the net says");
    for (wrong, expected) in [("least_area: 0", "above 0 and at most 1"), ("crops: 0", "at least 1")] {
        assert!(Bench::new().problems(&text(wrong)).contains(expected));
    }
}

/// DD from always the same weights, and nets that begin with these.
fn scripted(stages: usize, with: &str) -> String {
    format!(
        r#"
format: 1
name: scripted
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  net: {{ kind: advance, with: {{ model: lenet, nets: 1, seed: 5 }} }}
  dd:
    for: {{ k: 1..={stages} }}
    kind: distill
    needs: {{ data: data, start: net }}
    with: {{ ipc: 2, iterations: 2, model: lenet, fixed_start: true, seed: "${{k}}", matcher: {{ dd: {{ epochs: 2, batch: 20 }} }} }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: "dd[*]", start: net }}
    with: {{ model: lenet, nets: 1, {with} }}
"#
    )
}

#[test]
fn a_script_is_followed_from_the_nets_that_it_was_made_for() {
    let one = results(&scripted(1, "training: union"));
    assert_eq!((one.curve.len(), &one.protocol["stage_epochs"]), (1, &json!([4])));
    assert_eq!(one.protocol["presented_images"], json!(40));
    let two = results(&scripted(2, "training: progressive"));
    assert_eq!(two.curve.iter().map(|point| point.reading.stage).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(two.curve[0].reading.accuracies, one.curve[0].reading.accuracies);
    let trained = results(&scripted(1, "epochs: 3, schedule: constant"));
    assert_eq!(trained.protocol["stage_epochs"], json!([3]), "what the file says wins");
    // Always the same weights: with new ones each time, images move otherwise.
    let fixed = ran(&scripted(1, "")).digests()["dd[1].set"];
    assert_ne!(ran(&scripted(1, "").replace("fixed_start: true, ", "")).digests()["dd[1].set"], fixed);
}

#[test]
fn a_script_cannot_be_exported_nor_fixed_nets_be_missing() {
    let export = format!("{}  out: {{ kind: export, needs: {{ sets: \"dd[*]\" }} }}\n", scripted(1, ""));
    let failure = Bench::new().run(&export).unwrap_err();
    assert!(failure.code.ends_with("script"), "{}: {}", failure.code, failure.message);
    let problems =
        Bench::new().problems(&scripted(1, "").replace("needs: { data: data, start: net }", "needs: { data: data }"));
    assert!(problems.contains("`fixed_start` needs"), "{problems}");
}
