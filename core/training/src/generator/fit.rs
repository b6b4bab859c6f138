//! Training a generator.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::{Net, WeightSpec};
use pddflow_runner::{NodeContext, NodeError, Progress};
use pddflow_tensor::{Device, Keep, RandomKey, Tensor, grad};
use serde::{Deserialize, Serialize};

use super::decoder::Decoder;
use super::params::GeneratorParams;
use crate::init::initial_weights;
use crate::samples::row_tensor;
use crate::splits::{Prepared, Split};
use crate::tensor_file::{Named, decode, encode, extend, series};
use crate::trainer::Adaptive;

/// What is left of Adam's average of gradients in a step.
const MOMENTUM: f64 = 0.9;
/// Images that go through the decoder at once when nothing is learned.
const ROWS: usize = 256;
/// Images of each class that are shown.
const SHOWN: usize = 4;

/// A generator that is trained.
pub struct Fitted {
    /// The tensors of the module's table, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// Mean over the values of all training images of the squared difference from what the decoder makes of their latents.
    pub error: f64,
    /// What it makes, for people.
    pub samples: Samples,
}

/// Images of each class, class by class, as nets see them.
pub struct Samples {
    /// Training images.
    pub real: Tensor,
    /// What the decoder makes of their latents.
    pub again: Tensor,
    /// What it makes of points half way between the latents of two of them.
    pub between: Tensor,
    /// Their classes.
    pub classes: Vec<usize>,
}

/// What is kept between epochs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    version: u32,
    epochs: u64,
}

/// Version of a checkpoint's form.
const VERSION: u32 = 1;

/// Trains a generator of the training images.
///
/// # Errors
/// A class has no image, a number is not finite, or the run is cancelled; a checkpoint of the last whole epoch is left.
pub fn fit(data: &Prepared, params: &GeneratorParams, context: &NodeContext<'_>) -> NodeResult<Fitted> {
    let train = &data.train;
    if let Some(class) = train.class_rows().iter().position(Vec::is_empty) {
        return Err(fail("class_size", format!("class {class} has no real image to train with")));
    }
    let decoder = Decoder::new(data.shape, data.classes, params);
    let fitting = Fitting {
        specs: decoder.specs(),
        decoder,
        train,
        params,
        key: RandomKey::new(params.seed).fold("generator"),
        context,
    };
    let weights = fitting.run(data)?;
    fitting.finish(data, &weights)
}

struct Fitting<'a> {
    decoder: Decoder,
    specs: Vec<WeightSpec>,
    train: &'a Split,
    params: &'a GeneratorParams,
    key: RandomKey,
    context: &'a NodeContext<'a>,
}

