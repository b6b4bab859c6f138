//! What a run would submit, shown before anything is: the script, the job file, the options, and what Slurm says to them.

use crate::batch::Batches;
use crate::executor::SlurmFactory;
use crate::job_format::job_text;
use crate::slurm::request::request;
use crate::slurm::script::script;
use crate::slurm::{Array, Slurm};
use pddflow_pipeline::Resources;
use pddflow_runner::{NodeError, Work};
use std::collections::BTreeMap;
use std::io::Write as _;

/// An array that would be submitted.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The nodes, in the order of its tasks.
    pub nodes: Vec<String>,
    /// The arguments of `sbatch`.
    pub arguments: Vec<String>,
    /// The script.
    pub script: String,
    /// The job file.
    pub jobs: String,
    /// What `sbatch --test-only` says: when it would begin, or why it would be refused.
    pub answer: Result<String, String>,
}

/// The arrays that these works would be submitted as. Nothing is submitted, and nothing is left behind.
///
/// # Errors
/// The resources of a node cannot be asked for, or a file for the test cannot be written.
pub fn preview(factory: &SlurmFactory, works: &[(Work, Resources)]) -> Result<Vec<Preview>, NodeError> {
    let options = factory.options();
    let mut slurm = Slurm::new(options.without.clone(), options.answer_limit);
    let mut groups: BTreeMap<Vec<String>, Vec<&Work>> = BTreeMap::new();
    for (work, resources) in works {
        let resources = options.settings.resources(&work.kind, resources);
        groups.entry(request(&resources, &options.settings, 0)?).or_default().push(work);
    }
    let most = usize::try_from(slurm.config().most_tasks).unwrap_or(usize::MAX).max(1);
    let mut previews = Vec::new();
    for (asked, works) in groups {
        for some in works.chunks(most) {
            let batch = Batches::of(&options.site.store).batch(&format!("RUN-{}", previews.len() + 1));
            let text = script(&options.program, &batch.jobs(), &options.settings.setup);
            let tasks: Vec<u32> = (1..).take(some.len()).collect();
            let broken = |error: std::io::Error| {
                NodeError::new("pddflow::cluster::folder", "the script cannot be written for a test").with_source(error)
            };
            let mut file = tempfile::NamedTempFile::new().map_err(broken)?;
            file.write_all(text.as_bytes()).map_err(broken)?;
            let (output, mut array) = (batch.output("%a"), None);
            let array = array.insert(Array {
                name: &batch.name,
                tasks: &tasks,
                at_once: options.settings.at_once,
                output: &output,
                folder: &options.invocation.folder,
                options: &asked,
                script: file.path(),
            });
            let answer = slurm.test(array);
            let place = batch.script();
            array.script = &place;
            let jobs =
                job_text(&options.site, &batch.folder, some.iter().copied()).map_err(|error| broken(error.into()))?;
            previews.push(Preview {
                nodes: some.iter().map(|work| work.node.to_string()).collect(),
                arguments: array.arguments(),
                script: text,
                jobs,
                answer,
            });
        }
    }
    Ok(previews)
}
