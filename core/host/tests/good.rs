//! Plugins that behave: the C twin equals the Rust one bit for bit, conditioning, loading in every order, configuration.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod support;

use pddflow_host::{
    Decoded, InputShape, Labels, LearnableInit, LearnableRole, Mode, Need, PluginInfo, Registry, Role, SearchPaths, Sgd,
};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use support::{Bench, c_plugin, noise};

const SHAPE: InputShape = InputShape { channels: 3, height: 8, width: 8 };

fn bits(tensor: &Tensor) -> Vec<u64> {
    tensor.to_f64_vec().unwrap().into_iter().map(f64::to_bits).collect()
}

fn all_plugins(more: Vec<PathBuf>) -> Registry {
    let mut files = support::PLUGINS.map(support::plugin).to_vec();
    files.extend(more);
    Registry::open(&SearchPaths { files, folders: Vec::new() }).unwrap()
}

#[test]
fn a_plugin_in_c_equals_its_twin_in_rust_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let Some(file) = c_plugin("good/linear_mean", folder.path()) else {
        return;
    };
    let registry = all_plugins(vec![file]);
    let convnet = registry.model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    let linear = registry.model("c-linear", &json!({})).unwrap();
    for model in [convnet, linear] {
        let run = |matcher: &str, config: serde_json::Value| {
            let mut bench =
                Bench::new(support::problem(3, SHAPE, 2)).with_model(Arc::clone(&model)).with_random_images();
            let matcher = registry.matcher(matcher, &config).unwrap();
            matcher.iterate(&mut bench, 0).unwrap();
            matcher.iterate(&mut bench, 1).unwrap();
            (bits(&bench.value("images")), bench.metrics["loss"])
        };
        let in_rust = run("dm", json!({"augment": "none", "batch": 4}));
        assert_twins(&run("c-dm", json!({"batch": 4})), &in_rust, model.id());
        assert_eq!(in_rust, run("dm", json!({"augment": "none", "batch": 4})), "not repeatable");
    }
    let description = registry.matcher("c-dm", &json!({})).unwrap().describe(&support::problem(3, SHAPE, 2)).unwrap();
    let images = &description.learnables[0];
    assert_eq!(
        (images.name.as_str(), images.role, images.init),
        ("images", LearnableRole::Images, LearnableInit::Real)
    );
    assert_eq!(images.optimizer, Sgd { lr: 1.0, momentum: 0.5, weight_decay: 0.0 });
    assert_eq!((images.clamp, images.floor, description.model_required), (None, None, true));
    assert_eq!(description.recipe, json!({"augment": "none"}));
}

/// The same images in every bit; `dm` adds up the losses of its classes in one sum.
fn assert_twins(found: &(Vec<u64>, f64), expected: &(Vec<u64>, f64), of: &str) {
    assert_eq!(found.0, expected.0, "{of}");
    assert!((found.1 - expected.1).abs() <= 1e-14 * expected.1, "{of}: {} {}", found.1, expected.1);
}

/// What a matcher does to the images, in bits, and the loss.
fn run(registry: &Registry, matcher: &str, config: &serde_json::Value) -> (Vec<u64>, f64) {
    let model = registry.model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    let mut bench = Bench::new(support::problem(3, SHAPE, 2)).with_model(model).with_random_images();
    registry.matcher(matcher, config).unwrap().iterate(&mut bench, 0).unwrap();
    (bits(&bench.value("images")), bench.metrics["loss"])
}

#[test]
fn a_plugin_built_with_any_frozen_header_is_loaded_and_runs() {
    let frozen = support::root().join("plugins/abi/frozen");
    let mut versions: Vec<String> =
        fs_err::read_dir(&frozen).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    versions.sort();
    let (major, minor) = (pddflow_abi::ABI_MAJOR, pddflow_abi::ABI_MINOR);
    assert_eq!(versions, (3..=minor).map(|minor| format!("v{major}_{minor}")).collect::<Vec<_>>());
    for version in versions {
        let folder = tempfile::tempdir().unwrap();
        let Some(file) = support::c_plugin_with(&frozen.join(&version), "good/linear_mean", folder.path()) else {
            return;
        };
        let registry = all_plugins(vec![file]);
        let expected = run(&registry, "dm", &json!({"augment": "none", "batch": 4}));
        assert_twins(&run(&registry, "c-dm", &json!({"batch": 4})), &expected, &version);
    }
}

