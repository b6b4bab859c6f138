//! From collected jobs to submitted arrays.

use super::Head;
use super::limits::{LIMIT_WAIT, LONGEST_WAIT, Limits};
use super::tracked::{Place, Seen};
use crate::batch::{Batch, Claim};
use crate::done_format::Outcome;
use crate::slurm::request::request;
use crate::slurm::script::script;
use crate::slurm::submit::Submission;
use pddflow_cache::{Digest, Key};
use pddflow_runner::{Ended, NodeError};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A submission of which nothing is known is tried again so often.
const MOST_TRIES: u32 = 5;
/// Submissions that came to nothing so often, one after the other and a minute apart, fail their nodes.
const MOST_UNCLEAR: u32 = 20;
/// Time before the next try, which doubles; so the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// A job is submitted at the latest after this many quiet times, even while others still arrive.
const MOST_QUIET: u32 = 5;
/// A machine that failed so often under jobs of the run is left out.
const MOST_FAILURES: u32 = 2;

impl Head {
    /// When the next array is due: once nothing has come for a while, or the first has waited long. None when nothing is
    /// collected.
    pub(super) fn submission_due(&self) -> Option<Instant> {
        let quiet = self.options.settings.quiet;
        let since = self.tracked.values().filter_map(|tracked| match tracked.place {
            Place::Collected { since } => Some(since),
            Place::Batch { .. } => None,
        });
        let ends = since.fold(None, |ends: Option<(Instant, Instant)>, since| {
            Some(ends.map_or((since, since), |(oldest, newest)| (oldest.min(since), newest.max(since))))
        });
        let (oldest, newest) = ends?;
        let due = (newest + quiet).min(oldest + MOST_QUIET * quiet);
        Some(self.limits.not_before.map_or(due, |earliest| earliest.max(due)))
    }

    /// Submits what is collected once nothing has come for a while, or there is enough for an array.
    pub(super) fn submit_due(&mut self) {
        let now = Instant::now();
        let Some(due) = self.submission_due() else { return };
        if self.limits.not_before.is_some_and(|earliest| earliest > now) {
            return;
        }
        self.limits.not_before = None;
        if self.room_in_queue() == 0 {
            return self.wait_for_others();
        }
        let groups = self.groups();
        let most = self.most_at_once();
        for (options, keys) in groups {
            for some in keys.chunks(most.max(1)) {
                if (due <= now || some.len() == most) && self.room_in_queue() >= some.len() {
                    self.submit(&options, some);
                } else if due <= now {
                    let room = self.room_in_queue();
                    if room > 0 {
                        self.submit(&options, some.get(..room).unwrap_or(some));
                    }
                    return self.wait_for_others();
                }
                if self.limits.not_before.is_some() {
                    return;
                }
            }
        }
    }

    /// The queue has no room for more: those whose place becomes free until then are filled by one array.
    fn wait_for_others(&mut self) {
        let earliest = Instant::now() + MOST_QUIET * self.options.settings.quiet;
        self.limits.not_before = Some(self.limits.not_before.map_or(earliest, |later| later.max(earliest)));
    }

    /// Collected jobs by what they ask for; those whose resources cannot be asked for are answered.
    fn groups(&mut self) -> BTreeMap<Vec<String>, Vec<Key>> {
        let mut groups: BTreeMap<Vec<String>, Vec<Key>> = BTreeMap::new();
        let mut refused = Vec::new();
        let settings = &self.options.settings;
        let bad = self.bad_hosts();
        for (key, tracked) in &self.tracked {
            if !matches!(tracked.place, Place::Collected { .. }) {
                continue;
            }
            let resources = settings.resources(&tracked.job.work.kind, &tracked.job.resources);
            let attempt = tracked.submissions + usize::try_from(tracked.job.failures).unwrap_or(0);
            match request(&resources, settings, attempt) {
                Ok(mut options) => {
                    leave_out(&mut options, &bad);
                    groups.entry(options).or_default().push(*key);
                }
                Err(error) => refused.push((*key, error)),
            }
        }
        for (key, error) in refused {
            self.answer(&key, Ended { result: Err(error), lost: Vec::new() });
        }
        for keys in groups.values_mut() {
            // In the order of the plan, which names of keys are not.
            keys.sort_by_key(|key| self.tracked.get(key).map(|tracked| tracked.job.at));
        }
        groups
    }

    /// Machines that jobs are not to be sent to any more.
    fn bad_hosts(&self) -> Vec<&str> {
        let failed = self.bad_hosts.iter().filter(|(_, failures)| **failures >= MOST_FAILURES);
        let mut bad: Vec<&str> = failed.map(|(host, _)| host.as_str()).collect();
        bad.sort_unstable();
        bad
    }