impl Fitting<'_> {
    fn run(&self, data: &Prepared) -> NodeResult<Vec<Tensor>> {
        let (context, all) = (self.context, self.params.epochs);
        let (mut net, mut done) = self.begin(data)?;
        while done < all {
            let before = net.clone();
            let loss = match self.epoch(&mut net, done) {
                Ok(loss) => loss,
                Err(error) => {
                    if context.checkpoint_due() {
                        context.save_checkpoint(&checkpoint(&before, done)?)?;
                    }
                    return Err(error);
                }
            };
            done += 1;
            context.metric("loss", done, loss);
            context.progress(Progress { done, total: all, unit: "epochs", loss: Some(loss) });
            if context.checkpoint_due() {
                context.save_checkpoint(&checkpoint(&net, done)?)?;
            }
        }
        Ok(net.weights)
    }

    /// First weights, or those of a checkpoint.
    fn begin(&self, data: &Prepared) -> NodeResult<(Net, u64)> {
        let (dtype, device) = (data.tensors.dtype, &data.tensors.device);
        if let Some(bytes) = self.context.checkpoint()?
            && let Some(found) = self.continued(&bytes, device)
        {
            return Ok(found);
        }
        let weights = initial_weights(&self.specs, self.key.fold("weights"), dtype, device);
        Ok((Net::new(weights.during("drawing first weights")?), 0))
    }

    /// Where a checkpoint ended, if it is one of this training.
    fn continued(&self, bytes: &[u8], device: &Device) -> Option<(Net, u64)> {
        let (named, note): (Named, Note) = decode(bytes, device).ok()?;
        let (weights, momentum) = (series(&named, "weight."), series(&named, "momentum."));
        let fits = weights.len() == self.specs.len()
            && weights.iter().zip(&self.specs).all(|(weight, spec)| weight.shape() == spec.shape);
        let momentum = (!momentum.is_empty()).then_some(momentum);
        (note.version == VERSION && fits).then_some((Net { weights, momentum }, note.epochs))
    }

    /// One pass over the images; gives the mean loss.
    fn epoch(&self, net: &mut Net, epoch: u64) -> NodeResult<f64> {
        let order = self.key.fold("epoch").fold_u64(epoch).permutation(self.train.rows());
        let places: Vec<usize> = (0..self.specs.len()).collect();
        let (steps, mut losses) = (order.len().div_ceil(self.params.batch), Vec::new());
        for (step, rows) in order.chunks(self.params.batch).enumerate() {
            if self.context.cancelled() {
                return Err(NodeError::cancelled());
            }
            let along = (epoch as f64 + step as f64 / steps as f64) / self.params.epochs as f64;
            let lr = self.params.lr * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * along));
            let rule = Adaptive { lr, momentum: MOMENTUM, weight_decay: 0.0, coupled: true };
            let weights = net.weights.iter().map(Tensor::variable).collect::<Result<Vec<_>, _>>();
            let weights = weights.during("training the generator")?;
            let loss = self.loss(&weights, rows)?;
            let gradients = grad(std::slice::from_ref(&loss), &weights, None, Keep::No);
            let gradients = gradients.during("training the generator")?;
            losses.push(loss.detach());
            drop((weights, loss));
            rule.step(net, &places, &gradients).during("training the generator")?;
        }
        let losses = Tensor::stack(&losses, 0).and_then(|losses| losses.to_f64_vec()).during("reading the loss")?;
        let sum: f64 =
            losses.iter().zip(order.chunks(self.params.batch)).map(|(loss, rows)| loss * rows.len() as f64).sum();
        let loss = sum / order.len() as f64;
        if loss.is_finite() {
            return Ok(loss);
        }
        Err(fail("loss_not_finite", format!("the loss of epoch {epoch} is {loss}")).with_help("lower `lr`"))
    }

    fn loss(&self, weights: &[Tensor], rows: &[usize]) -> NodeResult<Tensor> {
        let (images, again) = self.again(weights, rows)?;
        again.sub(&images).and_then(|difference| difference.square()?.mean_all()).during("comparing images")
    }

    /// Training images, and what becomes of their latents.
    fn again(&self, weights: &[Tensor], rows: &[usize]) -> NodeResult<(Tensor, Tensor)> {
        let samples = self.train.take(rows).during("reading images")?;
        let latents = self.decoder.latents(weights, &samples.images).during("making latents")?;
        let again = self.decoder.images(weights, &latents, samples.labels.tensor()).during("making images")?;
        Ok((samples.images, again))
    }

    fn finish(&self, data: &Prepared, weights: &[Tensor]) -> NodeResult<Fitted> {
        let rows: Vec<usize> = self.train.class_rows().concat();
        let (mut latents, mut sum) = (Vec::new(), 0.0);
        for rows in rows.chunks(ROWS) {
            if self.context.cancelled() {
                return Err(NodeError::cancelled());
            }
            let samples = self.train.take(rows).during("reading images")?;
            latents.push(self.decoder.latents(weights, &samples.images).during("making latents")?);
            let error = self.loss(weights, rows)?.item().during("comparing images")?;
            sum += error * rows.len() as f64;
        }
        let latents = Tensor::concat(&latents, 0).during("collecting latents")?;
        let counts: Vec<i64> = self.train.class_rows().iter().map(|rows| rows.len() as i64).collect();
        let counts = Tensor::from_i64(counts, &[data.classes], &Device::Cpu).during("counting latents")?;
        let samples = self.samples(weights, &latents)?;
        let mut tensors =
            BTreeMap::from([("latents".to_owned(), here(&latents)?), ("latent_counts".to_owned(), counts)]);
        for (spec, weight) in self.specs.iter().zip(weights).take(self.decoder.kept()) {
            tensors.insert(spec.name.clone(), here(weight)?);
        }
        Ok(Fitted { tensors, error: sum / rows.len() as f64, samples })
    }

    /// Some images of each class; `latents` are those of all images, class by class.
    fn samples(&self, weights: &[Tensor], latents: &Tensor) -> NodeResult<Samples> {
        let (mut rows, mut ends, mut first) = (Vec::new(), [Vec::new(), Vec::new()], 0);
        for (class, own) in self.train.class_rows().iter().enumerate() {
            let key = self.key.fold("samples").fold_u64(class as u64);
            let chosen = key.choose(own.len(), SHOWN.min(own.len()));
            rows.extend(chosen.iter().map(|place| own[*place]));
            ends[0].extend(chosen.iter().map(|place| first + place));
            ends[1].extend(chosen.iter().cycle().skip(1).take(chosen.len()).map(|place| first + place));
            first += own.len();
        }
        let numbers = self.train.class_rows().iter().enumerate();
        let numbers = numbers.flat_map(|(class, own)| vec![class; SHOWN.min(own.len())]).collect();
        let (real, again) = self.again(weights, &rows)?;
        let doing = "making samples";
        let classes = self.train.take(&rows).during(doing)?.labels;
        let classes = classes.tensor();
        let end = |places: &[usize]| row_tensor(places, latents).and_then(|places| latents.gather(0, &places));
        let middle = end(&ends[0]).and_then(|one| one.add(&end(&ends[1])?)?.mul_scalar(0.5)).during(doing)?;
        let between = self.decoder.images(weights, &middle, classes).during(doing)?;
        Ok(Samples { real: here(&real)?, again: here(&again)?, between: here(&between)?, classes: numbers })
    }
}

