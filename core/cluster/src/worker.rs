//! The other end of a job file: computes one task where it was taken to.

use crate::done_format::{Done, Outcome};
use crate::event_format::WorkEvent;
use crate::job_format::Assignment;
use fs_err::File;
use pddflow_runner::{Bench, Ended, NodeError, RunEvent, perform, refusal};
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

/// Computes a task: refuses before anything is computed when its key would be another one here, else runs it, stores its
/// record, and says how it ended in its file. A record that is there already is enough, unless the node was asked to run again.
///
/// # Errors
/// The folder of the results cannot be written, so nobody would hear of the task.
pub fn carry_out(assignment: &Assignment, bench: Bench<'_>, host: &str) -> io::Result<Done> {
    let work = &assignment.work;
    // What an earlier attempt said is no longer true.
    if let Err(error) = fs_err::remove_file(assignment.done())
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let events = Events::open(assignment)?;
    events.write(&WorkEvent::Began { host: host.to_owned() });
    let done = match refusal(work, bench.kinds) {
        Some(error) => Done::new(work.key, Outcome::Refused(error), host),
        None if !work.again && is_recorded(assignment, bench) => Done::new(work.key, Outcome::Recorded, host),
        None => {
            let (ended, checkpoints) = perform(work, bench, &|event| events.tell(event));
            let Ended { result, lost } = ended;
            // The record must be there before it is said to be.
            let stored = result.and_then(|_| Ok(bench.store.commit()?));
            let outcome = match stored {
                Ok(()) => Outcome::Recorded,
                Err(error) if error.cancelled => Outcome::Stopped,
                Err(error) => Outcome::Failed(error),
            };
            Done::new(work.key, outcome, host).with(checkpoints, lost)
        }
    };
    for text in bench.store.take_warnings() {
        events.write(&WorkEvent::Warning { text });
    }
    done.write(&assignment.done())?;
    Ok(done)
}

/// Says that a task cannot be carried out here, when that shows before it is opened.
///
/// # Errors
/// As [`carry_out`].
pub fn refuse(assignment: &Assignment, error: NodeError, host: &str) -> io::Result<Done> {
    let done = Done::new(assignment.work.key, Outcome::Refused(error), host);
    done.write(&assignment.done())?;
    Ok(done)
}

fn is_recorded(assignment: &Assignment, bench: Bench<'_>) -> bool {
    let found = bench.store.look_up(&assignment.work.key).ok().flatten();
    let used = &assignment.work.used;
    found.is_some_and(|found| {
        found.missing.is_empty() && used.iter().all(|output| found.head.outputs.contains_key(output))
    })
}

/// The file of events, which any thread of the task may write to.
struct Events(Mutex<File>);

impl Events {
    fn open(assignment: &Assignment) -> io::Result<Self> {
        let path = assignment.events();
        fs_err::create_dir_all(path.parent().unwrap_or(&path))?;
        Ok(Self(Mutex::new(File::options().append(true).create(true).open(path)?)))
    }

    fn tell(&self, event: RunEvent) {
        if let Some(event) = WorkEvent::of(event) {
            self.write(&event);
        }
    }

    /// An event that cannot be written is lost: it only serves those who watch.
    fn write(&self, event: &WorkEvent) {
        if let Ok(mut line) = serde_json::to_string(event) {
            line.push('\n');
            let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = file.write_all(line.as_bytes());
        }
    }
}
