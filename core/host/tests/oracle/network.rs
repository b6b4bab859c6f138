//! Kinds `convnet`, `resnet` and `hvp`: forward passes and derivatives of the networks.

use crate::case::{Case, leaves, mode, scalar};
use pddflow_host::{Forward, Mode, Registry, WeightRole};
use pddflow_tensor::{Keep, RandomKey, grad};

pub(crate) fn outputs(case: &Case, registry: &Registry) -> f64 {
    let model = case.model(registry);
    let (specs, weights) = case.weights(&model);
    let (all, learnable) = leaves(&specs, &weights);
    let x = case.tensor("in.x").variable().unwrap();
    let Forward { logits, features, statistics, .. } = model.forward(&all, &x, mode(case), RandomKey::new(0)).unwrap();
    let loss = logits.cross_entropy(&case.tensor("in.y")).unwrap();
    let mut inputs = learnable;
    inputs.push(x);
    let mut gradients = grad(std::slice::from_ref(&loss), &inputs, None, Keep::No).unwrap();
    let mut found = vec![("dx".to_owned(), gradients.pop().unwrap())];
    let named = |role| specs.iter().filter(move |spec| spec.role == role).map(|spec| spec.name.clone());
    found.extend(named(WeightRole::Learnable).map(|name| format!("dw.{name}")).zip(gradients));
    found.extend(named(WeightRole::Statistic).map(|name| format!("stat.{name}")).zip(statistics));
    found.extend([("logits", logits), ("features", features), ("loss", loss)].map(|(name, x)| (name.to_owned(), x)));
    case.error(&found)
}

pub(crate) fn hvp(case: &Case, registry: &Registry) -> f64 {
    let model = case.model(registry);
    let (specs, weights) = case.weights(&model);
    let (all, learnable) = leaves(&specs, &weights);
    let x = case.tensor("in.x").variable().unwrap();
    let logits = model.forward(&all, &x, Mode::Train, RandomKey::new(0)).unwrap().logits;
    let loss = logits.cross_entropy(&case.tensor("in.y")).unwrap();
    let first = grad(&[loss], &learnable, None, Keep::OnTape).unwrap();
    let names: Vec<&str> =
        case.params["parameters"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut dot = scalar(0.0);
    for (name, gradient) in names.iter().zip(&first) {
        dot = dot.add(&gradient.dot(&case.tensor(&format!("in.v.{name}"))).unwrap()).unwrap();
    }
    let mut inputs = learnable;
    inputs.push(x);
    let mut second = grad(std::slice::from_ref(&dot), &inputs, None, Keep::No).unwrap();
    let mut found = vec![("mixed".to_owned(), second.pop().unwrap()), ("dot".to_owned(), dot)];
    found.extend(names.iter().map(|name| format!("hv.{name}")).zip(second));
    case.error(&found)
}
