//! Random keys.

use crate::call::{Call, host};
use crate::error::Result;
use crate::tensor::Tensor;
use pddflow_abi as abi;

/// Name of a stream of random numbers. The same key always gives the same numbers, so a key is used for one purpose only;
/// `fold` makes others of it.
#[derive(Clone, Copy, Debug)]
pub struct Key<'call> {
    pub(crate) call: Call<'call>,
    pub(crate) words: abi::RandomKey,
}

impl<'call> Key<'call> {
    pub(crate) fn new(call: Call<'call>, words: abi::RandomKey) -> Self {
        Self { call, words }
    }

    /// A key of the author's own, such as `[1, 0, 0, 0]`: the same in every iteration, run and seed.
    #[must_use]
    pub fn fixed(call: Call<'call>, words: [u64; 4]) -> Self {
        Self::new(call, abi::RandomKey { words })
    }

    /// Another key from this one and a name.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn fold(&self, name: &str) -> Result<Self> {
        let mut words = self.words;
        host!(self.call, random: RandomGroup, fold_text(&raw const self.words, abi::Text::new(name), &raw mut words))?;
        Ok(Self::new(self.call, words))
    }

    /// Another key from this one and a number.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn fold_u64(&self, number: u64) -> Result<Self> {
        let mut words = self.words;
        host!(self.call, random: RandomGroup, fold(&raw const self.words, number, &raw mut words))?;
        Ok(Self::new(self.call, words))
    }

    /// Uniform in `[0, 1)`.
    ///
    /// # Errors
    /// The shape is too large.
    #[track_caller]
    pub fn uniform(&self, shape: &[usize]) -> Result<Tensor<'call>> {
        let shape = crate::tensor::numbers(shape);
        let (data, rank) = (shape.as_ptr(), shape.len() as u64);
        Tensor::made(
            self.call,
            |out| host!(self.call, random: RandomGroup, uniform(&raw const self.words, data, rank, out)),
        )
    }

    /// Mean 0, standard deviation 1.
    ///
    /// # Errors
    /// The shape is too large.
    #[track_caller]
    pub fn normal(&self, shape: &[usize]) -> Result<Tensor<'call>> {
        let shape = crate::tensor::numbers(shape);
        let (data, rank) = (shape.as_ptr(), shape.len() as u64);
        Tensor::made(
            self.call,
            |out| host!(self.call, random: RandomGroup, normal(&raw const self.words, data, rank, out)),
        )
    }

    /// I64 `0..count` in random order.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn permutation(&self, count: usize) -> Result<Tensor<'call>> {
        Tensor::made(
            self.call,
            |out| host!(self.call, random: RandomGroup, permutation(&raw const self.words, count as u64, out)),
        )
    }

    /// I64: `chosen` of `0..count` without replacement.
    ///
    /// # Errors
    /// There are not so many.
    #[track_caller]
    pub fn choose(&self, count: usize, chosen: usize) -> Result<Tensor<'call>> {
        Tensor::made(
            self.call,
            |out| host!(self.call, random: RandomGroup, choose(&raw const self.words, count as u64, chosen as u64, out)),
        )
    }

    /// Uniform in `0..limit`.
    ///
    /// # Errors
    /// The limit is 0.
    #[track_caller]
    pub fn below(&self, limit: u64) -> Result<u64> {
        let mut out = 0;
        host!(self.call, random: RandomGroup, below(&raw const self.words, limit, &raw mut out))?;
        Ok(out)
    }
}
