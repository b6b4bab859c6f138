//! Several models in one distillation.

use std::collections::BTreeMap;

use pddflow_artifact::DistilledSet;
use serde_json::json;

use crate::failure_of;
use crate::harness::Bench;

const CONVNET: &str = "{ convnet: { width: 4 } }";
const MLP: &str = "{ mlp: { width: 16 } }";

fn pipeline(nodes: &str) -> String {
    format!(
        "format: 1\nname: several\nnodes:\n  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}\n{nodes}\n"
    )
}

fn distill(name: &str, needs: &str, with: &str) -> String {
    format!(
        "  {name}: {{ kind: distill, needs: {{ data: data{needs} }}, with: {{ ipc: 1, iterations: 4, {with} }} }}\n"
    )
}

/// One distillation by `dm` with these parameters.
fn by_dm(with: &str) -> String {
    pipeline(&distill("distill", "", &format!("matcher: {{ dm: {{ batch: 16 }} }}, {with}")))
}

fn both() -> String {
    by_dm(&format!("models: [{CONVNET}, {MLP}]"))
}

fn set_of(text: &str) -> String {
    let bench = Bench::new();
    bench.run(text).unwrap();
    bench.digests()["distill.set"].to_string()
}

#[test]
fn a_set_of_several_models_is_that_of_none_of_them_and_the_same_each_time() {
    let bench = Bench::new();
    bench.run(&both()).unwrap();
    let several = bench.digests()["distill.set"].to_string();
    assert_eq!(several, set_of(&both()));
    let others = [
        by_dm(&format!("model: {CONVNET}")),
        by_dm(&format!("model: {MLP}")),
        by_dm(&format!("models: [{MLP}, {CONVNET}]")),
    ];
    for other in others {
        assert_ne!(several, set_of(&other), "{other}");
    }
    let set = DistilledSet::decode(&bench.artifact("distill.set")).unwrap();
    let models = &set.info.made_by["models"];
    assert_eq!((&models[0]["convnet"]["width"], &models[1]["mlp"]["width"]), (&json!(4), &json!(16)));
    assert!(set.info.made_by["model"].is_null(), "one of several is not the model");
}

#[test]
fn a_list_of_one_model_is_that_model() {
    let bench = Bench::new();
    bench.run(&by_dm(&format!("model: {CONVNET}"))).unwrap();
    bench.run(&by_dm(&format!("models: [{CONVNET}]"))).unwrap();
    assert_eq!(bench.started(), [""; 0], "it has another key");
    let set = DistilledSet::decode(&bench.artifact("distill.set")).unwrap();
    assert!(set.info.made_by.get("models").is_none(), "{:?}", set.info.made_by);
}

#[test]
fn an_interrupted_distillation_of_several_models_ends_as_an_unbroken_one() {
    for matcher in ["dm: { batch: 16 }", "dc: { outer: 2, inner: 1, batch: 16 }"] {
        let text = both().replace("dm: { batch: 16 }", matcher);
        let unbroken = set_of(&text);
        let bench = Bench::new();
        let mut stops = 0;
        while bench.run_until(&text, 1) {
            stops += 1;
            assert!(stops < 50, "it does not get on");
        }
        assert!(stops > 1, "{stops} stops");
        assert_eq!(bench.digests()["distill.set"].to_string(), unbroken, "{matcher}");
        let shorter = text.replace("iterations: 4", "iterations: 3");
        let grown = Bench::new();
        grown.run(&shorter).unwrap();
        grown.run(&text).unwrap();
        assert_eq!(grown.digests()["distill.set"].to_string(), unbroken, "{matcher}: what goes on from 3");
    }
}

