//! What Slurm knows of tasks that its queue does not list: asked only when one seems to be lost.

use super::queue::{State, state};
use std::collections::HashMap;

/// What Slurm says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits or runs.
    Alive,
    /// It has ended, in these words.
    Ended(String),
}

/// The tasks of an array, by their number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fates(HashMap<u32, Fate>);

impl Fates {
    /// What `scontrol --oneliner show job` says of an array: a line of `Name=value` for each task, or for several that wait.
    pub(crate) fn of_controller(text: &str) -> Self {
        let mut fates = HashMap::new();
        for line in text.lines() {
            let field =
                |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            let (Some(tasks), Some(word)) = (field("ArrayTaskId"), field("JobState")) else { continue };
            let fate = match state(word) {
                None => continue,
                Some(State::Ended(_)) => Fate::Ended(said(&[Some(word), field("Reason"), field("NodeList")])),
                Some(State::Queued | State::Running) => Fate::Alive,
            };
            fates.extend(numbers(tasks).into_iter().map(|task| (task, fate.clone())));
        }
        Self(fates)
    }

    /// What `sacct --parsable2` says of an array, `12_3|OUT_OF_MEMORY|0:125|n1`, where a cluster keeps accounts. It says
    /// nothing of what is alive: accounts lag behind.
    pub(crate) fn of_accounts(text: &str) -> Self {
        let read = |line: &str| {
            let mut fields = line.trim().split('|');
            let (id, word) = (fields.next()?, fields.next()?);
            let task = id.split_once('_')?.1.parse().ok()?;
            // `CANCELLED by 1000` is that state.
            let ended = matches!(state(word.split_whitespace().next()?)?, State::Ended(_));
            let code = fields.next().map(|code| format!("exit code {code}"));
            ended.then(|| (task, Fate::Ended(said(&[Some(word), code.as_deref(), fields.next()]))))
        };
        Self(text.lines().filter_map(read).collect())
    }

    pub(crate) fn of(&self, task: u32) -> Option<&Fate> {
        self.0.get(&task)
    }

    /// These, and where they say nothing of a task, what others say of it.
    pub(crate) fn or(mut self, others: Self) -> Self {
        for (task, fate) in others.0 {
            self.0.entry(task).or_insert(fate);
        }
        self
    }
}

/// The id of the first array among the jobs, `12_1` or `12_[1-3]`, that `sacct --format=JobID` lists.
pub(crate) fn first_id(text: &str) -> Option<String> {
    let id = text.lines().find_map(|line| line.trim().split(['_', '|']).next().filter(|id| !id.is_empty()))?;
    id.bytes().all(|byte| byte.is_ascii_digit()).then(|| id.to_owned())
}

fn said(words: &[Option<&str>]) -> String {
    let words = words.iter().flatten().filter(|word| !["", "None", "(null)", "None assigned"].contains(*word));
    words.copied().collect::<Vec<_>>().join(", ")
}

/// The numbers of `3`, `1-3,7` or `1-9%2`.
fn numbers(text: &str) -> Vec<u32> {
    let spans = text.split('%').next().unwrap_or_default().split(',');
    let span = |span: &str| {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    };
    spans.filter_map(span).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controller_says_which_tasks_live() {
        let text = "JobId=12 ArrayJobId=12 ArrayTaskId=5-6,9%2 JobName=r1-1 JobState=PENDING Reason=Resources NodeList=(null)\n\
                    JobId=13 ArrayJobId=12 ArrayTaskId=1 JobName=r1-1 JobState=RUNNING Reason=None NodeList=n1\n\
                    JobId=14 ArrayJobId=12 ArrayTaskId=2 JobName=r1-1 JobState=NODE_FAIL Reason=None NodeList=n2\n\
                    slurm_load_jobs error: Invalid job id specified\n";
        let fates = Fates::of_controller(text);
        for task in [1, 5, 6, 9] {
            assert_eq!(fates.of(task), Some(&Fate::Alive), "{task}");
        }
        assert_eq!(fates.of(2), Some(&Fate::Ended("NODE_FAIL, n2".into())));
        assert_eq!((fates.of(3), fates.of(7)), (None, None));
    }

    #[test]
    fn accounts_say_how_tasks_ended() {
        let text = "12_1|OUT_OF_MEMORY|0:125|n1\n12_2|CANCELLED by 1000|0:0|None assigned\n12_3|RUNNING|0:0|n1\n12_[4-5]|PENDING|0:0|\n";
        let fates = Fates::of_accounts(text);
        assert_eq!(fates.of(1), Some(&Fate::Ended("OUT_OF_MEMORY, exit code 0:125, n1".into())));
        assert_eq!(fates.of(2), Some(&Fate::Ended("CANCELLED by 1000, exit code 0:0".into())));
        assert_eq!((fates.of(3), fates.of(4)), (None, None));
        assert_eq!(first_id("12_1\n12_[2-5]\n"), Some("12".into()));
        assert_eq!((first_id(""), first_id("sacct: error")), (None, None));
        let both = Fates::of_controller("ArrayTaskId=1 JobState=RUNNING").or(fates);
        assert_eq!(both.of(1), Some(&Fate::Alive));
        assert!(both.of(2).is_some());
    }
}
