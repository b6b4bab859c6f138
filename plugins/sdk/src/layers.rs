//! Convolutions with their normalisations, of which nets for small images are made.

use crate::error::{Error, Result};
use crate::model::{Batch, Init, Output, Weights};
use crate::norm::Norm;
use crate::tensor::Tensor;
use pddflow_abi::Mode;

/// A convolution and the normalisation behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Name of the convolution: its weights are `<conv>.weight`, `[to, from, kernel, kernel]`, and `<conv>.bias`, `[to]`.
    pub conv: String,
    /// Name of the normalisation, see [`Norm`].
    pub norm: String,
    /// Channels of its input.
    pub from: usize,
    /// Channels of its result.
    pub to: usize,
    /// Side of its kernels.
    pub kernel: usize,
    /// Rows and columns from one result to the next.
    pub stride: usize,
    /// Zeros around its input.
    pub padding: usize,
    /// Whether it has a bias.
    pub bias: bool,
}

/// Convolutions in the order of their weights, then a linear layer `linear`; running statistics come last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// The convolutions.
    pub convs: Vec<Conv>,
    /// The normalisation of all.
    pub norm: Norm,
}

impl Layers {
    /// Declares all weights; those of a convolution start as `init` says.
    ///
    /// # Errors
    /// A name was used before.
    #[track_caller]
    pub fn declare(
        &self,
        weights: &mut Weights<'_>,
        init: impl Fn(&Conv) -> Init,
        (features, classes): (usize, usize),
    ) -> Result<()> {
        for conv in &self.convs {
            let (name, init) = (&conv.conv, init(conv));
            weights.learnable(&format!("{name}.weight"), &[conv.to, conv.from, conv.kernel, conv.kernel], init)?;
            if conv.bias {
                weights.learnable(&format!("{name}.bias"), &[conv.to], init)?;
            }
            self.norm.declare(weights, &conv.norm, conv.to)?;
        }
        weights.linear("linear", features, classes)?;
        self.convs.iter().try_for_each(|conv| self.norm.declare_statistics(weights, &conv.norm, conv.to))
    }

    /// Begins a forward pass.
    ///
    /// # Errors
    /// The weights are not those of [`declare`](Self::declare).
    #[track_caller]
    pub fn pass<'a, 'call>(&'a self, batch: &'a Batch<'call>) -> Result<Pass<'a, 'call>> {
        let moved = self.convs.iter().map(|conv| 1 + usize::from(conv.bias) + self.norm.weights()).sum();
        let all = batch.weights(moved + 2 + self.convs.len() * self.norm.statistics())?;
        let (weights, rest) = all.split_at(moved);
        let (linear, running) = rest.split_at(2);
        let (convs, norm, mode) = (self.convs.iter(), self.norm, batch.mode);
        Ok(Pass { convs, norm, mode, weights, linear, running, statistics: Vec::new(), moments: Vec::new() })
    }
}

/// Goes through the convolutions of a forward pass in the order of their weights.
#[derive(Debug)]
pub struct Pass<'a, 'call> {
    convs: std::slice::Iter<'a, Conv>,
    norm: Norm,
    mode: Mode,
    weights: &'a [Tensor<'call>],
    linear: &'a [Tensor<'call>],
    running: &'a [Tensor<'call>],
    statistics: Vec<Tensor<'call>>,
    moments: Vec<Tensor<'call>>,
}

impl<'call> Pass<'_, 'call> {
    /// The next convolution and its normalisation.
    ///
    /// # Errors
    /// There is none, or the shapes do not fit.
    #[track_caller]
    pub fn next(&mut self, x: &Tensor<'call>) -> Result<Tensor<'call>> {
        let conv = self.convs.next().ok_or_else(|| Error::new("there is no convolution left"))?;
        let (own, rest) = self.weights.split_at(1 + usize::from(conv.bias) + self.norm.weights());
        let (running, other) = self.running.split_at(self.norm.statistics());
        (self.weights, self.running) = (rest, other);
        let (kernels, affine) = own.split_at(1 + usize::from(conv.bias));
        let convolved = x.conv2d(&kernels[0], kernels.get(1), conv.stride, conv.padding)?;
        let normalised = self.norm.apply(&convolved, affine, running, self.mode)?;
        self.statistics.extend(normalised.statistics);
        self.moments.extend(normalised.moments);
        Ok(normalised.y)
    }

    /// The linear layer, and all that the model gives.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn finish(self, features: Tensor<'call>, maps: Vec<(String, Tensor<'call>)>) -> Result<Output<'call>> {
        let logits = features.affine(&self.linear[0], Some(&self.linear[1]))?;
        Ok(Output { logits, features, maps, statistics: self.statistics, moments: self.moments })
    }
}
