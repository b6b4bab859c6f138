//! Groups `core`, `log`, `config`: text and numbers, no tensors.

use super::group::group;
use super::shared::choice;
use crate::arena::LIVE_LIMIT;
use crate::call::{enter, enter_always, outside};
use crate::error::{Code, Fault};
use crate::raw;
use pddflow_abi::{self as abi, Call, LogLevel, Status, Text};

/// Version of the host as plugins see it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

group! { CORE: CoreGroup, "core", revision 1, and version, and supports, and has, and fail;
    enter_always fn error(state) -> Text {
        Text::new(state.error_text())
    }

    enter_always fn cancelled(state) -> u32 {
        u32::from(state.cancelled())
    }

    enter_always fn budget(state) -> u64 {
        (LIVE_LIMIT - state.arena.live()) as u64
    }
}

/// Functions tagged `[any]` have no call to leave a text in.
fn status(result: Result<(), Fault>) -> i32 {
    result.map_or_else(|fault| fault.status as i32, |()| Status::Ok as i32)
}

extern "C" fn version(_call: *mut Call, out: *mut Text) -> i32 {
    status(raw::store(out, Text::new(VERSION)))
}

extern "C" fn supports(_call: *mut Call, op: u32, out: *mut u32) -> i32 {
    status(raw::store(out, u32::from(super::map::name(op).is_some())))
}

extern "C" fn has(_call: *mut Call, capability: Text, out: *mut u32) -> i32 {
    let name = raw::text(capability, abi::MAX_TEXT_BYTES, "the capability");
    status(name.and_then(|name| raw::store(out, u32::from(abi::CAPABILITIES.contains(&name.as_str())))))
}

/// Without a name of the function: the text is the plugin's own.
extern "C" fn fail(call: *mut Call, status: i32, message: Text) -> i32 {
    enter_always(call, "", |_| {
        let text = raw::text(message, abi::MAX_SCHEMA_BYTES, "the message")?;
        Err(Fault::new(Code::of_status(status).0, text))
    })
}

group! { LOG: LogGroup, "log", revision 1;
    enter fn message(state, level: u32, text: Text) {
        let text = raw::text(text, abi::MAX_TEXT_BYTES, "the text")?;
        let prefix = choice(level, &[(LogLevel::Info as u32, ""), (LogLevel::Warning as u32, "warning: ")], "level")?;
        if let Some(environment) = state.environment.as_mut().filter(|_| !state.again) {
            environment.log(&format!("{prefix}{text}"));
        }
    }

    enter fn metric(state, name: Text, value: f64) {
        let name = raw::text(name, abi::MAX_TEXT_BYTES, "the name")?;
        let environment = state.environment.as_mut().ok_or_else(outside)?;
        if !value.is_finite() {
            return Err(Fault::new(Status::Numeric, format!("metric `{name}` is {value}, which is not finite")));
        }
        if !state.again {
            environment.metric(&name, value);
        }
    }
}

group! { CONFIG: ConfigGroup, "config", revision 1;
    enter fn json(state) -> Text {
        Text::new(state.config)
    }
}
