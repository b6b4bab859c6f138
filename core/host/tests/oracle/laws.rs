//! What must hold of the matchers beyond the vectors.

use crate::gradients::gradient_is_input;
use crate::idc::plain_problem;
use crate::support::{self, Bench, noise};
use pddflow_host::{
    Batch, Decoded, Init, InputShape, LearnableInit, Mode, Space, TrainData, TrainSpec, WeightRole, WeightSpec,
};
use pddflow_tensor::{DType, Device, Keep, RandomKey, Tensor, grad};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

const SHAPE: InputShape = InputShape { channels: 3, height: 8, width: 8 };

/// Loss and gradient of DC's distance between two flat gradients of weights of these shapes.
fn dc_distance(shapes: &[Vec<usize>], real: &[f64], synthetic: &[f64]) -> (f64, Vec<f64>) {
    let width = real.len();
    let image = |values: &[f64]| Tensor::from_f64(values.to_vec(), &[1, 1, 1, width], &Device::Cpu).unwrap();
    let mut bench = Bench::new(support::problem(1, InputShape { channels: 1, height: 1, width }, 1));
    let spec = |(number, shape): (usize, &Vec<usize>)| WeightSpec {
        name: format!("w{number}"),
        shape: shape.clone(),
        init: Init::Constant(0.0),
        role: WeightRole::Learnable,
    };
    bench.specs = shapes.iter().enumerate().map(spec).collect();
    bench.start = shapes.iter().map(|shape| Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap()).collect();
    bench.learnables = vec![("images".to_owned(), image(synthetic))];
    let batch = Batch { images: image(real), labels: Tensor::from_i64(vec![0], &[1], &Device::Cpu).unwrap() };
    bench.real = Box::new(move |_, _, _| batch.clone());
    let parts = shapes.to_vec();
    bench.forward = Some(Box::new(move |weights, x| gradient_is_input(weights, x, &parts)));
    let matcher = support::registry().matcher("dc", &json!({"outer": 1, "inner": 0})).unwrap();
    support::iterate(&matcher, &mut bench).unwrap();
    (bench.metrics["loss"], bench.steps[0].1.to_f64_vec().unwrap())
}

/// Gate (b) of the method reference: 3 + 2 rows; the four values of the tensor with one axis are the last.
#[test]
fn dc_distance_is_0_to_itself_and_2_per_row_to_its_negative_and_blind_to_vectors() {
    let _alone = crate::INSTRUCTIONS.lock().unwrap();
    let shapes = [vec![3, 2, 2, 2], vec![2, 5], vec![4]];
    let real = noise(&[38], RandomKey::new(4), 1.0).to_f64_vec().unwrap();
    let negative: Vec<f64> = real.iter().map(|value| -value).collect();
    // Lengths are products of 5 to 8 numbers near 1, so the 1e-6 beside them weighs about that much.
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    near(dc_distance(&shapes, &real, &real).0, 0.0);
    near(dc_distance(&shapes, &real, &negative).0, 10.0);
    let mut other = negative.clone();
    other[34..].fill(7.0);
    let ((with, slope), (without, _)) = (dc_distance(&shapes, &real, &other), dc_distance(&shapes, &real, &negative));
    assert_eq!(with.to_bits(), without.to_bits());
    assert_eq!(slope[34..], [0.0; 4]);
}

/// Gate (f): every quarter of image i has the value 10 i + its number.
#[test]
fn idc_decodes_32_pixels_to_four_images_ordered_by_quarter() {
    let (rows, side) = (4, 32);
    let value = |image: usize, row: usize, column: usize| (10 * image + 2 * (row / 16) + column / 16) as f64;
    let pixels = (0..rows * side * side).map(|at| value(at / (side * side), at / side % side, at % side)).collect();
    let x = Tensor::from_f64(pixels, &[rows, 1, side, side], &Device::Cpu).unwrap();
    let problem = plain_problem(2, InputShape { channels: 1, height: side, width: side }, 2);
    let matcher = support::registry().matcher("idc", &json!({})).unwrap();
    let decoded = matcher.decode(&[("images".to_owned(), x)], &problem).unwrap();
    assert_eq!(decoded.images.shape(), [4 * rows, 1, side, side]);
    let values = decoded.images.to_f64_vec().unwrap();
    for (number, image) in values.chunks(side * side).enumerate() {
        let expected = (10 * (number % rows) + number / rows) as f64;
        assert!(image.iter().all(|value| (value - expected).abs() < 1e-12), "image {number} is not {expected}");
    }
    let labels = decoded.labels.tensor().to_i64_vec().unwrap();
    assert_eq!(labels, [0, 0, 1, 1].repeat(4));
}

