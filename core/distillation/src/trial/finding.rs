//! What a check found.

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should; with what was seen.
    Passed(String),
    /// It does not apply; why.
    Skipped(String),
    /// Allowed, and probably not meant.
    Warning {
        /// What was seen; lower case, no full stop.
        message: String,
        /// What to do.
        help: String,
    },
    /// A fault.
    Wrong {
        /// What was seen; lower case, no full stop.
        message: String,
        /// What to do.
        help: String,
    },
}

/// A check and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Name of the check, as it stands in codes: `determinism`.
    pub check: &'static str,
    /// How it ended.
    pub outcome: Outcome,
}

/// All checks of one matcher or model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `matcher dm 0.1.0`.
    pub title: String,
    /// What it needs and gives, one line each.
    pub about: Vec<String>,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

pub(super) fn passed(text: impl Into<String>) -> Outcome {
    Outcome::Passed(text.into())
}

pub(super) fn skipped(text: impl Into<String>) -> Outcome {
    Outcome::Skipped(text.into())
}

pub(super) fn warning(message: impl Into<String>, help: &str) -> Outcome {
    Outcome::Warning { message: message.into(), help: help.to_owned() }
}

pub(super) fn wrong(message: impl Into<String>, help: impl Into<String>) -> Outcome {
    Outcome::Wrong { message: message.into(), help: help.into() }
}
