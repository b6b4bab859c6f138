//! Group `grad`.

use super::group::group;
use crate::call::enter;
use crate::error::Fault;
use pddflow_abi::{self as abi, Status};
use pddflow_tensor::{Keep, Tensor};

group! { GRAD: GradGroup, "grad", revision 1;
    enter fn variable(state, x: abi::Tensor) -> Tensor {
        state.get(x)?.detach().variable()?
    }

    enter fn detach(state, x: abi::Tensor) -> Tensor {
        state.get(x)?.detach()
    }

    enter fn gradient(
        state,
        outputs: *const abi::Tensor,
        output_count: u64,
        seeds: *const abi::Tensor,
        inputs: *const abi::Tensor,
        input_count: u64,
        keep: u32,
        out: *mut abi::Tensor,
    ) {
        let outputs = state.get_all(outputs, output_count, "the outputs")?;
        let inputs = state.get_all(inputs, input_count, "the inputs")?;
        let seeds = if seeds.is_null() { None } else { Some(state.get_all(seeds, output_count, "the seeds")?) };
        if seeds.is_none()
            && let Some(wide) = outputs.iter().find(|output| output.elements() != 1)
        {
            let message =
                format!("an output of shape {:?} is not a scalar; give seeds, or reduce it first", wide.shape());
            return Err(Fault::new(Status::Shape, message));
        }
        let keep = if keep == 0 { Keep::No } else { Keep::OnTape };
        state.give_all(out, pddflow_tensor::grad(&outputs, &inputs, seeds.as_deref(), keep)?)?;
    }
}
