//! First values of the learnables.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::{Description, LearnableInit, LearnableSpec, Problem, Space};
use pddflow_runner::NodeError;
use pddflow_tensor::{RandomKey, Tensor};
use pddflow_training::splits::Split;

use crate::state::Learnable;
use crate::tile::tile;

/// Draws every learnable, but for those whose first value is given. Each has a key of its own, folded from its name.
pub(crate) fn first_learnables(
    description: &Description,
    problem: &Problem,
    train: &Split,
    key: RandomKey,
) -> NodeResult<Vec<Learnable>> {
    let first = |spec: &LearnableSpec| {
        let value = match description.given.get(&spec.name) {
            Some(given) => given.cast(problem.dtype).during("casting a first value")?,
            None => first_value(spec, problem, train, key.fold(&spec.name))?,
        };
        let mut learnable = Learnable { spec: spec.clone(), value, momentum: None };
        learnable.clamp().during("clamping the first images")?;
        Ok(learnable)
    };
    description.learnables.iter().map(first).collect()
}

fn first_value(spec: &LearnableSpec, problem: &Problem, train: &Split, key: RandomKey) -> NodeResult<Tensor> {
    let doing = format!("making the first `{}`", spec.name);
    let filled = |values| Tensor::from_values(values, &spec.shape, problem.dtype, &problem.device).during(&doing);
    let count: usize = spec.shape.iter().product();
    if spec.space == Space::Unit {
        check_pixels(spec, problem)?;
    }
    match spec.init {
        LearnableInit::Noise { std } => filled(key.normal_f64(count).into_iter().map(|z| z * std).collect()),
        LearnableInit::Constant(value) => filled(vec![value; count]),
        LearnableInit::OneHot => filled(one_hot(spec, problem)?),
        LearnableInit::Real => {
            let rows = rows_by_class(spec, problem, train, 1, key)?;
            real_images(spec, problem, train, &rows)
        }
        LearnableInit::Tile { factor } => {
            let images = rows_by_class(spec, problem, train, factor * factor, key)?;
            let images = real_images(spec, problem, train, &images)?.to_f64_vec().during(&doing)?;
            filled(tile(&images, problem.shape, problem.classes, factor))
        }
        LearnableInit::Given => {
            Err(NodeError::internal(format!("`{}` starts as a tensor that was not given", spec.name)))
        }
    }
}

/// Rows of a learnable per class, if its shape has class-contiguous rows of `rest`.
fn rows_per_class(spec: &LearnableSpec, problem: &Problem, rest: &[usize]) -> NodeResult<usize> {
    match spec.shape.split_first() {
        Some((rows, own)) if own == rest && rows.is_multiple_of(problem.classes) => Ok(rows / problem.classes),
        _ => Err(fail(
            "learnable_shape",
            format!(
                "learnable `{}` of shape {:?} cannot start so: its rows must have shape {rest:?} and their number be a \
                 multiple of the {} classes",
                spec.name, spec.shape, problem.classes
            ),
        )),
    }
}

fn one_hot(spec: &LearnableSpec, problem: &Problem) -> NodeResult<Vec<f64>> {
    let per_class = rows_per_class(spec, problem, &[problem.classes])?;
    let rows = per_class * problem.classes;
    let at = |i: usize| if i % problem.classes == i / problem.classes / per_class { 1.0 } else { 0.0 };
    Ok((0..rows * problem.classes).map(at).collect())
}

/// `times` random real images for each row, class by class, without replacement; image `k` of row `i` of a class stands
/// at `k * rows + i` (the order in which IDC fills cells).
fn rows_by_class(
    spec: &LearnableSpec,
    problem: &Problem,
    train: &Split,
    times: usize,
    key: RandomKey,
) -> NodeResult<Vec<usize>> {
    let shape = problem.shape;
    let per_class = rows_per_class(spec, problem, &[shape.channels, shape.height, shape.width])?;
    let mut rows = Vec::with_capacity(per_class * times * problem.classes);
    for (class, own) in train.class_rows().iter().enumerate() {
        let wanted = per_class * times;
        if wanted > own.len() {
            let message = format!("class {class} has {} real images, {wanted} are needed to start", own.len());
            return Err(
                fail("class_size", message).with_help("lower `ipc`, or start from noise if the matcher offers it")
            );
        }
        rows.extend(key.fold_u64(class as u64).choose(own.len(), wanted).into_iter().map(|place| own[place]));
    }
    Ok(rows)
}

fn real_images(spec: &LearnableSpec, problem: &Problem, train: &Split, rows: &[usize]) -> NodeResult<Tensor> {
    let images = train.take(rows).during("taking real images to start from")?.images;
    match spec.space {
        Space::Normalised => Ok(images),
        Space::Unit => to_unit(&images, problem),
    }
}

/// Fails unless undoing the normalisation gives pixels in `[0, 1]`: whitening mixes pixels, and has no such inverse by channel.
fn check_pixels(spec: &LearnableSpec, problem: &Problem) -> NodeResult<()> {
    /// Rounding of the inverse.
    const SLACK: f64 = 1e-6;
    let range = &problem.value_range;
    let pixel = |value: f64, channel: usize| value * range.std[channel] + range.mean[channel];
    let fits = |channel: usize| {
        pixel(range.min[channel], channel) >= -SLACK && pixel(range.max[channel], channel) <= 1.0 + SLACK
    };
    if (0..range.mean.len()).all(fits) {
        return Ok(());
    }
    let message = format!("learnable `{}` holds pixels between 0 and 1, but the data is whitened", spec.name);
    Err(fail("whitened", message).with_help("give the data set `normalize: standard` for this matcher"))
}

/// Undoes the normalisation.
fn to_unit(images: &Tensor, problem: &Problem) -> NodeResult<Tensor> {
    let doing = "undoing the normalisation of real images";
    let channels = problem.shape.channels;
    let per_channel = |values: &[f64]| {
        Tensor::from_values(values.to_vec(), &[1, channels, 1, 1], problem.dtype, &problem.device).during(doing)
    };
    let std = per_channel(&problem.value_range.std)?;
    let mean = per_channel(&problem.value_range.mean)?;
    images.mul(&std).during(doing)?.add(&mean).during(doing)
}
