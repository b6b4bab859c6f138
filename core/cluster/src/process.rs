//! Programs that must answer within a time.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked whether a program has ended.
const STEP: Duration = Duration::from_millis(5);

/// What a program answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether it said that all went well.
    pub(crate) success: bool,
    /// Whether it did not end within its time; it was then ended.
    pub(crate) late: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    /// What it said, in one line.
    pub(crate) fn said(&self) -> String {
        let text = if self.err.trim().is_empty() { &self.out } else { &self.err };
        let line: Vec<&str> = text.split_whitespace().collect();
        match (line.is_empty(), self.late) {
            (_, true) => "it did not answer in time".to_owned(),
            (true, _) => "it said nothing".to_owned(),
            _ => line.join(" "),
        }
    }
}

/// Runs a program with nothing on its standard input.
pub(crate) fn ask(command: &mut Command, limit: Duration) -> io::Result<Answer> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = wait(&mut child, limit)?;
    let (success, late) = (status == Some(true), status.is_none());
    if late {
        let _ = child.kill();
        let _ = child.wait();
        // Its own children may hold the pipes open for long.
        return Ok(Answer { success, late, out: String::new(), err: String::new() });
    }
    let text = |reader: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned();
    Ok(Answer { success, late, out: text(out), err: text(err) })
}

/// Whether it ended well; none when its time is over.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<bool>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        std::thread::sleep(STEP);
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(text: &str, limit: u64) -> Answer {
        ask(Command::new("sh").args(["-c", text]), Duration::from_millis(limit)).unwrap()
    }

    #[test]
    fn an_answer_has_what_was_said_and_whether_it_went_well() {
        let answer = sh("echo out; echo err >&2; exit 3", 10_000);
        assert_eq!((answer.success, answer.late, answer.out.as_str()), (false, false, "out\n"));
        assert_eq!(answer.said(), "err");
        assert!(sh("exit 0", 10_000).success);
    }

    #[test]
    fn a_program_that_does_not_answer_is_ended() {
        let began = Instant::now();
        let answer = sh("sleep 60", 50);
        assert!(answer.late && !answer.success && began.elapsed() < Duration::from_secs(20));
        assert_eq!(answer.said(), "it did not answer in time");
    }
}
