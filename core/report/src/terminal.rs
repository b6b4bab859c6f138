//! Live bars: one for the run, one for each running node; finished nodes scroll by above them.

use crate::board::{Board, Pace};
use crate::paint::{Paint, Tone};
use crate::text::count;
use crate::wording::Wording;
use crate::{Reporter, Verbosity};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pddflow_runner::RunEvent;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Redraws a second; more costs time and cannot be seen.
const REDRAWS: u8 = 10;
/// How often a bar shows that the program lives while nothing is reported.
const TICK: Duration = Duration::from_millis(200);
/// Bars of running nodes; more would not fit on a small screen.
const MOST_BARS: usize = 16;

/// A reporter that draws bars on the terminal behind standard error.
#[must_use]
pub fn terminal(paint: Paint) -> Box<dyn Reporter> {
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
    let overall = bars.add(ProgressBar::new(0).with_style(style("{prefix} {bar:28} {pos}/{len} {msg}", paint)));
    let state = State { board: Board::default(), overall, nodes: BTreeMap::new() };
    let wording = Wording { paint, verbosity: Verbosity::Normal };
    Box::new(Terminal { bars, wording, state: Mutex::new(state) })
}

struct Terminal {
    bars: MultiProgress,
    wording: Wording,
    state: Mutex<State>,
}

struct State {
    board: Board,
    overall: ProgressBar,
    nodes: BTreeMap<String, ProgressBar>,
}

fn style(template: &str, paint: Paint) -> ProgressStyle {
    let template = if paint.is_on() { template.replace(":28", ":28.cyan/dim") } else { template.to_owned() };
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

impl Terminal {
    fn start(&self, state: &mut State, node: String) {
        state.board.running.insert(node.clone(), Pace::new());
        if state.nodes.len() >= MOST_BARS {
            return;
        }
        let paint = self.wording.paint;
        let bar = ProgressBar::new(0).with_style(style("  {spinner} {prefix}  {bar:28} {msg}", paint));
        let bar = self.bars.insert_before(&state.overall, bar);
        bar.set_prefix(paint.tone(Tone::Strong, &node));
        bar.enable_steady_tick(TICK);
        state.nodes.insert(node, bar);
    }

    fn end(state: &mut State, node: &str) {
        state.board.running.remove(node);
        if let Some(bar) = state.nodes.remove(node) {
            bar.finish_and_clear();
        }
    }

    fn follow(&self, state: &mut State, event: &RunEvent) {
        match event {
            RunEvent::RunStarted { nodes, .. } => state.board.nodes = *nodes,
            RunEvent::NodeFresh { .. } => state.board.fresh += 1,
            RunEvent::NodeSkipped { .. } => state.board.skipped += 1,
            RunEvent::NodeStarted { node, .. } => self.start(state, node.to_string()),
            RunEvent::NodeFinished { node, .. } => {
                state.board.ran += 1;
                Self::end(state, node.as_ref());
            }
            RunEvent::NodeRetrying { node, .. } => Self::end(state, node.as_ref()),
            RunEvent::NodeFailed { node, .. } => {
                state.board.failed += 1;
                Self::end(state, node.as_ref());
            }
            RunEvent::Progress { node, done, total, unit, loss } => {
                let node = node.to_string();
                let State { board, nodes, .. } = state;
                let Some(pace) = board.running.get_mut(&node) else { return };
                pace.report(Instant::now(), (*done, *total), unit, *loss);
                if let Some(bar) = nodes.get(&node) {
                    bar.set_length(pace.total);
                    bar.set_position(pace.done);
                    bar.set_message(pace.words());
                }
                return;
            }
            _ => return,
        }
        self.redraw(state);
    }

    fn redraw(&self, state: &State) {
        let State { board, overall, nodes } = state;
        overall.set_length(board.nodes as u64);
        overall.set_position(board.settled() as u64);
        overall.set_prefix("nodes");
        let mut words = Vec::new();
        for (number, word, tone) in [(board.fresh, "fresh", Tone::Faint), (board.failed, "failed", Tone::Bad)] {
            if number > 0 {
                words.push(self.wording.paint.tone(tone, &format!("{number} {word}")));
            }
        }
        let hidden = board.running.len().saturating_sub(nodes.len());
        if hidden > 0 {
            words.push(format!("{} more running", count(hidden, "node")));
        }
        overall.set_message(words.join(", "));
    }
}

impl Reporter for Terminal {
    fn event(&self, event: &RunEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The bar says what runs; a line when it began as well would say it twice.
        let line = if matches!(event, RunEvent::NodeStarted { .. }) { None } else { self.wording.line(event) };
        self.follow(&mut state, event);
        if let Some(line) = line {
            // A terminal that went away is no failure of the run.
            let _ = self.bars.println(line);
        }
    }

    fn note(&self, text: &str) {
        let _ = self.bars.println(self.wording.paint.tone(Tone::Warn, text));
    }

    fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, bar) in std::mem::take(&mut state.nodes) {
            bar.finish_and_clear();
        }
        state.overall.finish_and_clear();
    }
}
