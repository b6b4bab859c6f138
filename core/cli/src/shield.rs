//! Panics: each is a defect of pddflow, and no user should have to read a backtrace to learn that.

use crate::exit::Exit;
use crate::output::{self, Output};
use crate::problem::Problem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// Place and text of the latest panic; the hook sees them, the catch does not.
static LATEST: Mutex<Option<String>> = Mutex::new(None);

/// Runs the program; turns problems into text and an exit code, and a panic into a request to report it.
pub(crate) fn run(output: &Output, program: impl FnOnce() -> Result<Exit, Problem>) -> Exit {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("no text");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = Some(format!("{text} ({place})"));
    }));
    // The program's values are not used again after a panic.
    let problem = match catch_unwind(AssertUnwindSafe(program)) {
        Ok(Ok(exit)) => match output::lost() {
            Some(problem) if exit == Exit::Ok => problem,
            _ => return exit,
        },
        Ok(Err(problem)) => problem,
        Err(_) => internal(),
    };
    output.problem(&problem);
    problem.exit()
}

fn internal() -> Problem {
    let latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let text = latest.unwrap_or_else(|| "no text".to_owned());
    Problem::new(Exit::Internal, "pddflow::internal", format!("something inside pddflow went wrong: {text}")).with_help(
        concat!(
            "this is a defect of pddflow ",
            env!("CARGO_PKG_VERSION"),
            "; please report it with the text above, the ",
            "command and the pipeline file. Finished work is kept in the store."
        ),
    )
}
