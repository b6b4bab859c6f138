//! Kinds `dd`, gradient descent that is unrolled, and `net`, networks whose weights are a pattern.

use crate::case::{Case, leaves, scalar};
use crate::support::{self, Bench, device, dtype};
use pddflow_host::{Batch, InputShape, Mode, Registry, WeightSpec};
use pddflow_tensor::{Keep, RandomKey, Tensor, grad};
use serde_json::json;

pub(crate) fn dd(case: &Case, registry: &Registry) -> f64 {
    let (classes, ipc) = (case.number("classes"), case.number("ipc"));
    let model = case.model(registry);
    let mut bench = Bench::new(support::problem(classes, case.shape(), ipc));
    bench.specs = model.weights(case.shape(), classes).unwrap();
    bench.start = split(&case.tensor("in.theta0"), &bench.specs);
    bench.model = Some(model);
    bench.learnables =
        vec![("images".to_owned(), case.tensor("in.x_syn")), ("rates".to_owned(), case.tensor("in.rates"))];
    let real = Batch { images: case.tensor("in.x_real"), labels: case.tensor("in.y_real") };
    bench.real = Box::new(move |class, _, _| {
        assert_eq!(class, None, "a batch of all classes");
        Batch { images: real.images.clone(), labels: real.labels.clone() }
    });
    let config = json!({"per_step": case.params["per_step"], "epochs": case.params["epochs"], "lr": case.params["lr"]});
    let matcher = registry.matcher("dd", &config).unwrap();
    let mut found = Vec::new();
    for iteration in 0..case.number("iterations") {
        // Whatever is kept of the tapes, the numbers are the same.
        bench.tape_budget = if iteration == 0 { 0 } else { u64::MAX };
        matcher.iterate(&mut bench, iteration as u64).unwrap();
        if iteration == 0 {
            // After one step the first average is half of the gradient.
            let gradient = |name: &str| bench.state[&format!("adam.{name}.first")].mul_scalar(2.0).unwrap();
            found.push(("loss".to_owned(), scalar(bench.metrics["loss"])));
            found.extend([("dx".to_owned(), gradient("images")), ("draw".to_owned(), gradient("rates"))]);
        }
    }
    found.extend(bench.learnables.iter().cloned());
    case.error(&found)
}

/// The weights that follow each other in a vector.
fn split(flat: &Tensor, specs: &[WeightSpec]) -> Vec<Tensor> {
    let mut at = 0;
    let one = |spec: &WeightSpec| {
        let count: usize = spec.shape.iter().product();
        at += count;
        flat.slice(0, at - count, at, 1).unwrap().reshape(&spec.shape).unwrap()
    };
    specs.iter().map(one).collect()
}

/// A network whose weights are a pattern of their place, so that no file holds them.
pub(crate) fn net(case: &Case, registry: &Registry) -> f64 {
    let model = registry.model(case.params["net"].as_str().unwrap(), &json!({})).unwrap();
    let specs = model.weights(case.shape(), case.number("classes")).unwrap();
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(json!(names), case.params["parameters"], "{}: order of the weights", case.name);
    let weights: Vec<Tensor> = specs.iter().enumerate().map(|(number, spec)| pattern(&spec.shape, number)).collect();
    let (all, mut inputs) = leaves(&specs, &weights);
    let x = case.tensor("in.x").variable().unwrap();
    let forward = model.forward(&all, &x, Mode::Train, RandomKey::new(0)).unwrap();
    let loss = forward.logits.cross_entropy(&case.tensor("in.y")).unwrap();
    inputs.push(x);
    let mut gradients = grad(std::slice::from_ref(&loss), &inputs, None, Keep::No).unwrap();
    let mut found = vec![("dx".to_owned(), gradients.pop().unwrap())];
    let squares = gradients.iter().map(|gradient| gradient.dot(gradient).unwrap());
    found.extend(names.iter().map(|name| format!("dw.{name}")).zip(squares));
    let outputs = [("logits", forward.logits), ("features", forward.features), ("loss", loss)];
    found.extend(outputs.map(|(name, value)| (name.to_owned(), value)));
    case.error(&found)
}

fn pattern(shape: &[usize], number: usize) -> Tensor {
    let count: usize = shape.iter().product();
    let inputs = if shape.len() > 1 { count / shape[0] } else { 100 };
    let scale = (3.0 / inputs as f64).sqrt();
    let values = (0..count).map(|at| libm::sin(0.7 * at as f64 + number as f64) * scale).collect();
    Tensor::from_values(values, shape, dtype(), &device()).unwrap()
}

#[test]
fn images_that_do_not_fill_groups_and_nets_with_statistics_are_refused() {
    let (registry, shape) = (support::registry(), InputShape { channels: 1, height: 8, width: 8 });
    let matcher = registry.matcher("dd", &json!({"per_step": 2})).unwrap();
    let error = matcher.describe(&support::problem(2, shape, 3)).unwrap_err();
    assert!(error.message().contains("no multiple of `per_step`"), "{}", error.message());
    let described = matcher.describe(&support::problem(2, shape, 4)).unwrap();
    let script = json!({"groups": [[0, 1, 4, 5], [2, 3, 6, 7]], "rates": "rates"});
    assert_eq!(described.recipe["script"], script);
    assert_eq!(described.learnables[1].shape, [6]);
    let model = registry.model("convnet", &json!({"norm": "batch", "width": 2, "depth": 1})).unwrap();
    let mut bench = Bench::new(support::problem(2, shape, 2)).with_model(model).learning(&matcher);
    let error = support::iterate(&matcher, &mut bench).unwrap_err();
    assert!(error.message().contains("running statistics"), "{}", error.message());
}
