//! The models of this repository: numbers of weights, shapes, derivatives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod support;

use pddflow_host::{Forward, Init, InputShape, Mode, Model, WeightRole, WeightSpec};
use pddflow_tensor::{Device, Keep, RandomKey, Tensor, grad};
use serde_json::{Value, json};
use std::sync::Arc;
use support::noise;

const GRAY: InputShape = InputShape { channels: 1, height: 28, width: 28 };
const RGB: InputShape = InputShape { channels: 3, height: 32, width: 32 };
const TINY: InputShape = InputShape { channels: 3, height: 64, width: 64 };

fn learnable(specs: &[WeightSpec]) -> impl Iterator<Item = &WeightSpec> {
    specs.iter().filter(|spec| spec.role == WeightRole::Learnable)
}

#[test]
fn numbers_of_weights_are_those_worked_out_by_hand() {
    let registry = support::registry();
    let count = |model: &str, config: Value, shape: InputShape| -> usize {
        let specs = registry.model(model, &config).unwrap().weights(shape, 10).unwrap();
        learnable(&specs).map(|spec| spec.shape.iter().product::<usize>()).sum()
    };
    // 784 * 128 + 128, 128 * 128 + 128, 128 * 10 + 10; then 3072 * 128 + 128 in place of the first.
    assert_eq!(count("mlp", json!({}), GRAY), 118_282);
    assert_eq!(count("mlp", json!({}), RGB), 411_146);
    // Convolutions 9728 + 614592 + 442624 + 442560 + 331968, linear 192 * 16 * 10 + 10, norms 2 * 960.
    assert_eq!(count("alexnet", json!({"norm": "none"}), RGB), 1_872_202);
    assert_eq!(count("alexnet", json!({}), RGB), 1_874_122);
    // 25 * 2 * 128 less in the first convolution; the map is 4x4 as for 32 pixels.
    assert_eq!(count("alexnet", json!({"norm": "none"}), GRAY), 1_865_802);
    // The last map is 8x8.
    assert_eq!(count("alexnet", json!({"norm": "none"}), TINY), 1_964_362);
    // Convolutions 1792 + 73856 + 295168 + 590080 + 1180160 + 3 * 2359808, linear 512 * 10 + 10, norms 2 * 2752.
    assert_eq!(count("vgg", json!({"norm": "none"}), RGB), 9_225_610);
    assert_eq!(count("vgg", json!({"norm": "batch"}), RGB), 9_231_114);
    assert_eq!(count("vgg", json!({}), GRAY), 9_229_962);
    // The last map is 2x2.
    assert_eq!(count("vgg", json!({}), TINY), 9_246_474);
}

/// The initial weights, and the learnable ones among them as leaves.
fn started(model: &Model, shape: InputShape) -> (Vec<Tensor>, Vec<Tensor>) {
    let specs = model.weights(shape, 10).unwrap();
    let mut leaves = Vec::new();
    let all = specs.iter().map(|spec| {
        let (key, count) = (RandomKey::new(1).fold(&spec.name), spec.shape.iter().product());
        let values = match spec.init {
            Init::Constant(value) => vec![value; count],
            Init::Uniform { bound } => key.uniform_f64(count).into_iter().map(|u| (2.0 * u - 1.0) * bound).collect(),
            Init::Normal { std } => key.normal_f64(count).into_iter().map(|z| z * std).collect(),
        };
        let value = Tensor::from_f64(values, &spec.shape, &Device::Cpu).unwrap();
        if spec.role == WeightRole::Statistic {
            return value;
        }
        let leaf = value.variable().unwrap();
        leaves.push(leaf.clone());
        leaf
    });
    (all.collect(), leaves)
}

/// Of every running mean and variance there are the batch's, by which the images have a gradient.
fn check_moments(weights: &[Tensor], forward: &Forward, x: &Tensor, name: &str) {
    let (statistics, moments) = (&forward.statistics, &forward.moments);
    assert_eq!(moments.len(), statistics.len(), "{name}");
    let old = &weights[weights.len() - statistics.len()..];
    for (pair, (old, new)) in moments.chunks(2).zip(old.chunks(2).zip(statistics.chunks(2))) {
        let batch = |new: &Tensor, old: &Tensor| {
            let kept = old.mul_scalar(0.9).unwrap();
            new.sub(&kept).unwrap().mul_scalar(10.0).unwrap().to_f64_vec().unwrap()
        };
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * (1.0 + b.abs());
        let (mean, variance) = (pair[0].detach().to_f64_vec().unwrap(), pair[1].detach().to_f64_vec().unwrap());
        assert!(mean.iter().zip(batch(&new[0], &old[0])).all(|(a, b)| near(*a, b)), "{name}: {mean:?}");
        // Unbiased variances are larger, all by one factor.
        let unbiased = batch(&new[1], &old[1]);
        let factor = unbiased[0] / variance[0];
        assert!(factor > 1.0 && variance.iter().zip(&unbiased).all(|(a, b)| near(a * factor, *b)), "{name}");
        let sum = pair[0].sum_all().unwrap().add(&pair[1].sum_all().unwrap()).unwrap();
        let slope = grad(&[sum], std::slice::from_ref(x), None, Keep::No).unwrap();
        assert!(slope[0].square().unwrap().sum_all().unwrap().item().unwrap() > 0.0, "{name}");
    }
}

