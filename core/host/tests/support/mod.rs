//! What the tests of this folder share: building plugins, and an environment that gives what it is told to.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

pub use pddflow_plugin_test::Bench;

use pddflow_host::{InputShape, Matcher, Mode, Model, Net, Problem, Registry, SearchPaths, ValueRange};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Libraries of this repository's plugins.
pub const PLUGINS: [&str; 21] = [
    "pddflow_matcher_cafe",
    "pddflow_matcher_dc",
    "pddflow_matcher_dd",
    "pddflow_matcher_dm",
    "pddflow_matcher_frepo",
    "pddflow_matcher_generative",
    "pddflow_matcher_haba",
    "pddflow_matcher_idc",
    "pddflow_matcher_kip",
    "pddflow_matcher_mtt",
    "pddflow_matcher_python",
    "pddflow_matcher_rfad",
    "pddflow_matcher_tesla",
    "pddflow_model_alexcifarnet",
    "pddflow_model_alexnet",
    "pddflow_model_convnet",
    "pddflow_model_lenet",
    "pddflow_model_mlp",
    "pddflow_model_pyramid",
    "pddflow_model_resnet",
    "pddflow_model_vgg",
];

/// Root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Folder of what cargo builds, with this test's profile.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_path_buf()
}

/// The plugins of this repository and the misbehaving example of the SDK; built once in a test process, unless `PDDFLOW_TEST_PLUGINS`
/// is a folder that has them.
pub fn built() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(folder) = std::env::var_os("PDDFLOW_TEST_PLUGINS") {
            return folder.into();
        }
        let folder = profile_folder();
        let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
        command.current_dir(root()).args(["build", "--quiet", "--target-dir"]).arg(folder.parent().unwrap());
        if folder.file_name().is_some_and(|name| name == "release") {
            command.arg("--release");
        }
        // What cargo has set for the crate of this test: build scripts that look at it would run again.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_"]
                .iter()
                .any(|start| text.starts_with(start))
            {
                command.env_remove(&name);
            }
        }
        // The whole workspace, so that dependencies have the features of every other build and nothing is built twice.
        command.args(["--workspace", "--lib", "--example", "misbehaves"]);
        assert!(command.status().unwrap().success(), "the plugins do not build");
        folder
    })
}

/// File of a plugin crate of this repository.
pub fn plugin(name: &str) -> PathBuf {
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folder = built();
    let example = folder.join("examples").join(&file);
    if example.exists() { example } else { folder.join(file) }
}

/// The plugins of this repository.
pub fn registry() -> Registry {
    let files = PLUGINS.map(plugin).to_vec();
    Registry::open(&SearchPaths { files, folders: Vec::new() }).unwrap()
}

/// Builds `tests/abi/<name>.c` from the header alone; `None`, with a visible line, on a machine without a C compiler.
pub fn c_plugin(name: &str, into: &Path) -> Option<PathBuf> {
    c_plugin_with(&root().join("plugins/abi"), name, into)
}

/// As [`c_plugin`], with the header of this folder.
pub fn c_plugin_with(header: &Path, name: &str, into: &Path) -> Option<PathBuf> {
    let output = into.join(format!("{}{}", name.replace('/', "_"), std::env::consts::DLL_SUFFIX));
    let source = root().join("tests/abi").join(format!("{name}.c"));
    let run = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O1",
            "-ffp-contract=off",
            "-shared",
            "-fPIC",
            "-pthread",
            "-I",
        ])
        .arg(header)
        .arg(source)
        .arg("-o")
        .arg(&output)
        .arg("-lm")
        .output();
    match run {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIP: {name}: there is no C compiler `cc`");
            None
        }
        Err(error) => panic!("cc: {error}"),
        Ok(run) => {
            assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
            Some(output)
        }
    }
}

/// Loads one file.
pub fn open(file: &Path) -> Result<Registry, pddflow_host::PluginError> {
    Registry::open(&SearchPaths { files: vec![file.to_path_buf()], folders: Vec::new() })
}

thread_local! {
    static DEVICE: RefCell<Device> = const { RefCell::new(Device::Cpu) };
}

/// Where this thread computes.
pub fn device() -> Device {
    DEVICE.with_borrow(Device::clone)
}

/// In what type: the widest that the device has.
pub fn dtype() -> DType {
    if device().has_double() { DType::F64 } else { DType::F32 }
}

/// Computes there from now on, in this thread.
pub fn use_device(device: Device) {
    DEVICE.set(device);
}

/// A task on images of [`dtype`].
pub fn problem(classes: usize, shape: InputShape, ipc: usize) -> Problem {
    let channels = shape.channels;
    Problem {
        classes,
        shape,
        ipc,
        learnable_rows: classes * ipc,
        horizon: Some(10),
        seed_key: RandomKey::new(7),
        device: device(),
        dtype: dtype(),
        value_range: ValueRange {
            min: vec![-1.0; channels],
            max: vec![1.0; channels],
            mean: vec![0.5; channels],
            std: vec![0.5; channels],
        },
    }
}

/// Normal numbers in double precision.
pub fn noise(shape: &[usize], key: RandomKey, std: f64) -> Tensor {
    pddflow_plugin_test::noise(shape, key, std, &device())
}

/// One plain step of gradient descent on a net, for environments that train.
pub fn sgd(model: &Model, net: &mut Net, (x, labels): (&Tensor, &Tensor), lr: f64) {
    let leaves: Vec<Tensor> = net.weights.iter().map(|weight| weight.variable().unwrap()).collect();
    let logits = model.forward(&leaves, x, Mode::Train, RandomKey::new(0)).unwrap().logits;
    let loss = logits.cross_entropy(labels).unwrap();
    let gradients = pddflow_tensor::grad(&[loss], &leaves, None, pddflow_tensor::Keep::No).unwrap();
    for (weight, gradient) in net.weights.iter_mut().zip(gradients) {
        *weight = weight.sub(&gradient.mul_scalar(lr).unwrap()).unwrap();
    }
}

/// Runs one iteration of a matcher.
pub fn iterate(matcher: &Matcher, bench: &mut Bench) -> Result<(), pddflow_host::PluginError> {
    matcher.iterate(bench, 0)
}
