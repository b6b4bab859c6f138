//! From traits to C tables; what `plugin!` expands to. Not for direct use.

use crate::call::{Call, elements, host, read_text, sized};
use crate::error::{Error, Result};
use crate::iteration::Iteration;
use crate::matcher::{Description, Identity, Learnables, Matcher};
use crate::model::{Batch, Input, Model, Weights};
use crate::problem::Problem;
use crate::random::Key;
use crate::tensor::Tensor;
use pddflow_abi::{self as abi, Flag, Mode, Status, Text};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Once, OnceLock};

pub use pddflow_abi;

/// Flags of a plugin that is built with this crate. `plugin!` refuses a build that aborts on panic.
pub const FLAGS: u64 = Flag::Unwinds as u64
    | if cfg!(target_endian = "little") { Flag::LittleEndian as u64 } else { 0 }
    | if cfg!(target_pointer_width = "64") { Flag::Pointers64 as u64 } else { 0 };

/// Oldest host that has all that a plugin takes for granted.
pub const HOST_MINOR: u32 = 3;

/// Version of this crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

thread_local! {
    /// Text of the last panic on this thread, with its place.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    /// How many functions of plugins this thread is in.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// The plugin's `open`: panics of this plugin are kept as text instead of being printed; those of a test that the
/// plugin is linked into are printed.
pub unsafe extern "C" fn open(_call: *mut abi::Call) -> i32 {
    static ONCE: Once = Once::new();
    let quiet = catch_unwind(|| {
        ONCE.call_once(|| {
            let others = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if INSIDE.get() == 0 {
                    return others(panic);
                }
                let text = panic.to_string().replace('\n', " ");
                PANIC.with_borrow_mut(|kept| *kept = text);
            }));
        });
    });
    if quiet.is_ok() { Status::Ok as i32 } else { Status::Internal as i32 }
}

/// Runs plugin code so that neither an error nor a panic crosses the boundary as anything but a status.
fn shield(call: Call<'_>, body: impl FnOnce() -> Result<()>) -> i32 {
    INSIDE.set(INSIDE.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(INSIDE.get() - 1);
    match outcome {
        Ok(Ok(())) => Status::Ok as i32,
        Ok(Err(error)) => call.fail(&error),
        Err(payload) => {
            let kept = PANIC.with_borrow_mut(std::mem::take);
            let text = if kept.is_empty() { "panicked without a text".to_owned() } else { kept };
            drop_quietly(payload);
            call.fail(&Error::with_status(Status::Panic, text))
        }
    }
}

/// A payload's destructor may panic too; then it is leaked.
fn drop_quietly(payload: Box<dyn std::any::Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

fn config<C: DeserializeOwned>(call: Call<'_>) -> Result<C> {
    let mut text = Text::EMPTY;
    host!(call, config: ConfigGroup, json(&raw mut text))?;
    // SAFETY: the host's text is valid during the call.
    let text = unsafe { read_text(text) };
    Ok(serde_json::from_str(&text)?)
}

/// Writes the JSON schema of a plugin's parameters; made once.
///
/// # Safety
/// The pointers are those that the host entered the plugin with.
pub unsafe fn schema<T: JsonSchema>(cell: &'static OnceLock<String>, call: *mut abi::Call, out: *mut Text) -> i32 {
    // SAFETY: the host's call.
    shield(unsafe { Call::new(call) }, || {
        let text = cell.get_or_init(|| schemars::schema_for!(T).to_value().to_string());
        // SAFETY: the host's result pointer is valid; the text lives as long as the process.
        unsafe { out.write(Text::new(text)) };
        Ok(())
    })
}

/// Makes an instance of its parameters.
unsafe fn make<T: DeserializeOwned>(
    call: *mut abi::Call,
    out: *mut *mut c_void,
    check: impl FnOnce(&T) -> Result<()>,
) -> i32 {
    // SAFETY: the host's call.
    let call = unsafe { Call::new(call) };
    shield(call, || {
        let instance: Box<T> = Box::new(config(call)?);
        check(&instance)?;
        // SAFETY: the host's result pointer is valid.
        unsafe { out.write(Box::into_raw(instance).cast()) };
        Ok(())
    })
}

unsafe extern "C" fn destroy<T>(instance: *mut c_void) {
    INSIDE.set(INSIDE.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the host gives back exactly once what `make` made.
        drop(unsafe { Box::from_raw(instance.cast::<T>()) });
    }));
    INSIDE.set(INSIDE.get() - 1);
    if let Err(payload) = result {
        std::mem::forget(payload);
    }
}