    fn most_at_once(&mut self) -> usize {
        let array = usize::try_from(self.slurm.config().most_tasks).unwrap_or(usize::MAX);
        let queued = usize::try_from(self.options.settings.queued).unwrap_or(usize::MAX);
        array.min(queued).min(self.limits.most.unwrap_or(usize::MAX)).max(1)
    }

    fn room_in_queue(&self) -> usize {
        let in_queue = self.tracked.values().filter(|tracked| matches!(tracked.place, Place::Batch { .. })).count();
        usize::try_from(self.options.settings.queued).unwrap_or(usize::MAX).saturating_sub(in_queue)
    }

    /// Makes a batch of jobs and submits those whose keys nobody else has claimed.
    fn submit(&mut self, options: &[String], keys: &[Key]) {
        self.made += 1;
        let batch = self.batches.batch(&format!("{}-{}", self.run, self.made));
        let claimed = match self.write_and_claim(&batch, keys) {
            Ok(claimed) => claimed,
            Err(error) => {
                let failure = NodeError::new("pddflow::cluster::folder", "the files of the job cannot be written")
                    .with_source(error)
                    .with_help("look whether the store is writable and has room");
                return self.fail_all(keys, &failure);
            }
        };
        if claimed.is_empty() {
            return;
        }
        for (key, claim) in &claimed {
            let checkpoint = self.store.checkpoint(key).ok().flatten().map(|bytes| Digest::of(&bytes));
            if let Some(tracked) = self.tracked.get_mut(key) {
                tracked.follow(claim.clone(), true);
                tracked.checkpoint = checkpoint;
                tracked.submissions += 1;
            }
        }
        let tasks: Vec<u32> = claimed.iter().map(|(_, claim)| claim.task).collect();
        match self.send(&batch, &tasks, options) {
            // Whether it is there, the next answers of Slurm tell.
            None => self.poll_soon(),
            Some(Submission::Accepted(id)) => {
                batch.note_id(&id);
                // There may be more room than last time.
                self.limits = Limits { most: self.limits.most.map(|most| 2 * most), ..Limits::default() };
                for (key, claim) in &claimed {
                    self.queued(key, &batch, claim.task, &id);
                }
                self.poll_soon();
            }
            Some(Submission::TooLarge(_)) if tasks.len() > 1 => {
                self.limits.most = Some(tasks.len() / 2);
                self.take_back(&claimed);
            }
            Some(Submission::TooMany(said)) => {
                self.limits.most = Some((tasks.len() / 2).max(1));
                self.wait_for_room(&format!("the queue takes no more jobs now, and is asked again later: {said}"));
                self.take_back(&claimed);
            }
            Some(Submission::Unclear(said)) if self.limits.unclear < MOST_UNCLEAR => {
                // The queue has answered and does not have it: Slurm is too busy to take it.
                self.limits.unclear += 1;
                self.wait_for_room(&format!("Slurm does not take jobs now, and is asked again later: {said}"));
                self.take_back(&claimed);
            }
            Some(Submission::Unclear(said) | Submission::TooLarge(said) | Submission::Refused(said)) => {
                let failure = NodeError::new("pddflow::cluster::submit", format!("Slurm does not take the job: {said}"))
                    .with_help("`pddflow run FILE --on slurm --dry-run` shows what is asked for; partition, account, time and GPUs are set under `cluster:` or `resources:`");
                let keys: Vec<Key> = claimed.iter().map(|(key, _)| *key).collect();
                self.fail_all(&keys, &failure);
            }
        }
    }

    /// Submits nothing for some time, longer each time, and says why once.
    fn wait_for_room(&mut self, why: &str) {
        self.limits.wait = (2 * self.limits.wait).clamp(self.limit_wait(), LONGEST_WAIT);
        self.limits.not_before = Some(Instant::now() + self.limits.wait);
        if !std::mem::replace(&mut self.limits.told, true) {
            self.warn(why.to_owned());
        }
    }

    /// A fraction of the usual time where a test asks for quicker polls.
    fn limit_wait(&self) -> Duration {
        LIMIT_WAIT.min(self.options.settings.poll)
    }

    fn write_and_claim(&mut self, batch: &Batch, keys: &[Key]) -> std::io::Result<Vec<(Key, Claim)>> {
        let works: Vec<_> =
            keys.iter().filter_map(|key| self.tracked.get(key)).map(|tracked| &tracked.job.work).collect();
        let text = script(&self.options.program, &batch.jobs(), &self.options.settings.setup);
        batch.write(&self.options.site, &works, &text)?;
        let mut claimed = Vec::new();
        for (key, task) in keys.iter().zip(1..) {
            let claim = Claim { batch: batch.name.clone(), task };
            if self.batches.try_claim(key, &claim)? {
                claimed.push((*key, claim));
                continue;
            }
            match self.batches.claim(key) {
                // Another head was quicker.
                Some(other) if self.is_followed_elsewhere(&other) => {
                    if let Some(mut tracked) = self.tracked.remove(key) {
                        self.follow_claim(&mut tracked, other, false);
                        self.tracked.insert(*key, tracked);
                    }
                }
                _ => {
                    self.batches.reclaim(key, &claim)?;
                    claimed.push((*key, claim));
                }
            }
        }
        Ok(claimed)
    }

