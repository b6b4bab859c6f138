//! What each operation costs.

use std::collections::BTreeMap;
use std::time::Instant;

use pddflow_tensor::Result;
use pddflow_tensor::trace::{self, Kind};

/// All calls of one operation with results of one shape.
#[derive(Default)]
struct Row {
    count: u64,
    seconds: f64,
    operations: u64,
    bytes: u64,
}

/// Mean milliseconds of a repetition by operation and shape of its result, most first, with GFLOP/s or GB/s.
pub(crate) fn profile(mut work: impl FnMut(u64) -> Result<()>, repeats: usize) -> Result<String> {
    work(0)?;
    trace::start();
    let start = Instant::now();
    for repetition in 1..=repeats {
        work(repetition as u64)?;
    }
    let whole = start.elapsed().as_secs_f64();
    let mut rows: BTreeMap<(String, Vec<usize>), Row> = BTreeMap::new();
    for event in trace::stop().events.into_iter().filter(|event| event.kind == Kind::Operation) {
        let row = rows.entry((event.name.into_owned(), event.shape)).or_default();
        row.count += 1;
        row.seconds += event.took.as_secs_f64();
        row.operations += event.operations;
        row.bytes += event.bytes;
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds));
    let each = 1e3 / repeats as f64;
    let known: f64 = rows.iter().map(|(_, row)| row.seconds).sum();
    let mut text = format!("{:8.3} ms, {:.3} in operations", whole * each, known * each);
    for ((name, shape), row) in rows {
        let (amount, unit) = if row.operations > 0 { (row.operations, "GFLOP/s") } else { (row.bytes, "GB/s") };
        let (count, rate) = (row.count as f64 / repeats as f64, amount as f64 / row.seconds / 1e9);
        text += &format!("\n{:8.3} ms {count:5.1} x {name} {shape:?} {rate:.0} {unit}", row.seconds * each);
    }
    Ok(text)
}
