//! Kind `kip`: kernel ridge regression with Adam.

use crate::case::{Case, real_of, scalar};
use crate::support::{self, Bench};
use pddflow_host::{Decoded, InputShape, Labels, Registry};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use serde_json::{Value, json};

/// The parameters of the matcher that the case gives.
fn config(case: &Case) -> Value {
    let names = ["kernel", "depth", "ridge", "learn_labels", "lr", "lr_labels"];
    names.into_iter().map(|name| (name.to_owned(), case.params[name].clone())).collect()
}

pub(crate) fn kip(case: &Case, registry: &Registry) -> f64 {
    let (classes, learns_labels) = (case.number("classes"), case.params["learn_labels"] == json!(true));
    let mut bench = Bench::new(support::problem(classes, case.shape(), case.number("ipc")));
    bench.learnables = vec![("images".to_owned(), case.tensor("in.x_syn"))];
    if learns_labels {
        bench.learnables.push(("labels".to_owned(), case.tensor("in.labels")));
    }
    if case.params["earlier"] == json!(true) {
        let (images, labels) = (case.tensor("in.x_earlier"), Labels::Hard(case.tensor("in.y_earlier")));
        bench.previous = Some(Decoded { images, labels });
    }
    let real = case.tensor("in.x_real");
    bench.real = Box::new(move |class, _, _| real_of(&real, class.unwrap()));
    let matcher = registry.matcher("kip", &config(case)).unwrap();
    let mut found = Vec::new();
    for step in 0..case.number("steps") {
        matcher.iterate(&mut bench, step as u64).unwrap();
        if step == 0 {
            // After one step the first average is a tenth of the gradient.
            let gradient = |name: &str| bench.state[&format!("adam.{name}.first")].mul_scalar(10.0).unwrap();
            found.extend([("loss".to_owned(), scalar(bench.metrics["loss"])), ("dx".to_owned(), gradient("images"))]);
            found.extend(learns_labels.then(|| ("dlabels".to_owned(), gradient("labels"))));
        }
    }
    found.extend(bench.learnables.iter().cloned());
    case.error(&found)
}

const SHAPE: InputShape = InputShape { channels: 1, height: 4, width: 4 };

/// A matcher that is shown the synthetic images as the real ones, one of each class.
fn on_itself(images: &Tensor, config: &Value) -> Result<Bench, pddflow_host::PluginError> {
    let mut bench = Bench::new(support::problem(3, SHAPE, 1));
    bench.learnables = vec![("images".to_owned(), images.clone())];
    let all = images.reshape(&[3, 1, 1, 4, 4]).unwrap();
    bench.real = Box::new(move |class, _, _| real_of(&all, class.unwrap()));
    support::iterate(&support::registry().matcher("kip", config).unwrap(), &mut bench)?;
    Ok(bench)
}

#[test]
fn a_set_predicts_its_own_labels_up_to_the_ridge() {
    let images = support::noise(&[3, 1, 4, 4], RandomKey::new(1), 1.0);
    let loss = |ridge: f64| {
        let bench = on_itself(&images, &json!({"ridge": ridge})).unwrap();
        assert_eq!(bench.metrics["accuracy_on_targets"], 100.0);
        bench.metrics["loss"]
    };
    // Without a ridge what is left is that of cosines, which stay 1e-7 below 1; the error of a ridge is its part of the kernel.
    assert!(loss(0.0) < 1e-8 && loss(1e-6) < 1e-8 && loss(1.0) > 1e-3, "{} {} {}", loss(0.0), loss(1e-6), loss(1.0));
}

#[test]
fn equal_images_have_finite_gradients() {
    let images = Tensor::ones(&[3, 1, 4, 4], DType::F64, &Device::Cpu).unwrap();
    for kernel in ["ntk", "nngp"] {
        let bench = on_itself(&images, &json!({"kernel": kernel, "depth": 2})).unwrap();
        assert!(bench.metrics["gradient_norm"].is_finite());
    }
}

#[test]
fn learned_labels_of_a_set_are_what_was_learned() {
    let matcher = support::registry().matcher("kip", &json!({"learn_labels": true, "depth": 2})).unwrap();
    let problem = support::problem(2, SHAPE, 1);
    let labels = Tensor::from_f64(vec![1.5, 0.5, -1.0, -2.0], &[2, 2], &Device::Cpu).unwrap();
    let images = support::noise(&[2, 1, 4, 4], RandomKey::new(1), 1.0);
    let learnables = [("images".to_owned(), images), ("labels".to_owned(), labels)];
    let decoded = matcher.decode(&learnables, &problem).unwrap();
    assert_eq!(decoded.labels.tensor().to_f64_vec().unwrap(), [1.5, 0.5, -1.0, -2.0]);
    let described = matcher.describe(&problem).unwrap();
    assert_eq!(described.learnables.len(), 2);
    let read = json!({"kernel": {"fully_connected": {"depth": 2, "tangent": true}}, "ridge": 1e-6});
    assert_eq!((&described.recipe["loss"], &described.recipe["regression"]), (&json!("mse"), &read));
}
