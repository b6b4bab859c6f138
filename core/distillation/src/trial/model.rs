//! The checks of a model.

use std::sync::Arc;

use pddflow_host::{Forward, InputShape, Mode, Model, PluginError, WeightRole, WeightSpec};
use pddflow_tensor::{DType, Device, Keep, RandomKey, Tensor, TensorError, grad};
use pddflow_training::init::initial_weights;

use super::finding::{Finding, Outcome, Report, passed, skipped, warning, wrong};
use super::numbers::{Slope, noise, slopes};

const CLASSES: usize = 3;
const ROWS: usize = 4;
/// Images of the common data sets: CIFAR's, MNIST's, Tiny ImageNet's.
const SHAPES: [InputShape; 3] = [
    InputShape { channels: 3, height: 32, width: 32 },
    InputShape { channels: 1, height: 28, width: 28 },
    InputShape { channels: 3, height: 64, width: 64 },
];
/// Most weights whose gradients are compared with differences: the first, the last and some between them.
const COMPARED: usize = 8;
/// Largest share by which what a net says of an image may differ with another batch: sums in another order.
const ALONE: f64 = 1e-9;
/// Largest deviation of a gradient from differences, as a share of the length of either: kinks of ReLU and pooling are within.
const TOLERANCE: f64 = 2e-3;

type Make<'a> = &'a dyn Fn() -> Result<Arc<Model>, PluginError>;

/// A model under trial.
struct Trial {
    model: Arc<Model>,
    specs: Vec<WeightSpec>,
    weights: Vec<Tensor>,
    images: Tensor,
}

/// Tries a model; `make` gives further instances of it.
pub(super) fn check(title: String, model: Arc<Model>, make: Make<'_>) -> Report {
    let mut report = Report { title, about: Vec::new(), findings: Vec::new() };
    let mut note = |check, outcome| report.findings.push(Finding { check, outcome });
    let (trial, described) = match begin(model) {
        Ok(found) => found,
        Err(outcome) => {
            note("describe", outcome);
            return report;
        }
    };
    note("describe", described);
    let runs = trial.forward();
    let run = matches!(runs, Outcome::Passed(_));
    note("forward", runs);
    if run {
        note("determinism", trial.determinism(make));
        note("rows", trial.rows());
        let (gradient, weights) = trial.gradient();
        note("gradient", gradient);
        note("weights", weights);
    }
    let numbers: usize = trial.specs.iter().map(|spec| spec.shape.iter().product::<usize>()).sum();
    report.about = vec![format!("{} weights with {numbers} numbers", trial.specs.len())];
    report
}

fn plugin_error(error: &PluginError) -> Outcome {
    let help = error.help().unwrap_or_else(|| "see what the plugin says".to_owned());
    wrong(format!("{} ({})", error.message(), error.code()), help)
}

fn tensor_error(error: &TensorError) -> Outcome {
    wrong(error.to_string(), "see the shapes that `weights` and `forward` give")
}

/// The first shape that the model takes, with its weights.
fn begin(model: Arc<Model>) -> Result<(Trial, Outcome), Outcome> {
    let mut first = None;
    let mut refused = Vec::new();
    for shape in SHAPES {
        match model.weights(shape, CLASSES) {
            Ok(specs) => {
                if model.weights(shape, CLASSES).map_err(|error| plugin_error(&error))? != specs {
                    let help = "`weights` may depend on the parameters and the problem only";
                    return Err(wrong("`weights` says something else the second time", help));
                }
                first.get_or_insert((shape, specs));
            }
            Err(error) => refused.push((shape, error)),
        }
    }
    let Some((shape, specs)) = first else {
        let Some((_, error)) = refused.first() else { return Err(skipped("there is no shape to try")) };
        return Err(plugin_error(error));
    };
    let weights = initial_weights(&specs, RandomKey::new(2), DType::F64, &Device::Cpu);
    let images = [ROWS, shape.channels, shape.height, shape.width];
    let images = noise(&images, RandomKey::new(1), DType::F64);
    let weights = weights.map_err(|error| tensor_error(&error))?;
    let trial = Trial { model, specs, weights, images: images.map_err(|error| tensor_error(&error))? };
    let taken = SHAPES.iter().filter(|shape| refused.iter().all(|(other, _)| other != *shape));
    let taken: Vec<String> =
        taken.map(|shape| format!("{}x{}x{}", shape.channels, shape.height, shape.width)).collect();
    Ok((trial, passed(format!("takes images of {}", taken.join(", ")))))
}

