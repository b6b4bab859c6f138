//! Progressive distillation: experts, nets that were advanced, stages with transition and conditioning.

use std::collections::BTreeMap;

use pddflow_artifact::{DistilledSet, NetWeights, Results, Trajectories};
use pddflow_cache::Digest;

use crate::harness::{Bench, distill_pipeline};
use crate::{digests_of, failure_of};

const DATA: &str = r#"
format: 1
name: progressive
params: { seed: 3 }
nodes:
  data: { kind: dataset, with: { source: fashion-mini } }
"#;

/// A pipeline over the embedded data with these nodes.
fn pipeline(nodes: &str) -> String {
    format!("{DATA}{nodes}")
}

fn experts(name: &str, more: &str) -> String {
    format!(
        "  {name}: {{ kind: train, needs: {{ data: data }}, \
         with: {{ model: {{ convnet: {{ width: 4 }} }}, epochs: 2, batch: 500, {more} }} }}\n"
    )
}

fn trajectories(bench: &Bench, node: &str) -> Trajectories {
    Trajectories::decode(&bench.artifact(&format!("{node}.trajectories"))).unwrap()
}

fn values(weights: &[pddflow_tensor::Tensor]) -> Vec<Vec<f64>> {
    weights.iter().map(|weight| weight.to_f64_vec().unwrap()).collect()
}

