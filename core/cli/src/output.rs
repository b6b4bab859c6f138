//! The only place that prints. Data goes to standard output, everything else to standard error.

use crate::exit::Exit;
use crate::problem::Problem;
use clap::ValueEnum;
use miette::{GraphicalReportHandler, GraphicalTheme};
use pddflow_report::{Paint, Tone};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

/// Width of diagnostics; wider lines are hard to read.
const WIDTH: usize = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Print data and errors as JSON
    #[arg(long, global = true)]
    json: bool,
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    color: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The first failure to print data.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Why data could not be printed, if some could not.
pub(crate) fn lost() -> Option<Problem> {
    let error = LOST.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let problem =
        Problem::new(Exit::Store, "pddflow::cli::output", format!("standard output cannot be written: {error}"));
    Some(problem.with_help("free some space, or send it elsewhere; what was computed is in the store"))
}

/// How the program prints. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    json: bool,
    /// For standard output.
    pub(crate) paint: Paint,
    /// For standard error.
    pub(crate) error_paint: Paint,
    /// Whether standard error is a terminal that can draw.
    live: bool,
}

/// What of the surroundings decides about colours.
struct Surroundings {
    no_color: Option<OsString>,
    term: Option<OsString>,
}

impl Output {
    pub(crate) fn new(args: &OutputArgs) -> Self {
        let read = |name| std::env::var_os(name);
        let around = Surroundings { no_color: read("NO_COLOR"), term: read("TERM") };
        let (out, error) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            json: args.json,
            paint: paint(args.color, out, &around),
            error_paint: paint(args.color, error, &around),
            live: error && !around.is_dumb(),
        }
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Whether bars can be drawn.
    pub(crate) fn live(&self) -> bool {
        self.live
    }

    /// Prints data. A reader that went away ended the program's duty, not the program; anything else is a failure, see [`lost`].
    pub(crate) fn data(&self, text: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Prints data in place of what was printed so; one after the other where standard output is no terminal.
    pub(crate) fn screen(&self, text: &str) {
        let clear = if io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
        self.data(&format!("{clear}{text}"));
    }

    /// Prints Markdown; where there are colours, headings stand out.
    pub(crate) fn markdown(&self, text: &str) {
        let line = |line: &str| match line.starts_with('#') {
            true => format!("{}\n", self.paint.tone(Tone::Strong, line)),
            false => format!("{line}\n"),
        };
        self.data(&text.lines().map(line).collect::<String>());
    }

    /// Prints data as JSON, for people's eyes too.
    pub(crate) fn value(&self, value: &Value) {
        self.data(&format!("{value:#}\n"));
    }

    /// Prints one line of JSON.
    pub(crate) fn line(&self, value: &Value) {
        self.data(&format!("{value}\n"));
    }

    /// Prints text that is not data.
    pub(crate) fn say(&self, text: &str) {
        let mut error = io::stderr().lock();
        let _ = error.write_all(text.as_bytes());
        let _ = error.flush();
    }

    /// Prints one line that is not data.
    pub(crate) fn note(&self, text: &str) {
        self.say(&format!("{}\n", self.error_paint.tone(Tone::Warn, text)));
    }

    /// Writes a line of a terminal anew; an empty text clears it. Elsewhere nothing.
    pub(crate) fn redraw(&self, text: &str) {
        if self.live {
            self.say(&format!("\r\x1b[K{text}"));
        }
    }

    /// Prints what went wrong: drawn on a terminal, plain elsewhere, as one line of JSON with `--json`.
    pub(crate) fn problem(&self, problem: &Problem) {
        if self.json {
            self.say(&format!("{}\n", problem.to_json()));
        } else if self.error_paint.is_on() {
            self.say(&drawn(problem));
        } else {
            self.say(&problem.render());
        }
    }
}

/// What `--json` prints about the nodes that a name means: that of the node, or of a family all as `nodes`.
pub(crate) fn one_or_all(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { json!({ "nodes": values }) }
}

fn drawn(problem: &Problem) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode()).with_width(WIDTH).with_links(false);
    let mut text = String::new();
    for diagnostic in problem.diagnostics() {
        if handler.render_report(&mut text, diagnostic).is_err() {
            return problem.render();
        }
    }
    text
}

impl Surroundings {
    fn is_dumb(&self) -> bool {
        self.term.as_ref().is_some_and(|term| term == "dumb")
    }
}

fn paint(when: When, terminal: bool, around: &Surroundings) -> Paint {
    // https://no-color.org: any value but an empty one.
    let refused = around.no_color.as_ref().is_some_and(|value| !value.is_empty()) || around.is_dumb();
    match when {
        When::Always => Paint::colours(),
        When::Auto if terminal && !refused => Paint::colours(),
        When::Auto | When::Never => Paint::plain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_option_terminal_and_surroundings() {
        let check = |when, terminal, no_color: Option<&str>, term: Option<&str>, on| {
            let around = Surroundings { no_color: no_color.map(Into::into), term: term.map(Into::into) };
            assert_eq!(paint(when, terminal, &around).is_on(), on, "{when:?} {terminal} {no_color:?} {term:?}");
        };
        check(When::Auto, true, None, Some("xterm"), true);
        check(When::Auto, false, None, Some("xterm"), false);
        check(When::Auto, true, Some("1"), Some("xterm"), false);
        check(When::Auto, true, Some(""), Some("xterm"), true);
        check(When::Auto, true, None, Some("dumb"), false);
        check(When::Always, false, Some("1"), None, true);
        check(When::Never, true, None, None, false);
    }
}
