//! What an expert says.

use pddflow_sdk::{Iteration, Key, Mode, Part, Result, Rows, Tensor};

/// Images that an expert sees at once.
const CHUNK: usize = 256;

/// Logits of the new images, `[row, class]`, by a net with these weights, in evaluation mode; off the tape.
///
/// # Errors
/// What the host refuses.
pub fn logits<'call>(run: &Iteration<'call>, weights: &[Tensor<'call>], key: Key<'call>) -> Result<Tensor<'call>> {
    let images = run.set(&Rows::all(Part::New))?.images.detach()?;
    let rows = images.shape()?[0];
    let chunk = |from: usize| -> Result<Tensor<'call>> {
        let chunk = images.slice(0, from, (from + CHUNK).min(rows), 1)?;
        Ok(run.forward(weights, &chunk, Mode::Eval, key)?.logits)
    };
    Tensor::concat(&(0..rows).step_by(CHUNK).map(chunk).collect::<Result<Vec<_>>>()?, 0)
}
