//! What the tests of this folder share: building plugins, and an environment that gives what it is told to.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use pddflow_host::{
    Batch, Decoded, Environment, EnvironmentError, EnvironmentResult, Forward, InputShape, Matcher, Mode, Model, Net,
    Problem, Registry, SearchPaths, Segment, TrainSpec, ValueRange, WeightSpec,
};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// Libraries of this repository's plugins.
pub const PLUGINS: [&str; 12] = [
    "pddflow_matcher_cafe",
    "pddflow_matcher_dc",
    "pddflow_matcher_dm",
    "pddflow_matcher_idc",
    "pddflow_matcher_mtt",
    "pddflow_matcher_python",
    "pddflow_matcher_tesla",
    "pddflow_model_alexnet",
    "pddflow_model_convnet",
    "pddflow_model_mlp",
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

/// The plugins of this repository and the misbehaving example of the SDK; built once in a test process.
pub fn built() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
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

/// Computes there from now on, in this thread.
pub fn use_device(device: Device) {
    DEVICE.set(device);
}

/// A task on `f64` images.
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
        dtype: DType::F64,
        value_range: ValueRange {
            min: vec![-1.0; channels],
            max: vec![1.0; channels],
            mean: vec![0.5; channels],
            std: vec![0.5; channels],
        },
    }
}

/// Real images of a class for the n-th time they are asked for.
type RealBatch = Box<dyn FnMut(Option<usize>, usize, usize) -> Batch>;
/// In place of the model.
type FakeForward = Box<dyn FnMut(&[Tensor], &Tensor) -> Forward>;
/// A segment that starts in a range of epochs and has so many.
type FakeSegment = Box<dyn FnMut(std::ops::Range<u64>, u64) -> Segment>;
/// In place of training.
type FakeTrain = Box<dyn FnMut(&mut Net, &TrainSpec)>;

/// An environment that gives what it is told to and remembers what it is asked.
pub struct Bench {
    pub problem: Problem,
    pub model: Option<Arc<Model>>,
    pub specs: Vec<WeightSpec>,
    pub start: Vec<Tensor>,
    pub learnables: Vec<(String, Tensor)>,
    pub momentum: BTreeMap<String, Tensor>,
    pub lr: f64,
    pub momentum_rate: f64,
    pub previous: Option<Decoded>,
    pub real: RealBatch,
    pub forward: Option<FakeForward>,
    pub segment: Option<FakeSegment>,
    pub train: Option<FakeTrain>,
    pub real_calls: usize,
    pub steps: Vec<(String, Tensor, f64)>,
    pub images: Vec<Tensor>,
    pub metrics: BTreeMap<String, f64>,
    pub state: BTreeMap<String, Tensor>,
    pub log: Vec<String>,
    pub cancelled: bool,
    /// Asked beside `cancelled`.
    pub cancelled_when: Option<Box<dyn Fn() -> bool>>,
    /// Bytes of tapes that the matcher may keep.
    pub tape_budget: u64,
    /// How often the model has run.
    pub forwards: usize,
    saved: Option<Vec<(String, Tensor)>>,
}

impl Bench {
    pub fn new(problem: Problem) -> Self {
        Self {
            problem,
            model: None,
            specs: Vec::new(),
            start: Vec::new(),
            learnables: Vec::new(),
            momentum: BTreeMap::new(),
            lr: 1.0,
            momentum_rate: 0.0,
            previous: None,
            real: Box::new(|_, _, _| panic!("no real images")),
            forward: None,
            segment: None,
            train: None,
            real_calls: 0,
            steps: Vec::new(),
            images: Vec::new(),
            metrics: BTreeMap::new(),
            state: BTreeMap::new(),
            log: Vec::new(),
            cancelled: false,
            cancelled_when: None,
            tape_budget: 0,
            forwards: 0,
            saved: None,
        }
    }

    /// With a model and random weights.
    pub fn with_model(mut self, model: Arc<Model>) -> Self {
        self.specs = model.weights(self.problem.shape, self.problem.classes).unwrap();
        let key = RandomKey::new(3);
        self.start = self.specs.iter().map(|spec| noise(&spec.shape, key.fold(&spec.name), 0.2)).collect();
        self.model = Some(model);
        self
    }

    /// With random images as the learnable, and random real ones.
    pub fn with_random_images(mut self) -> Self {
        let shape = self.problem.shape;
        let rows = self.problem.learnable_rows;
        let image = [rows, shape.channels, shape.height, shape.width];
        self.learnables = vec![("images".to_owned(), noise(&image, RandomKey::new(1), 1.0))];
        self.real = Box::new(move |class, count, call| {
            let count = count.min(4);
            let image = [count, shape.channels, shape.height, shape.width];
            let label = class.unwrap_or(0) as i64;
            Batch {
                images: noise(&image, RandomKey::new(2).fold_u64(call as u64), 1.0),
                labels: Tensor::from_i64(vec![label; count], &[count], &device()).unwrap(),
            }
        });
        self
    }

