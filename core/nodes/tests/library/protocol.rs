//! How nets are trained on sets: by the sets' own recipes, the same in an evaluation and in what an export tells.

use pddflow_artifact::Results;
use serde_json::{Value, json};

use crate::harness::{self, Bench, distill_pipeline};
use crate::progressive::trajectory_stages;

fn manifest(bench: &Bench, node: &str) -> Value {
    let files = bench.files(&format!("{node}.files"));
    serde_json::from_slice(files.get("manifest.json").unwrap()).unwrap()
}

fn ran(text: &str) -> Bench {
    let bench = Bench::new();
    bench.run(text).unwrap_or_else(|error| panic!("{}: {}", error.code, error.message));
    bench
}

/// Sets of chosen images, evaluated and exported with the same parameters.
fn picked(sets: usize, with: &str) -> String {
    let evaluated = harness::picked(sets, &format!("nets: 1, {with}"));
    format!("{evaluated}  release: {{ kind: export, needs: {{ sets: \"pick[*]\" }}, with: {{ {with} }} }}\n")
}

/// What a manifest tells of each stage, by name.
fn told(manifest: &Value, name: &str) -> Value {
    manifest["training"]["stages"].as_array().unwrap().iter().map(|stage| stage[name].clone()).collect()
}

#[test]
fn an_export_of_stages_tells_what_an_evaluation_does() {
    let stages = trajectory_stages(2, 2)
        .replace("      recipe: { epochs: 500, schedule: pdd, carry_momentum: true, augment: dsa }\n", "");
    let nodes = r#"
  eval:
    for: { recipe: [own, pdd_mtt, mtt] }
    kind: evaluate
    needs: { data: data, sets: "distill[*]" }
    with: { model: { convnet: { width: 4 } }, recipe: "${recipe}", nets: 1 }
  release:
    for: { recipe: [own, pdd_mtt, mtt] }
    kind: export
    needs: { sets: "distill[*]" }
    with: { recipe: "${recipe}", pictures: false }
"#;
    let bench = ran(&format!("{stages}{nodes}"));
    for recipe in ["own", "pdd_mtt", "mtt"] {
        let results: Results = bench.results(&format!("eval[recipe={recipe}]"));
        let manifest = manifest(&bench, &format!("release[recipe={recipe}]"));
        let (epochs, kept) = if recipe == "mtt" { (1001, false) } else { (501, true) };
        assert_eq!(results.protocol["stage_epochs"], json!([epochs, epochs]), "{recipe}");
        assert_eq!(results.curve.iter().map(|point| point.reading.epoch).collect::<Vec<_>>(), [epochs; 2]);
        assert_eq!(told(&manifest, "epochs"), json!([epochs, epochs]), "{recipe}");
        assert_eq!(manifest["training"]["momentum_is_kept_between_stages"], kept, "{recipe}");
        let emptied = if kept { json!([[], []]) } else { json!([[502], [502]]) };
        assert_eq!(told(&manifest, "momentum_is_emptied_before_epochs"), emptied, "{recipe}");
        for name in ["momentum", "weight_decay", "batch", "augment", "cutmix", "schedule", "presented_images"] {
            assert_eq!(manifest["training"][name], results.protocol[name], "{recipe}: {name}");
        }
        let learned: Value = manifest["sets"].as_array().unwrap().iter().map(|set| set["step_size"].clone()).collect();
        assert_eq!(told(&manifest, "lr"), learned, "{recipe}");
    }
    let curve = |recipe: &str| bench.results(&format!("eval[recipe={recipe}]")).curve;
    assert_eq!(curve("own"), curve("pdd_mtt"));
}

#[test]
fn sets_without_a_word_are_trained_on_by_their_methods() {
    let idc = distill_pipeline("idc: { preset: fashion-mnist, inner: 1, batch: 16, samples: 16 }", 1);
    let protocol = ran(&idc).results("eval").protocol;
    let found = |name: &str| protocol[name].clone();
    assert_eq!((found("recipe"), found("schedule"), found("batch")), (json!("own"), json!("idc"), json!(64)));
    assert_eq!((found("cutmix"), found("augment")), (json!(0.5), json!("idc:color_crop_flip_scale_rotate")));
    assert_eq!(found("stage_epochs"), json!([3]), "what the file says wins");
    let mtt = trajectory_stages(1, 2);
    let eval = r#"
  eval: { kind: evaluate, needs: { data: data, sets: "distill[*]" }, with: { model: { convnet: { width: 4 } }, nets: 1, epochs: 2 } }
"#;
    let protocol = ran(&format!("{mtt}{eval}")).results("eval").protocol;
    assert_eq!((&protocol["lr"], &protocol["schedule"]), (&json!("learned"), &json!("pdd")));
    let chosen = ran(&picked(1, "epochs: 2")).results("eval").protocol;
    assert_eq!((&chosen["lr"], &chosen["schedule"], &chosen["batch"]), (&json!(0.01), &json!("dc"), &json!(256)));
}

