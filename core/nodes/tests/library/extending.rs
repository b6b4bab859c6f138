//! Nodes that go further than before go on where they ended, and give the bytes of an unbroken run.

use crate::harness::Bench;

fn distill(matcher: &str, iterations: u64, more: &str) -> String {
    let of_trajectories = matcher.starts_with("mtt") || matcher.starts_with("tesla");
    let (model, needs) = if of_trajectories {
        ("mlp: {}", "data: data, trajectories: experts")
    } else {
        ("convnet: { width: 4 }", "data: data")
    };
    format!(
        r#"
format: 1
name: tiny
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  experts: {{ kind: train, needs: {{ data: data }}, with: {{ model: {{ mlp: {{}} }}, nets: 1, epochs: 3 }} }}
  distill:
    kind: distill
    needs: {{ {needs} }}
    with: {{ ipc: 1, iterations: {iterations}, {more} model: {{ {model} }}, matcher: {{ {matcher} }} }}
"#
    )
}

const HORIZON: &str = "horizon: 5,";
/// Its window widens over all iterations.
const WIDENING: &str = "mtt: { max_start: 2, expand_from: 1, expert_epochs: 1, syn_steps: 2 }";

#[test]
fn a_distillation_is_extended_bit_for_bit() {
    for (matcher, more) in [
        ("dm: {}", ""),
        ("dc: { outer: 2, inner: 1, batch: 32 }", ""),
        ("idc: { preset: fashion-mnist, inner: 2, batch: 16, samples: 64 }", ""),
        ("mtt: { max_start: 2, expert_epochs: 1, syn_steps: 2 }", ""),
        ("mtt: { max_start: 2, expand_from: 1, expand_iterations: 2, expert_epochs: 1, syn_steps: 2 }", ""),
        ("tesla: { max_start: 2, expert_epochs: 1, syn_steps: 2 }", ""),
        ("cafe: { drops: [], batch: 16, accuracy_batch: 8, lambda1: 0, max_outer: 2, max_inner: 2 }", ""),
        // Their steps depend on how many there will be.
        ("cafe: { batch: 16, accuracy_batch: 8, lambda1: 0, max_outer: 2, max_inner: 2 }", HORIZON),
        (WIDENING, HORIZON),
    ] {
        let (grown, alone) = (Bench::new(), Bench::new());
        grown.run(&distill(matcher, 2, more)).unwrap();
        grown.run(&distill(matcher, 4, more)).unwrap();
        alone.run(&distill(matcher, 4, more)).unwrap();
        assert_eq!(grown.digests(), alone.digests(), "{matcher}");
        let iterations = |bench: &Bench| bench.metric_values("distill", "loss").len();
        assert_eq!((iterations(&grown), iterations(&alone)), (2, 4), "{matcher}");
        assert_eq!(grown.reasons("distill"), ["with.iterations: 2 -> 4", "extends from 2 of 4 iterations"]);
    }
}

#[test]
fn what_depends_on_the_number_of_iterations_or_has_another_parameter_starts_over() {
    let bench = Bench::new();
    let check = |text: &str, iterations: usize| {
        bench.run(text).unwrap();
        assert_eq!(bench.metric_values("distill", "loss").len(), iterations, "{text}");
    };
    for matcher in [WIDENING, "cafe: { batch: 16, accuracy_batch: 8, max_outer: 1, max_inner: 1 }"] {
        check(&distill(matcher, 2, ""), 2);
        check(&distill(matcher, 3, ""), 3);
    }
    check(&distill("dm: {}", 2, HORIZON), 2);
    check(&distill("dm: { lr: 0.5 }", 3, HORIZON), 3);
    check(&distill("dm: {}", 3, "horizon: 6,"), 3);
    check(
        &distill("dm: {}", 3, "horizon: 5, evaluation: { on: test, every: 2, nets: 1, training: { epochs: 1 } },"),
        3,
    );
}

/// A net that learns in an instant, and one whose epoch takes longer than a slice of time.
const QUICK: &str = "model: { mlp: {} }";
const SLOW: &str = "model: { convnet: { width: 32 } }, batch: 2";

fn train(model: &str, epochs: u64, more: &str) -> String {
    format!(
        r#"
format: 1
name: tiny
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  experts:
    kind: train
    needs: {{ data: data }}
    with: {{ {model}, nets: 2, epochs: {epochs}, momentum: 0.5, {more} }}
"#
    )
}

#[test]
fn training_is_extended_bit_for_bit() {
    // The curve of the shorter training ends at an epoch that the curve of the longer one does not have.
    for more in ["curve_every: 2", "snapshots: { every: 2 }", "snapshots: { list: [0, 1] }"] {
        let (grown, alone) = (Bench::new(), Bench::new());
        grown.run(&train(QUICK, 1, more)).unwrap();
        grown.run(&train(QUICK, 3, more)).unwrap();
        alone.run(&train(QUICK, 3, more)).unwrap();
        assert_eq!(grown.digests(), alone.digests(), "{more}");
        assert_eq!(grown.reasons("experts"), ["with.epochs: 1 -> 3", "extends from 1 of 3 epochs"]);
    }
}

#[test]
fn extended_training_begins_where_the_shorter_one_ended_and_other_training_at_its_start() {
    let bench = Bench::new();
    bench.run(&train(SLOW, 1, "")).unwrap();
    // In epochs of both nets, after the first slice of time, in which no net gets through an epoch of so many steps.
    let first = |more: &str| {
        bench.run(&train(SLOW, 2, more)).unwrap();
        bench.first_progress("experts").unwrap()
    };
    assert!(first("") >= 2);
    assert_eq!(first("lr: 0.02"), 0);
    assert_eq!(first("schedule: idc"), 0);
}