#[test]
fn the_first_model_is_the_one_of_the_evaluations() {
    let evaluated = |models: &str| {
        let bench = Bench::new();
        let more = "evaluation: { on: test, every: 4, nets: 1, training: { epochs: 1 } }";
        bench.run(&by_dm(&format!("models: {models}, {more}"))).unwrap();
        bench.final_metrics("distill")["accuracy_on_test"]
    };
    assert!(evaluated(&format!("[{CONVNET}, {MLP}]")) > 0.0);
    assert_ne!(evaluated(&format!("[{CONVNET}, {MLP}]")), evaluated(&format!("[{MLP}, {CONVNET}]")));
}

/// A first stage, nets of both models that were trained on it, and a second stage that starts from them; `wired` are those.
fn second_stage(wired: &str, models: &str) -> String {
    let advance = |name: &str, model: &str| {
        format!(
            "  {name}: {{ kind: advance, needs: {{ sets: first }}, \
             with: {{ model: {model}, nets: 2, epochs: 2, lr: 0.05, batch: 16 }} }}\n"
        )
    };
    let with = format!("matcher: {{ dm: {{ batch: 16 }} }}, models: {models}");
    pipeline(
        &[
            distill("first", "", &with),
            advance("convnets", CONVNET),
            advance("mlps", MLP),
            advance("wider", "{ mlp: { width: 17 } }"),
            distill("distill", &format!(", previous: first, start: {wired}"), &with),
        ]
        .concat(),
    )
}

#[test]
fn stages_start_from_advanced_nets_of_each_model() {
    let models = format!("[{CONVNET}, {MLP}]");
    let run = |wired: &str, models: &str| {
        let bench = Bench::new();
        bench.run(&second_stage(wired, models)).unwrap();
        (bench.digests()["distill.set"], bench.warnings())
    };
    let (both, warned) = run("[convnets, mlps]", &models);
    assert_eq!(warned, [""; 0]);
    // Each goes to its model, wherever it stands.
    assert_eq!(both, run("[mlps, convnets]", &models).0);
    let (one, warned) = run("[convnets]", &models);
    assert_ne!(both, one);
    assert!(warned.concat().contains("no nets of the model `mlp` are wired into `start`"), "{warned:?}");
    let (code, text) = failure_of(&second_stage("[convnets, wider]", &models));
    assert_eq!(code, "pddflow::nodes::net_mismatch", "{text}");
    for part in ["`wider`", "\"width\":17", "this node's models are", "\"convnet\"", "\"width\":16"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn new_nets_of_each_model_are_trained_on_the_earlier_sets() {
    let with = |more: &str| {
        let with = format!("matcher: {{ dm: {{ batch: 16 }} }}, models: [{CONVNET}, {MLP}]");
        let second = format!("{with}{more}");
        pipeline(&[distill("first", "", &with), distill("distill", ", previous: first", &second)].concat())
    };
    let warm = ", pretrain: { epochs: 2, lr: 0.05, batch: 16 }";
    assert_ne!(set_of(&with(warm)), set_of(&with("")));
    assert_eq!(set_of(&with(warm)), set_of(&with(warm)));
}

#[test]
fn what_is_wrong_with_several_models_is_told_before_anything_runs() {
    let models = format!("models: [{CONVNET}, {MLP}]");
    let cases = BTreeMap::from([
        (format!("model: {CONVNET}, {models}"), "both `model` and `models` are given"),
        (format!("models: [{MLP}, {MLP}]"), "is listed twice"),
        (format!("models: [{CONVNET}, mlpp]"), "mlpp"),
        (format!("models: [{CONVNET}, {{ mlp: {{ widht: 4 }} }}]"), "widht"),
    ]);
    for (with, expected) in cases {
        let problems = Bench::new().problems(&by_dm(&with));
        assert!(problems.contains(expected), "{with}: {problems}");
    }
    for matcher in ["mtt: {}", "idc: {}", "cafe: {}", "kip: {}"] {
        let problems = Bench::new().problems(&both().replace("dm: { batch: 16 }", matcher));
        assert!(problems.contains("works with one model, and this node has 2"), "{matcher}: {problems}");
        assert!(problems.contains("such as `dm`"), "{matcher}: {problems}");
    }
}
