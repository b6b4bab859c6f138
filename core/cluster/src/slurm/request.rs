//! What a job asks Slurm for: the options of `sbatch` that follow from the resources of a node.

use pddflow_pipeline::{ClusterSettings, Resources};
use pddflow_runner::NodeError;
use std::time::Duration;

/// Options that are set for every job, with their short forms; `extra` may not repeat them.
const OURS: [(&str, &str); 10] = [
    ("job-name", "J"),
    ("array", "a"),
    ("output", "o"),
    ("error", "e"),
    ("open-mode", ""),
    ("ntasks", "n"),
    ("nodes", "N"),
    ("cpus-per-task", "c"),
    ("chdir", "D"),
    ("parsable", ""),
];
/// Short forms of options that are set where a resource says so.
const SHORT: [(&str, &str); 5] =
    [("time", "t"), ("partition", "p"), ("account", "A"), ("qos", "q"), ("constraint", "C")];

const MIB: u64 = 1 << 20;

/// The options for a node with these resources, for its attempt number `attempt`, from 0. Nodes with equal options go into
/// one array.
///
/// # Errors
/// `extra` repeats an option that is set already.
pub(crate) fn request(
    resources: &Resources,
    settings: &ClusterSettings,
    attempt: usize,
) -> Result<Vec<String>, NodeError> {
    let mut options = vec![
        "--nodes=1".to_owned(),
        "--ntasks=1".to_owned(),
        format!("--cpus-per-task={}", resources.cpus.max(1)),
        format!("--signal=B:USR2@{}", settings.signal.as_secs()),
        if settings.requeue { "--requeue" } else { "--no-requeue" }.to_owned(),
    ];
    let memory = resources.memory_of_job(attempt);
    if memory > 0 && settings.memory_per_cpu {
        options.push(format!("--mem-per-cpu={}M", memory.div_ceil(MIB).div_ceil(resources.cpus.max(1).into())));
    } else if memory > 0 {
        options.push(format!("--mem={}M", memory.div_ceil(MIB)));
    }
    if let Some(time) = resources.time_of_job(attempt) {
        options.push(format!("--time={}", clock(time)));
    }
    if resources.gpus > 0 && resources.gres.is_none() {
        options.push(format!("--gpus-per-node={}", resources.gpus));
    }
    let texts = [
        ("partition", &resources.partition),
        ("account", &resources.account),
        ("qos", &resources.qos),
        ("constraint", &resources.constraint),
        ("gres", &resources.gres),
    ];
    options.extend(texts.into_iter().filter_map(|(name, text)| Some(format!("--{name}={}", text.as_ref()?))));
    check_extra(&resources.extra, &options)?;
    options.extend(resources.extra.iter().cloned());
    Ok(options)
}

/// A time as Slurm writes it: `D-HH:MM:SS`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs().max(1);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{days}-{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

fn check_extra(extra: &[String], set: &[String]) -> Result<(), NodeError> {
    let name = |option: &str| option.trim_start_matches('-').split('=').next().unwrap_or_default().trim().to_owned();
    for option in extra {
        if !option.starts_with('-') {
            let message = format!("`extra` has `{option}`, which is no option of sbatch");
            return Err(NodeError::new("pddflow::cluster::extra", message)
                .with_help("write options with their values in one text: `--exclusive`, `--mail-type=FAIL`"));
        }
        let long = option.starts_with("--");
        let given = name(option);
        let full = if long {
            given.clone()
        } else {
            let short = given.get(..1).unwrap_or_default();
            let known = OURS.iter().chain(&SHORT).find(|(_, known)| !known.is_empty() && *known == short);
            known.map_or_else(|| given.clone(), |(full, _)| (*full).to_owned())
        };
        let ours = OURS.iter().any(|(known, _)| *known == full);
        if ours || set.iter().any(|set| name(set) == full) {
            let message = format!("`extra` repeats the option --{full}, which is set already: `{option}`");
            let help = "use the key of `resources` for it (cpus, memory, gpus, time, partition, ...), or remove it";
            return Err(NodeError::new("pddflow::cluster::extra", message).with_help(help));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources() -> Resources {
        let mut resources = Resources::default();
        (resources.cpus, resources.memory_bytes, resources.gpus) = (4, (8 << 30) + 1, 2);
        resources.time = vec![Duration::from_secs(90), Duration::from_secs(100_000)];
        resources.more_memory = vec![16 << 30];
        resources.partition = Some("gpu".into());
        resources.extra = vec!["--exclusive".into()];
        resources
    }

    #[test]
    fn options_follow_from_resources() {
        let options = |attempt| request(&resources(), &ClusterSettings::default(), attempt).unwrap();
        assert_eq!(
            options(0),
            [
                "--nodes=1",
                "--ntasks=1",
                "--cpus-per-task=4",
                "--signal=B:USR2@120",
                "--no-requeue",
                "--mem=8193M",
                "--time=0-00:01:30",
                "--gpus-per-node=2",
                "--partition=gpu",
                "--exclusive",
            ]
        );
        assert!(options(1).contains(&"--time=1-03:46:40".to_owned()), "the second attempt has more time");
        assert!(options(1).contains(&"--mem=16384M".to_owned()), "and more memory");
        assert_eq!(options(1), options(7), "later ones have as much as the last that is named");
    }

    #[test]
    fn memory_is_asked_for_by_the_core_where_a_cluster_wants_it_so() {
        let mut settings = ClusterSettings::default();
        settings.memory_per_cpu = true;
        let options = request(&resources(), &settings, 0).unwrap();
        // 8193 MiB for four cores.
        assert!(options.contains(&"--mem-per-cpu=2049M".to_owned()), "{options:?}");
        assert!(!options.iter().any(|option| option.starts_with("--mem=")), "{options:?}");
    }

    #[test]
    fn a_kind_of_gpu_takes_the_place_of_their_number() {
        let mut with = resources();
        with.gres = Some("gpu:a100:1".into());
        let options = request(&with, &ClusterSettings::default(), 0).unwrap();
        assert!(options.contains(&"--gres=gpu:a100:1".to_owned()));
        assert!(!options.iter().any(|option| option.starts_with("--gpus")));
    }

    #[test]
    fn extra_options_may_not_repeat_what_is_set() {
        for option in ["--job-name=x", "-Jx", "--partition=cpu", "-p cpu", "--mem=1G", "-o out", "--array=1-2"] {
            let mut with = resources();
            with.extra = vec![option.into()];
            let error = request(&with, &ClusterSettings::default(), 0).unwrap_err();
            assert!(error.message.contains("which is set already"), "{option}: {error}");
        }
        let mut with = resources();
        with.extra = vec!["exclusive".into()];
        assert!(request(&with, &ClusterSettings::default(), 0).unwrap_err().message.contains("no option of sbatch"));
        with.extra = vec!["-p cpu".into()];
        with.partition = None;
        assert!(request(&with, &ClusterSettings::default(), 0).is_ok());
    }
}
