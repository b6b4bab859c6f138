//! `pddflow-bench UNIT --ledger [WIDTH [DEVICE]]` prints what a device is given to do in a unit of `tests/src/ledger.rs`, and what that
//! predicts. `compare.py` beside this file times the units.

mod ledger;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (text, code) = match ledger::table(&arguments) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(message) => (message, ExitCode::from(2)),
    };
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
