//! Kinds `glad` and `itgan`: latents of a generator.

use crate::case::{Case, real_of, scalar};
use crate::support::{self, Bench};
use crate::trajectory::split;
use pddflow_host::{InputShape, Registry, Segment};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use serde_json::{Value, json};

/// Tensors by name, as they are wired.
type Named = Vec<(String, Tensor)>;

/// The generator of a case.
fn generator(case: &Case) -> Named {
    let own = |(name, tensor): (&String, &Tensor)| {
        name.strip_prefix("in.generator.").map(|name| (name.to_owned(), tensor.clone()))
    };
    case.tensors.iter().filter_map(own).collect()
}

pub(crate) fn glad(case: &Case, registry: &Registry) -> f64 {
    let classes = case.number("classes");
    let names: &[&str] = match case.kind.as_str() {
        "glad" => &["base", "layer", "lr", "momentum"],
        _ => &["weight", "lr", "momentum"],
    };
    let mut config: Value = names.iter().map(|name| ((*name).to_owned(), case.params[*name].clone())).collect();
    config["augment"] = json!("none");
    let by_trajectories = case.params["base"] == "mtt";
    if by_trajectories {
        config["lr_teacher"] = json!(case.tensor("in.alpha").item().unwrap());
        config["syn_steps"] = case.params["syn_steps"].clone();
    }
    let matcher = registry.matcher(&case.kind, &config).unwrap();
    let mut bench = Bench::new(support::problem(classes, case.shape(), case.number("ipc")));
    bench.inputs = generator(case);
    bench = bench.with_model(case.model(registry)).learning(&matcher);
    if by_trajectories {
        follow(&mut bench, case);
    } else {
        (bench.specs, bench.start) = case.weights(bench.model.as_ref().unwrap());
        let real = case.tensor("in.x_real");
        bench.real = Box::new(move |class, _, _| real_of(&real, class.unwrap()));
    }
    for (name, value) in &mut bench.learnables {
        if name == "latents" {
            *value = case.tensor("in.latents");
        }
    }
    let images = matcher.decode(&bench.learnables, &bench.problem).unwrap().images;
    let mut found = vec![("images".to_owned(), images)];
    for iteration in 0..case.number("steps") {
        bench.iterate(&matcher, iteration as u64).unwrap();
        if iteration == 0 {
            let loss = bench.metrics["loss"] * if by_trajectories { 1.0 } else { classes as f64 };
            found.extend([("loss".to_owned(), scalar(loss)), ("dlatents".to_owned(), bench.steps[0].1.clone())]);
            found
                .extend(bench.steps.get(1).filter(|_| by_trajectories).map(|one| ("dalpha".to_owned(), one.1.clone())));
        }
    }
    found.push(("latents".to_owned(), bench.value("latents")));
    // Each by itself: errors are not to hide behind larger numbers of another one.
    found.iter().map(|one| case.error(std::slice::from_ref(one))).fold(0.0, f64::max)
}

/// Every segment is that of the case.
fn follow(bench: &mut Bench, case: &Case) {
    let ends = ["in.theta0", "in.target"].map(|name| split(&case.tensor(name), &bench.specs));
    bench.segment = Some(Box::new(move |_, _| {
        let [start, target] = ends.clone();
        Segment { start, target, epoch: 0 }
    }));
}

const SHAPE: InputShape = InputShape { channels: 1, height: 8, width: 8 };

/// A generator that gives latents back as images: no class moves them, there is no convolution.
fn identity(classes: usize) -> Named {
    let cpu = &Device::Cpu;
    let ones = (0..64 * 64).map(|at| f64::from(u8::from(at % 65 == 0))).collect();
    let latents = support::noise(&[4 * classes, 64], RandomKey::new(8), 1.0);
    let counts = Tensor::from_i64(vec![4; classes], &[classes], cpu).unwrap();
    [
        ("classes", Tensor::zeros(&[classes, 64], DType::F64, cpu).unwrap()),
        ("dense.weight", Tensor::from_f64(ones, &[64, 64], cpu).unwrap()),
        ("dense.bias", Tensor::zeros(&[64], DType::F64, cpu).unwrap()),
        ("latents", latents),
        ("latent_counts", counts),
    ]
    .map(|(name, tensor)| (name.to_owned(), tensor))
    .to_vec()
}

