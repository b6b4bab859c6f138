//! The host's functions as C tables: one file for each group or two, one function for each entry.
//!
//! Every function has the same form: take the pointers apart, do it with `pddflow-tensor` or the environment, store the result.

mod arena;
mod declare;
mod distill;
mod grad;
mod linear;
mod make;
mod map;
mod model;
mod random;
mod shape;
mod talk;

use crate::call::State;
use crate::error::Fault;
use pddflow_abi as abi;
use pddflow_tensor::{DType, Tensor};

/// Version of the host as plugins see it.
pub(crate) use random::words;

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

static ROOT: abi::Host = abi::Host {
    size: size_of::<abi::Host>() as u32,
    abi_minor: abi::ABI_MINOR,
    core: &raw const talk::CORE,
    log: &raw const talk::LOG,
    config: &raw const talk::CONFIG,
    make: &raw const make::MAKE,
    info: &raw const make::INFO,
    read: &raw const make::READ,
    map: &raw const map::MAP,
    reduce: &raw const map::REDUCE,
    shape: &raw const shape::SHAPE,
    linear: &raw const linear::LINEAR,
    grad: &raw const grad::GRAD,
    random: &raw const random::RANDOM,
    model: &raw const model::MODEL,
    arena: &raw const arena::ARENA,
    declare: &raw const declare::DECLARE,
    distill: &raw const distill::DISTILL,
};

/// The root table.
pub(crate) fn root() -> *const abi::Host {
    &raw const ROOT
}

/// Every op code; what `core.supports` answers for.
pub(crate) const OPS: &[abi::Op] = &[
    abi::Op::Neg,
    abi::Op::Exp,
    abi::Op::Log,
    abi::Op::Sqrt,
    abi::Op::Recip,
    abi::Op::Square,
    abi::Op::Abs,
    abi::Op::Sign,
    abi::Op::Relu,
    abi::Op::Step,
    abi::Op::Sin,
    abi::Op::Cos,
    abi::Op::Tanh,
    abi::Op::Sigmoid,
    abi::Op::Power,
    abi::Op::Clamp,
    abi::Op::AddScalar,
    abi::Op::MulScalar,
    abi::Op::Add,
    abi::Op::Sub,
    abi::Op::Mul,
    abi::Op::Div,
    abi::Op::Maximum,
    abi::Op::Minimum,
    abi::Op::Greater,
    abi::Op::GreaterEqual,
    abi::Op::Less,
    abi::Op::Equal,
    abi::Op::LessEqual,
    abi::Op::Sum,
    abi::Op::Mean,
    abi::Op::Max,
    abi::Op::Min,
    abi::Op::ArgMax,
    abi::Op::LogSumExp,
];

/// The op of a number.
fn op(code: u32) -> Result<abi::Op, Fault> {
    let known = OPS.iter().find(|op| **op as u32 == code);
    known
        .copied()
        .ok_or_else(|| Fault::new(abi::Status::Unsupported, format!("op code {code} is not known to this host")))
}

/// The member of `all` with this number.
fn choice<T: Copy>(number: u32, all: &[(u32, T)], what: &str) -> Result<T, Fault> {
    let found = all.iter().find(|(known, _)| *known == number);
    found.map(|(_, value)| *value).ok_or_else(|| Fault::invalid(format!("{what} {number} is not known")))
}

fn dtype(state: &State<'_>, number: u32) -> Result<DType, Fault> {
    let all = [
        (abi::Dtype::Real as u32, state.dtype),
        (abi::Dtype::F32 as u32, DType::F32),
        (abi::Dtype::F64 as u32, DType::F64),
        (abi::Dtype::I64 as u32, DType::I64),
    ];
    choice(number, &all, "dtype")
}

/// Number of a dtype.
pub(crate) fn dtype_number(dtype: DType) -> u32 {
    match dtype {
        DType::F32 => abi::Dtype::F32 as u32,
        DType::F64 => abi::Dtype::F64 as u32,
        DType::I64 => abi::Dtype::I64 as u32,
    }
}

impl State<'_> {
    fn get(&self, handle: abi::Tensor) -> Result<Tensor, Fault> {
        self.arena.get(handle).cloned()
    }

    /// A tensor that may be left out as 0.
    fn get_if(&self, handle: abi::Tensor) -> Result<Option<Tensor>, Fault> {
        if handle == 0 { Ok(None) } else { self.get(handle).map(Some) }
    }

    fn get_all(&self, handles: *const abi::Tensor, count: u64, what: &str) -> Result<Vec<Tensor>, Fault> {
        crate::raw::slice(handles, count, what)?.iter().map(|handle| self.get(*handle)).collect()
    }

    /// Names a result and stores the name.
    fn give(&mut self, out: *mut abi::Tensor, tensor: Tensor) -> Result<(), Fault> {
        if out.is_null() {
            return Err(Fault::invalid("the result pointer is NULL"));
        }
        let handle = self.arena.put(tensor)?;
        self.warn_of_hoarding();
        crate::raw::store(out, handle)
    }

    fn give_all(&mut self, out: *mut abi::Tensor, tensors: Vec<Tensor>) -> Result<(), Fault> {
        let room = crate::raw::slice_mut(out, tensors.len() as u64, "the result array")?;
        for (place, tensor) in room.iter_mut().zip(tensors) {
            *place = self.arena.put(tensor)?;
        }
        self.warn_of_hoarding();
        Ok(())
    }

    fn warn_of_hoarding(&mut self) {
        if !self.warned && self.arena.live() >= crate::arena::LIVE_WARNING {
            self.warned = true;
            if let Some(environment) = self.environment.as_mut() {
                let (live, limit) = (self.arena.live(), crate::arena::LIVE_LIMIT);
                environment
                    .log(&format!("warning: the matcher holds {live} tensors in one iteration; {limit} is the limit"));
            }
        }
    }
}
