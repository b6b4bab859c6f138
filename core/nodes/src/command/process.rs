//! A program in a process group of its own that cannot outlive its node.
//!
//! The program is started behind a gate (a shell that waits for one line and then becomes the program), and beside it a
//! guard: a shell that waits for the end of its input and then ends the program's group, politely first. The other end
//! of that input is held here and nowhere else, so it ends when the node lets go of it, and also when this process is
//! killed. The gate opens only when the guard is there: at no moment can a program run that nobody would end.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_runner::{NodeContext, NodeError};

use super::word::Word;

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
/// Waits for the end of its input, then ends a process group: one second for a polite end.
const GUARD: &str = r#"cat >/dev/null; kill -s TERM -- "-$1" 2>/dev/null || exit 0
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; kill -s 0 -- "-$1" 2>/dev/null || exit 0; done
kill -s KILL -- "-$1" 2>/dev/null"#;

/// What is to run.
pub(super) struct Call<'a> {
    pub(super) run: &'a [Word],
    pub(super) env: &'a BTreeMap<String, Word>,
    pub(super) folder: &'a Path,
}

/// Runs a program to its end; what it prints becomes the node's log.
pub(super) fn run(call: &Call<'_>, context: &NodeContext<'_>) -> NodeResult<()> {
    let name = call.run.first().map_or("", |program| program.0.as_str());
    let said = || Said::new().map_err(|error| not_started(name, &error));
    let mut said = [said()?, said()?];
    let mut child = gated(call, &said).map_err(|error| not_started(name, &error))?;
    let mut guard = match guard(child.id()) {
        Ok(guard) => guard,
        Err(error) => {
            // Its gate never opens.
            drop(child.stdin.take());
            let _ = child.wait();
            return Err(not_started(name, &error));
        }
    };
    let opened = child.stdin.take().map_or(Ok(()), |mut gate| gate.write_all(b"go\n"));
    let ended = opened.and_then(|()| wait(&mut child, &mut said, context));
    // Whatever the program left running ends with it.
    release(&mut guard, &mut child);
    said.iter_mut().for_each(|said| said.pass_on(context, true));
    match ended.map_err(|error| not_started(name, &error))? {
        None => Err(NodeError::cancelled()),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(failed(name, status, &said[1].last)),
    }
}

fn gated(call: &Call<'_>, said: &[Said; 2]) -> std::io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", GATE, "sh"]).args(call.run).current_dir(call.folder).env_clear();
    command.envs(INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)))).envs(call.env);
    command.stdin(Stdio::piped()).stdout(said[0].file.reopen()?).stderr(said[1].file.reopen()?);
    grouped(&mut command).spawn()
}

fn guard(group: u32) -> std::io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "sh", &group.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    grouped(&mut command).spawn()
}

/// In a process group of its own: Ctrl-C on the terminal is for pddflow, which passes it on in its way.
#[cfg(unix)]
fn grouped(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0)
}

#[cfg(not(unix))]
fn grouped(command: &mut Command) -> &mut Command {
    command
}

/// Lets the guard end the program's group, and waits until it has. A program that ended is taken note of meanwhile: until
/// then its group counts as alive.
fn release(guard: &mut Child, child: &mut Child) {
    drop(guard.stdin.take());
    let mut pause = FIRST_POLL;
    while matches!(guard.try_wait(), Ok(None)) {
        let _ = child.try_wait();
        pause = sleep(pause);
    }
    let _ = child.try_wait();
}

/// The end of the program; none when the node is asked to stop first.
fn wait(child: &mut Child, said: &mut [Said; 2], context: &NodeContext<'_>) -> std::io::Result<Option<ExitStatus>> {
    let mut pause = FIRST_POLL;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if context.cancelled() {
            return Ok(None);
        }
        said.iter_mut().for_each(|said| said.pass_on(context, false));
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
struct Said {
    file: tempfile::NamedTempFile,
    waiting: Vec<u8>,
    last: Vec<String>,
}

impl Said {
    fn new() -> std::io::Result<Self> {
        Ok(Self { file: tempfile::NamedTempFile::new()?, waiting: Vec::new(), last: Vec::new() })
    }

    /// Logs every whole line that is new; at the end also one that is not whole.
    fn pass_on(&mut self, context: &NodeContext<'_>, end: bool) {
        // What cannot be read is not logged; the program's result does not depend on it.
        let _ = self.file.read_to_end(&mut self.waiting);
        let whole = if end {
            self.waiting.len()
        } else {
            self.waiting.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
        };
        let lines: Vec<u8> = self.waiting.drain(..whole).collect();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let text = String::from_utf8_lossy(&line[..line.len().min(MOST_LINE_BYTES)]).trim_end().to_owned();
            context.log(text.clone());
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

fn failed(name: &str, status: ExitStatus, errors: &[String]) -> NodeError {
    let said = if errors.is_empty() { String::new() } else { format!("; it said:\n{}", errors.join("\n")) };
    let help = match status.code() {
        Some(127) => "the program was not found: it is looked for in the folders of PATH",
        Some(126) => "the program was found but cannot be executed",
        _ => "it runs in a folder of its own with only what `files`, `env` and `inputs` give it",
    };
    fail("command_failed", format!("the program `{name}` ended with {status}{said}")).with_help(help)
}