impl Trial {
    fn run(&self, weights: &[Tensor], images: &Tensor, mode: Mode) -> Result<Forward, Outcome> {
        self.model.forward(weights, images, mode, RandomKey::new(4)).map_err(|error| plugin_error(&error))
    }

    fn forward(&self) -> Outcome {
        let tried = || -> Result<Outcome, Outcome> {
            let statistics: Vec<&WeightSpec> =
                self.specs.iter().filter(|spec| spec.role == WeightRole::Statistic).collect();
            for mode in [Mode::Train, Mode::Eval] {
                let given = self.run(&self.weights, &self.images, mode)?;
                if given.logits.shape() != [ROWS, CLASSES] {
                    let message =
                        format!("logits have shape {:?} for {ROWS} images of {CLASSES} classes", given.logits.shape());
                    return Ok(wrong(message, "give one number for each class: `Input::classes` of them"));
                }
                let finite = |tensor: &Tensor| {
                    tensor.to_f64_vec().is_ok_and(|values| values.iter().all(|value| value.is_finite()))
                };
                if !finite(&given.logits) || !finite(&given.features) {
                    return Ok(wrong(
                        format!("in mode {mode:?} an output is not finite"),
                        "look at the first weights and at divisions",
                    ));
                }
                let shapes: Vec<&[usize]> = given.statistics.iter().map(Tensor::shape).collect();
                let expected: Vec<&[usize]> = statistics.iter().map(|spec| spec.shape.as_slice()).collect();
                if mode == Mode::Train && shapes != expected {
                    let message = format!("training gives statistics of shapes {shapes:?}, declared are {expected:?}");
                    return Ok(wrong(message, "give a new value for each weight of kind `Statistic`, in their order"));
                }
            }
            Ok(passed("runs in training and in evaluation"))
        };
        tried().unwrap_or_else(|outcome| outcome)
    }

    fn determinism(&self, make: Make<'_>) -> Outcome {
        let tried = || -> Result<Outcome, Outcome> {
            let bits = |model: &Model| -> Result<Vec<u64>, Outcome> {
                let given = model.forward(&self.weights, &self.images, Mode::Train, RandomKey::new(4));
                let given = given.map_err(|error| plugin_error(&error))?;
                let both = [given.logits, given.features].map(|tensor| tensor.to_f64_vec());
                let both: Result<Vec<Vec<f64>>, _> = both.into_iter().collect();
                Ok(both.map_err(|error| tensor_error(&error))?.into_iter().flatten().map(f64::to_bits).collect())
            };
            let another = make().map_err(|error| plugin_error(&error))?;
            if bits(&self.model)? == bits(&another)? {
                return Ok(passed("the same key gives the same bits"));
            }
            Ok(wrong(
                "the same weights, images and key give other numbers the second time",
                "draw random numbers from the key of the batch, keep nothing in globals, read no clock",
            ))
        };
        tried().unwrap_or_else(|outcome| outcome)
    }

    fn rows(&self) -> Outcome {
        let tried = || -> Result<Outcome, Outcome> {
            let logits = |images: &Tensor| -> Result<Vec<f64>, Outcome> {
                let given = self.run(&self.weights, images, Mode::Eval)?.logits;
                given.to_f64_vec().map_err(|error| tensor_error(&error))
            };
            let together = logits(&self.images)?;
            let size = together.iter().fold(f64::MIN_POSITIVE, |size, value| size.max(value.abs()));
            for row in 0..ROWS {
                let one = self.images.slice(0, row, row + 1, 1).map_err(|error| tensor_error(&error))?;
                let alone = logits(&one)?;
                let own = &together[row * CLASSES..(row + 1) * CLASSES];
                let off = own.iter().zip(&alone).fold(0.0f64, |off, (a, b)| off.max((a - b).abs())) / size;
                if off > ALONE {
                    let message =
                        format!("in evaluation image {row} alone gives other logits than among {ROWS} (by {off:.1e})");
                    return Ok(wrong(message, "in `Mode::Eval` use running statistics, not those of the batch"));
                }
            }
            Ok(passed("in evaluation every image is by itself"))
        };
        tried().unwrap_or_else(|outcome| outcome)
    }