#[test]
fn idc_scales_its_learning_rate_and_starts_from_tiles_in_the_unit_interval() {
    let registry = support::registry();
    let describe = |config: Value, side: usize, ipc: usize| {
        let shape = InputShape { channels: 3, height: side, width: side };
        registry
            .matcher("idc", &config)
            .unwrap()
            .describe(&support::problem(10, shape, ipc))
            .unwrap()
            .learnables
            .remove(0)
    };
    let images = describe(json!({}), 32, 2);
    assert_eq!((images.init, images.space), (LearnableInit::Tile { factor: 2 }, Space::Unit));
    assert_eq!((images.clamp, images.optimizer.momentum), (Some((0.0, 1.0)), 0.5));
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found} is not {expected}");
    near(images.optimizer.lr, 1e-3);
    near(describe(json!({}), 64, 10).optimizer.lr, 2e-2);
    near(describe(json!({"preset": "fashion-mnist"}), 28, 10).optimizer.lr, 1e-4 * 0.875 * 0.875);
    near(describe(json!({"preset": "mnist", "lr": 2e-4}), 28, 5).optimizer.lr, 1e-4);
    assert_eq!(describe(json!({"factor": 1}), 32, 1).init, LearnableInit::Real);
    let error = registry.matcher("idc", &json!({"factor": 9})).unwrap().describe(&support::problem(2, SHAPE, 1));
    assert!(error.unwrap_err().to_string().contains("8x8"));
}

/// Two classes of one new image in four cells and one of three earlier ones, at most five of these seven at a time.
#[test]
fn idc_steps_by_class_on_a_part_of_the_union_and_keeps_the_momentum_of_its_net() {
    let registry = support::registry();
    let model = registry.model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_model(Arc::clone(&model)).with_random_images();
    let labels = Tensor::from_i64(vec![0, 0, 0, 1, 1, 1], &[6], &Device::Cpu).unwrap();
    let images = noise(&[6, 3, 8, 8], RandomKey::new(9), 1.0);
    bench.previous = Some(Decoded { images, labels: pddflow_host::Labels::Hard(labels) });
    let rows = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&rows);
    bench.forward = Some(Box::new(move |weights, x| {
        seen.borrow_mut().push(x.shape()[0]);
        model.forward(weights, x, Mode::Train, RandomKey::new(0)).unwrap()
    }));
    let trainings = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&trainings);
    bench.train = Some(Box::new(move |net, spec: &TrainSpec| {
        let TrainData::Real { samples } = spec.data else { panic!("the net is trained on real images") };
        seen.borrow_mut().push((samples, spec.batch, spec.epochs, spec.cutmix, net.momentum.is_some()));
        assert_eq!((spec.lr, spec.momentum, spec.weight_decay), (0.01, 0.9, 5e-4));
        assert_eq!(spec.augment.canonical(), "idc:color_crop");
        net.momentum = Some(net.weights.clone());
    }));
    let matcher = registry.matcher("idc", &json!({"inner": 3, "batch_syn_max": 5})).unwrap();
    support::iterate(&matcher, &mut bench).unwrap();
    assert_eq!(bench.steps.len(), 6);
    // Real and synthetic images in turn; the bench gives at most 4 real ones.
    assert_eq!(*rows.borrow(), [4, 5].repeat(6));
    assert_eq!(*trainings.borrow(), [(2000, 64, 1, Some(0.5), false), (2000, 64, 1, Some(0.5), true)]);
    assert_eq!(bench.value("images").shape(), [2, 3, 8, 8]);
}

#[test]
fn idc_refuses_a_model_without_convolutions() {
    let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_random_images();
    let spec = WeightSpec {
        name: "linear.weight".to_owned(),
        shape: vec![2, 192],
        init: Init::Constant(0.0),
        role: WeightRole::Learnable,
    };
    bench.start = vec![noise(&spec.shape, RandomKey::new(1), 1.0)];
    bench.specs = vec![spec];
    let matcher = support::registry().matcher("idc", &json!({})).unwrap();
    let error = support::iterate(&matcher, &mut bench).unwrap_err().to_string();
    assert!(error.contains("no convolution"), "{error}");
}

/// CAFE's loss at the images of a bench, and the gradient that the matcher steps along.
fn cafe(images: &Tensor, norm: &str, config: &Value) -> (f64, Vec<f64>) {
    let registry = support::registry();
    let model = registry.model("convnet", &json!({"width": 3, "depth": 2, "norm": norm})).unwrap();
    let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_model(model).with_random_images();
    let shape = [2, 3, 8, 8];
    let labels = pddflow_host::Labels::Hard(Tensor::from_i64(vec![0, 1], &[2], &Device::Cpu).unwrap());
    bench.previous = Some(Decoded { images: noise(&shape, RandomKey::new(9), 1.0), labels });
    bench.learnables[0].1 = images.clone();
    support::iterate(&registry.matcher("cafe", config).unwrap(), &mut bench).unwrap();
    (bench.metrics["loss"], bench.steps[0].1.to_f64_vec().unwrap())
}

