//! [`ProgramFactory`]: gives a run an executor that hands job files to a program, such as `ssh node pddflow work -`.
//!
//! The program gets a job file with one task on standard input, and ends when the task has ended. It is the user's way to
//! another machine and nothing is known of it: what became of the node is in the store and in the task's own files.

use crate::batch::{Batch, Batches};
use crate::done_format::Outcome;
use crate::event_format::{WorkEvent, read_from};
use crate::executor::stays;
use crate::options::Options;
use fs_err::File;
use pddflow_cache::{Key, RecordHead, Store};
use pddflow_pipeline::PlanNode;
use pddflow_runner::{Ended, Executor, ExecutorFactory, Job, JobState, NodeError, Reports, RunError, RunEvent, Stop};
use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked what a task says, and whether the program has ended.
const STEP: Duration = Duration::from_millis(100);
/// A batch has one task.
const TASK: u32 = 1;

/// Makes the executor of a run whose nodes are computed by a program, small ones aside.
pub struct ProgramFactory {
    command: String,
    options: Options,
}

impl ProgramFactory {
    /// The program is a line of shell.
    #[must_use]
    pub fn new(command: &str, options: Options) -> Self {
        Self { command: command.to_owned(), options }
    }
}

impl ExecutorFactory for ProgramFactory {
    fn takes(&self, node: &PlanNode) -> bool {
        !stays(&node.kind, &self.options)
    }

    fn open(&self, run: &str, reports: Reports) -> Result<Box<dyn Executor + '_>, RunError> {
        let store = Store::open(&self.options.site.store).map_err(|error| RunError::NoExecutor(error.to_string()))?;
        Ok(Box::new(ProgramExecutor {
            factory: self,
            run: run.to_owned(),
            started: 0,
            busy: 0,
            most: self.options.settings.at_once.map_or(1, |most| usize::try_from(most).unwrap_or(usize::MAX)),
            shared: Arc::new(Shared { store, reports, running: Mutex::default(), stop: Mutex::default() }),
        }))
    }
}

struct ProgramExecutor<'a> {
    factory: &'a ProgramFactory,
    run: String,
    started: usize,
    /// Jobs that were taken and not answered.
    busy: usize,
    /// Most programs that run at once.
    most: usize,
    shared: Arc<Shared>,
}

/// What the threads share that wait for programs.
struct Shared {
    store: Store,
    reports: Reports,
    /// Programs that run, by the number of their process, which is also that of their group.
    running: Mutex<BTreeSet<u32>>,
    stop: Mutex<Option<Stop>>,
}

impl Executor for ProgramExecutor<'_> {
    fn room(&self) -> bool {
        self.busy < self.most
    }

    fn start(&mut self, mut job: Job) -> Result<(), RunError> {
        let Options { site, invocation, .. } = &self.factory.options;
        self.started += 1;
        self.busy += 1;
        job.work = job.work.below(&invocation.folder);
        let batch = Batches::of(&site.store).batch(&format!("{}-{}", self.run, self.started));
        let begun = batch
            .write(site, &[&job.work], &self.factory.command)
            .and_then(|()| spawn(&self.factory.command, &batch).map(|child| (child, batch)));
        let (child, batch) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                let message = format!("the program `{}` cannot be started: {error}", self.factory.command);
                let error = NodeError::new("pddflow::cluster::program", message);
                self.shared.reports.done(job.at, Ended { result: Err(error), lost: Vec::new() });
                return Ok(());
            }
        };
        lock(&self.shared.running).insert(child.id());
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("pddflow-program".to_owned());
        thread.spawn(move || shared.follow(job, child, &batch)).map(drop).map_err(RunError::NoWorker)
    }

    fn answered(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    fn flush(&mut self) {}

    fn stop(&mut self, how: Stop) {
        *lock(&self.shared.stop) = Some(how);
        if how >= Stop::Checkpoint {
            self.shared.signal(how);
        }
    }
}

