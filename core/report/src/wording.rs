//! The line that an event deserves, if it deserves one.

use crate::Verbosity;
use crate::paint::{Paint, Tone};
use crate::text::{number, seconds};
use pddflow_runner::{JobState, RunEvent, SkipReason};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Width of the first word of a line, so that node names stand below each other.
const WORD_WIDTH: usize = 8;
/// More metrics than this in one line are noise; `show` has them all.
const METRICS_SHOWN: usize = 3;
/// More reasons than this in one line are noise; `plan` has them all.
const REASONS_SHOWN: usize = 2;

/// Words lines in one colour scheme and verbosity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wording {
    pub(crate) paint: Paint,
    pub(crate) verbosity: Verbosity,
}

impl Wording {
    /// The line of an event; none for events that only move bars.
    pub(crate) fn line(&self, event: &RunEvent) -> Option<String> {
        let important = match event {
            RunEvent::Warning { node, text } => {
                let node = node.as_ref().map(ToString::to_string).unwrap_or_default();
                Some(self.compose("warning", Tone::Warn, &node, text))
            }
            RunEvent::NodeFailed { node, error } => Some(self.compose("failed", Tone::Bad, node, &error.to_string())),
            RunEvent::NodeRetrying { node, attempt, of, seconds: wait, error } => {
                let rest = format!("{attempt} of {of} in {}: {error}", seconds(*wait));
                Some(self.compose("retry", Tone::Warn, node, &rest))
            }
            RunEvent::NodeSkipped { node, because } => {
                skip_words(because).map(|why| self.compose("skipped", Tone::Warn, node, &why))
            }
            _ => None,
        };
        important.or_else(|| (self.verbosity != Verbosity::Quiet).then(|| self.ordinary(event)).flatten())
    }

    fn at_most(&self, usual: usize) -> usize {
        if self.verbosity == Verbosity::Verbose { usize::MAX } else { usual }
    }

    fn ordinary(&self, event: &RunEvent) -> Option<String> {
        match event {
            RunEvent::NodeStarted { node, reasons, .. } => Some(self.compose(
                "run",
                Tone::Busy,
                node,
                &self.paint.tone(Tone::Faint, &shortened(reasons, self.at_most(REASONS_SHOWN))),
            )),
            RunEvent::NodeFinished { node, seconds: took, metrics, .. } => {
                let metrics = metrics_words(metrics, self.at_most(METRICS_SHOWN));
                let rest = if metrics.is_empty() { seconds(*took) } else { format!("{}, {metrics}", seconds(*took)) };
                Some(self.compose("done", Tone::Good, node, &rest))
            }
            RunEvent::NodeFresh { node, record } if self.verbosity == Verbosity::Verbose => {
                Some(self.compose("fresh", Tone::Faint, node, &record.key.to_string()))
            }
            RunEvent::NodeWaiting { node, run, host, .. } => {
                let run = run.as_ref().map_or_else(|| "another run".to_owned(), |run| format!("run {run}"));
                let host = host.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
                let text = format!("{run}{host} is computing it; its result will be used");
                Some(self.compose("wait", Tone::Faint, node, &text))
            }
            RunEvent::NodeJob { node, job, state: JobState::Running, host, .. } => {
                let host = host.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
                Some(self.compose("job", Tone::Faint, node, &format!("{job}{host}")))
            }
            RunEvent::NodeResumed { node, from } => Some(self.compose("resume", Tone::Faint, node, &from.to_string())),
            RunEvent::Log { node, text } => Some(self.compose("", Tone::Faint, node, text)),
            _ => None,
        }
    }

    /// `word  node  rest`, the word coloured.
    pub(crate) fn compose(&self, word: &str, tone: Tone, node: impl Display, rest: &str) -> String {
        let word = self.paint.tone(tone, &format!("{word:<WORD_WIDTH$}"));
        let node = self.paint.tone(Tone::Strong, &node.to_string());
        let line = if node.is_empty() { format!("{word}{rest}") } else { format!("{word}{node}  {rest}") };
        line.trim_end().to_owned()
    }
}

/// Why a node was skipped; none where one failure or one Ctrl-C already says it for all.
fn skip_words(because: &SkipReason) -> Option<String> {
    match because {
        SkipReason::NeedsFailed { node } => Some(format!("needs {node}, which failed")),
        SkipReason::Cancelled { begun: true } => {
            Some("interrupted; it continues from its checkpoint next time".to_owned())
        }
        _ => None,
    }
}

/// The first few of a list, and how many more there are.
fn shortened<T: Display>(all: &[T], shown: usize) -> String {
    let mut words: Vec<String> = all.iter().take(shown).map(ToString::to_string).collect();
    if all.len() > shown {
        words.push(format!("and {} more", all.len() - shown));
    }
    words.join("; ")
}

fn metrics_words(metrics: &BTreeMap<String, f64>, shown: usize) -> String {
    let shown = metrics.iter().take(shown);
    shown.map(|(name, value)| format!("{name} {}", number(*value))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_word_node_and_rest() {
        let wording = Wording { paint: Paint::plain(), verbosity: Verbosity::Normal };
        assert_eq!(wording.compose("run", Tone::Busy, "data", "new"), "run     data  new");
        assert_eq!(wording.compose("warning", Tone::Warn, "", "slow disk"), "warning slow disk");
        assert_eq!(wording.compose("run", Tone::Busy, "data", ""), "run     data");
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(shortened(&["a", "b", "c", "d"], 2), "a; b; and 2 more");
        assert_eq!(shortened::<&str>(&[], 2), "");
        let metrics = BTreeMap::from([("loss".to_owned(), 0.25), ("accuracy".to_owned(), 61.5)]);
        assert_eq!(metrics_words(&metrics, 3), "accuracy 61.5, loss 0.25");
    }
}