/// Enters: the call and the instance.
///
/// # Safety
/// The pointers are those that the host entered the plugin with.
unsafe fn enter<'a, T>(call: *mut abi::Call, instance: *const c_void) -> (Call<'a>, &'a T) {
    // SAFETY: passed on to the caller; the instance is one of `make` and lives longer than the call.
    unsafe { (Call::new(call), &*instance.cast::<T>()) }
}

/// Glue of a model.
#[derive(Debug)]
pub struct ModelGlue<T>(std::marker::PhantomData<T>);

impl<T: Model> ModelGlue<T> {
    /// Its functions.
    pub const TABLE: abi::ModelTable = abi::ModelTable {
        size: size_of::<abi::ModelTable>() as u32,
        reserved: 0,
        create: Some(Self::create),
        destroy: Some(destroy::<T>),
        weights: Some(Self::weights),
        forward: Some(Self::forward),
    };

    unsafe extern "C" fn create(call: *mut abi::Call, out: *mut *mut c_void) -> i32 {
        // SAFETY: the host's pointers.
        unsafe { make(call, out, T::check) }
    }

    unsafe extern "C" fn weights(call: *mut abi::Call, instance: *const c_void, problem: *const abi::Problem) -> i32 {
        // SAFETY: the host's pointers.
        let (call, instance) = unsafe { enter::<T>(call, instance) };
        shield(call, || {
            // SAFETY: the host's problem is valid during the call.
            let problem = unsafe { Problem::new(problem) };
            let Problem { channels, height, width, classes, .. } = problem;
            instance.weights(Input { channels, height, width, classes }, &mut Weights { call })
        })
    }

    unsafe extern "C" fn forward(
        call: *mut abi::Call,
        instance: *const c_void,
        arguments: *const abi::ForwardArguments,
    ) -> i32 {
        // SAFETY: the host's pointers.
        let (call, instance) = unsafe { enter::<T>(call, instance) };
        shield(call, || {
            // SAFETY: the host's arguments are valid during the call.
            let given = unsafe { sized(arguments) };
            // SAFETY: the host gives that many handles.
            let handles = unsafe { elements(given.weights, given.weight_count) };
            let batch = Batch {
                weights: handles.iter().map(|handle| Tensor::own(call, *handle)).collect(),
                images: Tensor::own(call, given.images),
                mode: if given.mode == Mode::Eval as u32 { Mode::Eval } else { Mode::Train },
                key: Key::new(call, given.key),
            };
            instance.forward(&batch)?.declare(call)
        })
    }
}

/// Glue of a matcher.
#[derive(Debug)]
pub struct MatcherGlue<T>(std::marker::PhantomData<T>);

impl<T: Matcher> MatcherGlue<T> {
    /// Its functions.
    pub const TABLE: abi::MatcherTable = abi::MatcherTable {
        size: size_of::<abi::MatcherTable>() as u32,
        reserved: 0,
        create: Some(Self::create),
        destroy: Some(destroy::<T>),
        describe: Some(Self::describe),
        iterate: Some(Self::iterate),
        decode: if T::DECODES { Some(Self::decode) } else { None },
        identify: if T::IDENTIFIES { Some(Self::identify) } else { None },
    };

    unsafe extern "C" fn create(call: *mut abi::Call, out: *mut *mut c_void) -> i32 {
        // SAFETY: the host's pointers.
        unsafe { make(call, out, T::check) }
    }

    unsafe extern "C" fn describe(call: *mut abi::Call, instance: *const c_void, problem: *const abi::Problem) -> i32 {
        // SAFETY: the host's pointers.
        let (call, instance) = unsafe { enter::<T>(call, instance) };
        shield(call, || {
            // SAFETY: the host's problem is valid during the call.
            let (problem, seed_key) = unsafe { (Problem::new(problem), sized(problem).seed_key) };
            instance.describe(&problem, &mut Description { call, seed_key })
        })
    }

    unsafe extern "C" fn iterate(
        call: *mut abi::Call,
        instance: *const c_void,
        arguments: *const abi::IterateArguments,
    ) -> i32 {
        // SAFETY: the host's pointers.
        let (call, instance) = unsafe { enter::<T>(call, instance) };
        shield(call, || {
            // SAFETY: the host's arguments are valid during the call.
            let given = unsafe { sized(arguments) };
            // SAFETY: likewise its problem.
            let (problem, raw) = unsafe { (Problem::new(given.problem), sized(given.problem)) };
            instance.iterate(&Iteration {
                call,
                problem,
                horizon: raw.iterations,
                number: given.iteration,
                key: given.key,
                seed_key: raw.seed_key,
                model: Cell::new(0),
            })
        })
    }

