//! How much of the machine this process may use: memory within the limits of its control groups, and how many nodes run
//! at once by default.

use pddflow_runner::cores;
use std::path::Path;

/// Memory that must be there for each node that runs at once when `--jobs` is not given.
const MEMORY_PER_JOB: u64 = 2 << 30;
/// Of the memory, what nodes may take together; the rest is for the program, the system and caches.
const SHARE_FOR_NODES: (u64, u64) = (9, 10);

/// Nodes that run at once unless the user says otherwise: one for each core, as far as memory goes. A node that computes
/// uses all cores by itself, so that fewer lose nothing.
pub(crate) fn default_jobs() -> usize {
    jobs_within(cores(), memory_limit())
}

/// Memory that nodes may take together, in bytes; without limit where the system does not say how much there is.
pub(crate) fn memory_for_nodes() -> u64 {
    let (numerator, denominator) = SHARE_FOR_NODES;
    memory_limit().map_or(u64::MAX, |limit| limit / denominator * numerator)
}

fn jobs_within(cores: usize, memory: Option<u64>) -> usize {
    let fit = memory.map_or(cores, |memory| usize::try_from(memory / MEMORY_PER_JOB).unwrap_or(usize::MAX));
    cores.min(fit).max(1)
}

fn memory_limit() -> Option<u64> {
    limit_under(Path::new("/"))
}

/// The least of the machine's memory and the limits of the control groups that this process is in.
fn limit_under(root: &Path) -> Option<u64> {
    group_limits(root).into_iter().chain(machine_memory(root)).min()
}

fn machine_memory(root: &Path) -> Option<u64> {
    let text = fs_err::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The limits of the groups of this process and of those above them, in version 1 and 2.
fn group_limits(root: &Path) -> Vec<u64> {
    let mut limits = Vec::new();
    let groups = fs_err::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    for group in groups.lines() {
        let mut fields = group.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            several if several.split(',').any(|one| one == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // In a container the path may be that of the host while the group is mounted as the root: what is not there is
        // passed over, up to the root itself.
        let folders = Path::new(path.trim_start_matches('/')).ancestors();
        let texts = folders.filter_map(|folder| fs_err::read_to_string(root.join(mount).join(folder).join(file)).ok());
        limits.extend(texts.filter_map(|text| text.trim().parse::<u64>().ok()));
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_limit_of_the_control_group_counts_and_not_the_machine_s_memory() {
        let check = |files: &[(&str, &str)], gibibytes: Option<u64>| {
            let root = machine(files);
            assert_eq!(limit_under(root.path()), gibibytes.map(|number| number * GIB), "{files:?}");
        };
        let memory = ("proc/meminfo", "MemTotal:       67108864 kB\nMemFree: 1 kB\n");
        check(&[], None);
        check(&[memory], Some(64));
        let group = ("proc/self/cgroup", "0::/user/job\n");
        check(&[memory, group, ("sys/fs/cgroup/user/job/memory.max", "max\n")], Some(64));
        check(&[memory, group, ("sys/fs/cgroup/user/job/memory.max", "8589934592\n")], Some(8));
        // A group above has the smaller limit.
        let own = ("sys/fs/cgroup/user/job/memory.max", "8589934592\n");
        check(&[memory, group, own, ("sys/fs/cgroup/user/memory.max", "4294967296\n")], Some(4));
        // A container, whose own group is the root of what it sees.
        check(&[memory, group, ("sys/fs/cgroup/memory.max", "2147483648\n")], Some(2));
        // Version 1.
        let group = ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/a1\n0::/\n");
        let unlimited = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        check(&[memory, group, unlimited], Some(64));
        let limit = ("sys/fs/cgroup/memory/docker/a1/memory.limit_in_bytes", "17179869184\n");
        check(&[memory, group, unlimited, limit], Some(16));
    }

    #[test]
    fn no_more_nodes_run_at_once_than_memory_is_there_for() {
        let check = |cores, gibibytes: Option<u64>, expected| {
            assert_eq!(jobs_within(cores, gibibytes.map(|number| number * GIB)), expected);
        };
        check(64, Some(64), 32);
        check(2, Some(64), 2);
        check(8, Some(1), 1);
        check(8, None, 8);
    }
}
