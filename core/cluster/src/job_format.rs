//! Job files: work, ready to be taken to another machine.
//!
//! ```text
//! {"format":1,"site":{"store":"/scratch/u/.pddflow",...},"results":"/scratch/u/.pddflow/cluster/r1-1"}     the first line
//! {"format":1,"node":"eval[of=dm]","kind":"evaluate",...}                                                    one line for each task, from 1
//! ```
//!
//! What a task says goes into the folder `results`: `events/<task>` while it runs, `done/<task>` at its end.

use pddflow_cache::Digest;
use pddflow_runner::Work;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

/// The format that is written and read.
const FORMAT: u32 = 1;

/// What work needs besides itself, the same for all work of a run. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The store, which every machine sees under this path.
    pub store: PathBuf,
    /// The plugins that the run has loaded.
    pub plugins: Vec<PluginFile>,
    /// Folders in which data sets are looked for.
    pub data_dirs: Vec<PathBuf>,
    /// Folder of downloads.
    pub downloads: PathBuf,
    /// Instructions of the processor to compute with, as `--instructions` names them.
    pub instructions: String,
}

/// A plugin of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginFile {
    /// Where it is.
    pub file: PathBuf,
    /// Digest of its bytes.
    pub digest: Digest,
}

/// The first line of a job file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobHead {
    format: u32,
    /// See [`Site`].
    pub site: Site,
    /// The folder for what tasks say.
    pub results: PathBuf,
}

/// One task of a job file.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The first line of the file.
    pub head: JobHead,
    /// Number of the task, from 1.
    pub task: u32,
    /// What is to be computed.
    pub work: Work,
}

impl Assignment {
    /// The file that takes the events of a task.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        events_file(&self.head.results, self.task)
    }

    /// The file that says how a task ended.
    #[must_use]
    pub fn done(&self) -> PathBuf {
        done_file(&self.head.results, self.task)
    }
}

pub(crate) fn events_file(results: &Path, task: u32) -> PathBuf {
    results.join("events").join(task.to_string())
}

pub(crate) fn done_file(results: &Path, task: u32) -> PathBuf {
    results.join("done").join(task.to_string())
}

/// The text of a job file.
///
/// # Errors
/// A number among the parameters is not finite.
pub fn job_text<'a>(
    site: &Site,
    results: &Path,
    works: impl IntoIterator<Item = &'a Work>,
) -> serde_json::Result<String> {
    let head = JobHead { format: FORMAT, site: site.clone(), results: results.to_owned() };
    let mut text = serde_json::to_string(&head)?;
    text.push('\n');
    for work in works {
        text.push_str(&serde_json::to_string(work)?);
        text.push('\n');
    }
    Ok(text)
}

/// Reads one task out of a job file.
///
/// # Errors
/// The file cannot be read, is of another format, or has no such task.
pub fn read_job(file: impl BufRead, task: u32) -> io::Result<Assignment> {
    let bad = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut lines = file.lines();
    let first = lines.next().transpose()?.ok_or_else(|| bad("the job file is empty".to_owned()))?;
    let head: JobHead =
        serde_json::from_str(&first).map_err(|error| bad(format!("line 1 is not the head of a job file: {error}")))?;
    if head.format != FORMAT {
        let message = format!("the job file has format {}; this program reads format {FORMAT}", head.format);
        return Err(bad(message));
    }
    let skipped = usize::try_from(task.saturating_sub(1)).unwrap_or(usize::MAX);
    let line = lines.nth(skipped).transpose()?.filter(|_| task > 0);
    let line = line.ok_or_else(|| bad(format!("the job file has no task {task}")))?;
    let work = serde_json::from_str(&line)
        .map_err(|error| bad(format!("line {} is no work: {error}", u64::from(task) + 1)))?;
    Ok(Assignment { head, task, work })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let plugin = PluginFile { file: "/p/libdm.so".into(), digest: Digest::of(b"dm") };
        Site {
            store: "/s".into(),
            plugins: vec![plugin],
            data_dirs: vec!["/d".into()],
            downloads: "/s/downloads".into(),
            instructions: "avx2".into(),
        }
    }

    #[test]
    fn a_job_file_without_its_task_is_refused_with_the_reason() {
        let text = job_text(&site(), Path::new("/s/cluster/b"), []).unwrap();
        let refused = |text: &str, task| read_job(text.as_bytes(), task).unwrap_err().to_string();
        assert_eq!(refused(&text, 1), "the job file has no task 1");
        assert_eq!(refused(&text, 0), "the job file has no task 0");
        assert_eq!(refused("", 1), "the job file is empty");
        let newer = text.replacen("\"format\":1", "\"format\":9", 1);
        assert_eq!(refused(&newer, 1), "the job file has format 9; this program reads format 1");
        assert!(refused("{}\n", 1).starts_with("line 1 is not the head of a job file: missing field"));
        assert!(refused(&format!("{text}{{}}\n"), 1).starts_with("line 2 is no work: missing field"));
    }
}
