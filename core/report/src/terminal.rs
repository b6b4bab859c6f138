//! Live bars: one for the run, one for each running node; finished nodes scroll by above them.

use crate::arrays::array_name;
use crate::paint::{Paint, Tone};
use crate::progress::{Expectation, RunProgress};
use crate::text::count;
use crate::wording::Wording;
use crate::{Reporter, Verbosity};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pddflow_runner::{ArrayProgress, RunEvent};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Redraws a second; more costs time and cannot be seen.
const REDRAWS: u8 = 10;
/// How often a bar shows that the program lives while nothing is reported.
const TICK: Duration = Duration::from_millis(200);
/// Bars of running nodes; more would not fit on a small screen.
const MOST_BARS: usize = 16;
/// Bars of arrays of jobs.
const MOST_ARRAYS: usize = 8;

/// A reporter that draws bars on the terminal behind standard error.
#[must_use]
pub fn terminal(paint: Paint, verbosity: Verbosity, expectation: Option<Expectation>) -> Box<dyn Reporter> {
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
    let overall = bars.add(ProgressBar::new(0).with_style(style("{prefix} {bar:28} {pos}/{len} {msg}", paint)));
    let progress = RunProgress::new(expectation);
    let state = State { progress, overall, bars: BTreeMap::new(), arrays: BTreeMap::new() };
    let wording = Wording { paint, verbosity };
    Box::new(Terminal { bars, wording, state: Mutex::new(state) })
}

struct Terminal {
    bars: MultiProgress,
    wording: Wording,
    state: Mutex<State>,
}

struct State {
    progress: RunProgress,
    overall: ProgressBar,
    /// One for each running node, as far as they fit.
    bars: BTreeMap<String, ProgressBar>,
    /// One for each array of which jobs wait or run, by its batch, as far as they fit.
    arrays: BTreeMap<String, ProgressBar>,
}

fn style(template: &str, paint: Paint) -> ProgressStyle {
    let template = if paint.is_on() { template.replace(":28", ":28.cyan/dim") } else { template.to_owned() };
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

impl Terminal {
    fn start(&self, state: &mut State, node: &str) {
        if state.bars.len() >= MOST_BARS {
            return;
        }
        let bar = self.bar(&state.overall, node);
        bar.enable_steady_tick(TICK);
        state.bars.insert(node.to_owned(), bar);
    }

    fn bar(&self, overall: &ProgressBar, name: &str) -> ProgressBar {
        let paint = self.wording.paint;
        let bar = ProgressBar::new(0).with_style(style("  {spinner} {prefix}  {bar:28} {msg}", paint));
        let bar = self.bars.insert_before(overall, bar);
        bar.set_prefix(paint.tone(Tone::Strong, name));
        bar
    }

    /// A bar for each array of which jobs wait or run.
    fn redraw_arrays(&self, state: &mut State, now: Instant) {
        let State { progress, overall, arrays, .. } = state;
        let shown: Vec<&ArrayProgress> = progress.arrays().take(MOST_ARRAYS).collect();
        arrays.retain(|batch, bar| {
            let stays = shown.iter().any(|array| array.batch == *batch);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for array in shown {
            let bar = arrays.entry(array.batch.clone()).or_insert_with(|| self.bar(overall, ""));
            bar.set_prefix(self.wording.paint.tone(Tone::Strong, &format!("array {}", array_name(array))));
            bar.set_length(array.jobs() as u64);
            bar.set_position(array.finished as u64);
            bar.set_message(progress.array_words(array, now));
        }
    }

    fn follow(&self, state: &mut State, event: &RunEvent) {
        state.progress.follow(event, Instant::now());
        match event {
            RunEvent::NodeStarted { node, .. } => self.start(state, node.as_str()),
            RunEvent::Progress { node, .. } => {
                let (bar, progress) = (state.bars.get(node.as_str()), state.progress.running.get(node.as_str()));
                if let (Some(bar), Some(progress)) = (bar, progress) {
                    bar.set_length(progress.total);
                    bar.set_position(progress.done);
                    bar.set_message(progress.words());
                }
                self.redraw(state);
                return;
            }
            _ => {}
        }
        self.redraw_arrays(state, Instant::now());
        let State { bars, progress, .. } = state;
        bars.retain(|node, bar| {
            let runs = progress.running.contains_key(node);
            if !runs {
                bar.finish_and_clear();
            }
            runs
        });
        self.redraw(state);
    }

    fn redraw(&self, state: &mut State) {
        let State { progress, overall, bars, .. } = state;
        overall.set_length(progress.nodes as u64);
        overall.set_position(progress.ended() as u64);
        overall.set_prefix("nodes");
        let mut words = Vec::new();
        for (number, word, tone) in [(progress.fresh, "fresh", Tone::Faint), (progress.failed, "failed", Tone::Bad)] {
            if number > 0 {
                words.push(self.wording.paint.tone(tone, &format!("{number} {word}")));
            }
        }
        // Arrays of jobs say for themselves how long they still take.
        words.extend(progress.job_words().or_else(|| progress.time_words(Instant::now())));
        let hidden = progress.running.len().saturating_sub(bars.len());
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
        let State { bars, arrays, .. } = &mut *state;
        for (_, bar) in std::mem::take(bars).into_iter().chain(std::mem::take(arrays)) {
            bar.finish_and_clear();
        }
        state.overall.finish_and_clear();
    }
}
