//! Group `declare`: what a plugin says about itself and returns.

use super::group::group;
use super::shared::choice;
use crate::call::{Phase, State, enter};
use crate::error::Fault;
use crate::raw;
use crate::types::{Init, LearnableInit, LearnableSpec, Need, Sgd, WeightSpec};
use pddflow_abi::{self as abi, InitKind, LearnableInitKind, LearnableKind, Output, Space, Status, Text, WeightKind};
use pddflow_tensor::{DType, Tensor};

/// Most weights, learnables or outputs of one plugin.
const DECLARED_LIMIT: usize = 4096;
/// Longest name.
const NAME_LIMIT: u64 = 256;

fn during(state: &State<'_>, phases: &[Phase]) -> Result<(), Fault> {
    if phases.contains(&state.phase) {
        return Ok(());
    }
    let names: Vec<&str> = phases.iter().map(|phase| phase.name()).collect();
    let message = format!("only allowed in `{}`, not in `{}`", names.join("` or `"), state.phase.name());
    Err(Fault::new(Status::Unsupported, message))
}

fn finite(value: f64, what: &str) -> Result<f64, Fault> {
    if value.is_finite() { Ok(value) } else { Err(Fault::new(Status::Numeric, format!("{what} is {value}"))) }
}

fn full(count: usize) -> Result<(), Fault> {
    if count < DECLARED_LIMIT {
        return Ok(());
    }
    Err(Fault::new(Status::OutOfMemory, format!("more than {DECLARED_LIMIT} declarations")))
}

fn unique<'a>(name: &str, mut known: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    if name.is_empty() || known.any(|other| other == name) {
        return Err(Fault::invalid(format!("the name `{name}` is empty or was declared before")));
    }
    Ok(())
}

fn learnable_init(given: &abi::LearnableDeclaration) -> Result<LearnableInit, Fault> {
    let value = finite(given.init_value, "the parameter of the initialiser")?;
    let factor = if value.fract() == 0.0 && (1.0..=64.0).contains(&value) { value as usize } else { 0 };
    let inits = [
        (LearnableInitKind::Noise as u32, LearnableInit::Noise { std: value }),
        (LearnableInitKind::Real as u32, LearnableInit::Real),
        (LearnableInitKind::Tile as u32, LearnableInit::Tile { factor }),
        (LearnableInitKind::OneHot as u32, LearnableInit::OneHot),
        (LearnableInitKind::Constant as u32, LearnableInit::Constant(value)),
        (LearnableInitKind::Given as u32, LearnableInit::Given),
    ];
    match choice(given.init, &inits, "initialiser")? {
        LearnableInit::Tile { factor: 0 } => {
            Err(Fault::invalid(format!("a tile factor is a whole number from 1 to 64, not {value}")))
        }
        init => Ok(init),
    }
}

fn learnable_spec(given: &abi::LearnableDeclaration) -> Result<LearnableSpec, Fault> {
    let roles = [LearnableKind::Images, LearnableKind::Labels, LearnableKind::LearningRate, LearnableKind::Other]
        .map(|role| (role as u32, role));
    let spaces = [Space::Normalised, Space::Unit].map(|space| (space as u32, space));
    let (low, high) = (given.clamp_low, given.clamp_high);
    if low.is_nan() || high.is_nan() || given.floor.is_nan() || low > high {
        return Err(Fault::new(
            Status::Numeric,
            format!("limits {low}, {high} and {} are not an interval", given.floor),
        ));
    }
    let unlimited = low == f64::NEG_INFINITY && high == f64::INFINITY;
    Ok(LearnableSpec {
        name: raw::text(given.name, NAME_LIMIT, "the name")?,
        role: choice(given.kind, &roles, "learnable kind")?,
        shape: raw::axes(given.shape, given.rank, "the shape")?,
        init: learnable_init(given)?,
        space: choice(given.space, &spaces, "space")?,
        optimizer: Sgd {
            lr: finite(given.lr, "the learning rate")?,
            momentum: finite(given.momentum, "the momentum")?,
            weight_decay: finite(given.weight_decay, "the weight decay")?,
        },
        clamp: (!unlimited).then_some((low, high)),
        floor: (given.floor != f64::NEG_INFINITY).then_some(given.floor),
    })
}

/// A wired tensor as the plugin sees it: where it computes, and real numbers in the type that it computes with.
fn ready(state: &State<'_>, tensor: &Tensor) -> Result<Tensor, Fault> {
    let tensor = tensor.detach().to_device(&state.device)?;
    Ok(if tensor.dtype() == DType::I64 { tensor } else { tensor.cast(state.dtype)? })
}

