//! How far an array of jobs is, in words.

use crate::text;
use pddflow_runner::ArrayProgress;

/// More families than this in one line are noise.
const FAMILIES_SHOWN: usize = 3;
const MINUTE: f64 = 60.0;

/// `12 distill, train`: the array as the cluster calls it, and the families of its nodes.
#[must_use]
pub fn array_name(array: &ArrayProgress) -> String {
    let mut families: Vec<&str> = array.families.iter().map(String::as_str).take(FAMILIES_SHOWN).collect();
    if array.families.len() > FAMILIES_SHOWN {
        families.push("...");
    }
    format!("{} {}", array.job, families.join(", "))
}

/// `20 queued, 8 running, 12 of 40 finished, 3.50/min, 8 min 00 s left`, at a moment of the clock of its moments.
#[must_use]
pub fn words(array: &ArrayProgress, now: f64) -> String {
    let numbers = [(array.queued, "queued"), (array.running, "running")];
    let mut words: Vec<String> =
        numbers.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    words.push(format!("{} of {} finished", array.finished, array.jobs()));
    if array.failed > 0 {
        words.push(format!("{} failed", array.failed));
    }
    words.extend(array.rate(now).map(|rate| format!("{}/min", text::rate(rate * MINUTE))));
    words.extend(array.left(now).map(|left| format!("{} left", text::seconds(left))));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pddflow_runner::pipeline::NodeId;
    use pddflow_runner::{Arrays, JobState, RunEvent};

    #[test]
    fn an_array_says_how_fast_it_is_and_how_long_it_takes() {
        let mut arrays = Arrays::default();
        let job = |task: u32, state| RunEvent::NodeJob {
            node: NodeId::new(["distill[1]", "eval[a=1]", "eval[a=2]", "train[1]", "zca"][task as usize]),
            job: format!("12_{task}"),
            batch: Some("r1-1".into()),
            state,
            host: None,
            reason: None,
            output: "out".into(),
        };
        (0..5).for_each(|task| arrays.follow(&job(task, JobState::Queued), 0.0));
        let said = |arrays: &Arrays, now| words(&arrays.all()[0], now);
        assert_eq!(array_name(&arrays.all()[0]), "12 distill, eval, train, ...");
        assert_eq!(said(&arrays, 5.0), "5 queued, 0 of 5 finished");
        (0..3).for_each(|task| arrays.follow(&job(task, JobState::Running), 60.0));
        let error = pddflow_runner::NodeError::new("c", "no");
        arrays.follow(&RunEvent::NodeFailed { node: NodeId::new("distill[1]"), error }, 90.0);
        assert_eq!(said(&arrays, 90.0), "2 queued, 2 running, 1 of 5 finished, 1 failed, 2.00/min, 2 min 00 s left");
    }
}
