//! The interpreter's process: how it is started, asked, watched and ended.

use crate::call::{Answer, Setup};
use crate::frame::Frame;
use crate::printed;
use crate::shared::{Shared, nameless};
use crate::versions::not_started;
use pddflow_sdk::{Error, Iteration, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the process runs. It is a part of the plugin, so that the two sides always fit each other.
const PROGRAM: &str = include_str!("../../../../python/src/pddflow/matcher.py");
/// How often a process that computes is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// What the start of an interpreter may take at least: PyTorch is large, and disks may be slow.
const STARTING: Duration = Duration::from_secs(300);
/// The process ends itself when it is too slow, and says where it was. It has so long for that.
const GRACE: Duration = Duration::from_secs(10);
/// How long a process that has closed its side may take to end.
const ENDING: Duration = Duration::from_secs(5);
/// Longer answers are none.
const MOST_ANSWER_BYTES: usize = 1 << 20;
/// What may be printed in one iteration.
const MOST_PRINTED_BYTES: u64 = 64 << 20;
/// Size of a page of memory in `/proc/PID/statm`, as nearly every Linux has it.
const PAGE: u64 = 4096;

/// One line from the process.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Reply {
    /// It has done what it was asked.
    Ready {},
    /// What the function gave; the gradient is in the shared file.
    Done { loss: f64, metrics: Vec<(String, f64)> },
    /// Why not.
    Failed { message: String },
}

/// The processes of an instance that wait for work. A call takes one, or starts one, so that calls side by side do not meet.
#[derive(Debug, Default)]
pub(crate) struct Processes(Mutex<Vec<Process>>);

impl Processes {
    /// Lets the function run once.
    ///
    /// # Errors
    /// Whatever goes wrong; the process is ended then.
    pub(crate) fn call(&self, run: &Iteration<'_>, setup: &Setup<'_>, call: &Value, frame: &Frame) -> Result<Answer> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut process = match waiting {
            Some(process) => process,
            None => Process::start(run, setup)?,
        };
        let answer = process.call(run, setup, call, frame)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        Ok(answer)
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    socket: UnixStream,
    /// What has come and is no whole line yet.
    received: Vec<u8>,
    printed: File,
    shared: Shared,
}

