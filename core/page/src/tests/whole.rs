//! The parts of a page are there where there is something to show, and not where there is not.

use super::scene::{Added, Scene, results, scores, set, table};
use serde_json::json;

#[test]
fn a_run_with_nothing_has_no_empty_parts() {
    let mut scene = Scene::new("empty");
    scene.add(Added::default());
    let html = scene.html();
    for part in ["id=\"results\"", "id=\"stages\"", "id=\"images\"", "id=\"curves\""] {
        assert!(!html.contains(part), "{part}");
    }
    for part in ["id=\"graph\"", "id=\"time\"", "id=\"nodes\"", "id=\"provenance\"", "Succeeded"] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn a_table_has_its_best_and_what_was_published() {
    let cell = |row: &str, mean: f64| {
        json!({ "row": row, "column": "10", "mean": mean, "std_between_seeds": 0.25, "std_between_nets": 0.5, "seeds": 2,
                "nets": 10, "readings": ["last"] })
    };
    let file = json!({
        "format": 3, "title": null,
        "rows": { "label": "method", "values": [{ "label": "DM", "reading": "reported" }, { "label": "PDD", "reading": "reported" }] },
        "columns": { "label": "ipc", "values": ["10"] },
        "cells": [cell("DM", 48.25), cell("PDD", 52.75)],
        "published": [{ "row": "DM", "column": "10", "mean": 48.9, "std": 0.6, "text": null, "source": "DM", "reading": null }],
    });
    let mut scene = Scene::new("table");
    scene.add(Added {
        id: "table",
        kind: "table",
        outputs: vec![("table", "table", table(&file))],
        ..Added::default()
    });
    let html = scene.html();
    assert_eq!(html.matches("class=\"n best\"").count(), 1);
    assert!(
        html.contains("class=\"n best\" data-v=\"52.75\" data-s=\"0.25\" title=\"2 seeds, 10 nets\"><b>52.8</b>"),
        "{html}"
    );
    assert!(html.contains("± 0.2 (0.5)"));
    assert!(html.contains("48.9") && html.contains(">-0.6</i>"), "measured minus published");
}

#[test]
fn results_without_a_table_are_put_into_one() {
    let mut scene = Scene::new("bare");
    for (id, method, accuracy) in [("a", "DM", 0.5), ("b", "DSA", 0.6)] {
        let bytes = results(method, json!({ "ipc": 10 }), &[(0, 1, 5, &[accuracy, accuracy])]);
        scene.add(Added { id, kind: "evaluate", outputs: vec![("results", "results", bytes)], ..Added::default() });
    }
    let html = scene.html();
    assert!(html.contains("All results") && html.contains("<b>60.0</b>") && html.contains("<b>50.0</b>"));
}

#[test]
fn stages_share_a_slider_and_their_bounds_are_drawn() {
    let mut scene = Scene::new("stages");
    for (stage, id) in ["d[k=1]", "d[k=2]", "d[k=3]"].into_iter().enumerate() {
        let stage = stage + 1;
        let curve = br#"{"artifact":"curve","version":1,"series":{"loss":[[0,4.0],[1,2.0],[2,1.0]]}}"#.to_vec();
        scene.add(Added {
            id,
            family: "d",
            kind: "distill",
            with: json!({ "stage": stage, "iterations": 3 }),
            // The number of stages is no stage, though it is the same number in the last of them.
            axes: json!([["stages", 3], ["k", stage]]),
            outputs: vec![("set", "set", set("PDD", &["a", "b"], stage, 1)), ("curve", "curve", curve)],
            ..Added::default()
        });
    }
    let curve: &[(usize, usize, u64, &[f64])] = &[(0, 1, 1, &[0.2]), (0, 2, 1, &[0.3]), (0, 3, 1, &[0.4])];
    let bytes = results("PDD", json!({ "ipc": 3 }), curve);
    scene.add(Added { id: "eval", kind: "evaluate", outputs: vec![("results", "results", bytes)], ..Added::default() });
    let html = scene.html();
    assert_eq!((html.matches("class=\"slides\"").count(), html.matches("class=\"frame\"").count()), (1, 3));
    assert!(html.contains("stage 2 of 3"));
    assert_eq!(html.matches("<bdi>stages=3</bdi>").count(), 1, "one line for all stages");
    assert!(html.matches("class=\"bound\"").count() >= 4, "bounds of stages");
    assert!(html.contains("Accuracy after each stage"));
    assert_eq!(html.matches("class=\"box\"").count(), 2, "families are collapsed");
}

#[test]
fn iterations_of_one_distillation_share_a_slider() {
    let mut scene = Scene::new("iterations");
    for (id, iterations) in [("d[iterations=10]", 10), ("d[iterations=20]", 20)] {
        scene.add(Added {
            id,
            family: "d",
            kind: "distill",
            with: json!({ "iterations": iterations }),
            axes: json!([["iterations", iterations]]),
            outputs: vec![("set", "set", set("DM", &["a", "b"], 1, 1))],
            ..Added::default()
        });
    }
    let html = scene.html();
    assert_eq!((html.matches("class=\"slides\"").count(), html.matches("class=\"frame\"").count()), (1, 2));
    assert!(html.contains("10 iterations") && html.contains("data-iterations=\"20\""));
}

#[test]
fn seeds_are_one_line_with_a_band_and_modes_have_lines_of_their_own() {
    let mut scene = Scene::new("modes");
    for seed in [0, 1] {
        let curve = format!(
            r#"{{"artifact":"curve","version":1,"series":{{"loss":[[0,{0}.0],[1,{0}.5],[2,{0}.25]]}}}}"#,
            seed + 1
        );
        let id = format!("d[seed={seed}]");
        scene.add(Added {
            id: &id,
            family: "d",
            kind: "distill",
            axes: json!([["seed", seed]]),
            outputs: vec![("curve", "curve", curve.into_bytes())],
            ..Added::default()
        });
    }
    for (id, training, sets) in [("a", "union", 1), ("b", "union", 2), ("c", "progressive", 1), ("d", "progressive", 2)]
    {
        let labels = json!({ "ipc": sets, "training": training, "sets": sets });
        let bytes = results("PDD", labels, &[(0, 1, 5, &[0.5])]);
        scene.add(Added { id, kind: "evaluate", outputs: vec![("results", "results", bytes)], ..Added::default() });
    }
    let html = scene.html();
    assert_eq!(html.matches("class=\"band c0\"").count(), 1);
    assert!(
        html.contains("used in several ways")
            && html.contains("<bdi>union</bdi>")
            && html.contains("<bdi>progressive</bdi>")
    );
}

#[test]
fn forgetting_scores_are_a_histogram_with_the_bounds_of_its_bins() {
    let mut scene = Scene::new("forgetting");
    let from = scene.add(Added {
        id: "forgetting",
        kind: "forgetting",
        outputs: vec![("scores", "scores", scores(vec![0.0, 1.0, 1.0, 4.0, 9.0]))],
        ..Added::default()
    });
    for (id, low, high) in [("bin[1]", 0, 3), ("bin[2]", 3, 6)] {
        let with = json!({ "range": [low, high] });
        scene.add(Added { id, family: "bin", kind: "filter", with, needs: &[("scores", from)], ..Added::default() });
    }
    let html = scene.html();
    assert_eq!(html.matches("class=\"bar c0\"").count(), 4, "a bar for each score that is there");
    assert!(html.contains("forgetting scores"));
    assert_eq!(html.matches("<path class=\"bound\"").count(), 2);
}

#[test]
fn phases_of_class_incremental_learning_are_a_matrix() {
    let mut scene = Scene::new("continual");
    let moments: &[(usize, usize, u64, &[f64])] = &[(1, 1, 5, &[0.9]), (2, 1, 5, &[0.5][..1])];
    let bytes = results("herding", json!({ "ipc": 20 }), moments);
    scene.add(Added { id: "m", kind: "continual", outputs: vec![("results", "results", bytes)], ..Added::default() });
    let html = scene.html();
    assert!(html.contains("phase 2, 4 classes") && html.contains("<b>90.0</b>") && html.contains("class=\"n h8\""));
}

#[test]
fn a_damaged_artifact_is_counted_and_the_rest_is_shown() {
    let mut scene = Scene::new("damaged");
    scene.add(Added {
        id: "bad",
        kind: "evaluate",
        outputs: vec![("results", "results", b"nonsense".to_vec())],
        ..Added::default()
    });
    scene.add(Added {
        id: "good",
        kind: "distill",
        outputs: vec![("set", "set", set("dm", &["a"], 1, 1))],
        ..Added::default()
    });
    let page = scene.page_of_at_most(crate::DEFAULT_SIZE);
    assert!(page.left_out.iter().any(|sentence| sentence.contains("damaged or gone")), "{:?}", page.left_out);
    assert!(page.html.contains("data:image/png"));
}
