//! What a plugin gives: tables of functions.
//!
//! All functions may be entered from several threads at once with different calls; an instance does not change after `create`.
//! `create` is called once for an instance and `destroy` once after it.

use crate::data::{DecodeArguments, ForwardArguments, IterateArguments, Problem};
use crate::host::Call;
use core::ffi::c_void;

/// A model: a list of weights and a pure function.
#[repr(C)]
#[derive(Debug)]
pub struct ModelTable {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Makes an instance from `config`. `[call]`
    pub create: Option<unsafe extern "C" fn(call: *mut Call, out: *mut *mut c_void) -> i32>,
    /// Ends an instance. No call: host functions are not available. `[any]`
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Declares the weights with `declare.weight`; of the problem only classes, channels, height, width and dtype are set. `[call]`
    pub weights: Option<unsafe extern "C" fn(call: *mut Call, instance: *const c_void, problem: *const Problem) -> i32>,
    /// Runs a batch; results through `declare.output`. `[call]`
    pub forward: Option<
        unsafe extern "C" fn(call: *mut Call, instance: *const c_void, arguments: *const ForwardArguments) -> i32,
    >,
}

// SAFETY: a table is constant data.
#[expect(unsafe_code, reason = "a constant with pointers is exported")]
unsafe impl Sync for ModelTable {}

/// A matcher: what it optimises and one outer iteration.
#[repr(C)]
#[derive(Debug)]
pub struct MatcherTable {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Makes an instance from `config`. `[call]`
    pub create: Option<unsafe extern "C" fn(call: *mut Call, out: *mut *mut c_void) -> i32>,
    /// Ends an instance. No call: host functions are not available. `[any]`
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Declares learnables, needs and the recipe through `declare`. `[call]`
    pub describe:
        Option<unsafe extern "C" fn(call: *mut Call, instance: *const c_void, problem: *const Problem) -> i32>,
    /// One outer iteration. `[call]`
    pub iterate: Option<
        unsafe extern "C" fn(call: *mut Call, instance: *const c_void, arguments: *const IterateArguments) -> i32,
    >,
    /// Makes images and labels of the learnables; a pure function; results through `declare.output`. NULL: the learnable
    /// "images" as it is, with the learnable "labels" or else the class numbers. `[call]`
    pub decode: Option<
        unsafe extern "C" fn(call: *mut Call, instance: *const c_void, arguments: *const DecodeArguments) -> i32,
    >,
    /// Says by `declare.identity` what results depend on besides parameters, the files that these name and the revision: versions of
    /// what the matcher calls. Asked whenever keys are made, so it must be quick. NULL: nothing. Since 0.5. `[call]`
    pub identify: Option<unsafe extern "C" fn(call: *mut Call, instance: *const c_void) -> i32>,
}

// SAFETY: a table is constant data.
#[expect(unsafe_code, reason = "a constant with pointers is exported")]
unsafe impl Sync for MatcherTable {}
