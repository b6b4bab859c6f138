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
fn nets_are_tested_by_the_average_of_their_weights_where_asked() {
    let curve =
        |with: &str| results(&picked(1, &format!("nets: 2, epochs: 3, recipe: dsa, {with}"))).reported.accuracies;
    // An average that steps leave as it is: that of nets which have learned nothing, whatever the learning rate.
    assert_eq!(curve("lr: 0.1, average: 1"), curve("lr: 0.0001, average: 1"));
    assert_ne!(curve("lr: 0.1, average: 1"), curve("lr: 0.1"));
    assert_eq!(curve("lr: 0.1, average: 0"), curve("lr: 0.1"));
    let protocol = results(&picked(1, "nets: 1, epochs: 4, average: 0.9, schedule: cosine, warm_up: 2")).protocol;
    assert_eq!((&protocol["average"], &protocol["warm_up"]), (&json!(0.9), &json!(2)));
    assert_eq!(protocol["stage_epochs"], json!([4]));
    let problems = Bench::new().problems(&picked(1, "average: 1.5"));
    assert!(problems.contains("`average` is 1.5 and must be from 0 to 1"), "{problems}");
}

#[test]
fn averages_survive_a_stop() {
    let text = picked(1, "nets: 1, epochs: 4, recipe: dsa, lr: 0.1, average: 0.5");
    let (whole, parts) = (ran(&text), Bench::new());
    assert!(parts.run_until(&text, 2));
    parts.run(&text).unwrap();
    assert_eq!(parts.results("eval").reported.accuracies, whole.results("eval").reported.accuracies);
    assert_eq!(parts.digests()["eval.results"], whole.digests()["eval.results"]);
}

