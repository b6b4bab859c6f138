//! Class-incremental learning, on images so simple that every net that was trained at all gets them right.

use std::collections::BTreeMap;

use pddflow_artifact::{
    ClassIds, Dataset, DatasetParts, DistilledSet, ImageSize, LabelledImages, Normalization, Preprocessing, Results,
    SetInfo,
};
use pddflow_cache::{Key, RamStore};
use pddflow_host::Labels;
use pddflow_nodes::{Library, LibraryOptions};
use pddflow_runner::pipeline::{self, Catalog as _, NodeId, Options};
use pddflow_runner::{Artifact, Cancel, Inputs, Kinds as _, NodeContext, NodeError, Task};
use pddflow_tensor::{Device, Tensor};
use serde_json::{Value, json};

use crate::digests_of;
use crate::harness::{Bench, search};

const SIDE: usize = 8;
const ONE_NODE: &str = "format: 1\nname: one\nnodes: { node: { kind: dataset, with: { source: fashion-mini } } }\n";

/// One quarter of the image is white.
fn pattern(class: usize) -> Vec<u8> {
    let inside = |at: usize| (at % SIDE) * 2 / SIDE + (at / SIDE) * 2 / SIDE * 2 == class;
    (0..SIDE * SIDE).map(|at| if inside(at) { 255 } else { 0 }).collect()
}

fn images(of: &[(usize, usize)]) -> LabelledImages {
    let labels = of.iter().map(|(class, _)| u16::try_from(*class).unwrap()).collect();
    LabelledImages { pixels: of.iter().flat_map(|(_, shown)| pattern(*shown)).collect(), labels }
}

fn names() -> Vec<String> {
    ["a", "b", "c", "d"].map(str::to_owned).to_vec()
}

fn preprocessing() -> Preprocessing {
    Preprocessing::new(Normalization::None, 1)
}

/// Of class 0 there are two test images, of class 1 four, all of which look like class 2, of class 2 four, of class 3 two.
fn data() -> DatasetParts {
    let test: Vec<(usize, usize)> =
        [(0, 0, 2), (1, 2, 4), (2, 2, 4), (3, 3, 2)].iter().flat_map(|(c, s, n)| vec![(*c, *s); *n]).collect();
    DatasetParts {
        size: ImageSize { channels: 1, height: SIDE, width: SIDE },
        train: images(&[(0, 0), (1, 1), (2, 2), (3, 3)]),
        held_out: LabelledImages::default(),
        test: images(&test),
        class_names: names(),
        class_ids: None,
        preprocessing: preprocessing(),
        source: "quarters".into(),
        license: None,
    }
}

/// One image of each of these classes, labelled by their place in the list.
fn set(ids: &[usize], of: usize) -> DistilledSet {
    let pixels = ids.iter().flat_map(|class| pattern(*class)).map(|pixel| f32::from(pixel) / 255.0).collect();
    let labels = (0..ids.len()).map(|label| i64::try_from(label).unwrap()).collect();
    DistilledSet {
        images: Tensor::from_f32(pixels, &[ids.len(), 1, SIDE, SIDE], &Device::Cpu).unwrap(),
        labels: Labels::Hard(Tensor::from_i64(labels, &[ids.len()], &Device::Cpu).unwrap()),
        learnables: BTreeMap::new(),
        step_size: None,
        info: SetInfo {
            method: "by hand".into(),
            source: "quarters".into(),
            made_by: json!({}),
            recipe: json!({}),
            ipc: 1,
            stage: 1,
            class_names: ids.iter().map(|class| names()[*class].clone()).collect(),
            class_ids: Some(ClassIds { ids: ids.to_vec(), of }),
            preprocessing: preprocessing().note(),
            real_images: None,
        },
    }
}

