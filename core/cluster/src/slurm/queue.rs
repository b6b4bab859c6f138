//! What `squeue` says of the tasks of batches.

use std::collections::HashMap;

/// The format that is asked for: id of the array, number of the task, state, why it waits, its nodes, name of the job. The
/// name comes last, since it is ours.
pub(crate) const FORMAT: &str = "%F|%K|%T|%r|%N|%j";

/// Most characters of a line that are shown of an answer that is no queue.
const LONGEST_LINE: usize = 200;

/// Where a task is, as Slurm sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits, or is held.
    Queued,
    Running,
    /// It has ended, in one of these ways.
    Ended(End),
}

/// How a task ended, as Slurm sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Failed,
    /// Cancelled by a user or an administrator.
    Cancelled,
    /// Its time limit was over.
    Timeout,
    Preempted,
    /// The machine failed, or could not begin it.
    Node,
    Memory,
}

/// A task in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Id of the array.
    pub(crate) id: String,
    pub(crate) state: State,
    /// Slurm's own word for the state.
    pub(crate) word: String,
    /// Why it waits.
    pub(crate) reason: String,
    pub(crate) host: String,
}

/// The queue: tasks by the name of their batch and their number. There is more than one line for a task when a batch was
/// submitted twice.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    tasks: HashMap<(String, u32), Vec<Line>>,
    /// Lines that are about all tasks of a batch that have no line of their own: of an array that ended before it began, Slurm
    /// lists no numbers.
    whole: HashMap<String, Vec<Line>>,
}

impl Queue {
    /// Reads an answer of `squeue`.
    ///
    /// # Errors
    /// A line that cannot be understood: such an answer says nothing of what it does not list.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut queue = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (batch, task, line) =
                read_line(line).ok_or_else(|| line.chars().take(LONGEST_LINE).collect::<String>())?;
            match task {
                Some(task) => queue.tasks.entry((batch, task)).or_default().push(line),
                None => queue.whole.entry(batch).or_default().push(line),
            }
        }
        Ok(queue)
    }

    /// The line that counts for a task: one that is alive, else the latest.
    pub(crate) fn line(&self, batch: &str, task: u32) -> Option<&Line> {
        let lines = self.tasks.get(&(batch.to_owned(), task)).or_else(|| self.whole.get(batch))?;
        lines.iter().find(|line| !matches!(line.state, State::Ended(_))).or(lines.last())
    }

    /// The ids of the jobs of a batch.
    pub(crate) fn ids(&self, batch: &str) -> impl Iterator<Item = &str> {
        let tasks = self.tasks.iter().filter(move |((name, _), _)| name == batch).flat_map(|(_, lines)| lines);
        let whole = self.whole.get(batch).into_iter().flatten();
        tasks.chain(whole).map(|line| line.id.as_str())
    }
}

/// The batch, the number of the task unless it is about all of them, and the rest.
fn read_line(text: &str) -> Option<(String, Option<u32>, Line)> {
    let mut fields = text.splitn(6, '|');
    let mut next = || fields.next().map(str::trim);
    let (id, task, word, reason, host, name) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(id) {
        return None;
    }
    let line = Line {
        id: id.to_owned(),
        state: state(word)?,
        word: word.to_owned(),
        reason: reason.to_owned(),
        host: host.to_owned(),
    };
    // What has not been split into tasks is written `N/A` or `[1-3]`.
    let number = if task == "N/A" || task.starts_with('[') { None } else { Some(task.parse().ok()?) };
    Some((name.to_owned(), number, line))
}

/// The state that a word means; none for what is no word of Slurm's.
pub(crate) fn state(word: &str) -> Option<State> {
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
        return None;
    }
    Some(match word {
        "RUNNING" | "COMPLETING" | "SIGNALING" | "STAGE_OUT" | "STOPPED" | "SUSPENDED" => State::Running,
        "COMPLETED" => State::Ended(End::Completed),
        "CANCELLED" | "REVOKED" | "DEADLINE" => State::Ended(End::Cancelled),
        "TIMEOUT" => State::Ended(End::Timeout),
        "PREEMPTED" => State::Ended(End::Preempted),
        "NODE_FAIL" | "BOOT_FAIL" | "LAUNCH_FAILED" | "RECONFIG_FAIL" => State::Ended(End::Node),
        "OUT_OF_MEMORY" => State::Ended(End::Memory),
        "FAILED" => State::Ended(End::Failed),
        // PENDING, CONFIGURING, REQUEUED, REQUEUE_HOLD, RESV_DEL_HOLD, SPECIAL_EXIT, and what is new to us: it is there.
        _ => State::Queued,
    })
}

/// Reasons why a pending job never starts until the job or the cluster is changed.
pub(crate) fn is_hopeless(reason: &str) -> bool {
    const HOPELESS: [&str; 10] = [
        "BadConstraints",
        "PartitionConfig",
        "PartitionTimeLimit",
        "PartitionNodeLimit",
        "InvalidAccount",
        "InvalidQOS",
        "JobHeldUser",
        "JobHeldAdmin",
        "AccountNotAllowed",
        "QOSNotAllowed",
    ];
    let limit = reason.contains("PerJobLimit") || reason.contains("PerJob") || reason.contains("MaxWallDuration");
    HOPELESS.contains(&reason) || limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_found_by_batch_and_number() {
        let text = "12|1|RUNNING|None|n1|r1-1\n12|2|PENDING|Resources||r1-1\n 13|1|COMPLETED|None|n2|r1-2\n\n";
        let queue = Queue::read(text).unwrap();
        let line = queue.line("r1-1", 2).unwrap();
        assert_eq!((line.state, line.reason.as_str(), line.host.as_str()), (State::Queued, "Resources", ""));
        assert_eq!(queue.line("r1-1", 1).unwrap().state, State::Running);
        assert_eq!(queue.line("r1-2", 1).unwrap().state, State::Ended(End::Completed));
        assert_eq!(queue.line("r1-2", 2), None);
    }

    #[test]
    fn of_a_task_that_was_submitted_twice_the_living_one_counts() {
        let queue = Queue::read("12|1|CANCELLED|None||b\n13|1|RUNNING|None|n|b\n").unwrap();
        assert_eq!(queue.line("b", 1).unwrap().id, "13");
    }

    #[test]
    fn an_array_that_was_cancelled_before_it_began_is_one_line() {
        let queue = Queue::read("12|N/A|CANCELLED|PartitionConfig||b\n12|2|RUNNING|None|n|b\n").unwrap();
        assert_eq!(queue.line("b", 1).unwrap().state, State::Ended(End::Cancelled));
        assert_eq!(queue.line("b", 2).unwrap().state, State::Running);
        assert_eq!(queue.line("c", 1), None);
        assert_eq!(queue.ids("b").collect::<Vec<_>>(), ["12", "12"]);
    }

    #[test]
    fn an_answer_with_a_line_that_is_not_understood_is_no_evidence() {
        for garbage in ["slurm_load_jobs error: timed out", "12|1|RUNNING", "x|1|RUNNING|a|b|c", "1|?|RUNNING|a|b|c"] {
            assert_eq!(Queue::read(&format!("12|1|RUNNING|None|n1|b\n{garbage}\n")).unwrap_err(), garbage);
        }
        assert!(Queue::read("").unwrap().tasks.is_empty());
    }
}
