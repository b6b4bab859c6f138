//! Whole nodes through the library: a tiny pipeline over the embedded data, with the real plugins.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test: it panics on what is wrong"
)]

#[path = "library/continual.rs"]
mod continual;
#[path = "library/difficulty.rs"]
mod difficulty;
#[path = "library/evaluation.rs"]
mod evaluation;
#[path = "library/extending.rs"]
mod extending;
#[path = "library/generator.rs"]
mod generator;
#[path = "library/harness.rs"]
mod harness;
#[path = "library/held_out.rs"]
mod held_out;
#[path = "library/imports.rs"]
mod imports;
#[path = "library/matchers.rs"]
mod matchers;
#[path = "library/parts.rs"]
mod parts;
#[path = "library/progressive.rs"]
mod progressive;
#[path = "library/protocol.rs"]
mod protocol;
#[path = "library/recipes.rs"]
mod recipes;
#[path = "library/several.rs"]
mod several;
#[path = "library/shards.rs"]
mod shards;

use std::collections::BTreeMap;

use harness::{Bench, distill_pipeline};
use pddflow_cache::Digest;

/// Losses of the first iterations, made by this program (`distill` revision 1, kernels revision 1) with
/// `cargo test -p pddflow-nodes --test library -- --nocapture golden`.
const GOLDEN: [(&str, &[f64]); 4] = [
    ("dm: {}", &[2.745_582_008, 1.982_276_457, 2.085_538_328]),
    ("dc: { outer: 2, inner: 1, batch: 32 }", &[12.156_141_090, 14.246_858_310]),
    ("cafe: { batch: 16, accuracy_batch: 8, lambda1: 0, max_outer: 2, max_inner: 2 }", &[3_443.839_172, 3_384.172_419]),
    ("idc: { preset: fashion-mnist, inner: 2, batch: 16, samples: 64 }", &[21.175_567_102, 22.440_678_740]),
];
/// Other processors add up in another order (vector width): single precision, a few thousand terms.
const GOLDEN_TOLERANCE: f64 = 1e-4;

#[test]
fn losses_are_those_of_the_golden_runs() {
    for (matcher, golden) in GOLDEN {
        let bench = Bench::new();
        bench.run(&distill_pipeline(matcher, golden.len() as u64)).unwrap();
        let found = bench.metric_values("distill", "loss");
        println!("{matcher}: {found:?}");
        assert_eq!(found.len(), golden.len());
        for (found, golden) in found.iter().zip(golden) {
            assert!((found - golden).abs() <= GOLDEN_TOLERANCE * golden.abs(), "{matcher}: {found} is not {golden}");
        }
    }
}

#[test]
fn a_second_run_computes_nothing() {
    let bench = Bench::new();
    bench.run(&distill_pipeline("dm: {}", 2)).unwrap();
    assert_eq!(bench.started(), ["data", "distill", "eval"]);
    bench.run(&distill_pipeline("dm: {}", 2)).unwrap();
    assert_eq!(bench.started(), [""; 0]);
}

fn digests_of(text: &str) -> BTreeMap<String, Digest> {
    let bench = Bench::new();
    bench.run(text).unwrap();
    bench.digests()
}

#[test]
fn a_resumed_run_ends_as_an_unbroken_one() {
    for matcher in ["dm: {}", "dc: { outer: 2, inner: 2 }"] {
        let text = distill_pipeline(matcher, 4);
        let unbroken = digests_of(&text);
        // Four checkpoints of the distillation, then those of the evaluation.
        for checkpoint in [1, 3, 5] {
            let bench = Bench::new();
            assert!(bench.run_until(&text, checkpoint), "{matcher}: there is no checkpoint {checkpoint}");
            assert!(bench.digests().len() < unbroken.len(), "{matcher}: it was not stopped at {checkpoint}");
            bench.run(&text).unwrap();
            assert_eq!(bench.digests(), unbroken, "{matcher}: stopped at checkpoint {checkpoint}");
        }
    }
}

#[test]
fn digests_are_the_same_at_any_number_of_threads() {
    let text = distill_pipeline("dc: { outer: 2, inner: 1 }", 2);
    let at = |threads: usize| Bench::new().run_with_threads(&text, threads);
    assert_eq!(at(1), at(3));
}

/// Two stages; `distill[2]` is conditioned on `distill[1]`.
const STAGES: &str = r#"
format: 1
name: stages
nodes:
  data: { kind: dataset, with: { source: fashion-mini } }
  distill:
    for: { k: [1, 2] }
    kind: distill
    needs: { data: data, previous: "distill[..${k}]" }
    with: { ipc: 1, iterations: 2, model: { convnet: { width: 4 } }, matcher: { dm: { batch: 16 } } }
  eval:
    for: { training: [progressive, union, sequential] }
    kind: evaluate
    needs: { data: data, sets: "distill[*]" }
    with: { model: { convnet: { width: 4 } }, training: "${training}", nets: 2, epochs: 3 }
"#;

