//! Whether distillation does anything: a matcher that moves nothing, or a loss that never changes, is almost always a mistake.

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_host::Environment;
use pddflow_tensor::Tensor;

use crate::curve::LOSS;
use crate::environment::Bench;

/// A loss is called constant after so many equal values.
const LEAST_VALUES: usize = 3;

/// Warns when nothing has moved from `first`, or the loss was the same in every iteration.
pub(crate) fn warn_when_stuck(bench: &Bench<'_>, first: &[(String, Tensor)]) -> NodeResult<()> {
    if bench.state.iteration == 0 {
        return Ok(());
    }
    let (matcher, iterations) = (&bench.matcher, bench.state.iteration);
    let mut moved = false;
    for ((_, before), (_, now)) in first.iter().zip(bench.learnables()) {
        moved |= values(before)? != values(&now)?;
    }
    if !moved {
        bench.context.warn(format!(
            "matcher `{matcher}` has moved no learnable in {iterations} iterations: look at its learning rate, or at its `step`"
        ));
    } else if let Some(loss) = bench.state.curves.constant(LOSS, LEAST_VALUES) {
        bench.context.warn(format!(
            "the loss of matcher `{matcher}` was {loss} in every one of {iterations} iterations: is it made of the synthetic images?"
        ));
    }
    Ok(())
}

fn values(tensor: &Tensor) -> NodeResult<Vec<u64>> {
    let values = tensor.to_f64_vec().during("comparing a learnable with its start")?;
    Ok(values.into_iter().map(f64::to_bits).collect())
}
