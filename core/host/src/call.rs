//! One entry into plugin code, and how host functions find it again.
//!
//! Each thread keeps a stack of the calls that are running on it. A host function is given a pointer by the plugin; it is
//! compared with the innermost call of this thread and used only if it is the same. So a call that is over, suspended under an
//! inner call, or of another thread is refused without being touched.
//!
//! | what happens in a host function | what follows |
//! |---|---|
//! | it fails | status; the first text is kept as the cause, later ones as context |
//! | it panics | `Internal`; the call is poisoned, every later function fails |
//! | the run is cancelled | `Cancelled` from every function but those that free or explain |

use crate::arena::Arena;
use crate::environment::{Environment, EnvironmentError};
use crate::error::{Code, Fault, PluginError};
use crate::problem::Numbers;
use crate::steps::Steps;
use crate::types::{Decoded, LearnableSpec, Need, Problem, WeightSpec};
use pddflow_abi::{self as abi, Output, Status};
use pddflow_tensor::{DType, Device, Tensor};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Which function of the plugin runs; some host functions belong to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Schema,
    Create,
    Weights,
    Forward,
    Describe,
    Decode,
    Iterate,
    Identify,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Schema => "schema_text",
            Self::Create => "create",
            Self::Weights => "weights",
            Self::Forward => "forward",
            Self::Describe => "describe",
            Self::Decode => "decode",
            Self::Iterate => "iterate",
            Self::Identify => "identify",
        }
    }
}

/// Makes images and labels of learnables; what the host needs of a matcher while one of its calls runs.
pub(crate) trait Decode {
    fn decode(&self, learnables: &[(String, Tensor)], problem: &Problem) -> Result<Decoded, PluginError>;
}

/// What a plugin declared during a call.
#[derive(Default)]
pub(crate) struct Declared {
    pub(crate) weights: Vec<WeightSpec>,
    pub(crate) learnables: Vec<LearnableSpec>,
    pub(crate) needs: Vec<Need>,
    pub(crate) model_required: bool,
    pub(crate) recipe: Option<serde_json::Value>,
    pub(crate) outputs: Vec<(Output, String, Tensor)>,
    pub(crate) identity: Vec<(String, String)>,
    pub(crate) input: Option<String>,
    pub(crate) given: BTreeMap<String, Tensor>,
}

/// What an `iterate` has at hand beyond the environment; caches that end with the call.
#[derive(Default)]
pub(crate) struct Views {
    pub(crate) learnables: Option<Vec<(String, Tensor)>>,
    pub(crate) decoded: Option<Decoded>,
    pub(crate) previous: Option<Option<Decoded>>,
    /// Of each model that was asked for, by its place: a plugin may hold them until the call is over.
    pub(crate) weight_shapes: BTreeMap<usize, Vec<Vec<u64>>>,
    /// Place of the model that is chosen.
    pub(crate) model: usize,
    pub(crate) map_names: Vec<String>,
    pub(crate) problem: Option<Numbers>,
    pub(crate) steps: Steps,
}

struct Recorded {
    function: &'static str,
    status: Status,
    message: String,
    environment: Option<Box<EnvironmentError>>,
}

/// The state of a call.
pub(crate) struct State<'e> {
    pub(crate) phase: Phase,
    pub(crate) arena: Arena,
    pub(crate) dtype: DType,
    pub(crate) device: Device,
    pub(crate) config: &'e str,
    pub(crate) environment: Option<&'e mut dyn Environment>,
    pub(crate) decode: Option<&'e dyn Decode>,
    /// What is wired to the node for the matcher to work from.
    pub(crate) inputs: &'e [(String, Tensor)],
    pub(crate) declared: Declared,
    pub(crate) views: Views,
    pub(crate) warned: bool,
    /// Whether it runs a second time, to find a number that is not finite: what it reports has been told.
    pub(crate) again: bool,
    first: Option<Recorded>,
    context: Vec<String>,
    poisoned: bool,
}

