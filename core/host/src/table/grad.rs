//! Group `grad`.

use crate::call::enter;
use crate::error::Fault;
use pddflow_abi::{self as abi, Call, Status};
use pddflow_tensor::Keep;

pub(super) static GRAD: abi::GradGroup = abi::GradGroup {
    size: size_of::<abi::GradGroup>() as u32,
    revision: 1,
    variable: Some(variable),
    detach: Some(detach),
    gradient: Some(gradient),
};

extern "C" fn variable(call: *mut Call, x: abi::Tensor, out: *mut abi::Tensor) -> i32 {
    enter(call, "grad.variable", |state| {
        let result = state.get(x)?.detach().variable()?;
        state.give(out, result)
    })
}

extern "C" fn detach(call: *mut Call, x: abi::Tensor, out: *mut abi::Tensor) -> i32 {
    enter(call, "grad.detach", |state| {
        let result = state.get(x)?.detach();
        state.give(out, result)
    })
}

extern "C" fn gradient(
    call: *mut Call,
    outputs: *const abi::Tensor,
    output_count: u64,
    seeds: *const abi::Tensor,
    inputs: *const abi::Tensor,
    input_count: u64,
    keep: u32,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "grad.gradient", |state| {
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
        let results = pddflow_tensor::grad(&outputs, &inputs, seeds.as_deref(), keep)?;
        state.give_all(out, results)
    })
}