#[test]
fn shards_of_experts_are_the_experts_of_one_node() {
    let text = [
        experts("all", "nets: 3, snapshots: epoch, curve_every: 1"),
        experts("shard", "nets: { first: 1, count: 2 }, snapshots: { list: [0, 2] }"),
    ];
    let bench = Bench::new();
    bench.run(&pipeline(&text.concat())).unwrap();
    let (all, shard) = (trajectories(&bench, "all"), trajectories(&bench, "shard"));
    assert_eq!((all.epochs(), shard.epochs()), ([0, 1, 2].as_slice(), [0, 2].as_slice()));
    for net in [1, 2] {
        for epoch in [0, 2] {
            let (one, other) = (all.snapshot(net, epoch).unwrap(), shard.snapshot(net - 1, epoch).unwrap());
            assert_eq!(values(&one), values(&other), "net {net}, epoch {epoch}");
        }
        assert_ne!(values(&all.snapshot(0, 2).unwrap()), values(&all.snapshot(net, 2).unwrap()));
        assert_ne!(values(&all.snapshot(net, 1).unwrap()), values(&all.snapshot(net, 2).unwrap()));
    }
    let results = Results::decode(&bench.artifact("all.results")).unwrap();
    assert_eq!(results.curve.iter().map(|point| point.reading.epoch).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((results.reported.accuracies.len(), results.reported.epoch), (3, 2));
}

/// Three chosen sets, nets that are advanced through them in one go and stage by stage, and experts from there.
fn advancing() -> String {
    let advance = |name: &str, needs: &str| {
        format!(
            "  {name}: {{ kind: advance, needs: {{ {needs} }}, with: {{ model: {{ convnet: {{ width: 4 }} }}, \
             nets: 2, epochs: 2, lr: 0.05, batch: 8 }} }}\n"
        )
    };
    let sets = r#"  set:
    for: { k: 1..=3 }
    kind: select
    needs: { data: data }
    with: { method: random, ipc: "${k}", seed: "${k}" }
"#;
    let start = "  from: { kind: train, needs: { data: data, start: START }, \
                 with: { model: { convnet: { width: 4 } }, nets: 2, epochs: 1, batch: 500 } }\n";
    [
        sets.to_owned(),
        advance("none", ""),
        advance("one", r#"sets: "set[1]""#),
        advance("three", r#"sets: "set[*]""#),
        advance("stepwise", r#"sets: "set[*]", start: one"#),
        start.replace("from:", "from_none:").replace("START", "none"),
        start.replace("from:", "from_nothing:").replace(", start: START", ""),
        start.replace("from:", "from_three:").replace("START", "three"),
    ]
    .concat()
}

#[test]
fn advancing_stage_by_stage_is_advancing_in_one_go() {
    let bench = Bench::new();
    bench.run(&pipeline(&advancing())).unwrap();
    let digests = bench.digests();
    assert_eq!(digests["stepwise.weights"], digests["three.weights"]);
    assert_ne!(digests["one.weights"], digests["three.weights"]);
    let three = NetWeights::decode(&bench.artifact("three.weights")).unwrap();
    assert_eq!((three.info().sets.len(), three.fresh()), (3, None));
    // Experts begin where the nets are, and fresh nets are those that experts begin with anyway.
    let from = trajectories(&bench, "from_three");
    assert_eq!(values(&from.snapshot(1, 0).unwrap()), values(&three.net(1).unwrap()));
    assert_eq!(digests["from_none.trajectories"], digests["from_nothing.trajectories"]);
    assert_ne!(digests["from_three.trajectories"], digests["from_none.trajectories"]);
}

#[test]
fn interrupted_nets_end_as_unbroken_ones() {
    let text = pipeline(&(advancing() + &experts("experts", "nets: 3, curve_every: 1")));
    let unbroken = digests_of(&text);
    let bench = Bench::new();
    let mut stops = 0;
    while bench.run_until(&text, 2) {
        stops += 1;
        // A checkpoint is due after every batch here.
        assert!(stops < 1000, "it does not get on");
    }
    assert!(stops > 3, "{stops} stops");
    assert_eq!(bench.digests(), unbroken);
}

/// P stages of a matcher with both ablation switches, the pool of nets and the warm-up.
fn stages(matcher: &str, stages: usize) -> String {
    pipeline(&format!(
        r#"
  start:
    for: {{ k: 1..={stages} }}
    kind: advance
    needs: {{ sets: "distill[..${{k}}]", start: "${{if k > 1 then 'start[' + str(k - 1) + ']' else null}}" }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 2, epochs: 2, lr: 0.05, batch: 16 }}
  distill:
    for: {{ k: 1..={stages} }}
    kind: distill
    needs: {{ data: data, previous: "distill[..${{k}}]", start: "start[${{k}}]" }}
    with: {{ ipc: 1, iterations: 2, model: {{ convnet: {{ width: 4 }} }}, matcher: {{ {matcher} }} }}
  warm:
    for: {{ k: 1..={stages} }}
    kind: distill
    needs: {{ data: data, previous: "warm[..${{k}}]" }}
    with:
      ipc: 1
      iterations: 2
      model: {{ convnet: {{ width: 4 }} }}
      matcher: {{ {matcher} }}
      pretrain: {{ epochs: 2, batch: 16 }}
"#
    ))
}

const MATCHERS: [&str; 4] = [
    "dm: { batch: 16 }",
    "dc: { batch: 16, outer: 2, inner: 1 }",
    "cafe: { batch: 16, accuracy_batch: 8, max_outer: 2, max_inner: 2 }",
    "idc: { batch: 16, inner: 1, samples: 16, batch_net: 16 }",
];

fn base(matcher: &str) -> String {
    pipeline(&format!(
        "  distill: {{ kind: distill, needs: {{ data: data }}, with: {{ ipc: 1, iterations: 2, \
         model: {{ convnet: {{ width: 4 }} }}, matcher: {{ {matcher} }} }} }}\n"
    ))
}

#[test]
fn the_first_stage_is_the_base_method_and_later_ones_leave_it_alone() {
    for matcher in MATCHERS {
        let base = Bench::new();
        base.run(&self::base(matcher)).unwrap();
        let one = digests_of(&stages(matcher, 1));
        let three = Bench::new();
        three.run(&stages(matcher, 3)).unwrap();
        let digests = three.digests();
        for first in ["distill[1]", "warm[1]"] {
            assert_eq!(images(&three, first), images(&base, "distill"), "{matcher}: {first}");
            assert_eq!(digests[&format!("{first}.set")], one[&format!("{first}.set")], "{matcher}: {first}");
        }
        let sets: Vec<&Digest> =
            digests.iter().filter(|(name, _)| name.ends_with(".set")).map(|(_, digest)| digest).collect();
        let different: std::collections::BTreeSet<&Digest> = sets.iter().copied().collect();
        assert_eq!((sets.len(), different.len()), (6, 6), "{matcher}: the start matters from stage 2 on");
    }
}

fn images(bench: &Bench, node: &str) -> Vec<f64> {
    DistilledSet::decode(&bench.artifact(&format!("{node}.set"))).unwrap().images.to_f64_vec().unwrap()
}

#[test]
fn interrupted_stages_end_as_unbroken_ones() {
    let text = stages(MATCHERS[1], 2);
    let unbroken = digests_of(&text);
    let bench = Bench::new();
    let mut stops = 0;
    while bench.run_until(&text, 2) {
        stops += 1;
        assert!(stops < 50, "it does not get on");
    }
    assert_eq!(bench.digests(), unbroken);
}

/// Both switches, as a table of ablations has them.
fn ablation(transition: bool, conditioning: bool) -> BTreeMap<String, Digest> {
    digests_of(&pipeline(&format!(
        r#"
  distill:
    for: {{ k: 1..=2 }}
    kind: distill
    needs:
      data: data
      previous: "${{if {conditioning} then 'distill[..' + str(k) + ']' else []}}"
      start: "${{if {transition} and k > 1 then ['start'] else []}}"
    with:
      ipc: 1
      iterations: 1
      stage: "${{k}}"
      model: {{ convnet: {{ width: 4 }} }}
      matcher: {{ dm: {{ batch: 16 }} }}
  start:
    kind: advance
    needs: {{ sets: "distill[1]" }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 2, epochs: 2, lr: 0.05, batch: 16 }}
"#
    )))
}

#[test]
fn transition_and_conditioning_are_switched_by_expressions() {
    let all = [(true, true), (true, false), (false, true), (false, false)];
    let found: Vec<_> = all.map(|(transition, conditioning)| ablation(transition, conditioning)).into();
    let second: std::collections::BTreeSet<&Digest> = found.iter().map(|digests| &digests["distill[2].set"]).collect();
    assert_eq!(second.len(), 4, "each switch changes the second stage");
    for digests in &found {
        assert_eq!(digests["distill[1].set"], found[0]["distill[1].set"]);
        assert_ne!(digests["distill[1].set"], digests["distill[2].set"], "a stage has images of its own");
    }
}

#[test]
fn nets_of_another_model_or_for_other_data_are_refused() {
    let sets = "  set: { kind: select, needs: { data: data }, with: { method: random, ipc: 1 } }\n";
    let other = "  raw: { kind: dataset, with: { source: fashion-mini, normalize: none } }\n  \
                 raw_set: { kind: select, needs: { data: raw }, with: { method: random, ipc: 1 } }\n";
    let advance = |sets: &str, more: &str| {
        format!(
            "  start: {{ kind: advance, needs: {{ sets: {sets} }}, with: {{ model: {{ convnet: {{ width: 4 }} }}, \
             nets: 2, epochs: 1, lr: 0.1{more} }} }}\n"
        )
    };
    let train = |width: usize, more: &str| {
        format!(
            "  experts: {{ kind: train, needs: {{ data: data, start: start }}, with: {{ model: {{ convnet: \
             {{ width: {width} }} }}, epochs: 1, batch: 500{more} }} }}\n"
        )
    };
    let cases = [
        (advance("set", "") + &train(8, ", nets: 2"), "net_mismatch", "of the model"),
        (advance("raw_set", "") + &train(4, ", nets: 2"), "net_mismatch", "normalisation"),
        (advance("set", "") + &train(4, ", nets: 3"), "no_such_net", "net 2"),
        (advance("[set, raw_set]", ""), "set_mismatch", "normalisation"),
        (
            advance("set", "")
                + &advance("raw_set", "").replace("  start:", "  next:").replace("sets:", "start: start, sets:"),
            "other_sets",
            "not the first ones",
        ),
    ];
    for (nodes, code, part) in cases {
        let (found, text) = failure_of(&pipeline(&[sets, other, &nodes].concat()));
        assert_eq!(found, format!("pddflow::nodes::{code}"), "{text}");
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn shards_that_overlap_are_refused() {
    let nodes = r#"
  shard:
    for: { first: [0, 1] }
    kind: advance
    with: { model: { convnet: { width: 4 } }, nets: { first: "${first}", count: 2 } }
  experts:
    kind: train
    needs: { data: data, start: "shard[*]" }
    with: { model: { convnet: { width: 4 } }, nets: 3, epochs: 1 }
"#;
    let (code, text) = failure_of(&pipeline(nodes));
    assert_eq!(code, "pddflow::nodes::net_mismatch", "{text}");
    assert!(text.contains("net 1") && text.contains("nets: { first"), "{text}");
}

#[test]
fn two_starts_are_refused() {
    let text = stages("dm: { batch: 16 }", 2).replacen("iterations: 2, model", "iterations: 2, pretrain: {}, model", 1);
    let (code, text) = failure_of(&text);
    assert_eq!(code, "pddflow::nodes::two_starts", "{text}");
}

#[test]
fn bad_parameters_are_found_out_before_anything_runs() {
    for (more, expected) in [
        ("snapshots: { list: [9] }", "epoch 9"),
        ("snapshots: { segments: { max_start: 2, length: 2 } }", "after epoch 3"),
        ("nets: 0", "at least 1"),
        ("lr: 0", "above 0"),
        ("momentum: 1.5", "from 0 to 1"),
        ("augment: dsa:blur", "blur"),
    ] {
        let problems = Bench::new().problems(&pipeline(&experts("experts", more)));
        assert!(problems.contains(expected), "{more}: {problems}");
    }
    let problems =
        Bench::new().problems(&stages("dm: {}", 1).replace("pretrain: { epochs: 2", "pretrain: { epochs: 0"));
    assert!(problems.contains("at least 1"), "{problems}");
}

/// One distillation with more parameters.
fn watched(more: &str) -> String {
    pipeline(&format!(
        "  distill: {{ kind: distill, needs: {{ data: data }}, with: {{ ipc: 1, iterations: 6, \
         model: {{ convnet: {{ width: 4 }} }}, matcher: {{ dm: {{ batch: 16 }} }}, {more} }} }}\n"
    ))
}

const EVALUATION: &str = "evaluation: { every: 2, nets: 2, on: test, training: { epochs: 3, batch: 5 } }";

#[test]
fn looking_on_changes_nothing_and_the_best_set_can_be_kept() {
    let plain = Bench::new();
    plain.run(&watched("method: x")).unwrap();
    let (last, best) = (Bench::new(), Bench::new());
    last.run(&watched(EVALUATION)).unwrap();
    best.run(&watched(&format!("keep: best, {EVALUATION}"))).unwrap();
    assert_eq!(images(&plain, "distill"), images(&last, "distill"));
    let seen = best.metric_values("distill", "accuracy_on_test");
    assert_eq!((seen.len(), &seen), (3, &last.metric_values("distill", "accuracy_on_test")));
    let set = DistilledSet::decode(&best.artifact("distill.set")).unwrap();
    let kept = &set.info.made_by["kept"];
    assert_eq!(kept["because"], "best on test images");
    let most = seen.iter().copied().fold(0.0, f64::max);
    assert_eq!(kept["accuracy_that_chose"].as_f64().unwrap() * 100.0, most);
    let place = seen.iter().position(|accuracy| *accuracy == most).unwrap();
    assert_eq!(kept["after_iterations"].as_u64().unwrap(), 2 * (place as u64 + 1));
    // The set of that iteration, as if the run had ended there.
    let there = Bench::new();
    there.run(&watched(&format!("keep: {{ iteration: {} }}", 2 * (place + 1)))).unwrap();
    assert_eq!(images(&there, "distill"), images(&best, "distill"));
}

#[test]
fn held_out_images_are_not_seen_by_the_matcher() {
    let held_out = Bench::new();
    let half = |text: String| text.replace("source: fashion-mini", "source: fashion-mini, held_out: 0.5");
    held_out.run(&half(watched(&format!("keep: best, {}", EVALUATION.replace("on: test, ", ""))))).unwrap();
    let test = Bench::new();
    test.run(&watched(EVALUATION)).unwrap();
    assert_ne!(images(&held_out, "distill"), images(&test, "distill"), "half of the images are missing");
    assert!(!held_out.metric_values("distill", "accuracy_on_held_out").is_empty());
    let set = DistilledSet::decode(&held_out.artifact("distill.set")).unwrap();
    assert_eq!(set.info.made_by["kept"]["because"], "best on held-out training images");
}

#[test]
fn an_interrupted_evaluation_ends_as_an_unbroken_one() {
    let text = watched(&format!("keep: best, {EVALUATION}"));
    let unbroken = digests_of(&text);
    let bench = Bench::new();
    let mut stops = 0;
    while bench.run_until(&text, 2) {
        stops += 1;
        assert!(stops < 50, "it does not get on");
    }
    assert!(stops > 2, "{stops} stops");
    assert_eq!(bench.digests(), unbroken);
}

#[test]
fn what_is_kept_must_exist() {
    for (more, expected) in [
        ("keep: best", "needs evaluations"),
        ("keep: { iteration: 7 }", "iteration 7"),
        ("evaluation: { every: 2 }", "set `held_out: 0.1` on the `dataset` node"),
        ("evaluation: { fraction: 0.1 }", "unknown field `fraction`"),
        ("evaluation: { on: test, training: { presented: 5 } }", "give `epochs`"),
        ("evaluation: { on: test, training: { epochs: 5, presented: 5 } }", "exclude each other"),
        ("stage: 3, evaluation: { on: test, training: { lr: [0.1, 0.2] } }", "2 learning rates for 3 stages"),
        ("evaluation: { every: 0 }", "at least 1"),
        ("recipe: { augment: dsa:blur }", "blur"),
        ("recipe: { average: 2 }", "from 0 to 1"),
        ("pretrain: { average: 0.9 }", "`recipe` and `evaluate` take it"),
    ] {
        let problems = Bench::new().problems(&watched(more));
        assert!(problems.contains(expected), "{more}: {problems}");
    }
}

#[test]
fn evaluations_of_stages_have_learning_rates_of_their_own() {
    let stages = |lr: &str| {
        pipeline(&format!(
            r#"
  distill:
    for: {{ k: 1..=3 }}
    kind: distill
    needs: {{ data: data, previous: "distill[..${{k}}]" }}
    with:
      ipc: 1
      iterations: 2
      model: {{ convnet: {{ width: 4 }} }}
      matcher: {{ dm: {{ batch: 16 }} }}
      evaluation: {{ every: 2, nets: 2, on: test, training: {{ epochs: 4, batch: 5, lr: {lr} }} }}
"#
        ))
    };
    let seen = |lr: &str| {
        let bench = Bench::new();
        bench.run(&stages(lr)).unwrap();
        [1, 2, 3].map(|stage| bench.metric_values(&format!("distill[{stage}]"), "accuracy_on_test"))
    };
    let same = seen("[0.05, 0.05, 0.05]");
    assert_eq!(same, seen("0.05"));
    let other = seen("[0.05, 0.05, 0.0001]");
    assert_eq!(same[..2], other[..2]);
    assert_ne!(same[2], other[2], "the last number is that of stage 3");
    let problems = Bench::new().problems(&stages("[0.05, 0.05]"));
    assert!(problems.contains("`lr` lists 2 learning rates for 3 stages"), "{problems}");
}

/// P stages of trajectory matching as released: nets are advanced, experts go on from there, the model is theirs.
pub(crate) fn trajectory_stages(stages: usize, epochs: u64) -> String {
    pipeline(&format!(
        r#"
  start:
    for: {{ k: 1..={stages} }}
    kind: advance
    needs: {{ sets: "distill[..${{k}}]", start: {{ if: "${{k > 1}}", then: "start[${{k - 1}}]" }} }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 2, epochs: 2, batch: 16 }}
  experts:
    for: {{ k: 1..={stages} }}
    kind: train
    needs: {{ data: data, start: "start[${{k}}]" }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 2, epochs: {epochs}, batch: 500, snapshots: epoch }}
  distill:
    for: {{ k: 1..={stages} }}
    kind: distill
    needs: {{ data: data, trajectories: "experts[${{k}}]", previous: "distill[..${{k}}]" }}
    with:
      ipc: 1
      iterations: 3
      matcher: {{ mtt: {{ lr: 10, syn_steps: 3, expert_epochs: 1, max_start: 2 }} }}
      recipe: {{ epochs: 500, schedule: pdd, carry_momentum: true, augment: dsa }}
      keep: best
      evaluation: {{ every: 2, nets: 2, on: test, training: {{ epochs: 2, batch: 16 }} }}
"#
    ))
}

#[test]
fn trajectory_matching_is_progressive() {
    let base = Bench::new();
    base.run(&trajectory_stages(1, 2).replace("start: \"start[${k}]\"", "start: []")).unwrap();
    let three = Bench::new();
    let text = trajectory_stages(3, 2);
    three.run(&text).unwrap();
    assert_eq!(images(&three, "distill[1]"), images(&base, "distill[1]"), "the first stage is the base method");
    let set = |stage: usize| DistilledSet::decode(&three.artifact(&format!("distill[{stage}].set"))).unwrap();
    let third = set(3);
    let step_sizes: Vec<f64> = serde_json::from_value(third.info.recipe["step_sizes"].clone()).unwrap();
    assert_eq!(step_sizes, [1, 2, 3].map(|stage| set(stage).step_size.unwrap()));
    // The metric is that of the set that was kept, not of the last step, nor of the one before it.
    let metrics = [1, 2, 3].map(|stage| three.final_metrics(&format!("distill[{stage}]"))["learning_rate"]);
    assert_eq!(metrics.to_vec(), step_sizes);
    assert_eq!(third.info.recipe["preprocessing"], third.info.preprocessing.digest().to_string());
    assert_eq!((&third.info.recipe["epochs"], &third.info.recipe["carry_momentum"]), (&500.into(), &true.into()));
    assert_eq!(third.info.recipe["augment"], "dsa:color_crop_cutout_flip_scale_rotate");
    assert_ne!(images(&three, "distill[2]"), images(&three, "distill[3]"));
    // Experts of stage 3 begin with the nets that went through the first two sets.
    let start = NetWeights::decode(&three.artifact("start[3].weights")).unwrap();
    assert_eq!(start.info().sets, [three.digests()["distill[1].set"], three.digests()["distill[2].set"]]);
    assert_eq!(values(&trajectories(&three, "experts[3]").snapshot(0, 0).unwrap()), values(&start.net(0).unwrap()));
    let bench = Bench::new();
    let mut stops = 0;
    while bench.run_until(&text, 3) {
        stops += 1;
        assert!(stops < 50, "it does not get on");
    }
    assert_eq!(bench.digests(), three.digests());
}

#[test]
fn trajectories_that_are_missing_or_too_short_are_told() {
    let (code, text) = failure_of(&trajectory_stages(1, 1));
    assert_eq!(code, "pddflow::nodes::trajectories_too_short", "{text}");
    assert!(text.contains("snapshots 0 to 2") && text.contains("epochs 0 to 1 were kept"), "{text}");
    let without = trajectory_stages(1, 2)
        .replace("trajectories: \"experts[${k}]\", ", "")
        .replace("ipc: 1\n", "ipc: 1\n      model: { convnet: { width: 4 } }\n");
    let problems = Bench::new().problems(&without);
    assert!(problems.contains("matcher `mtt` needs expert trajectories"), "{problems}");
    assert!(problems.contains("wire a `train` node"), "{problems}");
}

/// A chosen set or one of DM has no learned learning rate: its recipe has one, and asking for a learned one is refused by `plan`.
#[test]
fn sets_without_a_learned_learning_rate_are_advanced_by_their_recipe() {
    let text = |lr: &str| {
        format!(
            r#"
format: 1
name: rates
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini, train_per_class: 20 }} }}
  chosen: {{ kind: select, needs: {{ data: data }}, with: {{ method: random, ipc: 1 }} }}
  dm: {{ kind: distill, needs: {{ data: data }}, with: {{ ipc: 1, iterations: 1, model: {{ convnet: {{ width: 4 }} }}, matcher: {{ dm: {{ batch: 16 }} }} }} }}
  start:
    for: {{ of: [chosen, dm] }}
    kind: advance
    needs: {{ sets: "${{of}}" }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 1, epochs: 2{lr} }}
