//! Versions of the interpreter and of packages, which a key has.

use pddflow_sdk::{Error, Result};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Without importing anything: PyTorch alone takes a second.
const SCRIPT: &str = r#"
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
def of(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
found = [["python", platform.python_implementation() + " " + platform.python_version()]]
print(json.dumps(found + [[name, of(name)] for name in sys.argv[1:]]))
"#;
/// The package without which nothing works.
const TORCH: &str = "torch";

type Versions = Vec<(String, String)>;

/// Versions of the interpreter and the packages. The interpreter is asked once in a process: every node of a plan wants to know.
pub(crate) fn of(python: &str, packages: &[String]) -> Result<Versions> {
    static KNOWN: Mutex<BTreeMap<(String, Vec<String>), Versions>> = Mutex::new(BTreeMap::new());
    let key = (python.to_owned(), packages.to_vec());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(&key) {
        return Ok(found.clone());
    }
    let found = ask(python, packages)?;
    known.insert(key, found.clone());
    Ok(found)
}

fn ask(python: &str, packages: &[String]) -> Result<Versions> {
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).args(packages).stdin(Stdio::null());
    let output = command.output().map_err(|error| not_started(python, &error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let wrong = || {
        let last = said.lines().last().unwrap_or("it said nothing");
        Error::config(format!("`{python}` does not tell its version, but: {last}; name a Python by `python:`"))
    };
    if !output.status.success() {
        return Err(wrong());
    }
    let found: Versions = serde_json::from_slice(&output.stdout).map_err(|_| wrong())?;
    let version = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, version)| version.as_str());
    if version(TORCH) == Some("absent") {
        let own = version("python").unwrap_or("Python");
        let message =
            format!("`{python}` ({own}) has no package `{TORCH}`: install it there, or name another by `python:`");
        return Err(Error::config(message));
    }
    Ok(found)
}

/// Why an interpreter is not there.
pub(crate) fn not_started(python: &str, error: &std::io::Error) -> Error {
    Error::config(format!("the interpreter `{python}` cannot be started: {error}; name another by `python:`"))
}