/// Most lines of context that are kept.
const CONTEXT_LIMIT: usize = 8;

impl<'e> State<'e> {
    pub(crate) fn new(phase: Phase, dtype: DType, device: Device, config: &'e str) -> Self {
        Self {
            phase,
            arena: Arena::new(),
            dtype,
            device,
            config,
            environment: None,
            decode: None,
            inputs: &[],
            declared: Declared::default(),
            views: Views::default(),
            warned: false,
            again: false,
            first: None,
            context: Vec::new(),
            poisoned: false,
        }
    }

    /// Text of the first error, empty if there is none.
    pub(crate) fn error_text(&self) -> &str {
        self.first.as_ref().map_or("", |first| &first.message)
    }

    pub(crate) fn record(&mut self, function: &'static str, fault: Fault) -> i32 {
        let status = fault.status as i32;
        if self.first.is_none() {
            let Fault { status, message, environment } = fault;
            self.first = Some(Recorded { function, status, message, environment });
        } else if self.context.len() < CONTEXT_LIMIT && self.error_text() != fault.message {
            self.context.push(fault.message);
        }
        status
    }

    /// What the node offers to its matcher.
    pub(crate) fn environment(&mut self) -> Result<&mut (dyn Environment + 'e), Fault> {
        self.environment.as_deref_mut().ok_or_else(outside)
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.environment.as_ref().is_some_and(|environment| environment.cancelled())
    }

    /// Turns the status that a plugin returned into a result.
    fn finish(&mut self, status: i32, owner: &str) -> Result<(), PluginError> {
        if status == Status::Ok as i32 && !self.poisoned {
            return Ok(());
        }
        let function = self.phase.name();
        let (_, returned) = Code::of_status(status);
        let refuses = matches!(self.phase, Phase::Open | Phase::Create);
        let Some(first) = self.first.take() else {
            let message =
                format!("{owner}: `{function}` failed with status {status} ({}) and gave no reason", returned.text());
            let code = if refuses && returned != Code::Panicked { Code::Refused } else { returned.of_plugin() };
            return Err(PluginError::new(code, message));
        };
        let code = match returned {
            Code::Panicked | Code::Cancelled => returned,
            _ if refuses => Code::Refused,
            _ if first.function.is_empty() => Code::of_status(first.status as i32).1.of_plugin(),
            _ => Code::of_status(first.status as i32).1,
        };
        let mut message = format!("{owner}: `{function}` failed: ");
        if !first.function.is_empty() {
            message.push_str(&format!("{}: ", first.function));
        }
        message.push_str(&first.message);
        for line in &self.context {
            // A line of the author's source is no second error.
            message.push_str(if line.starts_with("at ") { "; " } else { "; then " });
            message.push_str(line);
        }
        let error = PluginError::new(code, message);
        Err(match first.environment {
            Some(cause) if code != Code::Panicked => error.with_environment(*cause),
            _ => error,
        })
    }
}

/// Something was asked for that only an iteration has.
pub(crate) fn outside() -> Fault {
    Fault::new(Status::Unsupported, "only available in `iterate`")
}

/// What the plugin holds a pointer to: the public part comes first.
#[repr(C)]
struct Frame<'e> {
    public: abi::Call,
    state: State<'e>,
}

struct Entry {
    frame: *mut Frame<'static>,
    busy: bool,
}

/// How many addresses of calls that are over stay unused, so that a pointer that a plugin kept is not that of a newer call.
const RETIRED_LIMIT: usize = 64;

thread_local! {
    static STACK: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    static RETIRED: RefCell<VecDeque<Box<MaybeUninit<Frame<'static>>>>> = const { RefCell::new(VecDeque::new()) };
}