/// The class by class way and the way of batch normalisation, with earlier sets and the term that joins the classes; CAFE+DSA draws
/// one augmentation for both sides of a class.
#[test]
fn cafe_steps_along_the_slope_of_its_loss() {
    let dsa = "dsa:color_crop_cutout_flip_scale_rotate";
    for (norm, augment) in [("instance", "none"), ("batch", "none"), ("instance", dsa), ("batch", dsa)] {
        let config = json!({"max_outer": 1, "weight_inner": 0.5, "weights": [0.2, 0.5, 1.0, 0.7], "augment": augment});
        let x = noise(&[2, 3, 8, 8], RandomKey::new(1), 1.0);
        let direction = noise(&[2, 3, 8, 8], RandomKey::new(2), 1.0);
        let slope: f64 = cafe(&x, norm, &config)
            .1
            .iter()
            .zip(direction.to_f64_vec().unwrap())
            .map(|(gradient, step)| gradient * step)
            .sum();
        let at = |step: f64| cafe(&x.add(&direction.mul_scalar(step).unwrap()).unwrap(), norm, &config).0;
        let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
        assert!((slope - difference).abs() < 1e-6 * slope.abs(), "{norm} {augment}: {slope} is not {difference}");
    }
}

#[test]
fn cafe_as_released_is_a_preset() {
    let released = json!({"preset": "released-dsa", "max_outer": 7});
    let filled = support::registry().check_config(pddflow_host::Role::Matcher, "cafe", &released).unwrap();
    assert_eq!((&filled["leaky"], &filled["max_outer"], &filled["max_inner"]), (&json!(true), &json!(7), &json!(1000)));
    assert_eq!(filled["augment"], "dsa:color_crop_cutout_flip_scale_rotate");
}

#[test]
fn recipes_of_idc_mirror_no_digits() {
    let registry = support::registry();
    let recipe = |preset: &str| {
        let matcher = registry.matcher("idc", &json!({ "preset": preset })).unwrap();
        matcher.describe(&support::problem(10, InputShape { channels: 3, height: 32, width: 32 }, 10)).unwrap().recipe
    };
    for (preset, mirrors, cutmix) in [
        ("cifar", true, 0.5),
        ("fashion-mnist", true, 0.5),
        ("svhn", false, 0.5),
        ("svhn-idc-i-ipc1", false, 0.0),
        ("mnist", false, 0.0),
        ("mnist-idc-i", false, 0.5),
    ] {
        let recipe = recipe(preset);
        assert_eq!(recipe["augment"].as_str().unwrap().contains("flip"), mirrors, "{preset}");
        assert_eq!(recipe["cutmix"].as_f64(), Some(cutmix), "{preset}");
        assert_eq!((&recipe["batch"], &recipe["schedule"]), (&json!(64), &json!("idc")));
    }
}

/// The net never changes, so its accuracy stands still once the real images do.
#[test]
fn cafe_ends_its_loops_by_accuracy_or_cap() {
    let registry = support::registry();
    let run = |config: Value| {
        let model = registry.model("convnet", &json!({"width": 3, "depth": 2})).unwrap();
        let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_model(model).with_random_images();
        bench.real = Box::new(|class, _, _| Batch {
            images: noise(&[4, 3, 8, 8], RandomKey::new(2), 1.0),
            labels: Tensor::from_i64(vec![class.unwrap() as i64; 4], &[4], &Device::Cpu).unwrap(),
        });
        let trainings = Rc::new(RefCell::new(0));
        let count = Rc::clone(&trainings);
        bench.train = Some(Box::new(move |_, _| *count.borrow_mut() += 1));
        support::iterate(&registry.matcher("cafe", &config).unwrap(), &mut bench).unwrap();
        let trainings = *trainings.borrow();
        (bench.steps.len(), trainings, bench.metrics["steps"] as usize)
    };
    // Over after three equal accuracies; between the steps training runs into its cap.
    assert_eq!(run(json!({"window": 3, "max_inner": 4})), (3, 8, 3));
    // No spread is below 0, so the steps run into theirs.
    assert_eq!(run(json!({"window": 3, "lambda1": 0.0, "max_outer": 5, "max_inner": 2})), (5, 8, 5));
    assert_eq!(run(json!({"max_outer": 1})), (1, 0, 1));
}

