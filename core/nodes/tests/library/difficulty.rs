//! Forgetting scores and what is done with them.

use pddflow_artifact::{Dataset, DistilledSet, Files, Scores, Side};

use crate::failure_of;
use crate::harness::Bench;

const EPOCHS: usize = 4;

/// `data`, `forget`, then `hard` and `pick` by its scores.
fn pipeline(training: &str, filter: &str) -> String {
    format!(
        r#"
format: 1
name: difficulty
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini, train_per_class: 40 }} }}
  forget:
    kind: forgetting
    needs: {{ data: data }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, epochs: {EPOCHS}, batch: 128, {training} }}
  part: {{ kind: filter, needs: {{ data: data, scores: forget }}, with: {{ {filter} }} }}
  pick: {{ kind: select, needs: {{ data: data, scores: forget }}, with: {{ method: forgetting, ipc: 2 }} }}
  plot: {{ kind: figure, needs: {{ scores: forget }}, with: {{ bins: 3 }} }}
"#
    )
}

#[test]
fn scores_split_the_data_and_choose_images() {
    let bench = Bench::new();
    bench.run(&pipeline("runs: 2, lr: 0.05", "quantile: [0.5, 1], per_class: true")).unwrap();
    let scores = Scores::decode(&bench.artifact("forget.scores")).unwrap();
    let data = Dataset::decode(&bench.artifact("data.data")).unwrap();
    assert!(scores.belong_to(&data));
    assert!(scores.scores.iter().all(|score| (0.0..=8.0).contains(score) && score.fract() == 0.0));
    assert!(scores.scores.iter().any(|score| *score != scores.scores[0]));
    let figure = bench.files("plot.files");
    let csv = std::str::from_utf8(figure.get("figure.csv").unwrap()).unwrap();
    let counts = csv.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<usize>().unwrap());
    assert_eq!(counts.collect::<Vec<_>>().iter().sum::<usize>(), data.rows(Side::Train), "{csv}");
    let hard = Dataset::decode(&bench.artifact("part.data")).unwrap();
    assert!(hard.class_rows(Side::Train).iter().all(|rows| rows.len() == 20));
    assert_eq!(hard.rows(Side::Test), data.rows(Side::Test), "test images stay whole");
    assert_eq!(hard.preprocessing_digest(), data.preprocessing_digest());
    let set = DistilledSet::decode(&bench.artifact("pick.set")).unwrap();
    let rows: Vec<usize> = serde_json::from_value(set.info.made_by["rows"].clone()).unwrap();
    for (class, own) in data.class_rows(Side::Train).iter().enumerate() {
        let highest = own.iter().map(|row| scores.scores[*row]).fold(0.0, f64::max);
        assert_eq!(scores.scores[rows[2 * class]], highest, "class {class}");
    }
    let files = Files::decode(&bench.artifact("forget.histogram")).unwrap();
    let csv = std::str::from_utf8(files.get("histogram.csv").unwrap()).unwrap();
    let counted = csv.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse::<usize>().unwrap());
    assert_eq!(counted.sum::<usize>(), 400);
    assert!(files.get("histogram.svg").is_some() && files.get("histogram.md").is_some());
}

/// Parts of the data add up, two sets of one part share it.
#[test]
fn results_say_how_much_of_the_data_their_sets_were_made_from() {
    let eval = |name: &str, sets: &str| {
        format!(
            "  {name}: {{ kind: evaluate, needs: {{ data: data, sets: [{sets}] }}, with: {{ model: {{ convnet: {{ width: 4 }} }}, \
             nets: 2, epochs: 1 }} }}\n"
        )
    };
    let quarter = |name: &str, from: f64| {
        format!(
            "  {name}: {{ kind: filter, needs: {{ data: data, scores: forget }}, with: {{ quantile: [{from}, {}], per_class: true }} }}\n",
            from + 0.25
        )
    };
    let pick = |name: &str, data: &str, method: &str| {
        format!(
            "  {name}: {{ kind: select, needs: {{ data: {data} }}, with: {{ method: {method}, ipc: 1, seed: 3 }} }}\n"
        )
    };
    let text = [
        pipeline("runs: 1", "quantile: [0.5, 1], per_class: true"),
        quarter("easy", 0.0),
        quarter("harder", 0.25),
        pick("one", "easy", "random"),
        pick("same", "easy", "random"),
        pick("other", "harder", "random"),
        pick("whole", "data", "random"),
        eval("eval_one", "one, same"),
        eval("eval_two", "one, other"),
        eval("eval_whole", "whole"),
        eval("eval_too_many", "whole, one"),
        "  table: { kind: table, needs: { results: eval_two }, with: { columns: reading, reading: [reported, data_used] } }\n".into(),
    ];
    let bench = Bench::new();
    bench.run(&text.concat()).unwrap();
    let used = |node: &str| bench.results(node).others.get("data_used").map(|found| found.accuracies.clone());
    assert_eq!(used("eval_one"), Some(vec![0.25; 2]));
    assert_eq!(used("eval_two"), Some(vec![0.5; 2]));
    assert_eq!(used("eval_whole"), Some(vec![1.0; 2]));
    assert_eq!(used("eval_too_many"), None);
    let table = bench.files("table.table");
    let table = std::str::from_utf8(table.get("table.md").unwrap()).unwrap();
    assert!(table.contains("| 50.0 ± 0.0 |") && table.contains("share of the real training images"), "{table}");
}

