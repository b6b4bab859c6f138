//! What is to be known of heads and batches before a store is cleaned up, and what is then removed.

use crate::batch::Batches;
use crate::head::{has_process, host, machine};
use pddflow_cache::Store;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A head elsewhere that has said nothing for this long is dead.
const SILENCE: Duration = Duration::from_secs(120);

/// The run of a head that lives, whose jobs may be about to use what would be removed, and its machine.
#[must_use]
pub fn living_head(store: &Store) -> Option<(String, String)> {
    let folder = Batches::of(store.root()).root().join("heads");
    let mut entries = fs_err::read_dir(folder).ok()?.flatten();
    entries.find_map(|entry| {
        let run = entry.file_name().into_string().ok()?;
        let said = fs_err::read_to_string(entry.path()).ok()?;
        let machine = machine(&said)?;
        let young = || age(&entry.path()).is_some_and(|age| age < SILENCE);
        let lives = if machine == host() { store.is_running(&run) || has_process(&said) } else { young() };
        lives.then(|| (run, machine.to_owned()))
    })
}

/// Removes the folders of batches in which nothing has changed for so long, and which compute nothing any more; how many.
pub fn sweep(store: &Path, most_age: Duration, dry_run: bool) -> usize {
    let batches = Batches::of(store);
    let claimed = batches.claimed();
    let entries = fs_err::read_dir(batches.root()).into_iter().flatten().flatten();
    let old = entries.filter(|entry| {
        // Only batches have a job file.
        let jobs = entry.path().join("jobs");
        let parts = [jobs, entry.path().join("done"), entry.path().join("out")];
        let youngest = parts.iter().filter_map(|path| age(path)).min();
        let in_use = entry.file_name().to_str().is_none_or(|name| claimed.contains(name));
        !in_use && parts[0].is_file() && youngest.is_some_and(|age| age > most_age)
    });
    old.filter(|entry| dry_run || fs_err::remove_dir_all(entry.path()).is_ok()).count()
}

fn age(path: &Path) -> Option<Duration> {
    let modified = fs_err::metadata(path).ok()?.modified().ok()?;
    SystemTime::now().duration_since(modified).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Claim;
    use crate::files::write_whole;
    use pddflow_cache::Key;

    #[test]
    fn old_batches_go_unless_a_job_may_still_need_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("cluster");
        for name in ["r1-1/jobs", "r2-1/jobs", "r3-1/jobs"] {
            write_whole(&root.join(name), "x").unwrap();
        }
        let claim = Claim { batch: "r3-1".into(), task: 1 };
        assert!(Batches::of(folder.path()).try_claim(&Key::from_bytes([1; 32]), &claim).unwrap());
        assert_eq!(sweep(folder.path(), Duration::from_secs(3_600), false), 0);
        assert_eq!(sweep(folder.path(), Duration::ZERO, true), 2);
        assert_eq!(sweep(folder.path(), Duration::ZERO, false), 2);
        assert!(root.join("r3-1/jobs").is_file() && !root.join("r1-1").exists());
        assert_eq!(fs_err::read_dir(root.join("keys")).unwrap().count(), 1);
    }

    #[test]
    fn a_head_is_known_while_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(living_head(&store), None);
        let said = folder.path().join("cluster/heads/r7");
        write_whole(&said, &format!("{} 1\n", host())).unwrap();
        assert_eq!(living_head(&store), None, "here it has a process");
        write_whole(&said, &format!("{} 1 {}\n", host(), std::process::id())).unwrap();
        assert_eq!(living_head(&store), Some(("r7".into(), host())));
        write_whole(&said, &format!("{} 1\n", host())).unwrap();
        let journal = store.journal("r7").unwrap();
        assert_eq!(living_head(&store), Some(("r7".into(), host())));
        drop(journal);
        write_whole(&said, "elsewhere 1\n").unwrap();
        assert_eq!(living_head(&store), Some(("r7".into(), "elsewhere".into())));
        let old = SystemTime::now() - 2 * SILENCE;
        fs_err::File::options().write(true).open(&said).unwrap().into_file().set_modified(old).unwrap();
        assert_eq!(living_head(&store), None);
    }
}
