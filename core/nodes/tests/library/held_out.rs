//! Held-out images: split once, in the data set, and kept out of everything below.

use pddflow_artifact::{Dataset, Side};

use crate::harness::Bench;

/// Nodes over a data set that holds out `share` of its images.
fn pipeline(share: &str, nodes: &str) -> String {
    format!(
        r#"
format: 1
name: held-out
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini, train_per_class: 20, normalize: zca, held_out: {share} }} }}
{nodes}"#
    )
}

const BELOW: &str = r#"
  part: { kind: classes, needs: { data: data }, with: { classes: [0, 1] } }
  forget: { kind: forgetting, needs: { data: part }, with: { model: { convnet: { width: 4 } }, runs: 1, epochs: 2 } }
  easy: { kind: filter, needs: { data: part, scores: forget.scores }, with: { quantile: [0, 0.5], per_class: true } }
"#;

fn dataset(bench: &Bench, node: &str) -> Dataset {
    Dataset::decode(&bench.artifact(&format!("{node}.data"))).unwrap()
}

fn images(data: &Dataset, side: Side) -> Vec<&[u8]> {
    data.pixels(side).chunks(data.size().elements()).collect()
}

#[test]
fn every_node_below_keeps_the_same_images_out() {
    let (bench, plain) = (Bench::new(), Bench::new());
    bench.run(&pipeline("0.2", BELOW)).unwrap();
    plain.run(&pipeline("0", "")).unwrap();
    let (data, whole) = (dataset(&bench, "data"), dataset(&plain, "data"));
    assert_eq!((data.rows(Side::Train), data.rows(Side::HeldOut)), (160, 40));
    assert!(data.class_rows(Side::HeldOut).iter().all(|rows| rows.len() == 4), "the same share of every class");
    let mut all = [images(&data, Side::Train), images(&data, Side::HeldOut)].concat();
    let mut before = images(&whole, Side::Train);
    all.sort_unstable();
    before.sort_unstable();
    assert_eq!(all, before);
    // Whitening is fitted on what is left.
    assert_ne!(data.preprocessing_digest(), whole.preprocessing_digest());
    let held_out: Vec<&[u8]> = images(&data, Side::HeldOut);
    for node in ["part", "easy"] {
        let below = dataset(&bench, node);
        assert_eq!(below.rows(Side::HeldOut), 8, "{node}: four of each of two classes");
        assert!(images(&below, Side::HeldOut).iter().all(|image| held_out.contains(image)));
        assert!(!images(&below, Side::Train).iter().any(|image| held_out.contains(image)), "{node}");
    }
    assert_eq!(bench.final_metrics("data")["held_out_images"], 40.0);
}

#[test]
fn held_out_images_that_do_not_exist_are_missed_before_anything_runs() {
    let distill = |data: &str| {
        format!(
            "  distill: {{ kind: distill, needs: {{ data: {data} }}, with: {{ ipc: 1, iterations: 1, keep: best, \
             evaluation: {{ every: 1 }}, model: {{ convnet: {{ width: 4 }} }}, matcher: {{ dm: {{ batch: 16 }} }} }} }}\n"
        )
    };
    let evaluate = |data: &str| {
        format!(
            "  pick: {{ kind: select, needs: {{ data: {data} }}, with: {{ method: random, ipc: 1 }} }}\n  \
             eval: {{ kind: evaluate, needs: {{ data: {data}, sets: pick }}, with: {{ model: {{ convnet: {{ width: 4 }} }}, \
             nets: 1, epochs: 2, curve_every: 1, report: best_on_held_out }} }}\n"
        )
    };
    for data in ["data", "part", "easy"] {
        for nodes in [distill(data), evaluate(data)] {
            let text = |share: &str| pipeline(share, &format!("{BELOW}{nodes}"));
            let problems = Bench::new().problems(&text("0"));
            assert!(problems.contains("the data set `data` has no held-out images"), "{problems}");
            assert!(problems.contains("set `held_out: 0.1` on the `dataset` node"), "{problems}");
            Bench::new().run(&text("0.2")).unwrap();
        }
    }
}

#[test]
fn a_share_that_is_none_is_refused() {
    for wrong in ["1", "-0.1", "1.5"] {
        let problems = Bench::new().problems(&pipeline(wrong, ""));
        assert!(problems.contains("at least 0 and below 1"), "{wrong}: {problems}");
    }
    let error = Bench::new().run(&pipeline("0.99", "")).unwrap_err();
    assert_eq!(error.code, "pddflow::nodes::data_held_out", "{}", error.message);
}