#[test]
fn what_a_pipeline_says_of_a_set_stays_where_it_becomes_a_stage() {
    let said = r#"
  eval: { kind: evaluate, needs: { data: data, sets: "distill[*]" }, with: { model: { convnet: { width: 4 } }, nets: 1 } }
"#;
    let text = trajectory_stages(2, 2).replace("epochs: 500,", "epochs: 3,");
    let protocol = ran(&format!("{text}{said}")).results("eval").protocol;
    assert_eq!(protocol["stage_epochs"], json!([4, 4]));
}

#[test]
fn an_export_halves_the_learning_rate_where_an_evaluation_does() {
    let bench = ran(&picked(7, "recipe: pdd_idc, epochs: 1"));
    let manifest = manifest(&bench, "release");
    assert_eq!(told(&manifest, "lr"), json!([0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.005]));
    assert_eq!(told(&manifest, "epochs"), bench.results("eval").protocol["stage_epochs"]);
    let full = ran(&picked(7, "recipe: pdd_idc, epochs: 1").replace("  eval:\n", "  other:\n"));
    assert_eq!(manifest["training"], self::manifest(&full, "release")["training"]);
}

#[test]
fn an_export_takes_the_parameters_of_the_training() {
    let bench = ran(&picked(2, "epochs: 4, lr: [0.1, 0.2], schedule: idc, batch: 5, training: sequential"));
    let manifest = manifest(&bench, "release");
    assert_eq!(told(&manifest, "lr"), json!([0.1, 0.2]));
    assert_eq!(told(&manifest, "trains_on_sets"), json!([[1], [2]]));
    let drop = |epoch: u64, by: f64| json!({ "from_epoch": epoch, "by": by });
    assert_eq!(told(&manifest, "lr_is_multiplied")[0], json!([drop(2, 0.2), drop(3, 0.2 * 0.2)]));
    let problems = Bench::new().problems(&picked(2, "epochs: 4, lr: [0.1]"));
    assert!(problems.contains("1 learning rate for 2 stages"), "{problems}");
}

#[test]
fn presented_images_are_equal_in_every_way_to_train() {
    for sets in [1, 2, 3, 5] {
        for schedule in ["dc", "idc"] {
            for training in ["progressive", "sequential", "union"] {
                let with = format!("training: {training}, presented: 4, schedule: {schedule}, augment: none");
                let bench = ran(&picked(sets, &with));
                let results = bench.results("eval");
                let union = 10 * sets as u64;
                let presented = bench.final_metrics("eval")["presented_images"];
                assert!(
                    (presented - (4 * union) as f64).abs() <= union as f64 / 2.0,
                    "{with}, {sets} sets: {presented}"
                );
                // They are those that were really run: points of the curve are the ends of the stages.
                let ends: Vec<u64> = results.curve.iter().map(|point| point.reading.epoch).collect();
                assert_eq!(json!(ends), results.protocol["stage_epochs"]);
                let images = |stage: usize| match training {
                    "progressive" => 10 * (stage as u64 + 1),
                    "sequential" => 10,
                    _ => union,
                };
                let shown: u64 = ends.iter().enumerate().map(|(stage, epochs)| epochs * images(stage)).sum();
                assert_eq!(shown as f64, presented);
                assert_eq!(told(&manifest(&bench, "release"), "epochs"), json!(ends));
            }
        }
    }
}

#[test]
fn presented_images_and_epochs_exclude_each_other() {
    for (with, expected) in [
        ("presented: 4, epochs: 2", "`epochs` and `presented` exclude each other"),
        ("presented: 0", "must be above 0"),
        ("presented: -1", "must be above 0"),
        ("presented: 1.0e+300", "must be above 0 and at most"),
    ] {
        let problems = Bench::new().problems(&picked(1, with));
        assert!(problems.contains(expected), "{with}: {problems}");
    }
    let text = picked(3, "presented: 2");
    let failure = Bench::new().run(&text.replacen("presented: 2", "presented: 2, curve_at: [100]", 1)).unwrap_err();
    assert_eq!(failure.code, "pddflow::nodes::no_such_epoch", "{}", failure.message);
}

#[test]
fn sets_of_different_recipes_are_told() {
    let nodes = r#"
  pick: { kind: select, needs: { data: data }, with: { method: random, ipc: 1 } }
  both: { kind: evaluate, needs: { data: data, sets: [distill, pick] }, with: { RECIPE model: { convnet: { width: 4 } }, nets: 1, epochs: 1 } }
"#;
    let text = format!("{}{nodes}", distill_pipeline("dc: { outer: 1, batch: 16 }", 1));
    let warned = |recipe: &str| ran(&text.replace("RECIPE", recipe)).warnings().join(" ");
    assert!(warned("").contains("the sets carry different recipes"));
    assert!(!warned("recipe: dsa,").contains("different recipes"));
}