fn bench() -> Bench {
    let model = support::registry().model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    Bench::new(support::problem(3, SHAPE, 2)).with_model(model).with_random_images()
}

#[test]
fn over_the_identity_it_is_the_base_method_bit_for_bit() {
    let registry = support::registry();
    for (base, config) in [("dm", json!({})), ("dc", json!({"inner": 0, "outer": 1, "init": "real"}))] {
        let common = json!({"lr": 0.5, "momentum": 0.5, "augment": "dsa:color_crop_scale", "batch": 4});
        let with = |more: &Value| {
            let both = [common.as_object().unwrap(), more.as_object().unwrap()].into_iter().flatten();
            Value::Object(both.map(|(name, value)| (name.clone(), value.clone())).collect())
        };
        let mut plain = bench();
        let mut wrapped = bench();
        let matcher = registry.matcher(base, &with(&config)).unwrap();
        let glad = registry.matcher("glad", &with(&json!({"base": base}))).unwrap();
        let images = plain.value("images");
        plain = plain.learning(&matcher);
        plain.learnables = vec![("images".to_owned(), images.clone())];
        wrapped.inputs = identity(3);
        wrapped = wrapped.learning(&glad);
        wrapped.learnables[0].1 = images.reshape(&[6, 64]).unwrap();
        for iteration in 0..3 {
            let found = wrapped.iterate(&glad, iteration).unwrap();
            assert_eq!(
                found["loss"].to_bits(),
                plain.iterate(&matcher, iteration).unwrap()["loss"].to_bits(),
                "{base}"
            );
        }
        let bits = |tensor: &Tensor| tensor.to_f64_vec().unwrap().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(&wrapped.value("latents")), bits(&plain.value("images")), "{base}");
    }
}

#[test]
fn over_the_identity_and_trajectories_it_is_theirs_bit_for_bit() {
    let registry = support::registry();
    let mut config = json!({
        "lr": 50.0, "syn_steps": 3, "expert_epochs": 1, "max_start": 2, "augment": "dsa:color_crop_scale", "batch_syn": 4, "lr_lr": 1e-3,
        "lr_teacher": 0.1, "momentum": 0.5
    });
    let (mut plain, mut wrapped) = (bench(), bench());
    let mtt = registry.matcher("mtt", &config).unwrap();
    config["base"] = json!("mtt");
    let glad = registry.matcher("glad", &config).unwrap();
    let images = plain.value("images");
    plain = plain.learning(&mtt);
    wrapped.inputs = identity(3);
    wrapped = wrapped.learning(&glad);
    for bench in [&mut plain, &mut wrapped] {
        let weights = bench.start.clone();
        let moved: Vec<Tensor> =
            weights.iter().map(|one| one.mul_scalar(1.1).unwrap().add_scalar(0.01).unwrap()).collect();
        bench.segment = Some(Box::new(move |_, _| Segment { start: weights.clone(), target: moved.clone(), epoch: 0 }));
    }
    let put = |bench: &mut Bench, name: &str, value: Tensor| {
        bench.learnables.iter_mut().find(|one| one.0 == name).unwrap().1 = value;
    };
    put(&mut wrapped, "latents", images.reshape(&[6, 64]).unwrap());
    put(&mut plain, "images", images);
    let bits = |tensor: &Tensor| tensor.to_f64_vec().unwrap().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    for iteration in 0..3 {
        let (found, expected) = (wrapped.iterate(&glad, iteration).unwrap(), plain.iterate(&mtt, iteration).unwrap());
        assert_eq!((found["loss"].to_bits(), found["blow_ups"]), (expected["loss"].to_bits(), 0.0));
    }
    assert_eq!(bits(&wrapped.value("latents")), bits(&plain.value("images")));
    assert_eq!(bits(&wrapped.value("learning_rate")), bits(&plain.value("learning_rate")));
}