impl Shared {
    fn follow(&self, job: Job, mut child: Child, batch: &Batch) {
        let mut read = 0;
        let status = loop {
            // Before the last look at what it says.
            let status = child.try_wait();
            while let Some((events, bytes)) = read_from(&batch.events(TASK), read) {
                read += bytes;
                for event in events {
                    match event {
                        WorkEvent::Began { host: name } => {
                            self.reports.began(job.at);
                            self.tell(&job, batch, name);
                        }
                        event => {
                            event.event(job.work.node.clone()).into_iter().for_each(|event| self.reports.event(event));
                        }
                    }
                }
            }
            match status {
                Ok(None) => std::thread::sleep(STEP),
                Ok(Some(status)) => break status.to_string(),
                Err(error) => break error.to_string(),
            }
        };
        lock(&self.running).remove(&child.id());
        let ended = self.end(&job.work.key, batch, &status);
        if ended.result.is_ok() {
            batch.tidy(TASK);
        }
        // Whoever waits for the lock looks for the record next.
        drop(job.lock);
        self.reports.done(job.at, ended);
    }

    fn tell(&self, job: &Job, batch: &Batch, host: String) {
        self.reports.event(RunEvent::NodeJob {
            node: job.work.node.clone(),
            job: batch.name.clone(),
            batch: None,
            state: JobState::Running,
            host: Some(host),
            reason: None,
            output: batch.output(&TASK.to_string()),
        });
    }

    /// What became of the task when its program has ended.
    fn end(&self, key: &Key, batch: &Batch, status: &str) -> Ended {
        let Some(done) = batch.done(TASK).filter(|done| done.key == *key) else {
            let result = match *lock(&self.stop) >= Some(Stop::Checkpoint) {
                true => Err(NodeError::cancelled()),
                false => Err(silent(batch, status)),
            };
            return Ended { result, lost: Vec::new() };
        };
        let result = match done.outcome {
            Outcome::Recorded => self.record(key).ok_or_else(|| {
                NodeError::new(
                    "pddflow::cluster::no_record",
                    "the program says that the result is stored, and it is not",
                )
                .with_help("let it work on the store of the run, which all machines must see under one path")
            }),
            Outcome::Stopped => Err(NodeError::cancelled()),
            Outcome::Failed(error) | Outcome::Refused(error) => Err(error),
        };
        Ended { result, lost: done.lost }
    }

    fn record(&self, key: &Key) -> Option<RecordHead> {
        let found = self.store.look_up(key).ok().flatten()?;
        found.missing.is_empty().then_some(found.head)
    }

    /// Asks all programs to end: `pddflow work` writes a checkpoint on SIGTERM.
    fn signal(&self, how: Stop) {
        let signal = if how == Stop::Now { "KILL" } else { "TERM" };
        for id in lock(&self.running).iter() {
            // One that has ended meanwhile needs none.
            let _ = Command::new("kill").args(["-s", signal, "--", &format!("-{id}")]).stderr(Stdio::null()).status();
        }
    }
}

/// The program with its job file, in a group of processes of its own, so that Ctrl-C reaches the run alone.
fn spawn(command: &str, batch: &Batch) -> io::Result<Child> {
    let output = File::create(batch.output(&TASK.to_string()))?;
    let mut shell = Command::new("sh");
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    shell
        .args(["-c", command])
        .stdin(File::open(batch.jobs())?.into_parts().0)
        .stdout(Stdio::from(output.try_clone()?.into_parts().0))
        .stderr(Stdio::from(output.into_parts().0))
        .spawn()
}

fn silent(batch: &Batch, status: &str) -> NodeError {
    let message = format!("the program ended ({status}) without a word about the node");
    let error = NodeError::new("pddflow::cluster::silent", message)
        .with_help("it gets a job file on standard input, for `pddflow work -`; try it by hand with the file `jobs`");
    batch.with_printed(TASK, error)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
