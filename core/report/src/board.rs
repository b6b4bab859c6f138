//! The state of a run as far as it is shown: counts, and how far and how fast each running node is.

use crate::text;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Weight of the newest rate in the running mean; about the last ten reports count.
const NEWEST_WEIGHT: f64 = 0.2;
/// Rates over less time than this are noise.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);

/// How far and how fast a running node is.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) unit: String,
    pub(crate) loss: Option<f64>,
    /// Units per second, smoothed; none before the second report.
    pub(crate) rate: Option<f64>,
    last: Option<(Instant, u64)>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { done: 0, total: 0, unit: String::new(), loss: None, rate: None, last: None }
    }

    pub(crate) fn report(&mut self, now: Instant, (done, total): (u64, u64), unit: &str, loss: Option<f64>) {
        (self.done, self.total, self.loss) = (done, total, loss.or(self.loss));
        if self.unit != unit || self.last.is_some_and(|(_, before)| before > done) {
            // Another phase of the node: its pace says nothing about this one.
            unit.clone_into(&mut self.unit);
            (self.rate, self.last) = (None, None);
        }
        let Some((before, done_before)) = self.last else {
            self.last = Some((now, done));
            return;
        };
        let passed = now.duration_since(before);
        if passed < LEAST_INTERVAL || done == done_before {
            return;
        }
        let newest = (done - done_before) as f64 / passed.as_secs_f64();
        self.rate = Some(self.rate.map_or(newest, |mean| mean + NEWEST_WEIGHT * (newest - mean)));
        self.last = Some((now, done));
    }

    /// Seconds until the node is done, at its present pace.
    pub(crate) fn left(&self) -> Option<f64> {
        let rate = self.rate.filter(|rate| *rate > 0.0)?;
        (self.total > self.done).then(|| (self.total - self.done) as f64 / rate)
    }

    /// `120/500 iterations, 14.2/s, loss 0.3121, 27 s left`, as far as it is known.
    pub(crate) fn words(&self) -> String {
        let mut words = match (self.total, self.unit.as_str()) {
            (0, _) => return String::new(),
            (total, "") => format!("{}/{total}", self.done),
            (total, unit) => format!("{}/{total} {unit}", self.done),
        };
        if let Some(rate) = self.rate {
            words.push_str(&format!(", {}/s", text::rate(rate)));
        }
        if let Some(loss) = self.loss {
            words.push_str(&format!(", loss {}", text::number(loss)));
        }
        if let Some(left) = self.left() {
            words.push_str(&format!(", {} left", text::seconds(left)));
        }
        words
    }
}

/// The counts of a run and its running nodes.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) nodes: usize,
    pub(crate) fresh: usize,
    pub(crate) ran: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    pub(crate) running: BTreeMap<String, Pace>,
}

impl Board {
    pub(crate) fn settled(&self) -> usize {
        self.fresh + self.ran + self.failed + self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_follows_the_reports() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut pace = Pace::new();
        assert_eq!(pace.words(), "");
        pace.report(after(0), (0, 500), "iterations", None);
        assert_eq!(pace.words(), "0/500 iterations");
        pace.report(after(1000), (10, 500), "iterations", Some(0.5));
        assert_eq!(pace.words(), "10/500 iterations, 10.0/s, loss 0.5, 49 s left");
        pace.report(after(2000), (15, 500), "iterations", None);
        assert_eq!(pace.rate, Some(9.0));
        pace.report(after(3000), (1, 20), "epochs", None);
        assert_eq!(pace.rate, None, "another phase begins anew");
    }
}