/// Two builds of one source differ in their bytes; here a note is appended to a copy.
#[test]
fn a_rebuild_changes_the_key_of_a_plugin_without_a_revision_only() {
    let folder = tempfile::tempdir().unwrap();
    let info = |file: &std::path::Path, id: &str| {
        PluginInfo::clone(support::open(file).unwrap().find(Role::Matcher, id).unwrap())
    };
    let rebuilt = |file: &std::path::Path| {
        let copy = folder.path().join(format!("rebuilt{}", std::env::consts::DLL_SUFFIX));
        let mut bytes = fs_err::read(file).unwrap();
        bytes.extend_from_slice(b"another folder");
        fs_err::write(&copy, bytes).unwrap();
        copy
    };
    let own = support::plugin("pddflow_matcher_dm");
    let (first, second) = (info(&own, "dm"), info(&rebuilt(&own), "dm"));
    assert_ne!(first.digest, second.digest);
    assert_eq!(first.key(), second.key());
    assert_eq!(first.key(), format!("dm revision {}", first.revision.unwrap()));
    let foreign = support::plugin("misbehaves");
    let (first, second) = (info(&foreign, "misbehaves"), info(&rebuilt(&foreign), "misbehaves"));
    assert_eq!((first.revision, first.key().starts_with("b3:")), (None, true));
    assert_ne!(first.key(), second.key());
}

#[test]
fn structs_of_older_and_newer_plugins_are_read_and_filled_as_far_as_both_know_them() {
    let folder = tempfile::tempdir().unwrap();
    let Some(file) = c_plugin("good/sizes", folder.path()) else {
        return;
    };
    let registry = all_plugins(vec![file]);
    let model = registry.model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    let mut bench = Bench::new(support::problem(3, SHAPE, 2)).with_model(model).with_random_images();
    registry.matcher("evil", &json!({})).unwrap().iterate(&mut bench, 0).unwrap();
}

#[test]
fn a_matcher_in_c_works_with_several_models() {
    let folder = tempfile::tempdir().unwrap();
    let Some(file) = c_plugin("good/models", folder.path()) else {
        return;
    };
    let registry = all_plugins(vec![file]);
    let convnet = registry.model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    let mlp = registry.model("mlp", &json!({"width": 9})).unwrap();
    let matcher = registry.matcher("evil", &json!({})).unwrap();
    let described = matcher.describe(&support::problem(3, SHAPE, 2)).unwrap();
    assert!(described.model_required && described.needs == [Need::Models]);
    let mut bench = Bench::new(support::problem(3, SHAPE, 2)).with_model(convnet).and_model(mlp).with_random_images();
    for iteration in 0..2 {
        matcher.iterate(&mut bench, iteration).unwrap();
    }
    assert_eq!(bench.forwards_of.into_iter().collect::<Vec<_>>(), [(0, 2), (1, 2)]);
}

/// Iteration i is by the model at i modulo their number: that of one is the same as alone, in every bit.
#[test]
fn matchers_take_their_models_in_turn() {
    let registry = all_plugins(Vec::new());
    let models = [
        registry.model("convnet", &json!({"width": 4, "depth": 2})).unwrap(),
        registry.model("mlp", &json!({"width": 9})).unwrap(),
    ];
    for (matcher, config) in
        [("dm", json!({"augment": "none", "batch": 4})), ("dc", json!({"batch": 4, "outer": 1, "inner": 0}))]
    {
        let matcher = registry.matcher(matcher, &config).unwrap();
        let bench = |first: usize| {
            Bench::new(support::problem(3, SHAPE, 2)).with_model(Arc::clone(&models[first])).with_random_images()
        };
        let both = |iteration| {
            let mut bench = bench(0).and_model(Arc::clone(&models[1]));
            matcher.iterate(&mut bench, iteration).unwrap();
            bits(&bench.value("images"))
        };
        let alone = |model, iteration| {
            let mut bench = bench(model);
            matcher.iterate(&mut bench, iteration).unwrap();
            bits(&bench.value("images"))
        };
        for iteration in 0..4 {
            let own = iteration as usize % 2;
            assert_eq!(both(iteration), alone(own, iteration), "{} {iteration}", matcher.id());
            assert_ne!(both(iteration), alone(1 - own, iteration), "{} {iteration}", matcher.id());
        }
    }
}

#[test]
fn the_linear_model_in_c_equals_the_tensor_crate() {
    let folder = tempfile::tempdir().unwrap();
    let Some(file) = c_plugin("good/linear_mean", folder.path()) else {
        return;
    };
    let model = all_plugins(vec![file]).model("c-linear", &json!({})).unwrap();
    let specs = model.weights(SHAPE, 5).unwrap();
    assert_eq!(specs[0].shape, [5, 192]);
    let weights: Vec<Tensor> = specs.iter().map(|spec| noise(&spec.shape, RandomKey::new(5), 1.0)).collect();
    let x = noise(&[4, 3, 8, 8], RandomKey::new(6), 1.0);
    let found = model.forward(&weights, &x, Mode::Eval, RandomKey::new(0)).unwrap();
    let flat = x.reshape(&[4, 192]).unwrap();
    let expected = flat.linear(&weights[0], Some(&weights[1])).unwrap();
    assert_eq!(bits(&found.logits), bits(&expected));
    assert_eq!(bits(&found.features), bits(&flat));
}

