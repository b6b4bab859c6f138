//! One configured matcher or model of a plugin.

use crate::call::{self, Phase, State};
use crate::error::{Code, PluginError};
use crate::info::PluginInfo;
use crate::table;
use pddflow_abi::{Call, Status};
use pddflow_tensor::{DType, Device};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Create = unsafe extern "C" fn(call: *mut Call, out: *mut *mut c_void) -> i32;
type Destroy = unsafe extern "C" fn(instance: *mut c_void);

/// Owns what `create` made; `destroy` gets it back exactly once.
pub(crate) struct Instance {
    pub(crate) info: Arc<PluginInfo>,
    pub(crate) config: String,
    pointer: *mut c_void,
    destroy: Destroy,
    broken: AtomicBool,
}

// SAFETY: the boundary says that instances may be entered from several threads at once and that `destroy` is `[any]`.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    /// Calls `create` with a configuration that was checked.
    pub(crate) fn create(
        info: Arc<PluginInfo>,
        config: &serde_json::Value,
        functions: (Create, Destroy),
    ) -> Result<Self, PluginError> {
        let config = config.to_string();
        let mut pointer = std::ptr::null_mut();
        let owner = info.title();
        let state = State::new(Phase::Create, DType::F32, Device::Cpu, &config);
        call::run(table::root(), state, &owner, |call| {
            // SAFETY: `create` was checked at load; the call is live and the result pointer is valid.
            unsafe { functions.0(call, &raw mut pointer) }
        })?;
        Ok(Self { info, config, pointer, destroy: functions.1, broken: AtomicBool::new(false) })
    }

    /// Enters the plugin. After a panic the instance is not used again.
    pub(crate) fn enter<'e>(
        &self,
        state: State<'e>,
        body: impl FnOnce(*mut Call, *const c_void) -> i32,
    ) -> Result<State<'e>, PluginError> {
        let owner = self.info.title();
        if self.broken.load(Ordering::Relaxed) {
            let message = format!("{owner}: it panicked before, so this instance is not used again");
            return Err(PluginError::new(Code::Panicked, message));
        }
        call::run(table::root(), state, &owner, |call| {
            let status = body(call, self.pointer);
            if status == Status::Panic as i32 {
                self.broken.store(true, Ordering::Relaxed);
            }
            status
        })
    }

    /// What the plugin returned breaks the contract.
    pub(crate) fn contract(&self, function: &str, message: &str) -> PluginError {
        PluginError::new(Code::Contract, format!("{}: `{function}` {message}", self.info.title()))
            .with_help("this is a bug of the plugin: report it to its author with the text above")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: `pointer` came from this plugin's `create`, and nothing uses it after this.
        unsafe { (self.destroy)(self.pointer) }
    }
}
