//! `pddflow plugin check`: the plugins of this repository pass it, and each broken rule is told by its own code.

use pddflow_tests::{Place, program, workspace_root};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A library that lies beside the program, or in a folder there.
fn library(folder: &str, name: &str) -> PathBuf {
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    program().parent().unwrap().join(folder).join(file)
}

/// The plugin that breaks rules; built once.
fn broken() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = program().parent().and_then(Path::parent).unwrap();
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(workspace_root()).args(["build", "--quiet", "--target-dir"]).arg(target);
        // With the features of every other build, so that nothing is built twice.
        command.args(["--workspace", "--lib", "--example", "breaks_rules"]);
        assert!(command.status().unwrap().success(), "the example does not build");
        library("examples", "breaks_rules")
    })
}

fn check(file: &Path, more: &[&str]) -> pddflow_tests::Ran {
    let place = Place::new();
    let arguments: Vec<&str> = [&["plugin", "check", file.to_str().unwrap()][..], more].concat();
    place.run(&arguments)
}

/// Parameters that make an iteration quick; what is checked does not depend on them.
const OWN: [(&str, &[&str]); 20] = [
    ("matcher_cafe", &["batch=4", "max_outer=2", "max_inner=2"]),
    ("matcher_dc", &["batch=4", "outer=2", "inner=1"]),
    ("matcher_dd", &["batch=4", "epochs=2"]),
    ("matcher_dm", &["batch=4"]),
    ("matcher_frepo", &["batch=12", "pool=2"]),
    ("matcher_generative", &["batch=4"]),
    ("matcher_haba", &["syn_steps=3"]),
    ("matcher_idc", &["batch=4", "inner=2", "samples=16"]),
    ("matcher_kip", &["batch=12"]),
    ("matcher_mtt", &["syn_steps=3"]),
    ("matcher_rfad", &["batch=12", "nets=2", "batches=2"]),
    ("matcher_tesla", &["syn_steps=3"]),
    ("model_alexcifarnet", &[]),
    ("model_alexnet", &[]),
    ("model_convnet", &["width=8"]),
    ("model_lenet", &[]),
    ("model_mlp", &["width=8"]),
    ("model_pyramid", &["width=4", "norm=batch"]),
    ("model_resnet", &[]),
    ("model_vgg", &[]),
];

/// A decoder for the images that plugins are checked with, and latents of them, as a safetensors file.
fn decoder() -> Vec<u8> {
    let shapes: [(&str, &[usize]); 7] = [
        ("classes", &[3, 4]),
        ("dense.weight", &[2 * 8 * 8, 4]),
        ("dense.bias", &[2 * 8 * 8]),
        ("conv0.weight", &[2, 2, 3, 3]),
        ("conv0.bias", &[2]),
        ("conv1.weight", &[3, 2, 3, 3]),
        ("conv1.bias", &[3]),
    ];
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    let mut put = |name: &str, dtype: &str, shape: &[usize], bytes: Vec<u8>| {
        let offsets = [data.len(), data.len() + bytes.len()];
        data.extend(bytes);
        header.insert(name.to_owned(), json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets }));
    };
    // Numbers without a pattern, so that no gradient is zero.
    let mixed = |count: usize| (0..count).flat_map(|at| ((at * 37 % 101) as f32 / 101.0 - 0.4).to_le_bytes()).collect();
    for (name, shape) in shapes.into_iter().chain([("latents", &[36, 4][..])]) {
        put(name, "F32", shape, mixed(shape.iter().product()));
    }
    put("latent_counts", "I64", &[3], [12_i64; 3].iter().flat_map(|count| count.to_le_bytes()).collect());
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text, &data].concat()
}

#[test]
fn the_plugins_of_this_repository_pass() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = folder.path().join("decoder.safetensors");
    fs_err::write(&tensors, decoder()).unwrap();
    for (name, with) in OWN {
        let mut more: Vec<&str> = with.iter().flat_map(|parameter| ["--with", parameter]).chain(["--json"]).collect();
        if name == "matcher_generative" {
            more.extend(["--tensors", tensors.to_str().unwrap()]);
        }
        let ran = check(&library("", &format!("pddflow_{name}")), &more);
        assert_eq!(ran.code, Some(0), "{name}\n{}\n{}", ran.out, ran.err);
        let report = ran.json();
        let plugins = report["plugins"].as_array().unwrap().iter();
        for finding in plugins.flat_map(|plugin| plugin["findings"].as_array().unwrap()) {
            println!("{name}: {} {}: {}", finding["outcome"], finding["check"], finding["message"]);
            assert_ne!(finding["outcome"], "wrong");
        }
    }
}

#[test]
fn tensors_that_a_matcher_needs_are_asked_for() {
    let missing = check(&library("", "pddflow_matcher_generative"), &["glad"]);
    assert_eq!(missing.code, Some(4), "{}", missing.err);
    assert!(missing.err.contains("works from a generator, and there is none"), "{}", missing.err);
    assert!(missing.err.contains("--tensors"), "{}", missing.err);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("decoder.safetensors");
    let with = ["--tensors", file.to_str().unwrap()];
    let nowhere = check(&library("", "pddflow_matcher_dm"), &with);
    assert!(nowhere.code == Some(2) && nowhere.err.contains("decoder.safetensors"), "{}", nowhere.err);
    fs_err::write(&file, decoder()).unwrap();
    let useless = check(&library("", "pddflow_matcher_dm"), &with);
    assert!(useless.code == Some(4) && useless.err.contains("takes no tensors"), "{}", useless.err);
}

#[test]
fn each_broken_rule_is_told_by_its_code() {
    for (id, check_, part) in [
        ("clock", "determinism", "the same key gives other numbers"),
        ("keeper", "continuing", "went on from a checkpoint"),
        ("deaf", "cancellation", "says that all went well"),
        ("hoarder", "memory", "named state grew"),
        ("leaky", "memory", "the process grew by"),
        ("recipe", "describe", "the recipe cannot be used"),
        ("mixes", "rows", "alone gives other logits"),
    ] {
        let ran = check(broken(), &[id]);
        assert_eq!(ran.code, Some(4), "{id}\n{}\n{}", ran.out, ran.err);
        ran.says(&[&format!("pddflow::check::{check_}"), part, "help"]);
        let wrong = ran.out.lines().filter(|line| line.trim_start().starts_with("wrong")).count();
        // What is not repeatable does not go on from a checkpoint either.
        assert_eq!(wrong, if id == "clock" { 2 } else { 1 }, "{id}\n{}", ran.out);
    }
    for (id, part) in [("alone", "earlier sets change nothing"), ("askew", "is not along the gradient of `loss`")] {
        let warned = check(broken(), &[id]);
        assert_eq!(warned.code, Some(0), "{}", warned.err);
        warned.says(&[&format!("warning: matcher {id}"), part]);
    }
    assert!(check(broken(), &["mixes"]).err.contains("the gradient by `idle` is zero"));
    let fine = check(broken(), &["fine"]);
    assert!(fine.code == Some(0) && !fine.out.contains("warning"), "{}\n{}", fine.out, fine.err);
}

#[test]
fn what_is_no_plugin_or_no_parameter_is_said() {
    check(Path::new("no-such-file.so"), &[]).ends_with(4).says(&["does not exist"]);
    check(broken(), &["fien"]).ends_with(4).says(&["there is no matcher `fien`"]);
    check(&library("", "pddflow_matcher_dm"), &["--with", "lrr=1"]).ends_with(4).says(&["lrr", "did you mean `lr`?"]);
}
