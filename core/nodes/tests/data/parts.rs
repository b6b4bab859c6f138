//! Parts of data sets: classes and difficulty.

use pddflow_artifact::{ClassIds, Dataset, DistilledSet, Side};
use pddflow_runner::pipeline::NodeId;
use pddflow_runner::{Artifact, Inputs, NodeError};
use serde_json::{Value, json};

use crate::bench::Bench;

fn wired(data: Artifact) -> Inputs {
    Inputs([("data".to_owned(), vec![data])].into())
}

fn mini(bench: &Bench) -> Artifact {
    bench.data_artifact(&json!({ "source": "fashion-mini" }))
}

/// The data set that `classes` makes of `data`.
fn classes(bench: &Bench, data: Artifact, with: &Value) -> Result<(Dataset, Artifact), NodeError> {
    let digest = bench.run("classes", with, &wired(data))?.artifacts["data"];
    let data = Dataset::decode(&bench.store.get(&digest).unwrap()).unwrap();
    Ok((data, Artifact { digest, artifact: "dataset".into(), from: NodeId::new("part") }))
}

#[test]
fn a_part_has_its_classes_numbered_anew_and_keeps_their_numbers() {
    let bench = Bench::new();
    let with = json!({ "source": "fashion-mini", "held_out": 0.1 });
    let whole = bench.dataset(&with).unwrap();
    let (part, _) = classes(&bench, bench.data_artifact(&with), &json!({ "classes": [8, "Dress"] })).unwrap();
    assert_eq!(part.class_names(), ["Bag", "Dress"]);
    assert_eq!(part.class_ids(), Some(&ClassIds { ids: vec![8, 3], of: 10 }));
    assert_eq!(part.preprocessing_digest(), whole.preprocessing_digest());
    let each = whole.size().elements();
    for side in [Side::Train, Side::HeldOut, Side::Test] {
        let (old, new) = (whole.class_rows(side), part.class_rows(side));
        for (new, old) in new.iter().zip([&old[8], &old[3]]) {
            assert_eq!(new.len(), old.len());
            for (new, old) in new.iter().zip(old) {
                assert_eq!(part.pixels(side)[new * each..][..each], whole.pixels(side)[old * each..][..each]);
            }
        }
    }
}

#[test]
fn the_steps_of_an_order_have_every_class_once() {
    let bench = Bench::new();
    let data = mini(&bench);
    let step = |step: usize, seen: bool| {
        let order = json!({ "seed": 0, "steps": 5, "step": step, "seen": seen });
        let (part, _) = classes(&bench, data.clone(), &json!({ "order": order })).unwrap();
        part.class_ids().map_or_else(|| (0..10).collect(), |ids| ids.ids.clone())
    };
    let all: Vec<usize> = (1..=5).flat_map(|number| step(number, false)).collect();
    // numpy.random.seed(0); numpy.random.permutation(10)
    assert_eq!(all, [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
    assert_eq!(step(2, true), all[..4]);
    assert_eq!(step(5, true), all);
}

#[test]
fn a_part_of_a_part_keeps_the_numbers_of_the_full_data() {
    let bench = Bench::new();
    let (_, first) = classes(&bench, mini(&bench), &json!({ "classes": [9, 7, 5] })).unwrap();
    let order = json!({ "given": ["Sneaker", 2, 0], "steps": 3, "step": 2 });
    let (inner, _) = classes(&bench, first, &json!({ "order": order })).unwrap();
    assert_eq!(inner.class_ids(), Some(&ClassIds { ids: vec![5], of: 10 }));
    assert_eq!(inner.class_names(), ["Sandal"]);
}

#[test]
fn sets_of_a_part_carry_its_class_numbers() {
    let bench = Bench::new();
    let (_, part) = classes(&bench, mini(&bench), &json!({ "classes": [4, 2] })).unwrap();
    let outputs = bench.run("select", &json!({ "method": "random", "ipc": 1 }), &wired(part)).unwrap();
    let set = DistilledSet::decode(&bench.store.get(&outputs.artifacts["set"]).unwrap()).unwrap();
    assert_eq!(set.info.class_ids, Some(ClassIds { ids: vec![4, 2], of: 10 }));
    assert_eq!(set.hard_labels().unwrap(), [0, 1]);
}

#[test]
fn all_classes_in_their_order_are_the_data_themselves() {
    let bench = Bench::new();
    let data = mini(&bench);
    let all: Vec<usize> = (0..10).collect();
    assert_eq!(classes(&bench, data.clone(), &json!({ "classes": all })).unwrap().1.digest, data.digest);
}

#[test]
fn classes_that_are_not_there_or_named_twice_are_refused() {
    let bench = Bench::new();
    let data = mini(&bench);
    let check = |with: Value, code: &str, text: &str| {
        let error = classes(&bench, data.clone(), &with).unwrap_err();
        let found = format!("{} {} {}", error.code, error.message, error.help.unwrap_or_default());
        assert!(found.contains(code) && found.contains(text), "{found}");
    };
    check(json!({ "classes": [10] }), "data_class", "there are 10 classes, from 0");
    check(json!({ "classes": ["Dres"] }), "data_class", "did you mean `Dress`?");
    check(json!({ "classes": [3, "Dress"] }), "data_class", "twice");
    let order = json!({ "seed": 0, "steps": 3, "step": 1 });
    check(json!({ "order": order }), "class_steps", "10 classes cannot be cut into 3 equal steps");
}

#[test]
fn wrong_parameters_of_classes_are_found_before_anything_runs() {
    let bench = Bench::new();
    let check = |with: Value, pointer: &str| {
        let problems = bench.check("classes", &with).unwrap_err();
        assert!(problems.iter().any(|found| found.pointer == pointer), "{with}: {problems:?}");
    };
    check(json!({}), "");
    check(json!({ "classes": [0], "order": { "seed": 0, "steps": 5, "step": 1 } }), "");
    check(json!({ "classes": [] }), "/classes");
    check(json!({ "order": { "seed": 0, "steps": 0, "step": 1 } }), "/order/steps");
    check(json!({ "order": { "seed": 0, "steps": 5, "step": 6 } }), "/order/step");
    check(json!({ "order": { "seed": 0, "steps": 5, "step": 0 } }), "/order/step");
    check(json!({ "order": { "steps": 5, "step": 1 } }), "/order");
    check(json!({ "order": { "seed": 0, "given": [1], "steps": 1, "step": 1 } }), "/order");
}
