//! A record of what is computed, operation by operation, for looking at where the time goes.
//!
//! Off, it costs one relaxed load for each operation. It is one for the whole process, because what is looked at are the threads
//! of all nodes together; no number ever depends on it.
//!
//! ```
//! use pddflow_tensor::{DType, Device, Tensor, trace};
//!
//! # fn main() -> Result<(), pddflow_tensor::TensorError> {
//! trace::start();
//! let step = trace::span("step");
//! Tensor::ones(&[2, 3], DType::F32, &Device::Cpu)?.matmul(&Tensor::ones(&[3, 4], DType::F32, &Device::Cpu)?)?;
//! drop(step);
//! let trace = trace::stop();
//! let product = trace.events.iter().find(|event| event.name == "matmul").map(|event| event.operations);
//! assert_eq!(product, Some(2 * 2 * 3 * 4));
//! assert!(trace.events.iter().any(|event| event.name == "step"));
//! # Ok(())
//! # }
//! ```

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most events that are kept (about 100 bytes each); later ones are counted.
const MOST_EVENTS: usize = 4_000_000;

static RECORDING: AtomicBool = AtomicBool::new(false);
static TRACE: Mutex<Option<(Instant, Trace)>> = Mutex::new(None);
static THREADS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

/// What was recorded between [`start`] and [`stop`].
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In the order in which they ended.
    pub events: Vec<Event>,
    /// Events that there was no room for.
    pub dropped: u64,
}

/// What an [`Event`] is. An operation on a device's backend has its launches within its time; a launch takes as long as the call does,
/// which need not wait for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`span`].
    Span,
    /// An operation on tensors.
    Operation,
    /// Something that a backend's device is given to do.
    Launch,
    /// Numbers that go to a device.
    Upload,
    /// Numbers that come back from a device, which is waited for.
    Read,
}

impl Kind {
    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Span => "span",
            Self::Operation => "operation",
            Self::Launch => "launch",
            Self::Upload => "upload",
            Self::Read => "read",
        }
    }
}

/// Something that was recorded.
#[derive(Clone, Debug)]
pub struct Event {
    /// The operation, the call of the backend, or the name of the span.
    pub name: Cow<'static, str>,
    /// What it is.
    pub kind: Kind,
    /// When it began, since [`start`].
    pub begin: Duration,
    /// How long it took.
    pub took: Duration,
    /// The thread that asked for it, counted from 1. Kernels share their work among others.
    pub thread: u64,
    /// Shape of the result; empty for spans and scalars.
    pub shape: Vec<usize>,
    /// Bytes of inputs and result.
    pub bytes: u64,
    /// Additions and multiplications of a matrix product or a convolution, as its definition counts them; 0 for the rest.
    pub operations: u64,
}

/// Begins to record; what was recorded before is forgotten.
pub fn start() {
    *lock() = Some((Instant::now(), Trace::default()));
    RECORDING.store(true, Ordering::Relaxed);
}

/// Ends the recording.
#[must_use]
pub fn stop() -> Trace {
    RECORDING.store(false, Ordering::Relaxed);
    lock().take().map(|(_, trace)| trace).unwrap_or_default()
}

/// Records the time until the guard is dropped, such as that of a node or an iteration.
#[must_use]
pub fn span(name: impl Into<Cow<'static, str>>) -> Span {
    Span(is_on().then(|| (Instant::now(), name.into())))
}

/// See [`span`].
#[derive(Debug)]
pub struct Span(Option<(Instant, Cow<'static, str>)>);

impl Drop for Span {
    fn drop(&mut self) {
        if let Some((begin, name)) = self.0.take() {
            add(begin, |times| Event { name, kind: Kind::Span, ..times });
        }
    }
}

/// Records what is no operation on tensors: the shape of its result, the bytes that it reads and writes, and its operations.
pub(crate) fn named<T>(
    name: &'static str,
    shape: &[usize],
    [bytes, operations]: [usize; 2],
    compute: impl FnOnce() -> T,
) -> T {
    if !is_on() {
        return compute();
    }
    let begin = Instant::now();
    let result = compute();
    let (bytes, operations) = (bytes as u64, operations as u64);
    add(begin, |times| Event { name: name.into(), shape: shape.to_vec(), bytes, operations, ..times });
    result
}

/// Records what `compute` does; `about` its result are the shape, bytes read and written, and its operations.
pub(crate) fn record<T>(
    kind: Kind,
    name: &'static str,
    compute: impl FnOnce() -> T,
    about: impl FnOnce(&T) -> (Vec<usize>, [usize; 2]),
) -> T {
    if !is_on() {
        return compute();
    }
    let begin = Instant::now();
    let result = compute();
    let (shape, [bytes, operations]) = about(&result);
    let (name, bytes, operations) = (name.into(), bytes as u64, operations as u64);
    add(begin, |times| Event { name, kind, shape, bytes, operations, ..times });
    result
}

/// Whether anything is recorded.
pub(crate) fn is_on() -> bool {
    RECORDING.load(Ordering::Relaxed)
}

fn add(begin: Instant, event: impl FnOnce(Event) -> Event) {
    let took = begin.elapsed();
    let thread = THREAD.with(|thread| {
        if thread.get() == 0 {
            thread.set(THREADS.fetch_add(1, Ordering::Relaxed));
        }
        thread.get()
    });
    let mut trace = lock();
    let Some((start, trace)) = trace.as_mut() else { return };
    if trace.events.len() == MOST_EVENTS {
        trace.dropped += 1;
        return;
    }
    let begin = begin.saturating_duration_since(*start);
    let nothing = Event {
        name: "".into(),
        kind: Kind::Operation,
        begin,
        took,
        thread,
        shape: Vec::new(),
        bytes: 0,
        operations: 0,
    };
    trace.events.push(event(nothing));
}

fn lock() -> std::sync::MutexGuard<'static, Option<(Instant, Trace)>> {
    TRACE.lock().unwrap_or_else(PoisonError::into_inner)
}
