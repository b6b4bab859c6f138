//! Evaluations: ways to train, what is reported, the full data, stopping in the middle.

use pddflow_artifact::Results;

use crate::digests_of;
use crate::harness::{self, Bench, distill_pipeline};

/// Real images chosen at random, in so many sets, evaluated with more parameters.
fn picked(sets: usize, with: &str) -> String {
    harness::picked(sets, &format!("nets: 2, epochs: 2, {with}"))
}

/// An evaluation of nets trained on the real data.
fn full(with: &str) -> String {
    format!(
        r#"
format: 1
name: full
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini, train_per_class: 30 }} }}
  eval:
    kind: evaluate
    needs: {{ data: data }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, training: full, nets: 2, epochs: 2, batch: 64, {with} }}
"#
    )
}

fn results_of(text: &str) -> Results {
    let bench = Bench::new();
    bench.run(text).unwrap_or_else(|error| panic!("{}: {}", error.code, error.message));
    bench.results("eval")
}

fn failure_of(text: &str) -> (String, String) {
    let failure = Bench::new().run(text).unwrap_err();
    (failure.code, format!("{} {}", failure.message, failure.help.unwrap_or_default()))
}

#[test]
fn with_one_set_all_ways_to_train_are_one() {
    let curve = |training: &str| results_of(&picked(1, &format!("training: {training}"))).curve;
    let progressive = curve("progressive");
    assert_eq!(progressive, curve("union"));
    assert_eq!(progressive, curve("sequential"));
}

#[test]
fn with_two_sets_the_first_stage_is_one_and_the_rest_differs() {
    let curve = |training: &str| results_of(&picked(2, &format!("training: {training}, curve_every: 1"))).curve;
    let (progressive, sequential, union) = (curve("progressive"), curve("sequential"), curve("union"));
    // Two stages of three epochs: the `dc` schedule runs one more than its budget.
    assert_eq!((progressive.len(), sequential.len(), union.len()), (6, 6, 3));
    assert_eq!(progressive[..3], sequential[..3]);
    assert_ne!(progressive[3..], sequential[3..]);
}

#[test]
fn each_stage_has_its_own_learning_rate() {
    let at = |lr: &str| results_of(&picked(2, &format!("lr: {lr}"))).curve;
    assert_eq!(at("0.02"), at("[0.02, 0.02]"));
    assert_eq!(at("0.02")[0], at("[0.02, 0.001]")[0]);
    assert_ne!(at("0.02")[1], at("[0.02, 0.001]")[1]);
    let problems = Bench::new().problems(&picked(2, "lr: [0.1, 0.2, 0.3]"));
    assert!(problems.contains("`lr` lists 3 learning rates for 2 stages"), "{problems}");
    let problems = Bench::new().problems(&picked(2, "training: union, lr: [0.1, 0.2]"));
    assert!(problems.contains("`lr` lists 2 learning rates for 1 stage"), "{problems}");
}

#[test]
fn momentum_that_is_carried_over_changes_later_stages_only() {
    let curve = |carry: bool| results_of(&picked(2, &format!("schedule: pdd, carry_momentum: {carry}"))).curve;
    let (kept, lost) = (curve(true), curve(false));
    assert_eq!(kept[0], lost[0]);
    assert_ne!(kept[1], lost[1]);
}

#[test]
fn the_reported_reading_is_the_one_asked_for_and_says_so() {
    let text = |report: &str| {
        let text = picked(1, &format!("curve_every: 1, report: {report}"));
        text.replace("source: fashion-mini", "source: fashion-mini, held_out: 0.1")
    };
    let last = results_of(&text("last"));
    let test = results_of(&text("best_on_test"));
    let held_out = results_of(&text("best_on_held_out"));
    assert_eq!([&last.rule, &test.rule, &held_out.rule], ["last", "best_on_test", "best_on_held_out"]);
    assert_eq!(test.reported, last.others["best_on_test"]);
    assert_eq!(held_out.reported, last.others["best_on_held_out"]);
    assert_eq!(test.others["last"], last.reported);
    let best = last.curve.iter().map(|point| point.reading.mean()).fold(0.0, f64::max);
    assert_eq!(test.reported.mean(), best);
    // The record's `accuracy` is never the best one.
    let bench = Bench::new();
    bench.run(&text("best_on_test")).unwrap();
    let metrics = bench.final_metrics("eval");
    assert_eq!(metrics["accuracy"], 100.0 * last.reported.mean());
    assert_eq!(metrics["accuracy_best_on_test"], 100.0 * best);
}

#[test]
fn a_best_reading_needs_something_to_choose_from() {
    for (with, place) in [
        ("report: best_on_test", "curve_every"),
        ("report: best_on_held_out, curve_every: 1", "held_out: 0.1"),
        ("curve_at: [4]", "no epoch 4"),
        ("curve_at: [0]", "no epoch 0"),
        ("labels: { epoch: 3 }", "epoch"),
        ("labels: { order: [1] }", "order"),
        ("holdout: { fraction: 0.1 }", "unknown parameter `holdout`"),
    ] {
        let problems = Bench::new().problems(&picked(1, with));
        assert!(problems.contains(place), "{with}: {problems}");
    }
    let text = picked(1, "recipe: idc, cutmix: 0, augment: none, report: best_on_test");
    let idc = results_of(&text.replace("epochs: 2,", "epochs: 20,"));
    let epochs: Vec<u64> = idc.curve.iter().map(|point| point.reading.epoch).collect();
    assert_eq!(epochs, [10, 20], "the script's own points");
}