#[test]
fn one_stage_equals_the_base_method_bit_for_bit() {
    let base = digests_of(&distill_pipeline("dm: { batch: 16 }", 2));
    let stages = digests_of(STAGES);
    assert_eq!(stages["distill[1].set"], base["distill.set"]);
    assert_ne!(stages["distill[2].set"], stages["distill[1].set"]);
}

#[test]
fn the_three_ways_to_train_differ() {
    let digests = digests_of(STAGES);
    let of = |training: &str| digests[&format!("eval[training={training}].results")];
    assert_ne!(of("progressive"), of("union"));
    assert_ne!(of("progressive"), of("sequential"));
    assert_ne!(of("union"), of("sequential"));
}

#[test]
fn real_sets_are_chosen_by_every_method() {
    let text = r#"
format: 1
name: select
nodes:
  data: { kind: dataset, with: { source: fashion-mini } }
  pick:
    for: { method: [random, herding, k_center, k_means] }
    kind: select
    needs: { data: data }
    with: { method: "${method}", ipc: 3, model: { convnet: { width: 4 } }, epochs: 1 }
"#;
    let digests = digests_of(text);
    let sets: std::collections::BTreeSet<&Digest> =
        digests.iter().filter(|(name, _)| name.starts_with("pick")).map(|(_, digest)| digest).collect();
    assert_eq!(sets.len(), 4, "every method chooses differently: {digests:?}");
}

/// Runs a pipeline that must fail, and gives the failed node's code with its text and advice.
fn failure_of(text: &str) -> (String, String) {
    let failure = Bench::new().run(text).unwrap_err();
    (failure.code, format!("{} {}", failure.message, failure.help.unwrap_or_default()))
}

#[test]
fn a_loss_that_is_not_finite_names_iteration_and_advice() {
    let (code, text) = failure_of(&distill_pipeline("dm: { lr: 1.0e+300 }", 10));
    assert!(code.contains("not_finite") || code.contains("numeric"), "{code}: {text}");
    assert!(text.contains("iteration") && text.contains("learning rate"), "{text}");
}

#[test]
fn a_set_without_a_learned_learning_rate_is_not_trained_at_one() {
    let problems = Bench::new().problems(&distill_pipeline("dm: {}", 1).replace("epochs: 3", "epochs: 3, lr: learned"));
    assert!(problems.contains("was learned with the set of `distill`"), "{problems}");
    assert!(problems.contains("give a number as `lr`"), "{problems}");
}

#[test]
fn the_last_epoch_counts_and_other_readings_stand_beside_it() {
    let text = distill_pipeline("dm: {}", 1);
    let plain = Bench::new();
    plain.run(&text).unwrap();
    let watched = Bench::new();
    watched.run(&text.replace("epochs: 3", "epochs: 3, curve_every: 1")).unwrap();
    let (plain, watched) = (plain.final_metrics("eval"), watched.final_metrics("eval"));
    assert_eq!(plain["accuracy"], watched["accuracy"], "watching changes nothing");
    assert!(watched["accuracy_best_on_test"] >= watched["accuracy"]);
    assert!(!watched.contains_key("accuracy_best_on_held_out"), "the data set holds nothing out");
}

#[test]
fn more_images_than_a_class_has_is_refused() {
    for kind in ["select", "distill"] {
        let text = match kind {
            "select" => distill_pipeline("dm: {}", 1)
                .replace("kind: distill", "kind: select")
                .replace("iterations: 1, ", "")
                .replace("matcher: { dm: {} }", "method: random"),
            _ => distill_pipeline("dm: {}", 1),
        };
        let (code, text) = failure_of(&text.replace("ipc: 1", "ipc: 1000"));
        assert_eq!(code, "pddflow::nodes::class_size", "{text}");
        assert!(text.contains("1000") && text.contains("lower `ipc` to"), "{text}");
    }
}

#[test]
fn sets_of_another_data_set_are_refused() {
    let text = r#"
format: 1
name: mixed
nodes:
  data: { kind: dataset, with: { source: fashion-mini } }
  other: { kind: dataset, with: { source: fashion-mini, normalize: none } }
  pick: { kind: select, needs: { data: other }, with: { method: random, ipc: 1 } }
  eval:
    kind: evaluate
    needs: { data: data, sets: pick }
    with: { model: { convnet: { width: 4 } }, nets: 1, epochs: 1 }
"#;
    let (code, text) = failure_of(text);
    assert_eq!(code, "pddflow::nodes::set_mismatch", "{text}");
}

#[test]
fn unknown_plugins_are_found_out_before_anything_runs() {
    let problems = Bench::new().problems(&distill_pipeline("dmm: {}", 1));
    assert!(problems.contains("dmm") && problems.contains("dm"), "{problems}");
}

#[test]
fn unknown_parameters_are_found_out_before_anything_runs() {
    let problems = Bench::new().problems(&distill_pipeline("dm: { learning_rate: 1 }", 1));
    assert!(problems.contains("learning_rate"), "{problems}");
}