fn checkpoint(net: &Net, epochs: u64) -> NodeResult<Vec<u8>> {
    let mut named = Named::new();
    extend(&mut named, "weight.", &net.weights);
    extend(&mut named, "momentum.", net.momentum.as_deref().unwrap_or_default());
    encode(&named, &Note { version: VERSION, epochs })
}

fn here(tensor: &Tensor) -> NodeResult<Tensor> {
    tensor.detach().to_device(&Device::Cpu).during("reading the generator")
}

#[cfg(test)]
mod tests {
    use pddflow_host::InputShape;
    use pddflow_tensor::DType;

    use super::*;

    fn params() -> GeneratorParams {
        serde_json::from_value(serde_json::json!({ "latent": 3, "width": 4 })).unwrap()
    }

    #[test]
    fn images_of_every_size_come_out_of_latents_in_the_unit_ball() {
        for (channels, height, width) in [(1, 28, 28), (3, 32, 32), (1, 8, 8), (3, 17, 30)] {
            let decoder = Decoder::new(InputShape { channels, height, width }, 2, &params());
            let weights = initial_weights(&decoder.specs(), RandomKey::new(1), DType::F64, &Device::Cpu).unwrap();
            let shape = [5, channels, height, width];
            let values = RandomKey::new(2).normal_f64(shape.iter().product()).into_iter().map(|z| 9.0 * z).collect();
            let images = Tensor::from_f64(values, &shape, &Device::Cpu).unwrap();
            let latents = decoder.latents(&weights, &images).unwrap();
            let lengths = latents.norm2(&[1], false).unwrap().to_f64_vec().unwrap();
            assert!(lengths.iter().all(|length| *length <= 1.0 + 1e-12), "{lengths:?}");
            let classes = Tensor::from_i64(vec![0, 1, 0, 1, 0], &[5], &Device::Cpu).unwrap();
            assert_eq!(decoder.images(&weights, &latents, &classes).unwrap().shape(), shape);
        }
    }
}