/// Distillation of a stage with earlier sets: what the matcher sees, and that only the new rows move.
#[test]
fn conditioning_needs_nothing_of_a_matcher() {
    let registry = all_plugins(Vec::new());
    let model = registry.model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    let matcher = registry.matcher("dm", &json!({"augment": "none", "batch": 4})).unwrap();
    let run = |previous: Option<Decoded>| {
        let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_model(Arc::clone(&model)).with_random_images();
        bench.previous = previous;
        matcher.iterate(&mut bench, 0).unwrap();
        (bench.steps[0].1.clone(), bench.metrics["loss"])
    };
    let alone = run(None);
    let none = Decoded {
        images: Tensor::zeros(&[0, 3, 8, 8], DType::F64, &Device::Cpu).unwrap(),
        labels: Labels::Hard(Tensor::from_i64(Vec::new(), &[0], &Device::Cpu).unwrap()),
    };
    // One stage is the base method bit for bit, also with an empty earlier set.
    assert_eq!(bits(&alone.0), bits(&run(Some(none)).0));
    let earlier = noise(&[2, 3, 8, 8], RandomKey::new(9), 1.0);
    let labels = Labels::Hard(Tensor::from_i64(vec![0, 1], &[2], &Device::Cpu).unwrap());
    let conditioned = run(Some(Decoded { images: earlier.clone(), labels }));
    assert_eq!(conditioned.0.shape(), [2, 3, 8, 8]);
    assert_ne!(bits(&alone.0), bits(&conditioned.0));
    // With an earlier set the mean is over two images of a class: check the loss from the definition.
    let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_model(Arc::clone(&model)).with_random_images();
    let mut total = 0.0;
    for class in 0..2 {
        let features = |x: &Tensor| model.forward(&bench.start, x, Mode::Train, RandomKey::new(0)).unwrap().features;
        let new = bench.value("images").slice(0, class, class + 1, 1).unwrap();
        let union = Tensor::concat(&[earlier.slice(0, class, class + 1, 1).unwrap(), new], 0).unwrap();
        let real = features(&(bench.real)(Some(class), 4, class).images).mean(&[0], false).unwrap();
        let difference = features(&union).mean(&[0], false).unwrap().sub(&real).unwrap();
        total += difference.square().unwrap().sum_all().unwrap().item().unwrap();
    }
    assert!((conditioned.1 - total / 2.0).abs() < 1e-12 * total, "{} {total}", conditioned.1);
}

#[test]
fn convnet_has_the_published_parameter_counts() {
    let registry = all_plugins(Vec::new());
    let count = |config: serde_json::Value, channels, side, classes| -> usize {
        let shape = InputShape { channels, height: side, width: side };
        let model = registry.model("convnet", &config).unwrap();
        model.weights(shape, classes).unwrap().iter().map(|spec| spec.shape.iter().product::<usize>()).sum()
    };
    assert_eq!(count(json!({}), 3, 32, 10), 320_010);
    assert_eq!(count(json!({}), 3, 32, 100), 504_420);
    assert_eq!(count(json!({}), 1, 28, 10), 317_706);
    assert_eq!(count(json!({"depth": 4}), 3, 64, 200), 857_160);
    let small = InputShape { channels: 3, height: 4, width: 4 };
    let error = registry.model("convnet", &json!({})).unwrap().weights(small, 10).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("lower `depth`")), ("plugin::shape", true));
}

#[test]
fn convnet_gives_maps_in_order_of_depth() {
    let registry = all_plugins(Vec::new());
    for (norm, pooling, activation) in
        [("instance", "average", "relu"), ("batch", "max", "leaky"), ("none", "none", "sigmoid")]
    {
        let config = json!({"width": 4, "depth": 2, "norm": norm, "pooling": pooling, "activation": activation});
        let model = registry.model("convnet", &config).unwrap();
        let bench = Bench::new(support::problem(3, SHAPE, 1)).with_model(Arc::clone(&model));
        let x = noise(&[2, 3, 8, 8], RandomKey::new(1), 1.0);
        let forward = model.forward(&bench.start, &x, Mode::Train, RandomKey::new(0)).unwrap();
        let names: Vec<&str> = forward.maps.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["block0", "block1", "pooled"]);
        assert_eq!(forward.maps[0].1.shape(), [2, 4, 8, 8]);
        assert_eq!(forward.features.elements(), forward.maps[2].1.elements());
        assert_eq!(forward.statistics.len(), if norm == "batch" { 4 } else { 0 });
    }
}