impl Process {
    fn start(run: &Iteration<'_>, setup: &Setup<'_>) -> Result<Self> {
        let failed = |error: io::Error| Error::new(format!("the process of Python cannot be prepared: {error}"));
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        socket.set_read_timeout(Some(LOOK)).map_err(failed)?;
        socket.set_write_timeout(Some(setup.patience)).map_err(failed)?;
        let printed = nameless().map_err(failed)?;
        let (out, err) = (theirs.try_clone().map_err(failed)?, printed.try_clone().map_err(failed)?);
        let shared = Shared::in_memory().map_err(failed)?;
        let mut command = Command::new(setup.python);
        command.arg("-c").arg(PROGRAM);
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::from(OwnedFd::from(out))).stderr(err);
        // The same hashes of texts, so the same order of sets, in every process.
        command.env("PYTHONHASHSEED", "0").env("PYTHONUNBUFFERED", "1");
        // Ctrl-C on the terminal is for pddflow, which ends this process when it stops.
        command.process_group(0);
        let child = command.spawn().map_err(|error| not_started(setup.python, &error))?;
        // With the command go its ends of the socket: from now on the process alone keeps it open.
        drop(command);
        let mut process = Self { child, socket, received: Vec::new(), printed, shared };
        let begin = json!({
            "file": setup.file, "function": setup.function, "files": setup.files, "threads": setup.threads,
            "shared": process.shared.name(),
        });
        process.ask(run, setup, ("begin", &begin), setup.patience.max(STARTING))?;
        process.shared.forget_name();
        Ok(process)
    }

    fn call(&mut self, run: &Iteration<'_>, setup: &Setup<'_>, call: &Value, frame: &Frame) -> Result<Answer> {
        self.share(run, setup, frame)?;
        match self.ask(run, setup, ("call", call), setup.patience)? {
            Reply::Done { loss, metrics } => {
                let (at, length) = frame.last();
                let gradient = self.shared.read(at, length);
                let gradient = gradient.map_err(|error| Error::new(format!("the gradient cannot be read: {error}")))?;
                Ok(Answer { loss, metrics, gradient })
            }
            other => Err(self.odd(setup, &format!("{other:?}"))),
        }
    }

    /// Puts the tensors where both sides have them. Memory for that may be small (64 MB in a container); then they go to the disk.
    fn share(&mut self, run: &Iteration<'_>, setup: &Setup<'_>, frame: &Frame) -> Result<()> {
        let failed = |error: io::Error| Error::new(format!("there is no room for the tensors: {error}"));
        let Err(error) = self.shared.write(frame.bytes()) else { return Ok(()) };
        if error.kind() != ErrorKind::StorageFull {
            return Err(failed(error));
        }
        self.shared = Shared::on_disk().map_err(failed)?;
        let name = json!(self.shared.name());
        self.ask(run, setup, ("shared", &name), setup.patience)?;
        self.shared.forget_name();
        self.shared.write(frame.bytes()).map_err(failed)
    }

    /// Sends a message and waits for the answer; whatever comes instead is an error, and what was printed is in the log before.
    fn ask(
        &mut self,
        run: &Iteration<'_>,
        setup: &Setup<'_>,
        (what, of): (&str, &Value),
        patience: Duration,
    ) -> Result<Reply> {
        let message = json!({ what: of, "patience": patience.as_secs_f64() });
        let outcome = self.exchange(run, setup, &message, patience);
        self.log(run);
        match outcome? {
            Reply::Failed { message } => Err(Error::new(message)),
            reply => Ok(reply),
        }
    }

    fn exchange(
        &mut self,
        run: &Iteration<'_>,
        setup: &Setup<'_>,
        message: &Value,
        patience: Duration,
    ) -> Result<Reply> {
        let line = format!("{message}\n");
        if self.socket.write_all(line.as_bytes()).is_err() {
            return Err(self.ended(setup));
        }
        let begin = Instant::now();
        let mut chunk = [0; 4096];
        loop {
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err(self.ended(setup)),
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.look(run, setup, begin + patience + GRACE)?;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(self.ended(setup)),
            }
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return serde_json::from_slice(&line)
                    .map_err(|_| self.odd(setup, &String::from_utf8_lossy(&line[..line.len().min(200)])));
            }
            if self.received.len() > MOST_ANSWER_BYTES {
                return Err(self.odd(setup, "an answer without end"));
            }
        }
    }

    /// While the process computes: whether it should go on.
    fn look(&mut self, run: &Iteration<'_>, setup: &Setup<'_>, until: Instant) -> Result<()> {
        if run.call().cancelled()? {
            return Err(Error::cancelled());
        }
        if Instant::now() > until {
            return Err(self.too_slow(setup));
        }
        let printed = self.printed.metadata().map_or(0, |about| about.len());
        if printed > MOST_PRINTED_BYTES {
            let message = format!("`{}` printed more than {} MB at once", setup.name(), MOST_PRINTED_BYTES >> 20);
            return Err(Error::new(message));
        }
        match resident(self.child.id()) {
            Some(bytes) if bytes > setup.memory => {
                let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
                let (is, limit) = (gib(bytes), gib(setup.memory));
                let message =
                    format!("the process of `{}` takes {is:.1} GiB of memory, {limit:.1} are allowed", setup.name());
                Err(Error::new(message + "; raise `memory`, or look for what is kept from one iteration to the next"))
            }
            _ => Ok(()),
        }
    }

    fn too_slow(&self, setup: &Setup<'_>) -> Error {
        let seconds = setup.patience.as_secs_f64();
        let message = format!("`{}` of `{}` did not end in {seconds} s", setup.function, setup.name());
        Error::new(message + ": where it was is in the node's log; raise `patience` if that is as it should be")
    }

    /// The process has closed its side.
    fn ended(&mut self, setup: &Setup<'_>) -> Error {
        /// The status by which the process says that it ended itself because it was too slow, as `faulthandler` has it.
        const TOO_SLOW: i32 = 1;
        let status = self.wait();
        let slow = self.printed_bytes().windows(8).any(|bytes| bytes == b"Timeout ");
        let how = match status {
            Some(status) if slow && status.code() == Some(TOO_SLOW) => return self.too_slow(setup),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with status {code}"),
                (None, Some(signal)) => format!("was ended by signal {signal}{}", signal_name(signal)),
                (None, None) => "ended".to_owned(),
            },
            None => "closed its side".to_owned(),
        };
        let message = format!("the process of `{}` {how} while it was at work", setup.name());
        Error::new(message + "; what it printed last is in the node's log")
    }

    fn wait(&mut self) -> Option<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < ENDING {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Something came that the program of this plugin does not say.
    fn odd(&self, setup: &Setup<'_>, what: &str) -> Error {
        Error::new(format!("the process of `{}` answered out of turn: {what}", setup.name()))
    }

    fn printed_bytes(&self) -> Vec<u8> {
        let length = self.printed.metadata().map_or(0, |about| about.len()).min(MOST_PRINTED_BYTES);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        // What cannot be read is not shown.
        if self.printed.read_exact_at(&mut bytes, 0).is_err() {
            bytes.clear();
        }
        bytes
    }

    /// Hands on what was printed, and forgets it.
    fn log(&self, run: &Iteration<'_>) {
        let bytes = self.printed_bytes();
        if !bytes.is_empty() {
            let _ = self.printed.set_len(0);
            printed::log(run, &bytes);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Memory of a process that is in use, where the system says it in a file.
#[expect(clippy::disallowed_methods, reason = "plugins link crates that only compute, and this error is not shown")]
fn resident(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    Some(text.split(' ').nth(1)?.parse::<u64>().ok()? * PAGE)
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (illegal instruction)",
        6 => " (abort)",
        7 => " (bus error)",
        8 => " (arithmetic)",
        9 => " (killed, as for want of memory)",
        11 => " (segmentation fault)",
        15 => " (terminated)",
        _ => "",
    }
}