#[test]
fn results_tell_what_was_evaluated_but_not_with_which_seed() {
    let made_of = |from: &str, to: &str| results_of(&picked(1, "lr: 0.1").replace(from, to)).label("made_of").unwrap();
    let plain = made_of("", "");
    assert_eq!((&plain["normalize"], plain["sets"][0]["kind"].as_str()), (&"standard".into(), Some("select")));
    assert!(plain["test_images"].as_u64().is_some());
    assert_eq!(made_of("seed: \"${k}\"", "seed: 5"), plain);
    assert_ne!(made_of("method: random", "method: herding, model: { convnet: { width: 2 } }"), plain);
}

#[test]
fn nets_with_the_same_start_differ_in_their_order_only() {
    // Too small a step to change anything: what is tested are the first weights.
    let accuracies =
        |same: bool| results_of(&picked(1, &format!("lr: 1.0e-30, same_start: {same}"))).reported.accuracies;
    let (same, own) = (accuracies(true), accuracies(false));
    assert_eq!(same[0], same[1]);
    assert_eq!(same[0], own[0]);
    assert_ne!(own[0], own[1]);
}

#[test]
fn labels_and_points_are_those_asked_for() {
    let results = results_of(&picked(2, "labels: { order: 3, ipc: x }, curve_at: [1, 3], method: mine"));
    assert_eq!(results.label("order"), Some(3.into()));
    assert_eq!(results.label("ipc"), Some("x".into()));
    assert_eq!(results.method, "mine");
    let points: Vec<(usize, u64)> =
        results.curve.iter().map(|point| (point.reading.stage, point.reading.epoch)).collect();
    assert_eq!(points, [(1, 1), (1, 3), (2, 1), (2, 3)]);
}

#[test]
fn the_full_data_is_trained_on_by_the_same_recipe() {
    let whole = results_of(&full("curve_every: 1"));
    assert_eq!((whole.method.as_str(), whole.label("ipc")), ("full", Some("full".into())));
    assert_eq!(whole.curve.len(), 3);
    assert_eq!(whole.protocol["recipe"], "dsa");
    // Images that are held out are not trained on.
    let part = results_of(&full("curve_every: 1").replace("train_per_class: 30", "train_per_class: 30, held_out: 0.5"));
    assert_ne!(whole.curve, part.curve);
    let shown = |results: &Results| results.protocol["presented_images"].as_u64().unwrap();
    assert_eq!((shown(&whole), shown(&part)), (3 * 300, 3 * 150));
}

#[test]
fn full_and_sets_exclude_each_other() {
    let problems = Bench::new().problems(&picked(1, "training: full"));
    assert!(problems.contains("uses no sets, and 1 are wired"), "{problems}");
    let problems = Bench::new().problems(&full("").replace("training: full", "training: union"));
    assert!(problems.contains("no set is wired"), "{problems}");
    let problems = Bench::new().problems(&full("recipe: mtt"));
    assert!(problems.contains("learned learning rate"), "{problems}");
}

#[test]
fn an_evaluation_goes_on_inside_of_an_epoch() {
    // 300 images in batches of 64: five batches per epoch and net. The first checkpoints are after single batches.
    let text = full("recipe: dsa");
    let unbroken = digests_of(&text);
    for checkpoint in [1, 2, 6] {
        let bench = Bench::new();
        assert!(bench.run_until(&text, checkpoint), "there is no checkpoint {checkpoint}");
        assert!(bench.digests().len() < unbroken.len(), "it was not stopped at {checkpoint}");
        bench.run(&text).unwrap();
        assert_eq!(bench.digests(), unbroken, "stopped at checkpoint {checkpoint}");
    }
}

#[test]
fn results_are_the_same_at_any_number_of_threads() {
    // Three nets on two threads: the last one has both for itself.
    let text = picked(2, "batch: 8").replace("nets: 2", "nets: 3");
    let at = |threads: usize| Bench::new().run_with_threads(&text, threads);
    assert_eq!(at(1), at(2));
}

#[test]
fn a_net_that_cannot_be_trained_is_named() {
    let (code, text) = failure_of(&distill_pipeline("dm: {}", 1).replace("epochs: 3", "epochs: 3, lr: 1.0e+300"));
    assert_eq!(code, "pddflow::nodes::loss_not_finite", "{text}");
    // Nets are trained side by side, and the first that fails ends the node: either may be it.
    assert!(text.starts_with("net ") && text.contains(", stage 1, epoch"), "{text}");
}

#[test]
fn nets_begin_where_they_are_told_to() {
    // Advanced through the first set, and trained on both: the same as progressive training from there on.
    let text = |with: &str| {
        format!(
            r#"
format: 1
name: started
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  pick: {{ for: {{ k: 1..=2 }}, kind: select, needs: {{ data: data }}, with: {{ method: random, ipc: 1, seed: "${{k}}" }} }}
  start: {{ kind: advance, needs: {{ sets: "pick[1]" }}, with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 2, epochs: 2, lr: 0.01 }} }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: "pick[*]", start: start }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, training: union, epochs: 2, {with} }}
"#
        )
    };
    // Too small a step to change anything: the nets are still those of `start`.
    let started = results_of(&text("nets: 2, lr: 1.0e-30")).reported.accuracies;
    let fresh = results_of(&text("nets: 2, lr: 1.0e-30").replace(", start: start", "")).reported.accuracies;
    assert_ne!(started, fresh);
    assert_ne!(started[0], started[1]);
    let same = results_of(&text("nets: 2, lr: 1.0e-30, same_start: true")).reported.accuracies;
    assert_eq!(same, [started[0]; 2]);
    let (code, text) = failure_of(&text("nets: 3"));
    assert_eq!(code, "pddflow::nodes::no_such_net", "{text}");
}