#[test]
fn dc_declares_what_it_needs_and_dsa_is_a_parameter() {
    let registry = all_plugins(Vec::new());
    let model = registry.model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
    let dsa = json!({"augment": "dsa:color_crop_cutout_flip_scale_rotate", "init": "real", "outer": 2, "inner": 1});
    let matcher = registry.matcher("dc", &dsa).unwrap();
    let mut bench = Bench::new(support::problem(2, SHAPE, 1)).with_model(Arc::clone(&model)).with_random_images();
    let description = matcher.describe(&bench.problem).unwrap();
    assert!(description.model_required && !description.needs.contains(&Need::Trajectories));
    assert_eq!(description.learnables[0].init, LearnableInit::Real);
    let trained = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&trained);
    bench.train = Some(Box::new(move |_, spec| seen.lock().unwrap().push(spec.augment.canonical())));
    matcher.iterate(&mut bench, 0).unwrap();
    assert_eq!(bench.steps.len(), 2);
    assert_eq!(trained.lock().unwrap().len(), 1, "the net is not trained after the last step");
    assert!(bench.metrics["loss"] > 0.0);
}

#[test]
fn configurations_are_checked_with_the_nearest_name() {
    let registry = all_plugins(Vec::new());
    let filled = registry.check_config(Role::Matcher, "dm", &json!({"lr": 2.0})).unwrap();
    assert_eq!((&filled["lr"], &filled["batch"], &filled["init"]), (&json!(2.0), &json!(256), &json!("real")));
    let problems = registry.check_config(Role::Matcher, "dm", &json!({"batches": 3, "momentum": 7})).unwrap_err();
    let help = problems.iter().find(|problem| problem.pointer == "/batches").and_then(|problem| problem.help.clone());
    assert_eq!(help.as_deref(), Some("did you mean `batch`?"));
    assert!(problems.iter().any(|problem| problem.pointer == "/momentum"), "{problems:?}");
    let problems = registry.check_config(Role::Model, "convnet", &json!({"norm": "instanse"})).unwrap_err();
    assert!(problems[0].pointer == "/norm", "{problems:?}");
    assert_eq!(registry.matcher("dm", &json!({"batch": 0})).unwrap_err().code(), "plugin::config");
    let error = registry.find(Role::Matcher, "dmm").unwrap_err();
    assert_eq!(error.code(), "plugin::not_found");
    assert!(error.help().unwrap().starts_with("did you mean `dm`?"), "{:?}", error.help());
    assert!(registry.list().iter().all(|info| info.schema["type"] == "object" && !info.summary.is_empty()));
}

#[test]
fn the_search_order_decides_and_two_in_one_place_are_an_error() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let original = fs_err::read(support::plugin("pddflow_matcher_dm")).unwrap();
    // A few bytes after the end make another digest of the same library.
    let mut changed = original.clone();
    changed.extend_from_slice(b"changed");
    let name = |stem: &str| format!("{stem}{}", std::env::consts::DLL_SUFFIX);
    fs_err::write(folders[0].path().join(name("one")), &original).unwrap();
    fs_err::write(folders[1].path().join(name("two")), &changed).unwrap();
    fs_err::write(folders[1].path().join(name("other")), "no library").unwrap();
    fs_err::write(folders[1].path().join(name("broken")), "pddflow_plugin\0").unwrap();
    let open = |paths: &[usize]| {
        let folders = paths.iter().map(|place| folders[*place].path().to_path_buf()).collect();
        Registry::open(&SearchPaths { files: Vec::new(), folders }).unwrap()
    };
    let registry = open(&[0, 1]);
    assert!(registry.find(Role::Matcher, "dm").unwrap().file.ends_with(name("one")));
    let warnings = registry.warnings().join("\n");
    assert!(warnings.contains("is not used") && warnings.contains("plugin::not_a_library"), "{warnings}");
    assert!(!warnings.contains("other"), "{warnings}");
    fs_err::write(folders[0].path().join(name("two")), &changed).unwrap();
    let error = open(&[0]).find(Role::Matcher, "dm").unwrap_err().to_string();
    assert!(error.contains("one") && error.contains("two"), "{error}");
    assert_eq!(open(&[0]).find(Role::Matcher, "dm").unwrap_err().code(), "plugin::duplicate");
}

#[test]
fn many_threads_load_and_use_one_plugin() {
    let file = support::plugin("pddflow_model_convnet");
    let x = noise(&[2, 3, 8, 8], RandomKey::new(1), 1.0);
    let results: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let run = || {
            let model = support::open(&file).unwrap().model("convnet", &json!({"width": 4, "depth": 2})).unwrap();
            let bench = Bench::new(support::problem(3, SHAPE, 1)).with_model(Arc::clone(&model));
            bits(&model.forward(&bench.start, &x, Mode::Train, RandomKey::new(0)).unwrap().logits)
        };
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}