fn run(sets: &[DistilledSet], with: &Value) -> Result<(Results, BTreeMap<String, f64>), NodeError> {
    let library = Library::new(LibraryOptions { search: search(), ..LibraryOptions::default() });
    let store = RamStore::new();
    let plan = pipeline::load_text("one.yaml", ONE_NODE, &library, &Options::default());
    let mut node = plan.unwrap_or_else(|found| panic!("{found:?}")).nodes.swap_remove(0);
    let mut given =
        json!({ "model": { "convnet": { "width": 8, "depth": 2 } }, "nets": 2, "augment": "none", "epochs": 60 });
    given.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    node.with = library.check("continual", &given).unwrap_or_else(|problems| panic!("{problems:?}"));
    node.kind = "continual".into();
    let artifact = |kind: &str, from: String, bytes: &[u8]| Artifact {
        digest: store.put(bytes).unwrap(),
        artifact: kind.into(),
        from: NodeId::new(&from),
    };
    let sets = sets.iter().enumerate().map(|(at, set)| artifact("set", format!("set[{at}]"), &set.encode().unwrap()));
    let data = artifact("dataset", "data".into(), &Dataset::encode(&data()).unwrap());
    let inputs = Inputs([("sets".to_owned(), sets.collect()), ("data".to_owned(), vec![data])].into());
    let context = NodeContext::detached(&store, &node.id, Key::from_bytes([7; 32]), &Cancel::new());
    let outputs = library.run(Task::of(&node), &inputs, &context)?;
    let results = Results::decode(&store.get(&outputs.artifacts["results"]).unwrap()).unwrap();
    Ok((results, outputs.metrics))
}

/// Accuracy of each net after each phase, with the number of classes that were tested.
fn by_phase(results: &Results) -> Vec<(usize, usize, Vec<f64>)> {
    let end = |at: usize| results.curve.get(at + 1).is_none_or(|next| next.phase != results.curve[at].phase);
    let ends = results.curve.iter().enumerate().filter(|(at, _)| end(*at));
    ends.map(|(_, point)| {
        let phase = point.phase.unwrap();
        (phase.number, phase.classes_seen, point.reading.accuracies.clone())
    })
    .collect()
}

#[test]
fn accuracies_are_those_that_the_images_allow() {
    // Phase 1: the four of class 2 are right, the four of class 1 look like class 2. Phase 2 adds two that are right, phase
    // 3 two more.
    let share = |right: f64, all: f64| vec![right / all; 2];
    let expected = vec![(1, 2, share(4.0, 8.0)), (2, 3, share(6.0, 10.0)), (3, 4, share(8.0, 12.0))];
    let sets = [set(&[2, 1], 4), set(&[3], 4), set(&[0], 4)];
    for mode in ["fresh", "continue"] {
        let (results, metrics) = run(&sets, &json!({ "mode": mode })).unwrap();
        assert_eq!(by_phase(&results), expected, "{mode}");
        assert_eq!(results.reported.accuracies, share(8.0, 12.0));
        assert_eq!((metrics["accuracy_phase2"], metrics["accuracy_phase2_std"]), (60.0, 0.0));
        let mean = 100.0 * (0.5 + 0.6 + 2.0 / 3.0) / 3.0;
        assert!((metrics["accuracy_mean_of_phases"] - mean).abs() < 1e-9);
    }
}

#[test]
fn several_sets_of_a_phase_are_its_stages() {
    let sets = [set(&[2, 1], 4), set(&[3], 4), set(&[1, 2], 4)];
    for (mode, training, stages) in [
        ("fresh", "progressive", vec![(1, 1), (1, 2), (2, 1), (2, 2)]),
        ("continue", "progressive", vec![(1, 1), (1, 2), (2, 1)]),
        ("fresh", "union", vec![(1, 1), (2, 1)]),
    ] {
        let with = json!({ "mode": mode, "training": training, "epochs": 1 });
        let (results, _) = run(&sets, &with).unwrap();
        let found = results.curve.iter().map(|point| (point.phase.unwrap().number, point.reading.stage));
        assert_eq!(found.collect::<Vec<_>>(), stages, "{mode} {training}");
        assert_eq!(results.label("phases"), Some(2.into()));
        assert_eq!(results.label("ipc"), Some(2.into()), "of the phase with most");
    }
}

