//! What a device is given to do in a unit of work, and what that predicts.

use pddflow_tests::ledger::{Counts, H200, H200_TF32, UNITS, Unit, extrapolated, profile};

/// Widths that are counted instead of wider nets, which burn's CPU backend is slow for: the counts of these give theirs exactly.
const SMALL: [usize; 3] = [17, 20, 24];

pub(crate) fn usage() -> String {
    format!("usage: pddflow-bench {} --ledger [WIDTH [DEVICE]]", UNITS.each_ref().map(|unit| unit.name).join("|"))
}

fn counts(unit: &Unit, device: &str, width: usize) -> Result<Counts, String> {
    let of = |width| unit.counts(&profile(&[unit.name], device, width));
    if device != "flex" || width <= SMALL[2] {
        return Ok(of(width));
    }
    let [a, b, c] = SMALL.map(of);
    extrapolated([(SMALL[0], &a), (SMALL[1], &b), (SMALL[2], &c)], width)
        .ok_or_else(|| format!("nets of the widths {SMALL:?} have different launches"))
}

/// A table of the calls of a unit, for nets of a width (128 if none is given); on a GPU also how long it takes.
pub(crate) fn table(arguments: &[String]) -> Result<String, String> {
    let (unit, width, device) = match arguments {
        [unit, flag] if flag == "--ledger" => (unit, "128", "flex"),
        [unit, flag, width] if flag == "--ledger" => (unit, width.as_str(), "flex"),
        [unit, flag, width, device] if flag == "--ledger" => (unit, width.as_str(), device.as_str()),
        _ => return Err(usage()),
    };
    let width = width.parse().map_err(|_| usage())?;
    let unit = Unit::named(unit).ok_or_else(usage)?;
    let counts = counts(unit, device, width)?;
    let mut calls: Vec<_> = counts.calls.iter().collect();
    calls.sort_by(|(_, a), (_, b)| b[0].total_cmp(&a[0]));
    let mut text = format!(
        "{:.1} launches (target {:.0}, PyTorch eager {}), {:.2} reads (target {}), {:.1} uploads of {:.1} KiB (target {:.1})\n",
        counts.launches,
        unit.target.launches,
        unit.torch_launches,
        counts.reads,
        unit.target.reads,
        counts.uploads,
        counts.uploaded / 1024.0,
        unit.target.uploaded / 1024.0,
    );
    if device != "flex" {
        text += &format!("measured on {device}: {:.3} ms\n", counts.seconds * 1e3);
    }
    text += &format!("{:.2} GFLOP and {:.1} MB in launches\n", counts.operations / 1e9, counts.bytes / 1e6);
    for (name, device) in [("f32", H200), ("TF32", H200_TF32)] {
        let (own, torch) = (device.seconds(&counts), device.torch_seconds(unit, &counts));
        text += &format!(
            "predicted on an H200 with products in {name}: {:.3} ms, PyTorch eager {:.3} ms\n",
            own * 1e3,
            torch * 1e3
        );
    }
    for (name, [count, bytes, operations]) in calls {
        text += &format!("{count:8.1} x {name:<26} {:10.3} MB {:10.3} MFLOP\n", bytes / 1e6, operations / 1e6);
    }
    Ok(text.trim_end().to_owned())
}