/// Takes the state out of a call that is over, and keeps its address from use for a while.
///
/// # Safety
/// `frame` came from a box and is off the stack of this thread.
unsafe fn retire<'e>(frame: *mut Frame<'e>) -> State<'e> {
    // SAFETY: the frame is whole, and nothing reads its state again: the memory is only freed as bytes.
    let state = unsafe { (&raw mut (*frame).state).read() };
    // SAFETY: the allocation is a box of this size and alignment, whatever the lifetime.
    let memory = unsafe { Box::from_raw(frame.cast::<MaybeUninit<Frame<'static>>>()) };
    RETIRED.with_borrow_mut(|retired| {
        retired.push_back(memory);
        if retired.len() > RETIRED_LIMIT {
            retired.pop_front();
        }
    });
    state
}

/// Removes the innermost call of this thread, also when unwinding.
struct Popper;

impl Drop for Popper {
    fn drop(&mut self) {
        STACK.with_borrow_mut(Vec::pop);
    }
}

/// Runs plugin code with a call that leads to the functions of `host`; `owner` names the plugin in errors.
///
/// # Errors
/// The plugin returned a status, or a host function panicked under it.
pub(crate) fn run<'e>(
    host: *const abi::Host,
    state: State<'e>,
    owner: &str,
    body: impl FnOnce(*mut abi::Call) -> i32,
) -> Result<State<'e>, PluginError> {
    let public = abi::Call { size: size_of::<abi::Call>() as u32, reserved: 0, host };
    let frame = Box::into_raw(Box::new(Frame { public, state }));
    STACK.with_borrow_mut(|stack| stack.push(Entry { frame: frame.cast(), busy: false }));
    let status = {
        let _popper = Popper;
        body(frame.cast())
    };
    // SAFETY: `frame` came from a box above and is off the stack, so that no host function reaches it any more.
    let mut state = unsafe { retire(frame) };
    let status = match state.views.steps.settle() {
        Err(fault) if status == Status::Ok as i32 => state.record("distill.step", fault),
        _ => status,
    };
    state.finish(status, owner)?;
    Ok(state)
}

/// Runs the body of a host function tagged `[call]`.
pub(crate) fn enter(
    call: *mut abi::Call,
    function: &'static str,
    body: impl FnOnce(&mut State<'_>) -> Result<(), Fault>,
) -> i32 {
    enter_always(call, function, |state| {
        if state.cancelled() {
            return Err(Fault::new(Status::Cancelled, "the run was cancelled"));
        }
        body(state)
    })
}

/// As [`enter`], also when the run is cancelled: for functions that free or explain.
pub(crate) fn enter_always(
    call: *mut abi::Call,
    function: &'static str,
    body: impl FnOnce(&mut State<'_>) -> Result<(), Fault>,
) -> i32 {
    let Some(frame) = claim(call) else {
        return Status::WrongThread as i32;
    };
    let _free = Free;
    // SAFETY: `claim` found the pointer on this thread's stack, where only live frames are, and marked it busy, so that this
    // is the only reference. The lifetime is shortened to this function's.
    let state: &mut State<'_> = unsafe { &mut (*frame).state };
    if state.poisoned {
        return Status::Internal as i32;
    }
    match catch_unwind(AssertUnwindSafe(|| body(state))) {
        Ok(Ok(())) => Status::Ok as i32,
        Ok(Err(fault)) => state.record(function, fault),
        Err(payload) => {
            state.poisoned = true;
            let text = format!("the host panicked: {}", panic_text(payload.as_ref()));
            state.record(function, Fault::new(Status::Internal, text))
        }
    }
}

/// Text of a panic's payload.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

fn claim(call: *mut abi::Call) -> Option<*mut Frame<'static>> {
    STACK.with_borrow_mut(|stack| {
        let top = stack.last_mut()?;
        if top.busy || top.frame.cast::<abi::Call>() != call {
            return None;
        }
        top.busy = true;
        Some(top.frame)
    })
}

/// Frees the call that [`claim`] marked; calls entered meanwhile have left the stack by then.
struct Free;

impl Drop for Free {
    fn drop(&mut self) {
        STACK.with_borrow_mut(|stack| {
            if let Some(top) = stack.last_mut() {
                top.busy = false;
            }
        });
    }
}