#[test]
fn a_net_of_the_first_phase_is_that_of_an_evaluation_without_phases() {
    // The same nets in both modes until the second phase begins.
    let first = |mode: &str| {
        let with = json!({ "mode": mode, "epochs": 2 });
        by_phase(&run(&[set(&[2, 1], 4), set(&[3, 0], 4)], &with).unwrap().0).swap_remove(0)
    };
    assert_eq!(first("fresh"), first("continue"));
}

#[test]
fn classes_that_do_not_fit_are_refused() {
    let refused = |sets: &[DistilledSet], code: &str, part: &str| {
        let error = run(sets, &json!({})).unwrap_err();
        let text = format!("{} {}", error.message, error.help.as_deref().unwrap_or_default());
        assert_eq!(error.code, format!("pddflow::nodes::{code}"), "{text}");
        assert!(text.contains(part), "{text}");
    };
    refused(&[set(&[2, 1], 4), set(&[1, 0], 4)], "class_overlap", "`set[0]` and `set[1]` share classes: b");
    refused(&[set(&[2, 1], 5)], "set_mismatch", "data of 5 classes, and `data` has 4");
    let mut renamed = set(&[2, 1], 4);
    renamed.info.class_names[0] = "x".into();
    refused(&[renamed], "set_mismatch", "calls class 2 `x`");
    let mut whitened = set(&[2, 1], 4);
    whitened.info.preprocessing = Preprocessing::new(Normalization::None, 3).note();
    whitened.images = Tensor::zeros(&[2, 3, SIDE, SIDE], whitened.images.dtype(), &Device::Cpu).unwrap();
    refused(&[whitened], "set_mismatch", "images of 3x8x8");
}

/// Two phases of two classes each.
const PHASES: &str = r#"
format: 1
name: phases
nodes:
  data: { kind: dataset, with: { source: fashion-mini } }
  part:
    for: { k: [1, 2] }
    kind: classes
    needs: { data: data }
    with: { order: { seed: 0, steps: 5, step: "${k}" } }
  pick:
    for: { k: [1, 2] }
    kind: select
    needs: { data: "part[${k}]" }
    with: { method: random, ipc: 1 }
  run:
    for: { mode: [fresh, continue] }
    kind: continual
    needs: { data: data, sets: "pick[*]" }
    with: { model: { convnet: { width: 4 } }, mode: "${mode}", nets: 2, epochs: 2 }
  table:
    kind: table
    needs: { results: "run[*]" }
    with: { rows: mode, columns: classes_seen }
  figure:
    kind: figure
    needs: { results: "run[*]" }
    with: { x: classes_seen, lines: mode }
"#;

#[test]
fn phases_made_by_nodes_run_and_resume() {
    let unbroken = digests_of(PHASES);
    for checkpoint in [1, 5] {
        let bench = Bench::new();
        assert!(bench.run_until(PHASES, checkpoint), "there is no checkpoint {checkpoint}");
        bench.run(PHASES).unwrap();
        assert_eq!(bench.digests(), unbroken, "stopped at checkpoint {checkpoint}");
    }
    let bench = Bench::new();
    bench.run(PHASES).unwrap();
    let fresh = bench.final_metrics("run[mode=fresh]");
    assert!(fresh.contains_key("accuracy_phase1") && fresh.contains_key("accuracy_phase2_std"), "{fresh:?}");
    let table = bench.files("table.table");
    let text = std::str::from_utf8(table.get("table.md").unwrap()).unwrap();
    assert!(text.starts_with("| mode \\\\ classes_seen | 2 | 4 | reading |"), "{text}");
    let figure = bench.files("figure.files");
    let csv = std::str::from_utf8(figure.get("figure.csv").unwrap()).unwrap();
    assert_eq!(csv.lines().count(), 5, "{csv}");
}
