//! DD-Ranking's scores, and their place in tables.

use std::collections::BTreeMap;

use pddflow_artifact::{Reading, Results};
use pddflow_runner::{Artifact, Inputs, NodeError};
use serde_json::{Value, json};

use crate::bench::Bench;

fn result(method: &str, ipc: Value, accuracies: &[f64], protocol: Value) -> Results {
    Results {
        method: method.into(),
        labels: BTreeMap::from([
            ("ipc".into(), ipc),
            ("model".into(), json!({ "convnet": {} })),
            ("source".into(), json!("fashion-mini")),
        ]),
        rule: "last".into(),
        reported: Reading { stage: 1, epoch: 10, accuracies: accuracies.to_vec() },
        others: BTreeMap::from([(
            "best_on_test".into(),
            Reading { stage: 1, epoch: 5, accuracies: vec![1.0; accuracies.len()] },
        )]),
        curve: Vec::new(),
        protocol,
    }
}

fn augmented(method: &str, accuracies: &[f64]) -> Results {
    result(method, json!(10), accuracies, json!({ "augment": "dsa", "cutmix": 0.0, "batch": 64 }))
}

fn plain(method: &str, accuracies: &[f64]) -> Results {
    result(method, json!(10), accuracies, json!({ "augment": "none", "cutmix": 0.0, "batch": 64 }))
}

fn full(accuracies: &[f64]) -> Results {
    result("full", json!("full"), accuracies, json!({ "augment": "dsa" }))
}

fn rank(bench: &Bench, with: &Value, ports: &[(&str, Vec<Results>)]) -> Result<Artifact, NodeError> {
    let put = |results: &Vec<Results>| results.iter().map(|one| bench.put_results(one)).collect();
    let inputs = Inputs(ports.iter().map(|(port, results)| ((*port).to_owned(), put(results))).collect());
    let digest = bench.run("rank", with, &inputs)?.artifacts["results"];
    Ok(bench.put_results(&Results::decode(&bench.store.get(&digest).unwrap()).unwrap()))
}

fn whole(bench: &Bench) -> Artifact {
    let ports = [
        ("results", vec![augmented("dm", &[0.75, 0.5])]),
        ("random", vec![augmented("random", &[0.5]), augmented("random", &[0.25])]),
        ("full", vec![full(&[0.875])]),
        ("plain", vec![plain("dm", &[0.5, 0.5])]),
        ("random_plain", vec![plain("random", &[0.5, 0.25])]),
    ];
    rank(bench, &json!({}), &ports).unwrap()
}

#[test]
fn scores_are_readings_of_the_results() {
    let bench = Bench::new();
    let found = Results::decode(&bench.store.get(&whole(&bench).digest).unwrap()).unwrap();
    assert_eq!(found.reported.accuracies, [0.75, 0.5]);
    assert_eq!(found.others["ior"].accuracies, [0.25, 0.25]);
    assert_eq!(found.others["hlr"].accuracies, [0.125, 0.375]);
    let scaled = |value: f64| (libm::exp(value) - libm::exp(-1.0)) / (libm::exp(1.0) - libm::exp(-1.0));
    for (name, expected) in [("lrs", [0.0625, -0.0625]), ("ars", [0.125, 0.25])] {
        for (found, expected) in found.others[name].accuracies.iter().zip(expected) {
            assert!((found - scaled(expected)).abs() < 1e-12, "{name}: {found}");
        }
    }
}

#[test]
fn they_are_columns_of_a_table() {
    let bench = Bench::new();
    let ranked = whole(&bench);
    let readings = json!(["reported", "hlr", "ior", "lrs", "ars"]);
    let with = json!({ "columns": "reading", "reading": readings });
    let files = bench.files("table", &with, &[("results", vec![ranked.clone()])]).unwrap();
    let text = String::from_utf8(files.get("table.md").unwrap().to_vec()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "| method \\\\ reading | last epoch | HLR | IOR | LRS | ARS | reading |");
    assert_eq!(lines[2], "| dm | 62.5 ± 17.7 | 25.0 ± 17.7 | 25.0 ± 0.0 | 27.0 ± 3.8 | 35.8 ± 4.5 | last epoch |");
    assert!(text.contains("LRS and ARS scores from 0 to 100"), "{text}");
    // As rows, each has its reading beside it.
    let files = bench.files("table", &json!({ "reading": ["lrs", "reported"] }), &[("results", vec![ranked])]).unwrap();
    let text = String::from_utf8(files.get("table.md").unwrap().to_vec()).unwrap();
    assert!(text.contains("| dm | 27.0 ± 3.8 | LRS |"), "{text}");
}

#[test]
fn without_references_there_is_only_what_can_be_told() {
    let bench = Bench::new();
    let ports = [("results", vec![augmented("dm", &[0.5])]), ("random", vec![augmented("random", &[0.75])])];
    let found = Results::decode(&bench.store.get(&rank(&bench, &json!({}), &ports).unwrap().digest).unwrap()).unwrap();
    assert_eq!(found.others["ior"].accuracies, [-0.25]);
    assert!(!found.others.contains_key("lrs") && !found.others.contains_key("ars"));
    let best = rank(&bench, &json!({ "reading": "best_on_test" }), &ports).unwrap();
    assert_eq!(Results::decode(&bench.store.get(&best.digest).unwrap()).unwrap().others["ior"].accuracies, [0.0]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let bench = Bench::new();
    let dm = || vec![augmented("dm", &[0.5])];
    let check = |with: Value, ports: &[(&str, Vec<Results>)], words: &[&str]| {
        let error = rank(&bench, &with, ports).unwrap_err();
        let found = format!("{} {}", error.message, error.help.unwrap());
        assert!(words.iter().all(|word| found.contains(word)), "{found}");
    };
    let fewer = result("random", json!(1), &[0.5], json!({ "augment": "dsa" }));
    check(json!({}), &[("results", dm()), ("random", vec![fewer])], &["ipc 1", "10"]);
    let two = vec![augmented("random", &[0.5, 0.5])];
    check(json!({}), &[("results", dm()), ("random", two)], &["2 nets", "the same `nets`"]);
    let random = || vec![augmented("random", &[0.5])];
    let ports = [("results", dm()), ("random", random()), ("plain", dm()), ("random_plain", random())];
    check(json!({}), &ports, &["with augmentation (dsa)", "augment: none"]);
    check(
        json!({ "reading": "best" }),
        &[("results", dm()), ("random", random())],
        &["no reading `best`", "best_on_test"],
    );
    let mut soft = augmented("datm", &[0.5]);
    soft.labels.insert("soft_labels".into(), json!(true));
    let ports = [("results", vec![soft]), ("random", random()), ("full", vec![full(&[0.9])])];
    check(json!({}), &ports, &["soft labels", "hard_labels: true"]);
    assert_eq!(bench.check("rank", &json!({ "lrs_weight": 2 })).unwrap_err()[0].pointer, "/lrs_weight");
}
