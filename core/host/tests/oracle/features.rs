//! Kind `dm`: distances of features.

use crate::case::{Case, bench, real_of, scalar};
use crate::support;
use pddflow_host::Registry;
use serde_json::json;

pub(crate) fn dm(case: &Case, registry: &Registry) -> f64 {
    let classes = case.number("classes");
    let mut bench = bench(case, registry, classes);
    let real = case.tensor("in.x_real");
    bench.real = Box::new(move |class, _, _| real_of(&real, class.unwrap()));
    let matcher = registry.matcher("dm", &json!({"augment": "none"})).unwrap();
    support::iterate(&matcher, &mut bench).unwrap();
    let loss = bench.metrics["loss"] * classes as f64;
    case.error(&[("loss".to_owned(), scalar(loss)), ("dx_syn".to_owned(), bench.steps[0].1.clone())])
}
