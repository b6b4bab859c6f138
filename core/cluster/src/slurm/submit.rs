//! What `sbatch` says to a submission.

use crate::process::Answer;

/// How a submission went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Submission {
    /// Accepted as the job of this id.
    Accepted(String),
    /// It may have been accepted or not: the queue knows.
    Unclear(String),
    /// A limit is reached: fewer, or later.
    TooMany(String),
    /// Too many tasks for one array.
    TooLarge(String),
    /// It will not be accepted.
    Refused(String),
}

/// Texts of limits.
const LIMITS: [&str; 7] = [
    "QOSMaxSubmit",
    "AssocMaxSubmit",
    "MaxSubmitJob",
    "AssocGrpSubmit",
    "QOSGrpSubmit",
    "job submit limit",
    "Slurm temporarily unable to accept job",
];
/// Texts of failures that say nothing of the job.
const TRANSIENT: [&str; 9] = [
    "timed out",
    "temporarily",
    "Unable to contact slurm controller",
    "Connection refused",
    "Connection reset",
    "Zero Bytes were transmitted",
    "standby mode",
    "Communication connection failure",
    "try again",
];

/// Reads an answer of `sbatch --parsable`.
pub(crate) fn read(answer: &Answer) -> Submission {
    let said = answer.said();
    if answer.success {
        return job_id(&answer.out).map_or(Submission::Unclear(said), Submission::Accepted);
    }
    let has = |texts: &[&str]| texts.iter().any(|text| said.to_lowercase().contains(&text.to_lowercase()));
    if said.contains("Invalid job array specification") || said.contains("Job array index") {
        Submission::TooLarge(said)
    } else if has(&LIMITS) || said.contains("Job violates accounting/QOS policy") {
        Submission::TooMany(said)
    } else if answer.late || has(&TRANSIENT) || said == "it said nothing" {
        Submission::Unclear(said)
    } else {
        Submission::Refused(said)
    }
}

/// The number of the job: alone in a line, before a `;` and the name of the cluster, or the last word of a line about a job.
/// Sites print texts of their own around it.
fn job_id(text: &str) -> Option<String> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.to_owned())
    };
    let alone = |line: &str| number(line.split(';').next().unwrap_or_default().trim());
    let told = |line: &str| line.contains("job").then(|| number(line.split_whitespace().last()?)).flatten();
    text.lines().rev().find_map(alone).or_else(|| text.lines().rev().find_map(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(success: bool, out: &str, err: &str) -> Answer {
        Answer { success, late: false, out: out.into(), err: err.into() }
    }

    #[test]
    fn the_id_is_found_among_what_sites_print() {
        for text in ["123\n", "123;cluster\n", "Welcome 2024\n\n 123 \n", "Submitted batch job 123\n"] {
            assert_eq!(read(&answer(true, text, "")), Submission::Accepted("123".into()), "{text}");
        }
        for text in ["", "thank you", "12a"] {
            assert!(matches!(read(&answer(true, text, "")), Submission::Unclear(_)), "{text}");
        }
    }

    #[test]
    fn errors_are_told_apart() {
        let of = |text: &str| read(&answer(false, "", text));
        let error = "sbatch: error: Batch job submission failed: ";
        assert!(matches!(of(&format!("{error}Socket timed out on send/recv operation")), Submission::Unclear(_)));
        assert!(matches!(of(&format!("{error}Invalid job array specification")), Submission::TooLarge(_)));
        assert!(matches!(of("sbatch: error: QOSMaxSubmitJobPerUserLimit"), Submission::TooMany(_)));
        let refused = of(&format!("{error}Invalid partition name specified"));
        assert!(matches!(refused, Submission::Refused(text) if text.contains("Invalid partition")));
        let late = Answer { late: true, ..answer(false, "", "") };
        assert!(matches!(read(&late), Submission::Unclear(_)));
    }
}
