//! What a call of the program did.

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Output;

/// One event of `run --json`.
pub type Event = Value;

/// Digest of each artifact by `node.port`.
pub type Digests = BTreeMap<String, String>;

/// Exit code and texts of a finished call.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// Checks that all went well.
    #[must_use = "or end the statement with a check of what was printed"]
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.ends_with(0)
    }

    /// Checks the exit code, and that nothing panicked.
    #[must_use = "or end the statement with a check of what was printed"]
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        assert!(!self.err.contains("RUST_BACKTRACE"), "a panic reached the user:\n{}", self.err);
        self
    }

    /// Checks that standard error says all of these.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not in:\n{}", self.err);
        }
        self
    }

    /// Standard output as one JSON value.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}", self.out))
    }

    /// Standard output as JSON lines.
    #[must_use]
    #[track_caller]
    pub fn events(&self) -> Vec<Event> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// Names of the nodes with an event of that kind, sorted.
    #[must_use]
    #[track_caller]
    pub fn nodes(&self, event: &str) -> Vec<String> {
        let events = self.events();
        let found = events.iter().filter(|found| found["event"] == event);
        let mut names: Vec<String> = found.map(|found| found["node"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// What every node of a `run --json` gave, whether it was fresh or ran.
    #[must_use]
    #[track_caller]
    pub fn digests(&self) -> Digests {
        let mut digests = Digests::new();
        for event in self.events() {
            let outputs = match event["event"].as_str() {
                Some("node_finished") => &event["outputs"],
                Some("node_fresh") => &event["record"]["outputs"],
                _ => continue,
            };
            for (port, digest) in outputs.as_object().unwrap() {
                let name = format!("{}.{port}", event["node"].as_str().unwrap());
                digests.insert(name, digest.as_str().unwrap().to_owned());
            }
        }
        digests
    }
}
