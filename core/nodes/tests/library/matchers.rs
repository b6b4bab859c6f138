//! Every matcher through the kind `distill`: one stage, two stages, interrupted, on data that it cannot take.

use crate::harness::{Bench, distill_pipeline};
use crate::progressive::trajectory_stages;
use crate::{digests_of, failure_of};

/// The matchers of this repository that start from random nets, as small as they can be.
const MATCHERS: [&str; 4] = [
    "dc: { outer: 2, inner: 1, batch: 16, init: real, augment: 'dsa:color_crop' }",
    "dm: { batch: 16 }",
    "cafe: { batch: 16, accuracy_batch: 8, window: 2, max_outer: 3, max_inner: 2 }",
    "idc: { preset: fashion-mnist, inner: 2, batch: 16, samples: 64 }",
];

/// Two stages; the second is conditioned on the first.
fn stages(matcher: &str) -> String {
    distill_pipeline(matcher, 2)
        .replace("  distill:\n", "  distill:\n    for: { k: [1, 2] }\n")
        .replace("needs: { data: data }\n", "needs: { data: data, previous: \"distill[..${k}]\" }\n")
        .replace("sets: distill }", "sets: \"distill[*]\" }")
}

#[test]
fn the_first_stage_is_the_base_method_bit_for_bit_and_the_second_another() {
    for matcher in MATCHERS {
        let (base, stages) = (digests_of(&distill_pipeline(matcher, 2)), digests_of(&stages(matcher)));
        assert_eq!(stages["distill[1].set"], base["distill.set"], "{matcher}");
        assert_ne!(stages["distill[2].set"], stages["distill[1].set"], "{matcher}");
        assert_eq!(digests_of(&distill_pipeline(matcher, 2)), base, "{matcher}: not the same again");
    }
}

#[test]
fn a_matcher_with_nets_of_its_own_goes_on_where_it_was_stopped() {
    for matcher in &MATCHERS[2..] {
        let text = distill_pipeline(matcher, 3);
        let unbroken = digests_of(&text);
        let bench = Bench::new();
        assert!(bench.run_until(&text, 2), "{matcher}: there is no second checkpoint");
        bench.run(&text).unwrap();
        assert_eq!(bench.digests(), unbroken, "{matcher}");
    }
}

#[test]
fn every_matcher_gives_the_same_bytes_at_any_number_of_threads() {
    let trajectories = trajectory_stages(2, 3);
    let texts = MATCHERS.map(|matcher| distill_pipeline(matcher, 2)).into_iter().chain([
        distill_pipeline(&MATCHERS[2].replace("batch: 16,", "batch: 16, augment: 'dsa:color_crop',"), 2),
        trajectories.replace("mtt: {", "tesla: {"),
        trajectories,
    ]);
    for text in texts {
        let at = |threads: usize| Bench::new().run_with_threads(&text, threads);
        assert_eq!(at(1), at(2), "{text}");
    }
}

#[test]
fn a_matcher_that_moves_nothing_is_a_warning() {
    let warnings = |matcher: &str| {
        let bench = Bench::new();
        bench.run(&distill_pipeline(matcher, 3)).unwrap();
        bench.warnings()
    };
    let stuck = warnings("dm: { batch: 16, lr: 0 }");
    assert!(stuck.iter().any(|text| text.contains("`dm` has moved no learnable in 3 iterations")), "{stuck:?}");
    assert_eq!(warnings("dm: { batch: 16 }"), Vec::<String>::new());
}

#[test]
fn other_nets_can_be_matched() {
    let text = distill_pipeline(MATCHERS[3], 1)
        .replace("convnet: { width: 4 }", "resnet: { depth: 10, width: 2, norm: batch, init: normal }");
    let bench = Bench::new();
    bench.run(&text).unwrap();
    assert!(bench.metric_values("distill", "loss")[0] > 0.0);
}

#[test]
fn pixels_between_0_and_1_are_refused_on_whitened_data() {
    let text = distill_pipeline(MATCHERS[3], 1).replace("source: fashion-mini", "source: fashion-mini, normalize: zca");
    let (code, text) = failure_of(&text);
    assert_eq!(code, "pddflow::nodes::whitened", "{text}");
    assert!(text.contains("`images`") && text.contains("normalize: standard"), "{text}");
}