#[test]
fn experts_seek_flat_minima_where_asked() {
    let text = |with: &str| {
        format!(
            "format: 1\nname: flat\nnodes:\n  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}\n  experts: {{ kind: train, needs: \
             {{ data: data }}, with: {{ model: {{ convnet: {{ width: 4, norm: batch }} }}, nets: 1, epochs: 2{with} }} }}\n"
        )
    };
    let experts = |with: &str| ran(&text(with)).digests()["experts.trajectories"];
    let plain = experts("");
    // Of the file only what it says of its own making differs.
    let weights = |with: &str| {
        let blob = ran(&text(with)).artifact("experts.trajectories");
        pddflow_artifact::Trajectories::decode(&blob).unwrap().snapshot(0, 2).unwrap()
    };
    let values = |with: &str| weights(with).iter().flat_map(|one| one.to_f64_vec().unwrap()).collect::<Vec<_>>();
    let of_plain = values("");
    assert_eq!(of_plain, values(", flat: { rho: 0, alpha: 0 }"));
    let (sharp, gap) = (values(", flat: { rho: 0.05, alpha: 0 }"), values(", flat: { rho: 0.05 }"));
    assert!(of_plain != sharp && sharp != gap && gap.iter().all(|value| value.is_finite()));
    assert_ne!(plain, experts(", flat: {}"));
    let problems = Bench::new().problems(&text(", flat: { rho: -1 }"));
    assert!(problems.contains("must be at least 0"), "{problems}");
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
        picked(1, "nets: 1, epochs: 1, recipe: dsa").replace(
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
    for (wrong, expected) in
        [("least_area: 0", "above 0 and at most 1"), ("crops: 0", "at least 1"), ("tile: 0", "at least 1")]
    {
        assert!(Bench::new().problems(&text(wrong)).contains(expected));
    }
}

/// Whole images in place of crops, four of which are one image of half the resolution each.
#[test]
fn crops_are_laid_side_by_side() {
    let text = |with: &str| {
        let choice =
            format!("method: crops, model: {{ convnet: {{ width: 4 }} }}, crops: 1, least_area: 1, epochs: 1, {with}");
        picked(1, "nets: 1, epochs: 1, recipe: dsa").replace("method: random, ipc: 1", &choice)
    };
    let set = |with: &str| DistilledSet::decode(&ran(&text(with)).artifact("pick[1].set")).unwrap();
    let rows = |set: &DistilledSet| -> Vec<usize> { serde_json::from_value(set.info.made_by["rows"].clone()).unwrap() };
    let (tiled, whole) = (set("ipc: 2, tile: 2, candidates: 8"), set("ipc: 8, candidates: 8"));
    assert_eq!(tiled.images.shape(), [20, 1, 28, 28]);
    let (parts, known) = (rows(&tiled), rows(&whole));
    assert_eq!((parts.len(), known.len()), (80, 80));
    for (number, row) in parts.iter().enumerate() {
        let (image, quarter) = (number / 4, number % 4);
        let at = known.iter().position(|known| known == row).expect("one of the class");
        let (top, left) = (quarter / 2 * 14, quarter % 2 * 14);
        let part = tiled.images.slice(0, image, image + 1, 1).unwrap().slice(2, top, top + 14, 1).unwrap();
        let part = part.slice(3, left, left + 14, 1).unwrap();
        let small = whole.images.slice(0, at, at + 1, 1).unwrap().bilinear_resize(14, 14).unwrap();
        assert_eq!(part.to_f64_vec().unwrap(), small.to_f64_vec().unwrap(), "part {quarter} of image {image}");
    }
    let labels = tiled.labels.tensor().to_f64_vec().unwrap();
    assert!(labels.chunks(10).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-5), "probabilities");
    let failure = Bench::new().run(&text("ipc: 1, tile: 3")).unwrap_err();
    assert!(failure.message.contains("28 x 28 cannot be cut into 3 parts"), "{}", failure.message);
    let failure = Bench::new().run(&text("ipc: 100, tile: 2")).unwrap_err();
    assert!(failure.message.contains("in parts of `tile` by `tile`"), "{}", failure.message);
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
fn a_script_that_cannot_be_followed_is_refused_before_the_work() {
    let with = |node: &str| format!("{}  more: {{ {node} }}\n", scripted(1, ""));
    let continual = "kind: continual, needs: { data: data, sets: \"dd[*]\" }, with: { model: lenet, nets: 1 }";
    let problems = Bench::new().problems(&with(continual));
    assert!(problems.contains("the set of `dd[1]` is of use step by step only, and"), "{problems}");
    assert!(problems.contains("of several phases"), "{problems}");
    let failure =
        Bench::new().run(&with("kind: split, needs: { set: \"dd[1]\" }, with: { parts: 2, part: 1 }")).unwrap_err();
    assert!(failure.code.ends_with("script"), "{}: {}", failure.code, failure.message);
    let pretrained =
        scripted(2, "").replace("needs: { data: data, start: net }", "needs: { data: data, previous: \"dd[..${k}]\" }");
    let failure = Bench::new().run(&pretrained.replace("fixed_start: true", "pretrain: {}")).unwrap_err();
    assert!(failure.code.ends_with("script"), "{}: {}", failure.code, failure.message);
    let problems =
        Bench::new().problems(&scripted(1, "").replace("needs: { data: data, start: net }", "needs: { data: data }"));
    assert!(problems.contains("`fixed_start` needs"), "{problems}");
}

#[test]
fn an_export_tells_the_steps_of_each_set() {
    let release = |with: &str| {
        let node =
            format!("release: {{ kind: export, needs: {{ sets: \"dd[*]\" }}, with: {{ pictures: false{with} }} }}");
        ran(&format!("{}  {node}\n", scripted(2, "")))
    };
    let bench = release("");
    let (files, results) = (bench.files("release.files"), bench.results("eval"));
    let manifest: serde_json::Value = serde_json::from_slice(files.get("manifest.json").unwrap()).unwrap();
    let training = &manifest["training"];
    assert_eq!((&training["mode"], &training["presented_images"]), (&json!("sequential"), &json!(80)));
    assert_eq!(training["presented_images"], results.protocol["presented_images"]);
    for (number, stage) in training["stages"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&stage["trains_on_sets"], &stage["epochs"]), (&json!([number + 1]), &json!(1)));
        let set = DistilledSet::decode(&bench.artifact(&format!("dd[{}].set", number + 1))).unwrap();
        let rates = set.learnables["rates"].to_f64_vec().unwrap();
        let group = |first: usize| (0..10).map(|class| 2 * class + first).collect::<Vec<_>>();
        let step = |(at, lr): (usize, &f64)| json!({ "rows": group(at % 2), "lr": lr });
        assert_eq!(stage["steps"], rates.iter().enumerate().map(step).collect::<serde_json::Value>());
    }
    let readme = std::str::from_utf8(files.get("README.md").unwrap()).unwrap();
    for words in ["Step by step", "| 2 | 2 | 2 | 4 | 0.0", "Every step (recipe `own`)", "Between steps the momentum is"]
    {
        assert!(readme.contains(words), "{words}: {readme}");
    }
    let named = release(", recipe: dsa, epochs: 1").files("release.files");
    let manifest: serde_json::Value = serde_json::from_slice(named.get("manifest.json").unwrap()).unwrap();
    assert!(manifest["training"]["stages"][0]["steps"].is_null(), "what the file says wins");
}