    /// Whether a claim that is in the way belongs to a head that lives, and not to this one or to a task that is over.
    fn is_followed_elsewhere(&mut self, claim: &Claim) -> bool {
        let over = self.batches.batch(&claim.batch).done(claim.task);
        let over = over.is_some_and(|done| !matches!(done.outcome, Outcome::Stopped));
        claim.run() != self.run && (!over || self.pulse.is_alive(&self.store, claim.run()))
    }

    /// Submits, and finds out whether it was submitted when that is not clear; none when Slurm does not answer.
    fn send(&mut self, batch: &Batch, tasks: &[u32], options: &[String]) -> Option<Submission> {
        let (output, script) = (batch.output("%a"), batch.script());
        let mut wait = FIRST_WAIT.min(self.options.settings.poll);
        let mut last = Submission::Unclear(String::new());
        for _ in 0..MOST_TRIES {
            if self.shared.stopping.load(Ordering::Acquire) {
                return None;
            }
            let array = crate::slurm::Array {
                name: &batch.name,
                tasks,
                at_once: self.options.settings.at_once,
                output: &output,
                folder: &self.options.invocation.folder,
                options,
                script: &script,
            };
            last = self.slurm.submit(&array);
            if !matches!(last, Submission::Unclear(_)) {
                return Some(last);
            }
            // It may be in the queue all the same, perhaps a moment later.
            for _ in 0..2 {
                std::thread::sleep(wait);
                if let Some(id) = self.id_of(batch)? {
                    return Some(Submission::Accepted(id));
                }
            }
            wait *= 2;
        }
        Some(last)
    }

    /// The id of a batch if the queue, or else the accounts, have it. Asks until Slurm answers; none if it does not.
    fn id_of(&mut self, batch: &Batch) -> Option<Option<String>> {
        let mut wait = FIRST_WAIT.min(self.options.settings.poll);
        for _ in 0..MOST_TRIES {
            if let Ok(queue) = self.slurm.queue([batch.name.as_str()]) {
                let queued = queue.ids(&batch.name).next().map(str::to_owned);
                return Some(queued.or_else(|| self.slurm.accounted(&batch.name)));
            }
            std::thread::sleep(wait);
            wait *= 2;
        }
        None
    }

    fn take_back(&mut self, claimed: &[(Key, Claim)]) {
        for (key, _) in claimed {
            self.batches.release(key);
            if let Some(tracked) = self.tracked.get_mut(key) {
                tracked.submissions = tracked.submissions.saturating_sub(1);
                tracked.collect();
            }
        }
    }

    fn fail_all(&mut self, keys: &[Key], failure: &NodeError) {
        for key in keys {
            self.answer(key, Ended { result: Err(failure.clone()), lost: Vec::new() });
        }
    }

    fn queued(&mut self, key: &Key, batch: &Batch, task: u32, id: &str) {
        let Some(mut tracked) = self.tracked.remove(key) else { return };
        self.settle(&mut tracked);
        if let Place::Batch { seen: Seen { id: known, .. }, .. } = &mut tracked.place {
            *known = Some(id.to_owned());
        }
        self.tell_job(&tracked, batch, task);
        self.tracked.insert(*key, tracked);
    }
}

/// Excludes machines, besides those that the user excludes.
fn leave_out(options: &mut Vec<String>, machines: &[&str]) {
    if machines.is_empty() {
        return;
    }
    match options.iter_mut().find(|option| option.starts_with("--exclude=")) {
        Some(option) => option.push_str(&format!(",{}", machines.join(","))),
        None => options.push(format!("--exclude={}", machines.join(","))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_left_out_besides_those_of_the_user() {
        let left_out = |options: &[&str], machines: &[&str]| {
            let mut options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            leave_out(&mut options, machines);
            options
        };
        assert_eq!(left_out(&["--nodes=1"], &[]), ["--nodes=1"]);
        assert_eq!(left_out(&["--nodes=1"], &["n1", "n2"]), ["--nodes=1", "--exclude=n1,n2"]);
        assert_eq!(left_out(&["--exclude=old[1-3]"], &["n1"]), ["--exclude=old[1-3],n1"]);
    }
}