#[test]
fn a_net_that_does_not_move_forgets_nothing_or_never_learns() {
    let bench = Bench::new();
    bench.run(&pipeline("runs: 1, lr: 1.0e-30, augment: none", "range: [0, null]")).unwrap();
    let scores = Scores::decode(&bench.artifact("forget.scores")).unwrap().scores;
    let right = scores.iter().filter(|score| **score == 0.0).count();
    let never = scores.iter().filter(|score| **score == EPOCHS as f64).count();
    assert_eq!(right + never, 400);
    assert_eq!(bench.final_metrics("forget")["never_forgotten"], right as f64 / 4.0);
    // Read off the mini-batches of every epoch: the same each time.
    let accuracy = bench.metric_values("forget", "train_accuracy");
    assert_eq!(accuracy, vec![right as f64 / 4.0; EPOCHS]);
}

#[test]
fn counting_goes_on_in_the_middle_of_an_epoch() {
    let text = pipeline("runs: 2, lr: 0.05", "quantile: [0.5, 1], per_class: true");
    let unbroken = Bench::new();
    unbroken.run(&text).unwrap();
    // Four batches an epoch: the first stop is inside the first epoch, the second inside the second run.
    for checkpoint in [3, 22] {
        let bench = Bench::new();
        assert!(bench.run_until(&text, checkpoint));
        bench.run(&text).unwrap();
        assert_eq!(bench.digests()["forget.scores"], unbroken.digests()["forget.scores"]);
    }
}

#[test]
fn an_empty_bin_names_its_edges_and_the_histogram() {
    let still = "runs: 1, lr: 1.0e-30, augment: none";
    let (code, text) = failure_of(&pipeline(still, "bin: { number: 2, of: 4 }"));
    assert_eq!(code, "pddflow::nodes::empty_bin", "{text}");
    assert!(text.contains("bin 2 of 4, scores in [1, 2)") && text.contains("highest 4.000"), "{text}");
    let (code, text) =
        failure_of(&pipeline(still, "range: [0, 1]").replace("train_per_class: 40", "train_per_class: 2"));
    assert_eq!(code, "pddflow::nodes::empty_bin", "{text}");
    assert!(text.contains("of class") && text.contains("per_class"), "{text}");
}

#[test]
fn scores_of_other_images_are_refused() {
    let text = pipeline("runs: 1, lr: 0.05", "range: [0, null]");
    let other = text
        .replace("part: { kind: filter, needs: { data: data,", "part: { kind: filter, needs: { data: other,")
        + "  other: { kind: dataset, with: { source: fashion-mini, train_per_class: 41 } }\n";
    let (code, text) = failure_of(&other);
    assert_eq!(code, "pddflow::nodes::scores_mismatch", "{text}");
}

#[test]
fn forgetting_without_scores_is_told() {
    let text = pipeline("runs: 1", "range: [0, null]")
        .replace("{ data: data, scores: forget }, with: { method", "{ data: data }, with: { method");
    let problems = Bench::new().problems(&text);
    assert!(problems.contains("pddflow::pipeline::input") && problems.contains("none are wired"), "{problems}");
}

#[test]
fn wrong_parameters_are_found_before_anything_runs() {
    let check = |training: &str, filter: &str, expected: &str| {
        let problems = Bench::new().problems(&pipeline(training, filter));
        assert!(problems.contains(expected), "{problems}");
    };
    let right = "range: [0, 1]";
    check("runs: 0", right, "`runs` must be at least 1");
    check("lr: 0.0", right, "`lr` must be greater than 0");
    check("drops: [0.6, 0.3]", right, "ascending shares");
    check("augment: crop", right, "augment");
    check("runs: 1", "range: [2, 2]", "no number is in this range");
    check("runs: 1", "quantile: [0.5, 0.2]", "ascend within 0 to 1");
    check("runs: 1", "bin: { number: 6, of: 5 }", "no bin 6 of 5");
    check("runs: 1", "bin: { number: 1, edges: [3, 3] }", "ascend");
    check("runs: 1", "per_class: true", "give one of");
}

/// A net trained once, and two choices by its features.
fn shared_net(port: &str, model: &str) -> String {
    format!(
        r#"
format: 1
name: shared
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini, train_per_class: 20 }} }}
  experts:
    kind: train
    needs: {{ data: data }}
    with: {{ model: {{ convnet: {{ {model} }} }}, nets: 1, epochs: 2, snapshots: {{ list: [2] }}, lr: 0.05, batch: 50 }}
  sets: {{ kind: select, needs: {{ data: data }}, with: {{ method: random, ipc: 2 }} }}
  advanced:
    kind: advance
    needs: {{ sets: sets }}
    with: {{ model: {{ convnet: {{ {model} }} }}, nets: 1, epochs: 2, lr: 0.05, batch: 50 }}
  pick:
    for: {{ method: [herding, k_center] }}
    kind: select
    needs: {{ data: data, {port} }}
    with: {{ method: "${{method}}", ipc: 3, model: {{ convnet: {{ {model} }} }} }}
"#
    )
}

#[test]
fn several_choices_share_one_trained_net() {
    let run = |port: &str| {
        let bench = Bench::new();
        bench.run(&shared_net(port, "width: 4")).unwrap();
        let digests = bench.digests();
        [digests["pick[method=herding].set"], digests["pick[method=k_center].set"]]
    };
    let own = run("");
    let (experts, advanced) = (run("trajectories: experts"), run("weights: advanced"));
    assert!(own[0] != experts[0] && experts[0] != advanced[0] && experts[0] != experts[1]);
}

#[test]
fn nets_that_cannot_give_features_are_told() {
    let check = |port: &str, model: &str, expected: &str| {
        let (code, text) = failure_of(&shared_net(port, model));
        assert_eq!(code, format!("pddflow::nodes::{expected}"), "{text}");
    };
    check("trajectories: experts, weights: advanced", "width: 4", "two_nets");
    check("trajectories: experts", "width: 4, norm: batch", "net_statistics");
}