    unsafe extern "C" fn decode(
        call: *mut abi::Call,
        instance: *const c_void,
        arguments: *const abi::DecodeArguments,
    ) -> i32 {
        // SAFETY: the host's pointers.
        let (call, instance) = unsafe { enter::<T>(call, instance) };
        shield(call, || {
            // SAFETY: the host's arguments are valid during the call.
            let given = unsafe { sized(arguments) };
            // SAFETY: likewise its problem.
            let problem = unsafe { Problem::new(given.problem) };
            // SAFETY: the host gives that many learnables.
            let learnables = unsafe { elements(given.learnables, given.learnable_count) };
            let named = learnables.iter().map(|learnable| {
                // SAFETY: the host's text is valid during the call.
                (unsafe { read_text(learnable.name) }, Tensor::own(call, learnable.tensor))
            });
            let learnables = Learnables { call, named: named.collect() };
            instance.decode(&problem, &learnables)?.declare(call)
        })
    }

    unsafe extern "C" fn identify(call: *mut abi::Call, instance: *const c_void) -> i32 {
        // SAFETY: the host's pointers.
        let (call, instance) = unsafe { enter::<T>(call, instance) };
        shield(call, || instance.identify(&mut Identity { call }))
    }
}

/// Exports matchers and models from a `cdylib`: `plugin!(matcher MyMatcher, model MyModel);`
#[macro_export]
macro_rules! plugin {
    ($($role:ident $type:ty),+ $(,)?) => {
        #[cfg(panic = "abort")]
        compile_error!("a pddflow plugin needs `panic = \"unwind\"`: the host must survive a panic in it");

        /// The plugin's header, also for tests that link the plugin.
        #[doc(hidden)]
        #[allow(unsafe_code, reason = "the boundary's exported header")]
        pub mod pddflow_plugin_export {
            use super::*;
            use $crate::export::pddflow_abi as abi;

            static DESCRIPTORS: &[&abi::Descriptor] = &[$({
                static TABLE: $crate::plugin!(@table $role) = <$crate::plugin!(@glue $role $type)>::TABLE;
                static SCHEMA: std::sync::OnceLock<String> = std::sync::OnceLock::new();
                unsafe extern "C" fn schema(call: *mut abi::Call, out: *mut abi::Text) -> i32 {
                    // SAFETY: these are the host's pointers.
                    unsafe { $crate::export::schema::<$type>(&SCHEMA, call, out) }
                }
                static DESCRIPTOR: abi::Descriptor = abi::Descriptor {
                    size: size_of::<abi::Descriptor>() as u32,
                    role: $crate::plugin!(@role $role),
                    id: abi::Text::new(<$type>::ID),
                    version: abi::Text::new(env!("CARGO_PKG_VERSION")),
                    summary: abi::Text::new(<$type>::SUMMARY),
                    schema: abi::Text::EMPTY,
                    schema_text: Some(schema),
                    required: abi::TextList::EMPTY,
                    optional: abi::TextList::EMPTY,
                    table: (&raw const TABLE).cast(),
                    revision: <$type>::REVISION,
                    reserved: 0,
                };
                &DESCRIPTOR
            }),+];

            /// What the host reads first.
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals, reason = "the name is part of the boundary")]
            pub static pddflow_plugin: abi::Header = abi::Header {
                magic: abi::MAGIC,
                size: size_of::<abi::Header>() as u32,
                abi_major: abi::ABI_MAJOR,
                abi_minor: abi::ABI_MINOR,
                host_minor: $crate::export::HOST_MINOR,
                flags: $crate::export::FLAGS,
                sdk_name: abi::Text::new("pddflow-sdk"),
                sdk_version: abi::Text::new($crate::export::VERSION),
                target: abi::Text::EMPTY,
                descriptors: DESCRIPTORS.as_ptr().cast(),
                descriptor_count: DESCRIPTORS.len() as u64,
                open: Some($crate::export::open),
            };
        }
    };
    (@table matcher) => { abi::MatcherTable };
    (@table model) => { abi::ModelTable };
    (@glue matcher $type:ty) => { $crate::export::MatcherGlue::<$type> };
    (@glue model $type:ty) => { $crate::export::ModelGlue::<$type> };
    (@role matcher) => { abi::Role::Matcher as u32 };
    (@role model) => { abi::Role::Model as u32 };
}
