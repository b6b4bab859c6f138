//! [`Slurm`]: the programs of Slurm, called one at a time.

use super::fate::{self, Fates};
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
    /// How the cluster is configured, once known.
    config: Option<Config>,
}

/// How a cluster is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Config {
    /// How many tasks an array may have.
    pub(crate) most_tasks: u32,
    /// How long the queue lists jobs that have ended, if that is not for ever.
    pub(crate) remembers: Option<Duration>,
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
        Self { without, limit, config: None }
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
        // Also jobs in partitions that are hidden.
        let arguments = ["-h", "-r", "--all", "--states=all", "-o", FORMAT].map(str::to_owned);
        let names = format!("--name={}", names.join(","));
        let answer = self.ask("squeue", &[&arguments[..], &[names]].concat())?;
        if !answer.success {
            return Err(answer.said());
        }
        Queue::read(&answer.out).map_err(|line| format!("squeue gave what is no queue: {line}"))
    }

    /// Cancels tasks, by their ids such as `12_[1-3]`; with options such as `--state=PENDING`. What cannot be cancelled has
    /// mostly ended.
    pub(crate) fn cancel(&self, options: &[&str], ids: &[String]) {
        for arguments in cancellations(options, ids) {
            let _ = self.ask("scancel", &arguments);
        }
    }

    /// What Slurm knows of the tasks of an array that its queue does not list. Accounts only serve to say how one ended.
    pub(crate) fn fates(&self, id: &str) -> Fates {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let out = |answer: Result<Answer, String>| answer.map(|answer| answer.out).unwrap_or_default();
        let controller = self.ask("scontrol", &texts(&["--oneliner", "show", "job", id]));
        let accounts =
            ["--noheader", "--allocations", "--parsable2", "--format=JobID,State,ExitCode,NodeList", "-j", id];
        Fates::of_controller(&out(controller)).or(Fates::of_accounts(&out(self.ask("sacct", &texts(&accounts)))))
    }

    /// The id of a batch that the accounts know, where the cluster keeps some.
    pub(crate) fn accounted(&self, batch: &str) -> Option<String> {
        let arguments = ["--noheader", "--allocations", "--parsable2", "--format=JobID", "--name", batch];
        let answer = self.ask("sacct", &arguments.map(str::to_owned)).ok().filter(|answer| answer.success)?;
        fate::first_id(&answer.out)
    }

    /// How the cluster is configured; asked once.
    pub(crate) fn config(&mut self) -> Config {
        if let Some(config) = self.config {
            return config;
        }
        let told = self.ask("scontrol", &["show".to_owned(), "config".to_owned()]);
        let config = Config::read(&told.map(|answer| answer.out).unwrap_or_default());
        self.config = Some(config);
        config
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

/// The arguments of each call of `scancel`.
fn cancellations(options: &[&str], ids: &[String]) -> impl Iterator<Item = Vec<String>> {
    ids.chunks(IDS_AT_ONCE).map(|some| options.iter().map(|text| (*text).to_owned()).chain(some.to_vec()).collect())
}

impl Config {
    /// Reads what `scontrol show config` prints.
    fn read(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find(|line| line.split('=').next().is_some_and(|key| key.trim() == name))?;
            line.split('=').nth(1)?.split_whitespace().next()?.parse::<u32>().ok()
        };
        // The largest number of a task is one less than the size.
        let most_tasks = value("MaxArraySize").map_or(USUAL_ARRAY, |size| size.saturating_sub(1).max(1));
        let remembers = value("MinJobAge").filter(|seconds| *seconds > 0);
        Self { most_tasks, remembers: remembers.map(|seconds| Duration::from_secs(seconds.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_throttled_where_it_is_asked_for() {
        let array = |at_once| Array {
            name: "r1-1",
            tasks: &[1, 2, 3, 7],
            at_once,
            output: Path::new("/s/out/%a.out"),
            folder: Path::new("/w"),
            options: &[],
            script: Path::new("/s/script"),
        };
        assert!(array(None).arguments().contains(&"--array=1-3,7".to_owned()));
        assert!(array(Some(2)).arguments().contains(&"--array=1-3,7%2".to_owned()));
    }

    #[test]
    fn many_ids_are_cancelled_by_several_calls() {
        let ids: Vec<String> = (1..=250).map(|id| id.to_string()).collect();
        let calls: Vec<Vec<String>> = cancellations(&["--state=PENDING"], &ids).collect();
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [101, 101, 51]);
        assert!(calls.iter().all(|call| call[0] == "--state=PENDING"));
        assert_eq!(calls.iter().flat_map(|call| &call[1..]).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
        assert_eq!(cancellations(&[], &[]).count(), 0);
    }

    #[test]
    fn the_configuration_says_how_large_arrays_are_and_how_long_jobs_are_listed() {
        let text = "Configuration data as of 2026-01-01T00:00:00\nMaxArraySize            = 1001\nMinJobAge               = 300 sec\n";
        let known = Config { most_tasks: 1_000, remembers: Some(Duration::from_secs(300)) };
        assert_eq!(Config::read(text), known);
        assert_eq!(Config::read("MinJobAge = 0 sec"), Config { most_tasks: USUAL_ARRAY, remembers: None });
    }
}
