//! Groups `core`, `log`, `config`: text and numbers, no tensors.

use super::{OPS, VERSION};
use crate::arena::LIVE_LIMIT;
use crate::call::{enter, enter_always};
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Call, Status, Text};

pub(super) static CORE: abi::CoreGroup = abi::CoreGroup {
    size: size_of::<abi::CoreGroup>() as u32,
    revision: 1,
    version: Some(version),
    supports: Some(supports),
    has: Some(has),
    fail: Some(fail),
    error: Some(error),
    cancelled: Some(cancelled),
    budget: Some(budget),
};

pub(super) static LOG: abi::LogGroup = abi::LogGroup {
    size: size_of::<abi::LogGroup>() as u32,
    revision: 1,
    message: Some(message),
    metric: Some(metric),
};

pub(super) static CONFIG: abi::ConfigGroup =
    abi::ConfigGroup { size: size_of::<abi::ConfigGroup>() as u32, revision: 1, json: Some(json) };

/// Functions tagged `[any]` have no call to leave a text in.
fn status(result: Result<(), Fault>) -> i32 {
    result.map_or_else(|fault| fault.status as i32, |()| Status::Ok as i32)
}

extern "C" fn version(_call: *mut Call, out: *mut Text) -> i32 {
    status(raw::store(out, Text::new(VERSION)))
}

extern "C" fn supports(_call: *mut Call, op: u32, out: *mut u32) -> i32 {
    status(raw::store(out, u32::from(OPS.iter().any(|known| *known as u32 == op))))
}

extern "C" fn has(_call: *mut Call, capability: Text, out: *mut u32) -> i32 {
    let name = raw::text(capability, abi::MAX_TEXT_BYTES, "the capability");
    status(name.and_then(|name| raw::store(out, u32::from(abi::CAPABILITIES.contains(&name.as_str())))))
}

/// The status of a number; unknown ones are `Internal`.
fn known(status: i32) -> Status {
    const ALL: [Status; 11] = [
        Status::InvalidArgument,
        Status::BadHandle,
        Status::Shape,
        Status::Dtype,
        Status::Unsupported,
        Status::Config,
        Status::Numeric,
        Status::Cancelled,
        Status::OutOfMemory,
        Status::WrongThread,
        Status::Panic,
    ];
    ALL.into_iter().find(|known| *known as i32 == status).unwrap_or(Status::Internal)
}

extern "C" fn fail(call: *mut Call, status: i32, message: Text) -> i32 {
    enter_always(call, "", |_| {
        let text = raw::text(message, abi::MAX_SCHEMA_BYTES, "the message")?;
        let status = if status == Status::Ok as i32 { Status::Internal } else { known(status) };
        Err(Fault::new(status, text))
    })
}

extern "C" fn error(call: *mut Call, out: *mut Text) -> i32 {
    enter_always(call, "core.error", |state| raw::store(out, Text::new(state.error_text())))
}

extern "C" fn cancelled(call: *mut Call, out: *mut u32) -> i32 {
    enter_always(call, "core.cancelled", |state| {
        let cancelled = state.environment.as_ref().is_some_and(|environment| environment.cancelled());
        raw::store(out, u32::from(cancelled))
    })
}

extern "C" fn budget(call: *mut Call, out: *mut u64) -> i32 {
    enter_always(call, "core.budget", |state| raw::store(out, (LIVE_LIMIT - state.arena.live()) as u64))
}

extern "C" fn message(call: *mut Call, level: u32, text: Text) -> i32 {
    enter(call, "log.message", |state| {
        let text = raw::text(text, abi::MAX_TEXT_BYTES, "the text")?;
        let all = [(abi::LogLevel::Info as u32, ""), (abi::LogLevel::Warning as u32, "warning: ")];
        let prefix = super::choice(level, &all, "level")?;
        if let Some(environment) = state.environment.as_mut() {
            environment.log(&format!("{prefix}{text}"));
        }
        Ok(())
    })
}

extern "C" fn metric(call: *mut Call, name: Text, value: f64) -> i32 {
    enter(call, "log.metric", |state| {
        let name = raw::text(name, abi::MAX_TEXT_BYTES, "the name")?;
        let environment = state.environment.as_mut().ok_or_else(super::distill::outside)?;
        if !value.is_finite() {
            return Err(Fault::new(Status::Numeric, format!("metric `{name}` is {value}, which is not finite")));
        }
        environment.metric(&name, value);
        Ok(())
    })
}

extern "C" fn json(call: *mut Call, out: *mut Text) -> i32 {
    enter(call, "config.json", |state| raw::store(out, Text::new(state.config)))
}

// The list above and the table of codes name the same statuses.
#[test]
fn every_known_status_has_its_own_code() {
    use crate::error::Code;
    for number in 1..=11 {
        assert_eq!(known(number) as i32, number);
        assert!(Code::of_status(number) != Code::Internal, "{number}");
    }
    assert_eq!(known(99), Status::Internal);
}
