//! What a trained net says about images: classes and features, in evaluation mode.

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_host::{Forward, Mode, Model};
use pddflow_runner::NodeError;
use pddflow_tensor::{Device, RandomKey, Tensor, trace};

/// Images in one forward pass: large enough to fill the cores, small enough for their caches.
const FORWARD_ROWS: usize = 64;
/// The same on a device, which small passes leave idle.
const DEVICE_ROWS: usize = 512;

/// Share of the images, from 0 to 1, whose largest logit is at their class; ties go to the lower class.
///
/// `images` is `[row, channel, height, width]`, `labels` has one class number for each of the first rows; further rows do
/// not count.
pub fn accuracy(model: &Model, weights: &[Tensor], images: &Tensor, labels: &[i64]) -> NodeResult<f64> {
    accuracy_unless(&|| false, model, weights, images, labels)
}

/// [`accuracy`], given up as cancelled as soon as `stop` says so.
pub fn accuracy_unless(
    stop: &dyn Fn() -> bool,
    model: &Model,
    weights: &[Tensor],
    images: &Tensor,
    labels: &[i64],
) -> NodeResult<f64> {
    let _span = trace::span("test");
    // Read at the end, so that a device is waited for once.
    let mut said = Vec::new();
    for_each_part(model, weights, images, labels.len(), |forward| {
        if stop() {
            return Err(NodeError::cancelled());
        }
        said.push(forward.logits.argmax(1).during("testing")?);
        Ok(())
    })?;
    if said.is_empty() {
        return Ok(0.0);
    }
    let said = Tensor::concat(&said, 0).and_then(|said| said.to_i64_vec()).during("testing")?;
    let right = said.iter().zip(labels).filter(|(said, label)| said == label).count();
    Ok(right as f64 / said.len() as f64)
}

/// The embedding of each image, row after row, and its width.
pub fn features(model: &Model, weights: &[Tensor], images: &Tensor) -> NodeResult<(Vec<f32>, usize)> {
    features_unless(&|| false, model, weights, images)
}

/// [`features`], given up as cancelled as soon as `stop` says so.
pub fn features_unless(
    stop: &dyn Fn() -> bool,
    model: &Model,
    weights: &[Tensor],
    images: &Tensor,
) -> NodeResult<(Vec<f32>, usize)> {
    let mut values = Vec::new();
    let mut width = 0;
    let rows = images.shape().first().copied().unwrap_or(0);
    for_each_part(model, weights, images, rows, |forward| {
        if stop() {
            return Err(NodeError::cancelled());
        }
        width = forward.features.shape().get(1).copied().unwrap_or(0);
        values.extend(forward.features.to_f32_vec().during("reading features")?);
        Ok(())
    })?;
    Ok((values, width))
}

/// What a net says of images: `[row, class]`.
pub fn logits(model: &Model, weights: &[Tensor], images: &Tensor) -> NodeResult<Tensor> {
    let rows = images.shape().first().copied().unwrap_or(0);
    let mut parts = Vec::new();
    for_each_part(model, weights, images, rows, |forward| {
        parts.push(forward.logits.detach());
        Ok(())
    })?;
    Tensor::concat(&parts, 0).during("asking a net")
}

fn for_each_part(
    model: &Model,
    weights: &[Tensor],
    images: &Tensor,
    rows: usize,
    mut look: impl FnMut(Forward) -> NodeResult<()>,
) -> NodeResult<()> {
    let most = if images.device() == Device::Cpu { FORWARD_ROWS } else { DEVICE_ROWS };
    for from in (0..rows).step_by(most) {
        let part = images.slice(0, from, rows.min(from + most), 1).during("testing")?;
        // A forward pass in evaluation mode draws nothing that lasts; its key is the same for all.
        look(model.forward(weights, &part, Mode::Eval, RandomKey::new(0)).during("testing")?)?;
    }
    Ok(())
}