    pub fn value(&self, name: &str) -> Tensor {
        self.learnables.iter().find(|(known, _)| known == name).unwrap().1.clone()
    }
}

/// Normal numbers in double precision.
pub fn noise(shape: &[usize], key: RandomKey, std: f64) -> Tensor {
    let count = shape.iter().product();
    let values = key.normal_f64(count).into_iter().map(|value| value * std).collect();
    Tensor::from_f64(values, shape, &device()).unwrap()
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

fn none() -> EnvironmentError {
    EnvironmentError::new("pddflow::test::none", "the test has none of these").with_help("give it one")
}

impl Environment for Bench {
    fn problem(&self) -> &Problem {
        &self.problem
    }
    fn cancelled(&self) -> bool {
        self.cancelled || self.cancelled_when.as_ref().is_some_and(|when| when())
    }
    fn tape_budget(&self) -> u64 {
        self.tape_budget
    }
    fn real_batch(&mut self, class: Option<usize>, count: usize, _key: RandomKey) -> EnvironmentResult<Batch> {
        self.real_calls += 1;
        Ok((self.real)(class, count, self.real_calls - 1))
    }
    fn class_size(&self, _class: usize) -> usize {
        4
    }
    fn learnables(&self) -> Vec<(String, Tensor)> {
        self.learnables.clone()
    }
    fn previous(&self) -> Option<Decoded> {
        self.previous.clone()
    }
    fn weight_specs(&self) -> &[WeightSpec] {
        &self.specs
    }
    fn fresh_weights(&mut self, _key: RandomKey) -> EnvironmentResult<Vec<Tensor>> {
        Ok(self.start.clone())
    }
    fn start_weights(&mut self, _key: RandomKey) -> EnvironmentResult<Vec<Tensor>> {
        Ok(self.start.clone())
    }
    fn trajectory(&mut self, first: u64, end: u64, length: u64, _: RandomKey) -> EnvironmentResult<Segment> {
        Ok(self.segment.as_mut().ok_or_else(none)?(first..end, length))
    }
    fn forward(&mut self, weights: &[Tensor], x: &Tensor, mode: Mode, key: RandomKey) -> EnvironmentResult<Forward> {
        self.forwards += 1;
        match (&mut self.forward, &self.model) {
            (Some(forward), _) => Ok(forward(weights, x)),
            (None, Some(model)) => Ok(model.forward(weights, x, mode, key)?),
            (None, None) => Err(none()),
        }
    }
    fn train(&mut self, net: &mut Net, spec: &TrainSpec) -> EnvironmentResult<()> {
        let train = self.train.as_mut().ok_or_else(none)?;
        train(net, spec);
        Ok(())
    }
    fn step(&mut self, name: &str, gradient: &Tensor, rate: f64) -> EnvironmentResult<()> {
        self.steps.push((name.to_owned(), gradient.clone(), rate));
        let buffer = match self.momentum.get(name) {
            Some(buffer) => buffer.mul_scalar(self.momentum_rate)?.add(gradient)?,
            None => gradient.clone(),
        };
        let change = buffer.mul_scalar(self.lr * rate)?;
        self.momentum.insert(name.to_owned(), buffer);
        let value = self.value(name).sub(&change)?;
        self.images.push(value.clone());
        self.assign(name, &value)
    }
    fn assign(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()> {
        let place = self.learnables.iter_mut().find(|(known, _)| known == name).ok_or_else(none)?;
        place.1 = value.clone();
        Ok(())
    }
    fn state_get(&self, name: &str) -> Option<Tensor> {
        self.state.get(name).cloned()
    }
    fn state_put(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()> {
        self.state.insert(name.to_owned(), value.clone());
        Ok(())
    }
    fn save_point(&mut self) -> EnvironmentResult<()> {
        self.saved = Some(self.learnables.clone());
        Ok(())
    }
    fn roll_back(&mut self) -> EnvironmentResult<bool> {
        match self.saved.clone() {
            Some(saved) => {
                self.learnables = saved;
                Ok(true)
            }
            None => Ok(false),
        }
    }
    fn metric(&mut self, name: &str, value: f64) {
        self.metrics.insert(name.to_owned(), value);
    }
    fn log(&mut self, text: &str) {
        self.log.push(text.to_owned());
    }
}

/// Runs one iteration of a matcher.
pub fn iterate(matcher: &Matcher, bench: &mut Bench) -> Result<(), pddflow_host::PluginError> {
    matcher.iterate(bench, 0)
}
