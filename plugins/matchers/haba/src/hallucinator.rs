//! Hallucinators: what makes an image of a basis.
//!
//! | step | shape for bases `[n, channels, h, w]`, or `[n, 1, h, w]` |
//! |---|---|
//! | convolution of 3 x 3 without padding, `encoder` and its bias, to the channels of images | `[n, channels, h - 2, w - 2]` |
//! | times `scale`, plus `shift`, element by element | the same |
//! | transposed convolution of 3 x 3, `decoder` and its bias | `[n, channels, h, w]` |
//!
//! Learnables have the hallucinators along their first axis. `decoder` is the kernel of the ordinary convolution with padding 2 that is the transposed one.

use pddflow_sdk::{Kind, Learnable, Learnables, Problem, Result, Start, Tensor};

/// All learnables that images are made of.
pub(crate) const NAMES: [&str; 7] = ["images", "encoder", "encoder_bias", "scale", "shift", "decoder", "decoder_bias"];

/// Side of a kernel.
const KERNEL: usize = 3;
/// What an image loses in height and width between the two convolutions.
pub(crate) const BORDER: usize = KERNEL - 1;

/// Weights of so many hallucinators of bases with so many channels; `rule` is their learning rate and momentum.
pub(crate) fn learnables(problem: &Problem, (count, of_basis): (usize, usize), rule: (f64, f64)) -> [Learnable; 6] {
    let channels = problem.channels;
    let kernel = |from: usize| [count, channels, from, KERNEL, KERNEL];
    let inner = [count, channels, problem.height - BORDER, problem.width - BORDER];
    // PyTorch's first weights, uniform up to 1 / sqrt(inputs), have a third of that as their variance.
    let start = |from: usize| Start::Noise(1.0 / (3.0 * (from * KERNEL * KERNEL) as f64).sqrt());
    let one = |name: &str, shape: &[usize], start| {
        Learnable::new(Kind::Other, name, shape, start, rule.0).with_momentum(rule.1)
    };
    [
        one("encoder", &kernel(of_basis), start(of_basis)),
        one("encoder_bias", &[count, channels], start(of_basis)),
        one("scale", &inner, Start::Constant(1.0)),
        one("shift", &inner, Start::Constant(0.0)),
        one("decoder", &kernel(channels), start(channels)),
        one("decoder_bias", &[count, channels], start(channels)),
    ]
}

/// The images of all bases by all hallucinators: those of a basis stand next to each other.
pub(crate) fn images<'call>(learnables: &Learnables<'call>, count: usize) -> Result<Tensor<'call>> {
    let bases = learnables.get("images")?;
    let all = (0..count).map(|number| image(learnables, bases, number)).collect::<Result<Vec<_>>>()?;
    let together = Tensor::stack(&all, 1)?;
    let [rows, _, image @ ..] = &together.shape()?[..] else { return Ok(together) };
    together.reshape(&[&[rows * count], image].concat())
}

/// The images of all bases by one hallucinator.
fn image<'call>(learnables: &Learnables<'call>, bases: &Tensor<'call>, number: usize) -> Result<Tensor<'call>> {
    let with_axis = |name: &str| learnables.get(name)?.slice(0, number, number + 1, 1);
    let part = |name: &str| {
        let own = with_axis(name)?;
        own.reshape(&own.shape()?[1..])
    };
    let inner = bases.conv2d(&part("encoder")?, Some(&part("encoder_bias")?), 1, 0)?;
    let inner = (&(&inner * &with_axis("scale")?)? + &with_axis("shift")?)?;
    inner.conv2d(&part("decoder")?, Some(&part("decoder_bias")?), 1, BORDER)
}