#[test]
fn cafe_wants_a_weight_for_each_layer() {
    let registry = support::registry();
    let model = registry.model("convnet", &json!({"width": 3, "depth": 2})).unwrap();
    let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_model(model).with_random_images();
    let matcher = registry.matcher("cafe", &json!({"weights": [1.0, 1.0]})).unwrap();
    let error = support::iterate(&matcher, &mut bench).unwrap_err().to_string();
    assert!(error.contains("`weights` has 2") && error.contains("4 layers"), "{error}");
}

/// 16 real images of each class set the statistics, which then stay as they are (squared distance by its definition).
#[test]
fn dc_fixes_the_statistics_of_batch_normalisation() {
    let registry = support::registry();
    let model = registry.model("convnet", &json!({"width": 3, "depth": 2, "norm": "batch"})).unwrap();
    let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_model(Arc::clone(&model)).with_random_images();
    let real = |class: usize, count: usize| Batch {
        images: noise(&[count.min(20), 3, 8, 8], RandomKey::new(class as u64), 1.0),
        labels: Tensor::from_i64(vec![class as i64; count.min(20)], &[count.min(20)], &Device::Cpu).unwrap(),
    };
    let counts = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&counts);
    bench.real = Box::new(move |class, count, _| {
        seen.borrow_mut().push(count);
        real(class.unwrap(), count)
    });
    let images = bench.value("images");
    let config = json!({"distance": "mse", "outer": 1, "inner": 0});
    support::iterate(&registry.matcher("dc", &config).unwrap(), &mut bench).unwrap();
    assert_eq!(*counts.borrow(), [16, 16, 256, 256]);
    let key = RandomKey::new(0);
    let first = Tensor::concat(&[real(0, 16).images, real(1, 16).images], 0).unwrap();
    let mut statistics = model.forward(&bench.start, &first, Mode::Train, key).unwrap().statistics.into_iter();
    let weights: Vec<Tensor> = bench
        .specs
        .iter()
        .zip(&bench.start)
        .map(|(spec, weight)| match spec.role {
            WeightRole::Learnable => weight.variable().unwrap(),
            WeightRole::Statistic => statistics.next().unwrap().detach(),
        })
        .collect();
    let leaves: Vec<Tensor> = weights.iter().filter(|weight| weight.is_on_tape()).cloned().collect();
    let gradients = |batch: &Batch| {
        let logits = model.forward(&weights, &batch.images, Mode::Eval, key).unwrap().logits;
        grad(&[logits.cross_entropy(&batch.labels).unwrap()], &leaves, None, Keep::No).unwrap()
    };
    let mut total = 0.0;
    for class in 0..2 {
        let labels = Tensor::from_i64(vec![class as i64], &[1], &Device::Cpu).unwrap();
        let synthetic = Batch { images: images.slice(0, class, class + 1, 1).unwrap(), labels };
        for (a, b) in gradients(&real(class, 256)).iter().zip(gradients(&synthetic)) {
            total += a.sub(&b).unwrap().square().unwrap().sum_all().unwrap().item().unwrap();
        }
    }
    let loss = bench.metrics["loss"] * 2.0;
    assert!((loss - total).abs() < 1e-10 * total, "{loss} is not {total}");
}

#[test]
fn resnets_have_the_published_sizes_and_initial_values() {
    let registry = support::registry();
    let weights = |config: Value| {
        let shape = InputShape { channels: 3, height: 32, width: 32 };
        registry.model("resnet", &config).unwrap().weights(shape, 10).unwrap()
    };
    let count = |config: Value| -> usize {
        let learnable = weights(config).into_iter().filter(|spec| spec.role == WeightRole::Learnable);
        learnable.map(|spec| spec.shape.iter().product::<usize>()).sum()
    };
    assert_eq!(count(json!({})), 11_173_962);
    assert_eq!(count(json!({"depth": 10, "norm": "batch"})), 4_903_242);
    let half = weights(json!({"depth": 10, "width": 32, "init": "normal", "norm": "batch"}));
    let last = half.iter().find(|spec| spec.name == "layer3.block0.shortcut.conv.weight").unwrap();
    assert_eq!(
        (last.shape.as_slice(), last.init),
        ([256, 128, 1, 1].as_slice(), Init::Normal { std: (2.0f64 / 256.0).sqrt() })
    );
    let problem =
        registry.check_config(pddflow_host::Role::Model, "resnet", &json!({"depth": 14})).unwrap_err().remove(0);
    assert_eq!((problem.pointer.as_str(), problem.help.as_deref()), ("/depth", Some("there are `10`, `18`")));
}
