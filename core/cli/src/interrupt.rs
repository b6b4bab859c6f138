//! Ctrl-C and SIGTERM: once ends a run in order, twice ends it at once.

use crate::exit::Exit;
use crate::output::Output;
use pddflow_report::Reporter;
use pddflow_runner::{Cancel, CancelLevel};
use std::sync::Arc;
use std::time::Duration;

/// After the second signal, nodes have this long to return before the program goes without them. Nothing that is
/// written to the store can be half written, so nothing is lost by it.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// Jobs of a cluster are cancelled within this time.
pub(crate) const CLUSTER_GRACE: Duration = Duration::from_secs(20);

/// Connects the signals to a run; after the second one it has the time `grace` to end by itself.
pub(crate) fn connect(reporter: &Arc<dyn Reporter>, grace: Duration) -> Cancel {
    let cancel = Cancel::new();
    let (raised, told) = (cancel.clone(), Arc::clone(reporter));
    let handler = move || match raised.raise() {
        CancelLevel::None | CancelLevel::Stop => {
            told.note("stopping: running nodes write a checkpoint; Ctrl-C again to stop at once");
        }
        CancelLevel::Now => leave(grace),
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        reporter.note(&format!("Ctrl-C will not stop in order: {error}"));
    }
    cancel
}

/// A task of a cluster writes a checkpoint when it is told to end, as often as it is told: what ends it at once is SIGKILL.
pub(crate) fn checkpoint_on_signals(output: &Output) -> Cancel {
    let cancel = Cancel::new();
    // Before any other thread is started, since each thread has the blocked signals of the one that starts it.
    #[cfg(unix)]
    stop_on_usr2(cancel.clone(), output);
    let asked = cancel.clone();
    if let Err(error) = ctrlc::set_handler(move || asked.stop()) {
        output.note(&format!("warning: SIGTERM will not write a checkpoint: {error}"));
    }
    cancel
}

/// A file that may not grow further (`ulimit -f`) is an error of the write, and does not end the program.
#[cfg(unix)]
pub(crate) fn outlive_file_limits() {
    use nix::sys::signal::{SigSet, Signal};
    let mut limit = SigSet::empty();
    limit.add(Signal::SIGXFSZ);
    // Of the main thread, before others are started: each has the blocked signals of the one that starts it.
    let _ = limit.thread_block();
}

/// USR2 is blocked in all threads, also those to come, and taken by one that waits for it.
#[cfg(unix)]
fn stop_on_usr2(cancel: Cancel, output: &Output) {
    use nix::sys::signal::{SigSet, Signal};
    let mut usr2 = SigSet::empty();
    usr2.add(Signal::SIGUSR2);
    let waits = move || {
        while usr2.wait().is_ok() {
            cancel.stop();
        }
    };
    let blocked = usr2.thread_block().map_err(std::io::Error::from);
    if let Err(error) = blocked.and_then(|()| std::thread::Builder::new().name("signals".to_owned()).spawn(waits)) {
        output.note(&format!("warning: SIGUSR2 will not write a checkpoint: {error}"));
    }
}

fn leave(grace: Duration) -> ! {
    let (never, wait) = std::sync::mpsc::channel::<()>();
    let _ = wait.recv_timeout(grace);
    drop(never);
    std::process::exit(Exit::Interrupted as i32)
}
