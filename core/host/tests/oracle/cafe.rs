//! Kind `cafe`: alignment of all layers.

use crate::case::{Case, bench, scalar};
use crate::support;
use crate::support::device;
use pddflow_host::{Batch, Registry};
use pddflow_tensor::Tensor;
use serde_json::json;

/// One step on the images; without a second there is nothing to measure and to train.
pub(crate) fn cafe(case: &Case, registry: &Registry) -> f64 {
    let mut bench = bench(case, registry, case.number("classes"));
    let (real, count) = (case.tensor("in.x_real"), case.number("real_per_class"));
    bench.real = Box::new(move |class, _, _| {
        let class = class.unwrap();
        let images = real.slice(0, class * count, (class + 1) * count, 1).unwrap();
        Batch { images, labels: Tensor::from_i64(vec![class as i64; count], &[count], &device()).unwrap() }
    });
    let factor = |name: &str| case.params["coefficients"][name].clone();
    let weights: Vec<_> = ["f1", "f2", "f3", "f4", "f5"].map(factor).to_vec();
    assert_eq!(factor("real_ce"), 1.0, "{}: the last term counts once", case.name);
    let config = json!({"max_outer": 1, "weights": weights, "weight_inner": factor("inner")});
    support::iterate(&registry.matcher("cafe", &config).unwrap(), &mut bench).unwrap();
    let loss = scalar(bench.metrics["loss"]);
    case.error(&[("loss".to_owned(), loss), ("dx_syn".to_owned(), bench.steps[0].1.clone())])
}
