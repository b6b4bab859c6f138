//! The last words of a run.

use crate::paint::{Paint, Tone};
use crate::text::{count, seconds};
use pddflow_runner::Summary;
use std::fmt::Write as _;

/// A folder with results, as shown at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The node whose results they are.
    pub node: String,
    /// The folder.
    pub folder: String,
    /// How many files lie there.
    pub files: usize,
}

/// Counts and seconds of a run, and where its results lie.
#[must_use]
pub fn closing(summary: &Summary, places: &[Place], paint: Paint) -> String {
    let mut text = String::new();
    let width = places.iter().map(|place| place.node.chars().count()).max().unwrap_or(0);
    for Place { node, folder, files } in places {
        let _ = writeln!(text, "{node:width$}  {folder}  {}", paint.tone(Tone::Faint, &count(*files, "file")));
    }
    let nodes = summary.fresh + summary.ran + summary.failed + summary.skipped;
    let counts = [
        (summary.fresh, "fresh", Tone::Faint),
        (summary.ran, "ran", Tone::Good),
        (summary.failed, "failed", Tone::Bad),
        (summary.skipped, "skipped", Tone::Warn),
    ];
    let said: Vec<String> = counts
        .iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, word, tone)| paint.tone(*tone, &format!("{number} {word}")))
        .collect();
    let said = if said.is_empty() { "nothing to do".to_owned() } else { said.join(", ") };
    let _ = writeln!(text, "{}: {said}, in {}", count(nodes, "node"), seconds(summary.seconds));
    text
}
