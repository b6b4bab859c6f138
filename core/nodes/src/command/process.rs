//! A program in a process group of its own that cannot outlive its node.
//!
//! The program is started behind a gate (a shell that waits for one line and then becomes the program), and beside it its
//! guard. The gate opens only when the guard is there: at no moment can a program run that nothing would end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_runner::{NodeContext, NodeError};

use super::gpus;
use super::guard::{self, grouped};
use super::word::Word;
use super::work::Work;

/// How often a running program is looked at: often at first, because most glue ends at once.
const POLL: Duration = Duration::from_millis(5);
const FIRST_POLL: Duration = Duration::from_micros(100);
/// The last lines of a failed program's errors, as shown.
const LINES_SHOWN: usize = 12;
/// Longer lines of a program are cut.
const MOST_LINE_BYTES: usize = 4_096;
/// What a program may see of the surroundings.
const INHERITED: [&str; 2] = ["PATH", "HOME"];

/// Waits for a line, then becomes the program. An end of input means that nobody wants it any more.
const GATE: &str = r#"read -r go && exec "$@" </dev/null"#;
/// What stands in the log for the value of a variable that is passed on.
const HIDDEN: &str = "***";

/// What is to run.
pub(super) struct Call<'a> {
    pub(super) run: &'a [Word],
    pub(super) env: &'a BTreeMap<String, Word>,
    /// Variables that are passed on, with their values.
    pub(super) passed: &'a [(&'a str, String)],
    /// Graphics processors that it has to itself.
    pub(super) gpus: &'a [usize],
}

/// Runs a program to its end; what it prints becomes the node's log.
pub(super) fn run(call: &Call<'_>, work: &mut Work, context: &NodeContext<'_>) -> NodeResult<()> {
    let name = call.run.first().map_or("", |program| program.0.as_str());
    let printed = |stream| Printed::new(work, stream).map_err(|error| not_started(name, &error));
    let mut printed = [printed("out")?, printed("err")?];
    let mut child = gated(call, work, &printed).map_err(|error| not_started(name, &error))?;
    match guard::start(child.id(), work.root()) {
        Ok(guard) => work.guard = Some(guard),
        Err(error) => {
            // Its gate never opens.
            drop(child.stdin.take());
            let _ = child.wait();
            return Err(not_started(name, &error));
        }
    }
    let opened = child.stdin.take().map_or(Ok(()), |mut gate| gate.write_all(b"go\n"));
    let log = |text: String| context.log(hidden(text, call.passed));
    let ended = opened.and_then(|()| wait(&mut child, &mut printed, context, &log));
    // Whatever the program left running ends with it.
    release(work, &mut child);
    printed.iter_mut().for_each(|printed| printed.pass_on(&log, true));
    match ended.map_err(|error| not_started(name, &error))? {
        None => Err(NodeError::cancelled()),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(failed(name, status, &hidden(printed[1].last.join("\n"), call.passed))),
    }
}

/// The value of an environment variable that is passed on.
pub(super) fn variable(name: &str) -> NodeResult<String> {
    std::env::var(name).map_err(|_| {
        fail("command_variable", format!("the environment variable `{name}`, which `pass` names, is not set"))
            .with_help(format!("set it before the call, for example `{name}=... pddflow run ...`"))
    })
}

/// A text without the values of variables that are passed on.
fn hidden(text: String, passed: &[(&str, String)]) -> String {
    let values = passed.iter().map(|(_, value)| value).filter(|value| !value.is_empty());
    values.fold(text, |text, value| if text.contains(value) { text.replace(value, HIDDEN) } else { text })
}

fn gated(call: &Call<'_>, work: &Work, printed: &[Printed; 2]) -> std::io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", GATE, "sh"]).args(call.run).current_dir(work.files()).env_clear();
    command.envs(INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
    command.envs(call.passed.iter().map(|(name, value)| (name, value))).envs(call.env);
    if !call.gpus.is_empty() {
        command.env(gpus::VISIBLE, gpus::shown(call.gpus));
    }
    command.stdin(Stdio::piped()).stdout(printed[0].written.try_clone()?).stderr(printed[1].written.try_clone()?);
    grouped(&mut command).spawn()
}

/// Lets the guard end the program's group, and waits until it has. A program that ended is taken note of meanwhile: until
/// then its group counts as alive.
fn release(work: &mut Work, child: &mut Child) {
    let folder = work.root().to_path_buf();
    let Some(guard) = &mut work.guard else { return };
    guard::end(guard);
    let mut pause = FIRST_POLL;
    while !guard::has_ended(guard, &folder) {
        let _ = child.try_wait();
        pause = sleep(pause);
    }
    let _ = child.try_wait();
}

/// The end of the program; none when the node is asked to stop first.
fn wait(
    child: &mut Child,
    printed: &mut [Printed; 2],
    context: &NodeContext<'_>,
    log: &dyn Fn(String),
) -> std::io::Result<Option<ExitStatus>> {
    let mut pause = FIRST_POLL;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if context.cancelled() {
            return Ok(None);
        }
        printed.iter_mut().for_each(|printed| printed.pass_on(log, false));
        pause = sleep(pause);
    }
}

/// Sleeps, and gives the time to sleep next.
fn sleep(pause: Duration) -> Duration {
    std::thread::sleep(pause);
    (2 * pause).min(POLL)
}

/// What a program prints on one of its outputs. It goes through a file and no pipe: a program that leaves something
/// running in the background cannot make its node wait.
struct Printed {
    /// The end that the program writes to, and the one that is read here.
    written: File,
    read: File,
    waiting: Vec<u8>,
    last: Vec<String>,
}

impl Printed {
    fn new(work: &Work, stream: &str) -> std::io::Result<Self> {
        let path = work.root().join(stream);
        let written = fs_err::OpenOptions::new().create(true).append(true).open(&path)?.into_file();
        Ok(Self { written, read: fs_err::File::open(&path)?.into_file(), waiting: Vec::new(), last: Vec::new() })
    }

    /// Logs every whole line that is new; at the end also one that is not whole.
    fn pass_on(&mut self, log: &dyn Fn(String), end: bool) {
        // What cannot be read is not logged; the program's result does not depend on it.
        let _ = self.read.read_to_end(&mut self.waiting);
        let whole = if end {
            self.waiting.len()
        } else {
            self.waiting.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
        };
        let lines: Vec<u8> = self.waiting.drain(..whole).collect();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let text = String::from_utf8_lossy(&line[..line.len().min(MOST_LINE_BYTES)]).trim_end().to_owned();
            log(text.clone());
            if self.last.len() == LINES_SHOWN {
                self.last.remove(0);
            }
            self.last.push(text);
        }
    }
}

fn not_started(name: &str, error: &std::io::Error) -> NodeError {
    fail("command_start", format!("the program `{name}` cannot be started: {error}"))
        .with_help("`command` nodes need a Unix system with `sh`")
}

fn failed(name: &str, status: ExitStatus, errors: &str) -> NodeError {
    let help = match status.code() {
        Some(127) => "the program was not found: it is looked for in the folders of PATH",
        Some(126) => "the program was found but cannot be executed",
        _ => "it runs in a folder of its own with only what `files`, `env` and `inputs` give it",
    };
    fail("command_failed", format!("the program `{name}` ended with {status}"))
        .with_help(help)
        .with_output(errors.lines().map(str::to_owned).collect())
}