#[test]
fn nets_are_advanced_by_the_scripts_of_sets_in_one_go_or_set_by_set() {
    let text = scripted(2, "");
    let with = "with: { model: lenet, nets: 1, momentum: 0.5";
    let first = format!("first: {{ kind: advance, needs: {{ sets: \"dd[1]\", start: net }}, {with} }} }}");
    let both = format!("both: {{ kind: advance, needs: {{ sets: \"dd[*]\", start: first }}, {with} }} }}");
    let at_once = both.replace("start: first", "start: net");
    let weights = |nodes: &str| {
        let blob = ran(&format!("{text}  {nodes}\n")).artifact("both.weights");
        let net = pddflow_artifact::NetWeights::decode(&blob).unwrap().net(0).unwrap();
        net.iter().flat_map(|one| one.to_f64_vec().unwrap()).collect::<Vec<_>>()
    };
    let stepped = weights(&format!("{first}\n  {both}"));
    assert_eq!(stepped, weights(&at_once));
    assert_eq!(stepped, weights(&at_once.replace("momentum: 0.5", "momentum: 0.9")), "the recipe of the sets counts");
    assert_ne!(stepped, weights(&at_once.replace("momentum: 0.5", "epochs: 1")), "what the file says wins");
}

#[test]
fn evaluations_within_a_distillation_follow_the_script_too() {
    let inside = |stages: usize| {
        scripted(stages, "").replace("matcher: {", "evaluation: { every: 2, nets: 1, on: test }, matcher: {").replace(
            "needs: { data: data, start: net }\n",
            "needs: { data: data, start: net, previous: \"dd[..${k}]\" }\n",
        )
    };
    for stages in [1, 2] {
        let bench = ran(&inside(stages));
        let found = bench.metric_values(&format!("dd[{stages}]"), "accuracy_on_test");
        let tested = 100.0 * bench.results("eval").reported.accuracies[0];
        assert!((found[0] - tested).abs() < 1e-9, "{found:?} and {tested}");
    }
    let other = inside(1).replace("on: test }", "on: test, training: { recipe: dsa, epochs: 1 } }");
    assert_eq!(ran(&other).metric_values("dd[1]", "accuracy_on_test").len(), 1);
}

/// A net that was trained on the real images, crops that it finds easy, and nets that learn from it.
fn taught(needs: &str, with: &str) -> String {
    format!(
        r#"
format: 1
name: taught
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  experts: {{ kind: train, needs: {{ data: data }}, with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 1, epochs: 2 }} }}
  whole:
    kind: select
    needs: {{ data: data, trajectories: experts }}
    with: {{ method: crops, ipc: 3, crops: 1, least_area: 1, model: {{ convnet: {{ width: 4 }} }} }}
  nets: {{ kind: advance, needs: {{ sets: whole }}, with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 1, epochs: 3, lr: 0.1 }} }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: whole, {needs} }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, recipe: dsa, nets: 1, epochs: 3, schedule: constant, {with} }}
"#
    )
}

#[test]
fn a_teacher_labels_the_images_as_they_are_shown() {
    let found = |needs: &str, with: &str| results(&taught(needs, with)).reported.accuracies[0];
    // Of images as they are and at temperature 1 its labels are those that the set carries.
    let plain = "lr: 0.1, augment: none, batch: 10";
    let own = found("", plain);
    let asked = found("trajectories: experts", &format!("{plain}, teacher: {{ temperature: 1 }}"));
    assert!((own - asked).abs() < 0.01, "{own} {asked}");
    assert_ne!(found("trajectories: experts", &format!("{plain}, teacher: {{}}")), asked);
    // A net that is asked what it says itself learns nothing, however images are changed before.
    let changed = "augment: dsa, cutmix: 1, weight_decay: 0";
    let same = |lr: &str| found("start: nets, weights: nets", &format!("{changed}, lr: {lr}, teacher: {{}}"));
    assert!((same("1") - same("1.0e-9")).abs() < 1e-9);
    assert_ne!(found("start: nets", &format!("{changed}, lr: 1")), same("1"));
    let protocol = results(&taught("trajectories: experts", "teacher: {}")).protocol;
    assert_eq!(protocol["teacher"], json!({ "temperature": 20.0 }));
}

