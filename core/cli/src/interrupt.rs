//! Ctrl-C and SIGTERM: once ends a run in order, twice ends it at once.

use crate::exit::Exit;
use pddflow_report::Reporter;
use pddflow_runner::{Cancel, CancelLevel};
use std::sync::Arc;
use std::time::Duration;

/// After the second signal, nodes have this long to return before the program goes without them. Nothing that is
/// written to the store can be half written, so nothing is lost by it.
const GRACE: Duration = Duration::from_millis(200);

/// Connects the signals to a run.
pub(crate) fn connect(reporter: &Arc<dyn Reporter>) -> Cancel {
    let cancel = Cancel::new();
    let (raised, told) = (cancel.clone(), Arc::clone(reporter));
    let handler = move || match raised.raise() {
        CancelLevel::None | CancelLevel::Stop => {
            told.note("stopping: running nodes write a checkpoint; Ctrl-C again to stop at once");
        }
        CancelLevel::Now => leave(),
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        reporter.note(&format!("Ctrl-C will not stop in order: {error}"));
    }
    cancel
}

fn leave() -> ! {
    let (never, wait) = std::sync::mpsc::channel::<()>();
    let _ = wait.recv_timeout(GRACE);
    drop(never);
    std::process::exit(Exit::Interrupted as i32)
}