/// Trains, evaluates, differentiates twice.
fn check(model: &Arc<Model>, shape: InputShape) {
    let name = format!("{} {shape:?}", model.id());
    let (all, leaves) = started(model, shape);
    let statistics = all.len() - leaves.len();
    let x = noise(&[4, shape.channels, shape.height, shape.width], RandomKey::new(2), 1.0).variable().unwrap();
    let evaluated = model.forward(&all, &x, Mode::Eval, RandomKey::new(0)).unwrap();
    assert!(evaluated.statistics.is_empty(), "{name}");
    let forward = model.forward(&all, &x, Mode::Train, RandomKey::new(0)).unwrap();
    assert_eq!((forward.logits.shape(), forward.statistics.len()), (&[4, 10][..], statistics), "{name}");
    assert_eq!(forward.features.shape()[0], 4, "{name}");
    check_moments(&all, &forward, &x, &name);
    let labels = Tensor::from_i64(vec![0, 3, 7, 9], &[4], &Device::Cpu).unwrap();
    let loss = forward.logits.cross_entropy(&labels).unwrap();
    // At the start every class is about as likely as every other: log 10 = 2.3.
    assert!((1.0..5.0).contains(&loss.detach().item().unwrap()), "{name}: {loss:?}");
    let mut inputs = leaves.clone();
    inputs.push(x.clone());
    let first = grad(&[loss], &inputs, None, Keep::OnTape).unwrap();
    let length = |tensors: &[Tensor]| -> Tensor {
        let squares: Vec<Tensor> = tensors.iter().map(|tensor| tensor.square().unwrap().sum_all().unwrap()).collect();
        Tensor::stack(&squares, 0).unwrap().sum_all().unwrap()
    };
    let first_length = length(&first);
    let second = grad(std::slice::from_ref(&first_length), &inputs, None, Keep::No).unwrap();
    for value in [first_length.detach(), length(&second)] {
        let value = value.item().unwrap();
        assert!(value.is_finite() && value > 0.0, "{name}: {value}");
    }
}

#[test]
fn small_nets_run_and_differentiate_twice() {
    let registry = support::registry();
    let nets = [("alexnet", json!({"width": 4})), ("vgg", json!({"width": 2})), ("mlp", json!({"width": 6}))];
    for (id, config) in nets {
        for shape in [GRAY, RGB, TINY] {
            check(&registry.model(id, &config).unwrap(), shape);
        }
    }
    for norm in ["batch", "none"] {
        check(&registry.model("alexnet", &json!({"width": 4, "norm": norm})).unwrap(), RGB);
        check(&registry.model("vgg", &json!({"width": 2, "norm": norm})).unwrap(), RGB);
    }
}

#[test]
fn weights_are_in_the_order_of_the_layers() {
    let registry = support::registry();
    let names = |model: &str, config: Value| -> Vec<String> {
        let specs = registry.model(model, &config).unwrap().weights(RGB, 10).unwrap();
        specs.into_iter().map(|spec| spec.name).collect()
    };
    assert_eq!(names("mlp", json!({"depth": 2})), ["layer0.weight", "layer0.bias", "linear.weight", "linear.bias"]);
    let vgg = names("vgg", json!({"norm": "batch"}));
    assert_eq!(vgg[..4], ["block0.conv.weight", "block0.conv.bias", "block0.norm.weight", "block0.norm.bias"]);
    assert_eq!(vgg[32..36], ["linear.weight", "linear.bias", "block0.norm.running_mean", "block0.norm.running_var"]);
    assert_eq!((vgg.len(), names("alexnet", json!({})).len()), (8 * 6 + 2, 5 * 4 + 2));
}

#[test]
fn images_that_are_too_small_are_refused() {
    let registry = support::registry();
    let small = InputShape { channels: 3, height: 16, width: 16 };
    let error = registry.model("vgg", &json!({})).unwrap().weights(small, 10).unwrap_err().to_string();
    assert!(error.contains("images of 16x16 are too small for the 5 poolings"), "{error}");
}