#[test]
fn a_teacher_that_cannot_be_asked_is_refused() {
    for (needs, with, expected) in [
        ("", "teacher: {}", "none is wired"),
        ("trajectories: experts", "", "nothing asks it"),
        ("trajectories: experts", "teacher: { temperature: 0 }", "must be above 0"),
        ("trajectories: experts", "teacher: { model: nothing }", "nothing"),
        ("trajectories: experts", "teacher: {}, loss: mse", "are probabilities"),
        ("trajectories: experts", "teacher: {}, hard_labels: true", "trained on as they are"),
    ] {
        let problems = Bench::new().problems(&taught(needs, with));
        assert!(problems.contains(expected), "{with}: {problems}");
    }
    let asks = taught("trajectories: experts", "teacher: {}");
    let some =
        "  few: { kind: classes, needs: { data: data }, with: { order: { seed: 0, steps: 2, step: 1 } } }\n  data:";
    let other_classes =
        asks.replace("experts: { kind: train, needs: { data: data }", "experts: { kind: train, needs: { data: few }");
    let other_classes = other_classes
        .replace("  data:", some)
        .replace("trajectories: experts }\n    with: { method", "trajectories: own }\n    with: { method");
    let own = "  own: { kind: train, needs: { data: data }, with: { model: { convnet: { width: 4 } }, nets: 1, epochs: 1 } }\n  whole:";
    let failure = Bench::new().run(&other_classes.replace("  whole:", own)).unwrap_err();
    assert!(failure.message.contains("5 classes that are not the 10"), "{}", failure.message);
    let failure =
        Bench::new().run(&asks.replace("teacher: {}", "teacher: { model: { convnet: { width: 5 } } }")).unwrap_err();
    assert!(failure.message.contains("are of the model"), "{}", failure.message);
}

#[test]
fn crops_carry_the_training_of_their_release_with_its_teacher() {
    let text = |needs: &str, with: &str| {
        taught(needs, with).replace("recipe: dsa, nets: 1, epochs: 3, schedule: constant, ", "nets: 1, ")
    };
    let found = results(&text("trajectories: experts", "epochs: 2"));
    let told = json!({
        "recipe": "own", "teacher": { "temperature": 20.0 }, "optimizer": "adamw", "lr": 0.001, "momentum": 0.9, "weight_decay": 0.01,
        "schedule": "half_cosine", "cutmix": 1.0, "augment": "dsa:flip", "batch": 10, "stage_epochs": [2],
    });
    for (name, value) in told.as_object().unwrap() {
        assert_eq!(&found.protocol[name], value, "{name}");
    }
    let said = "epochs: 2, teacher: {}";
    assert_eq!(results(&text("trajectories: experts", said)).reported, found.reported, "the same said in the pipeline");
    for (needs, with, expected) in [
        ("", "epochs: 2", "none is wired"),
        ("trajectories: experts", "recipe: dsa, epochs: 2", "nothing asks it"),
        ("trajectories: experts", "epochs: 2 }\n  out: { kind: export, needs: { sets: whole }", "has a port for"),
    ] {
        let problems = Bench::new().problems(&text(needs, with));
        assert!(problems.contains(expected), "{with}: {problems}");
    }
    let refused = |text: &str| {
        let failure = Bench::new().run(text).unwrap_err();
        assert!(failure.code.ends_with("teacher"), "{}: {}", failure.code, failure.message);
    };
    let tiles = "recipe: dsa, epochs: 2 }\n  out: { kind: export, needs: { sets: whole }, with: { recipe: dsa, augment: \"tiles:2\" }";
    let failure = Bench::new().run(&text("", tiles)).unwrap_err();
    assert!(failure.message.contains("does not know the augmentation `tiles`"), "{}", failure.message);
    refused(&text("trajectories: experts", "epochs: 2, hard_labels: true"));
    refused(&text("trajectories: experts", "epochs: 2").replace("nets: 1, epochs: 3, lr: 0.1", "nets: 1"));
    results(&text("", "recipe: dsa, epochs: 2"));
}