    /// The gradient by images and by all weights together, and which weights have none.
    fn gradient(&self) -> (Outcome, Outcome) {
        let tried = || -> Result<(Outcome, Outcome), Outcome> {
            let text = |error: TensorError| tensor_error(&error);
            let shape = [ROWS, CLASSES];
            let seed = noise(&shape, RandomKey::new(5), DType::F64).map_err(text)?;
            let score = |given: &Forward| given.logits.mul(&seed).and_then(|product| product.sum_all());
            let mut leaves: Vec<Tensor> = Vec::new();
            for weight in self.weights.iter().chain([&self.images]) {
                leaves.push(weight.variable().map_err(text)?);
            }
            let (images, weights) = (leaves[leaves.len() - 1].clone(), &leaves[..leaves.len() - 1]);
            let taped = score(&self.run(weights, &images, Mode::Eval)?).map_err(text)?;
            let gradients = grad(&[taped], &leaves, None, Keep::No).map_err(text)?;
            let (mut without, mut compared) = (Vec::new(), 0);
            let every = self.specs.len().div_ceil(COMPARED);
            for (at, gradient) in gradients.iter().enumerate() {
                let spec = self.specs.get(at);
                let name = spec.map_or("the images", |spec| spec.name.as_str());
                if spec.is_some_and(|spec| spec.role == WeightRole::Statistic) {
                    continue;
                }
                if gradient.to_f64_vec().map_err(text)?.iter().all(|value| *value == 0.0) {
                    without.push(format!("`{name}`"));
                }
                if spec.is_some() && at % every != 0 && at + 1 != self.specs.len() {
                    continue;
                }
                compared += usize::from(spec.is_some());
                let mut f = |value: &Tensor| {
                    let mut moved = self.weights.clone();
                    let images = if at < moved.len() { &self.images } else { value };
                    if let Some(place) = moved.get_mut(at) {
                        *place = value.clone();
                    }
                    let given = self.run(&moved, images, Mode::Eval).map_err(|outcome| format!("{outcome:?}"))?;
                    score(&given).and_then(|score| score.item()).map_err(|error| error.to_string())
                };
                let value = self.weights.get(at).unwrap_or(&self.images);
                let found = slopes(value, gradient, RandomKey::new(6).fold_u64(at as u64), &mut f);
                let found = found.map_err(|text| wrong(text, "see what `forward` says near these weights"))?;
                let length = gradient.dot(gradient).and_then(|square| square.item()).map_err(text)?.sqrt();
                let off = |slope: &&Slope| {
                    (slope.difference - slope.gradient).abs()
                        > TOLERANCE * length.max(slope.difference.abs()) + slope.noise
                };
                if let Some(Slope { difference, gradient: slope, .. }) = found.iter().find(off) {
                    let message = format!(
                        "the gradient by `{name}` is {slope:.6e} in a direction in which differences give {difference:.6e}"
                    );
                    let help = "is something computed from numbers that were read out of a tensor?";
                    return Ok((wrong(message, help), skipped("the gradient is wrong")));
                }
            }
            let weights = if without.is_empty() {
                passed("each has an effect")
            } else {
                let message = format!("the gradient by {} is zero", without.join(", "));
                warning(message, "use the weight in `forward`, or do not declare it")
            };
            Ok((
                passed(format!(
                    "by the images and {compared} of {} weights as finite differences say",
                    self.specs.len()
                )),
                weights,
            ))
        };
        tried().unwrap_or_else(|outcome| (outcome, skipped("the gradient is not known")))
    }
}
