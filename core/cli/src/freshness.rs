//! The states of nodes as text.

use pddflow_report::Tone;
use pddflow_runner::Freshness;

/// Most nodes that a reason names.
const NAMED: usize = 3;

/// The first few names, and how many there are besides.
pub(crate) fn first_of<T: ToString>(nodes: &[T]) -> String {
    let names: Vec<String> = nodes.iter().take(NAMED).map(T::to_string).collect();
    match nodes.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Name, colour and reasons of a state.
pub(crate) fn words(state: &Freshness) -> (&'static str, Tone, Vec<String>) {
    match state {
        Freshness::Fresh { .. } => ("fresh", Tone::Good, Vec::new()),
        Freshness::Stale { reasons, .. } => ("stale", Tone::Warn, reasons.iter().map(ToString::to_string).collect()),
        Freshness::Unknown { waits_for } => {
            ("unknown", Tone::Faint, vec![format!("depends on the result of {}", first_of(waits_for))])
        }
        Freshness::Invalid { error } => {
            let help = error.help.as_ref().map(|help| format!("help: {help}"));
            ("invalid", Tone::Bad, std::iter::once(error.to_string()).chain(help).collect())
        }
        _ => ("unknown", Tone::Faint, Vec::new()),
    }
}