#[test]
fn a_generator_that_does_not_fit_is_refused() {
    let matcher = support::registry().matcher("glad", &json!({})).unwrap();
    let error = |change: &dyn Fn(&mut Named)| {
        let mut tensors = identity(3);
        change(&mut tensors);
        matcher.describe_with(&support::problem(3, SHAPE, 2), &tensors).unwrap_err().to_string()
    };
    let put = |name: &'static str, shape: &'static [usize]| {
        move |tensors: &mut Named| {
            tensors.retain(|(known, _)| known != name);
            tensors.push((name.to_owned(), support::noise(shape, RandomKey::new(1), 1.0)));
        }
    };
    let without = |name: &'static str| move |tensors: &mut Named| tensors.retain(|(known, _)| known != name);
    for (found, part) in [
        (error(&put("classes", &[4, 64])), "images of 4 classes, and the data have 3"),
        (error(&put("classes", &[3, 10])), "does not fit its latents of 10 values"),
        (error(&put("classes", &[3])), "`classes` has shape [3], and needs 2 axes"),
        (error(&put("dense.bias", &[63])), "does not fit its latents"),
        (error(&without("dense.weight")), "have no `dense.weight`: there are `classes`, `dense.bias`"),
        (error(&without("latents")), "`init: noise` needs none"),
        (error(&put("latents", &[11, 64])), "not those that `latent_counts` counts"),
        (error(&put("conv0.weight", &[1, 2, 3, 3])), "have no `conv0.bias`"),
        (
            error(&|tensors| {
                put("conv0.weight", &[1, 2, 3, 3])(tensors);
                put("conv0.bias", &[1])(tensors);
            }),
            "does not make images of [1, 8, 8]",
        ),
    ] {
        assert!(found.contains(part), "{found}");
    }
    let images = matcher.describe_with(&support::problem(3, InputShape { width: 9, ..SHAPE }, 2), &identity(3));
    assert!(images.unwrap_err().to_string().contains("does not make images of [1, 8, 9]"));
    let many = matcher.describe_with(&support::problem(3, SHAPE, 5), &identity(3));
    assert!(many.unwrap_err().to_string().contains("class 0 has latents of only 4 images"));
}

/// Each pair at its place: a set whose partners are its own images has no distance from them, and moves only by the means.
#[test]
fn partners_are_the_images_whose_latents_the_rows_start_as() {
    let matcher = support::registry().matcher("itgan", &json!({"augment": "none", "weight": 1.0, "batch": 3})).unwrap();
    let mut bench = bench();
    bench.inputs = identity(3);
    bench = bench.learning(&matcher);
    let all = bench.inputs[3].1.reshape(&[3, 4, 1, 8, 8]).unwrap();
    let key = bench.problem.seed_key.fold("describe").fold("real");
    let own = |class: usize| {
        let places: Vec<i64> = key.fold_u64(class as u64).choose(4, 2).into_iter().map(|place| place as i64).collect();
        let places = Tensor::from_i64(places, &[2], &Device::Cpu).unwrap();
        real_of(&all, class).images.gather(0, &places).unwrap()
    };
    let expected = Tensor::concat(&[own(0), own(1), own(2)], 0).unwrap().reshape(&[6, 64]).unwrap();
    assert_eq!(bench.value("latents").to_f64_vec().unwrap(), expected.to_f64_vec().unwrap());
    // Whatever is asked for: the images of the set itself, so that means and partners agree.
    let images = expected.reshape(&[3, 2, 1, 8, 8]).unwrap();
    bench.real = Box::new(move |class, _, _| real_of(&images, class.unwrap()));
    let metrics = bench.iterate(&matcher, 0).unwrap();
    assert!(metrics["loss"].abs() < 1e-20, "{metrics:?}");
    let before = bench.learnables.clone();
    bench.learnables[0].1 = before[0].1.add(&support::noise(&[6, 64], RandomKey::new(2), 1.0)).unwrap();
    let both = bench.iterate(&matcher, 1).unwrap()["loss"];
    bench.learnables[0].1 = before[0].1.add(&support::noise(&[6, 64], RandomKey::new(2), 1.0)).unwrap();
    let means = support::registry().matcher("itgan", &json!({"augment": "none", "weight": 0.0, "batch": 3})).unwrap();
    let alone = bench.iterate(&means, 1).unwrap()["loss"];
    assert!(both > alone && alone > 0.0, "{both} {alone}");
}