group! { DECLARE: DeclareGroup, "declare", revision 1;
    enter fn weight(state, weight: *const abi::WeightDeclaration) {
        during(state, &[Phase::Weights])?;
        let given = raw::sized(weight, "the declaration")?;
        let name = raw::text(given.name, NAME_LIMIT, "the name")?;
        unique(&name, state.declared.weights.iter().map(|spec| spec.name.as_str()))?;
        full(state.declared.weights.len())?;
        let shape = raw::axes(given.shape, given.rank, "the shape")?;
        let value = finite(given.init_value, "the parameter of the initialiser")?;
        let inits = [
            (InitKind::Constant as u32, Init::Constant(value)),
            (InitKind::Uniform as u32, Init::Uniform { bound: value }),
            (InitKind::Normal as u32, Init::Normal { std: value }),
        ];
        let init = choice(given.init, &inits, "initialiser")?;
        let roles = [WeightKind::Learnable, WeightKind::Statistic].map(|role| (role as u32, role));
        let role = choice(given.kind, &roles, "weight kind")?;
        state.declared.weights.push(WeightSpec { name, shape, init, role });
    }

    enter fn learnable(state, learnable: *const abi::LearnableDeclaration) {
        during(state, &[Phase::Describe])?;
        let given = raw::sized(learnable, "the declaration")?;
        let spec = learnable_spec(&given)?;
        unique(&spec.name, state.declared.learnables.iter().map(|spec| spec.name.as_str()))?;
        full(state.declared.learnables.len())?;
        if spec.init == LearnableInit::Given {
            let first = state.get(given.first)?.detach();
            if first.shape() != spec.shape {
                let message = format!("`{}` has shape {:?}, but starts as {:?}", spec.name, spec.shape, first.shape());
                return Err(Fault::new(Status::Shape, message));
            }
            state.declared.given.insert(spec.name.clone(), first.cast(state.dtype)?);
        }
        state.declared.learnables.push(spec);
    }

    enter fn need(state, need: u32) {
        during(state, &[Phase::Describe])?;
        let all = [
            (abi::Need::Model as u32, None),
            (abi::Need::Trajectories as u32, Some(Need::Trajectories)),
            (abi::Need::StartWeights as u32, Some(Need::StartWeights)),
            (abi::Need::Evaluation as u32, Some(Need::Evaluation)),
            (abi::Need::Horizon as u32, Some(Need::Horizon)),
            (abi::Need::Models as u32, Some(Need::Models)),
        ];
        let need = choice(need, &all, "need")?;
        state.declared.model_required |= matches!(need, None | Some(Need::Models));
        match need {
            None => {}
            Some(need) if !state.declared.needs.contains(&need) => state.declared.needs.push(need),
            Some(_) => {}
        }
    }

    enter fn recipe(state, json: Text) {
        during(state, &[Phase::Describe])?;
        let text = raw::text(json, abi::MAX_SCHEMA_BYTES, "the recipe")?;
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| Fault::invalid(format!("the recipe is not JSON: {error}")))?;
        if !value.is_object() {
            return Err(Fault::invalid("the recipe is not a JSON object"));
        }
        state.declared.recipe = Some(value);
    }

    enter fn output(state, kind: u32, name: Text, x: abi::Tensor) {
        let all = [Output::Logits, Output::Features, Output::Map, Output::Statistic, Output::Images, Output::Labels, Output::Moment]
            .map(|output| (output as u32, output));
        let kind = choice(kind, &all, "output")?;
        let phase = if matches!(kind, Output::Images | Output::Labels) { Phase::Decode } else { Phase::Forward };
        during(state, &[phase])?;
        let name = raw::text(name, NAME_LIMIT, "the name")?;
        let repeated = matches!(kind, Output::Map | Output::Statistic | Output::Moment);
        if !repeated && state.declared.outputs.iter().any(|(known, ..)| *known == kind) {
            return Err(Fault::invalid(format!("{kind:?} was given before")));
        }
        full(state.declared.outputs.len())?;
        let tensor = state.get(x)?;
        state.declared.outputs.push((kind, name, tensor));
    }

    enter fn identity(state, name: Text, value: Text) {
        during(state, &[Phase::Identify])?;
        let name = raw::text(name, NAME_LIMIT, "the name")?;
        unique(&name, state.declared.identity.iter().map(|(known, _)| known.as_str()))?;
        full(state.declared.identity.len())?;
        let value = raw::text(value, abi::MAX_TEXT_BYTES, "the value")?;
        state.declared.identity.push((name, value));
    }

    enter fn input(state, purpose: Text) -> u64 {
        during(state, &[Phase::Describe])?;
        let purpose = raw::text(purpose, NAME_LIMIT, "the purpose")?;
        if purpose.is_empty() || state.declared.input.is_some() {
            return Err(Fault::invalid("the purpose of the tensors is empty, or was declared before"));
        }
        state.declared.input = Some(purpose);
        state.inputs.len() as u64
    }

    enter fn input_tensor(state, index: u64, out: *mut abi::NamedTensor) {
        during(state, &[Phase::Describe])?;
        let inputs = state.inputs;
        let Some((name, tensor)) = inputs.get(raw::index(index, "index")?) else {
            return Err(Fault::invalid(format!("tensor {index} was asked for, and {} are wired", inputs.len())));
        };
        let tensor = ready(state, tensor)?;
        let mut handle = 0;
        state.give(&raw mut handle, tensor)?;
        raw::store(out, abi::NamedTensor { name: Text::new(name), tensor: handle })?;
    }
}