"#
        )
    };
    let weights = |lr: &str| {
        let bench = Bench::new();
        bench.run(&text(lr)).unwrap();
        ["chosen", "dm"].map(|of| {
            let weights = NetWeights::decode(&bench.artifact(&format!("start[of={of}].weights"))).unwrap();
            values(&weights.net(0).unwrap())
        })
    };
    let problems = Bench::new().problems(&text(", lr: learned"));
    assert!(problems.contains("that was learned with the set of"), "{problems}");
    assert!(problems.contains("give a number as `lr`, or leave it to the recipe of the set"), "{problems}");
    // Both recipes, that of DM and the one for sets without any, have 0.01.
    assert_eq!(weights(""), weights(", lr: 0.01"));
}

#[test]
fn a_model_that_is_left_out_is_that_of_the_wired_nets_and_in_the_key() {
    let text = |named: &str, from: &str| {
        let net = "  net: { kind: advance, with: { model: { convnet: { width: 4 } }, nets: 1 } }\n  other: { kind: command, \
                   with: { run: ['true'], outputs: { weights: weights } } }\n";
        distill_pipeline("dm: { batch: 16 }", 2)
            .replace("nodes:\n", &format!("nodes:\n{net}"))
            .replace("needs: { data: data }\n", &format!("needs: {{ data: data, start: {from} }}\n"))
            .replace("model: { convnet: { width: 4 } }, matcher", &format!("{named}matcher"))
    };
    let bench = Bench::new();
    let with = |named: &str| {
        let plan = bench.plan(&text(named, "net"));
        plan.nodes.iter().find(|node| node.id.as_str() == "distill").unwrap().with.clone()
    };
    assert_eq!(with(""), with("model: { convnet: { width: 4 } }, "));
    let problems = bench.problems(&text("", "other.weights"));
    assert!(problems.contains("the nets of `other` are is not known before they are made"), "{problems}");
}
