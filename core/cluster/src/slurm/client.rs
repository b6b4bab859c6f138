//! [`Slurm`]: the programs of Slurm, called one at a time.

use super::queue::{FORMAT, Queue};
use super::script::ranges;
use super::submit::{self, Submission};
use crate::process::{Answer, ask};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Ids in one call of `scancel`.
const IDS_AT_ONCE: usize = 100;
/// Tasks of an array where Slurm does not say how many it takes: its default, without the number 0.
const USUAL_ARRAY: u32 = 1_000;

/// The programs of Slurm.
pub(crate) struct Slurm {
    /// Variables that programs are not to see: those of the job that the head itself may be in.
    pub(crate) without: Vec<String>,
    /// How long a program may take.
    pub(crate) limit: Duration,
    /// The largest array, once known.
    most_tasks: Option<u32>,
}

/// An array to submit.
pub(crate) struct Array<'a> {
    /// Its name, which no other has.
    pub(crate) name: &'a str,
    pub(crate) tasks: &'a [u32],
    /// Most tasks that run at once.
    pub(crate) at_once: Option<u32>,
    /// Where its tasks print, with `%a` for their number.
    pub(crate) output: &'a Path,
    /// The folder in which they run.
    pub(crate) folder: &'a Path,
    pub(crate) options: &'a [String],
    pub(crate) script: &'a Path,
}

impl Array<'_> {
    /// The arguments of `sbatch`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let throttle = self.at_once.map_or_else(String::new, |most| format!("%{most}"));
        let mut arguments = vec![
            "--parsable".to_owned(),
            format!("--job-name={}", self.name),
            format!("--array={}{throttle}", ranges(self.tasks.iter().copied())),
            format!("--output={}", self.output.display()),
            "--open-mode=append".to_owned(),
            format!("--chdir={}", self.folder.display()),
        ];
        arguments.extend(self.options.iter().cloned());
        arguments.push(self.script.display().to_string());
        arguments
    }
}

impl Slurm {
    pub(crate) fn new(without: Vec<String>, limit: Duration) -> Self {
        Self { without, limit, most_tasks: None }
    }

    /// Submits an array. A program that is not there refuses.
    pub(crate) fn submit(&self, array: &Array<'_>) -> Submission {
        match self.ask("sbatch", &array.arguments()) {
            Ok(answer) => submit::read(&answer),
            Err(refused) => Submission::Refused(refused),
        }
    }

    /// Asks whether an array would be accepted, and when it would begin; what Slurm says to it.
    pub(crate) fn test(&self, array: &Array<'_>) -> Result<String, String> {
        let mut arguments = array.arguments();
        arguments.insert(0, "--test-only".to_owned());
        let answer = self.ask("sbatch", &arguments)?;
        if answer.success { Ok(answer.said()) } else { Err(answer.said()) }
    }

    /// The queue of these batches; an error says why it is not known.
    pub(crate) fn queue<'a>(&self, batches: impl IntoIterator<Item = &'a str>) -> Result<Queue, String> {
        let names: Vec<&str> = batches.into_iter().collect();
        let arguments = ["-h", "-r", "--states=all", "-o", FORMAT].map(str::to_owned);
        let names = format!("--name={}", names.join(","));
        let answer = self.ask("squeue", &[&arguments[..], &[names]].concat())?;
        if !answer.success {
            return Err(answer.said());
        }
        Queue::read(&answer.out).ok_or_else(|| format!("squeue gave what is no queue: {}", answer.said()))
    }

    /// Cancels tasks, by their ids such as `12_[1-3]`; with options such as `--state=PENDING`. What cannot be cancelled has
    /// mostly ended.
    pub(crate) fn cancel(&self, options: &[&str], ids: &[String]) {
        for some in ids.chunks(IDS_AT_ONCE) {
            let arguments: Vec<String> = options.iter().map(|text| (*text).to_owned()).chain(some.to_vec()).collect();
            let _ = self.ask("scancel", &arguments);
        }
    }

    /// How many tasks an array may have; asked once.
    pub(crate) fn most_tasks(&mut self) -> u32 {
        if let Some(most) = self.most_tasks {
            return most;
        }
        let told = self.ask("scontrol", &["show".to_owned(), "config".to_owned()]).ok();
        let read = |answer: Answer| {
            let line = answer.out.lines().find(|line| line.trim_start().starts_with("MaxArraySize"))?;
            line.split('=').nth(1)?.trim().parse::<u32>().ok()
        };
        // The largest number of a task is one less than this.
        let most = told.and_then(read).map_or(USUAL_ARRAY, |size| size.saturating_sub(1).max(1));
        self.most_tasks = Some(most);
        most
    }

    fn ask(&self, program: &str, arguments: &[String]) -> Result<Answer, String> {
        let mut command = Command::new(program);
        command.args(arguments);
        for name in &self.without {
            command.env_remove(name);
        }
        ask(&mut command, self.limit).map_err(|error| format!("`{program}` cannot be run: {error}"))
    }
}
