//! The ledger: what a device is given to do in a unit of work, through plugin and host as in a user's run.
//!
//! The program runs `tests/bench/units.yaml` on burn's CPU backend, the code path of a GPU, or on a GPU, and writes its profile; the
//! launches, uploads and reads within the iterations of a node are those of its unit.

use crate::Place;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A unit of work.
#[derive(Debug)]
pub struct Unit {
    /// The node of the pipeline that does it, and the name of the unit.
    pub name: &'static str,
    /// What the profile calls its iterations.
    iteration: &'static str,
    /// How many of it there are in an iteration.
    per_iteration: u32,
    /// Launches that PyTorch eager dispatches for it, without views.
    pub torch_launches: u32,
    /// Most launches, reads and bytes of uploads that it is meant to have.
    pub target: Budget,
}

/// What a unit may have.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Calls that give the device something to compute.
    pub launches: f64,
    /// Waits for numbers of the device.
    pub reads: f64,
    /// Bytes that go to the device.
    pub uploaded: f64,
}

const KIB: f64 = 1024.0;

/// All units. An iteration of a matcher may read one number, and upload 64 KiB.
pub const UNITS: [Unit; 5] = [
    Unit {
        name: "train",
        iteration: "step",
        per_iteration: 1,
        torch_launches: 128,
        target: Budget { launches: 45.0, reads: 0.0, uploaded: 64.0 * KIB },
    },
    Unit {
        name: "dm",
        iteration: "iteration",
        per_iteration: 1,
        torch_launches: 1_095,
        target: Budget { launches: 80.0, reads: 1.0, uploaded: 64.0 * KIB },
    },
    Unit {
        name: "dc",
        iteration: "iteration",
        per_iteration: 1,
        torch_launches: 6_300,
        target: Budget { launches: 400.0, reads: 1.0, uploaded: 64.0 * KIB },
    },
    Unit {
        name: "idc",
        iteration: "iteration",
        per_iteration: 10,
        torch_launches: 550,
        target: Budget { launches: 140.0, reads: 0.1, uploaded: 6.4 * KIB },
    },
    Unit {
        name: "mtt",
        iteration: "iteration",
        per_iteration: 10,
        torch_launches: 610,
        target: Budget { launches: 100.0, reads: 0.1, uploaded: 6.4 * KIB },
    },
];

/// An event of a profile.
#[derive(Debug, Deserialize)]
pub struct Event {
    name: String,
    cat: String,
    tid: u64,
    ts: f64,
    dur: f64,
    #[serde(default)]
    args: Amounts,
}

/// Bytes read and written, and additions and multiplications.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Amounts {
    /// Bytes.
    #[serde(default)]
    pub bytes: u64,
    /// Additions and multiplications of products.
    #[serde(default)]
    pub operations: u64,
}

impl Event {
    fn holds(&self, other: &Self) -> bool {
        self.ts <= other.ts && other.ts + other.dur <= self.ts + self.dur
    }
}

/// What a unit has, on average over the iterations after the first.
#[derive(Debug, Default)]
pub struct Counts {
    /// Calls that give the device something to compute.
    pub launches: f64,
    /// Waits for numbers of the device.
    pub reads: f64,
    /// Bytes that go to the device.
    pub uploaded: f64,
    /// Transfers to the device.
    pub uploads: f64,
    /// Bytes that launches read and write.
    pub bytes: f64,
    /// Additions and multiplications of products and convolutions.
    pub operations: f64,
    /// Launches, bytes, additions and multiplications of each call.
    pub calls: BTreeMap<String, [f64; 3]>,
    /// Each launch of the iterations, for a prediction, and in how many units they were.
    pub each: (Vec<Amounts>, f64),
    /// Of a unit, from the beginning of the second iteration to that of the last.
    pub seconds: f64,
}

/// Runs the pipeline up to some nodes on a device with nets of a width, and gives its profile.
///
/// # Panics
/// When the run fails.
#[must_use]
pub fn profile(nodes: &[&str], device: &str, width: usize) -> Vec<Event> {
    let place = Place::empty();
    place.write("units.yaml", include_str!("../bench/units.yaml"));
    let width = format!("width={width}");
    // One node at a time, so that no other's events lie within its time.
    // For times there must be many steps.
    let epochs = if device == "flex" { "epochs=12" } else { "epochs=300" };
    let fixed = [
        "run",
        "units.yaml",
        "--jobs",
        "1",
        "--profile-ops",
        "profile.json",
        "--device",
        device,
        "--set",
        &width,
        "--set",
        epochs,
    ];
    let arguments: Vec<&str> = fixed.into_iter().chain(nodes.iter().copied()).collect();
    let _ = place.run(&arguments).succeeds();
    #[derive(Deserialize)]
    struct Profile {
        #[serde(rename = "traceEvents")]
        events: Vec<Event>,
    }
    let text = fs_err::read(place.path("profile.json")).unwrap();
    serde_json::from_slice::<Profile>(&text).unwrap().events
}

impl Unit {
    /// The unit of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        UNITS.iter().find(|unit| unit.name == name)
    }

    /// What it has in a profile.
    ///
    /// # Panics
    /// When the profile has fewer than two of its iterations.
    #[must_use]
    pub fn counts(&self, events: &[Event]) -> Counts {
        let spans = || events.iter().filter(|event| event.cat == "span");
        let node = spans().find(|event| event.name == self.name).expect("the node has run");
        let is_iteration = |name: &str| name.split(' ').next() == Some(self.iteration);
        let mut iterations: Vec<&Event> =
            spans().filter(|event| is_iteration(&event.name) && node.holds(event)).collect();
        iterations.sort_by(|a, b| a.ts.total_cmp(&b.ts));
        assert!(iterations.len() > 1, "there is no second iteration of {}", self.name);
        let iterations = &iterations[1..];
        let units = iterations.len() as f64 * f64::from(self.per_iteration);
        let mut counts = Counts::default();
        counts.each.1 = units;
        if let [first, .., last] = iterations {
            counts.seconds = (last.ts - first.ts) / 1e6 / (units - f64::from(self.per_iteration));
        }
        let inside = |event: &&Event| iterations.iter().any(|span| span.tid == event.tid && span.holds(event));
        for event in events.iter().filter(|event| event.cat != "span" && event.cat != "operation").filter(inside) {
            let Amounts { bytes, operations } = event.args;
            let (bytes, operations) = (bytes as f64 / units, operations as f64 / units);
            match event.cat.as_str() {
                "read" => counts.reads += 1.0 / units,
                "upload" => {
                    counts.uploads += 1.0 / units;
                    counts.uploaded += bytes;
                }
                _ => {
                    counts.launches += 1.0 / units;
                    counts.bytes += bytes;
                    counts.operations += operations;
                    counts.each.0.push(event.args);
                }
            }
            let call = counts.calls.entry(event.name.clone()).or_default();
            for (sum, part) in call.iter_mut().zip([1.0 / units, bytes, operations]) {
                *sum += part;
            }
        }
        counts
    }
}

/// A device, by what it is sold with.
#[derive(Clone, Copy, Debug)]
pub struct Roofline {
    /// Seconds until a launch is over that has nothing to do.
    pub launch: f64,
    /// Bytes of its memory per second.
    pub bandwidth: f64,
    /// Additions and multiplications of products per second.
    pub products: f64,
}

/// An NVIDIA H200 with products in single precision on its ordinary units.
pub const H200: Roofline = Roofline { launch: 3e-6, bandwidth: 4.8e12, products: 67e12 };
/// The same with products in TF32 on its tensor cores, without sparsity.
pub const H200_TF32: Roofline = Roofline { products: 494e12, ..H200 };

impl Roofline {
    /// Predicted seconds of a unit in pddflow: each launch takes as long as it has to for starting, for its bytes or for its products.
    #[must_use]
    pub fn seconds(&self, counts: &Counts) -> f64 {
        let (launches, units) = &counts.each;
        launches.iter().map(|launch| self.work(launch).max(self.launch)).sum::<f64>() / units
    }

    /// Predicted seconds of the same in PyTorch eager: as many launches as it has, or the same bytes and products if these take longer.
    #[must_use]
    pub fn torch_seconds(&self, unit: &Unit, counts: &Counts) -> f64 {
        let (launches, units) = &counts.each;
        let work = launches.iter().map(|launch| self.work(launch)).sum::<f64>() / units;
        work.max(f64::from(unit.torch_launches) * self.launch)
    }

    fn work(&self, launch: &Amounts) -> f64 {
        (launch.bytes as f64 / self.bandwidth).max(launch.operations as f64 / self.products)
    }
}

/// What a unit has with nets of a width, from what it has with three smaller ones: each number is a polynomial of degree 2 in the width.
/// `None` if these do not have the same launches.
#[must_use]
pub fn extrapolated(known: [(usize, &Counts); 3], width: usize) -> Option<Counts> {
    let share = |index: usize| {
        let others = known.iter().enumerate().filter(|(other, _)| *other != index);
        others.map(|(_, (other, _))| (width as f64 - *other as f64) / (known[index].0 as f64 - *other as f64)).product()
    };
    let shares: [f64; 3] = [share(0), share(1), share(2)];
    let of = |part: &dyn Fn(&Counts) -> f64| -> f64 {
        known.iter().zip(shares).map(|((_, counts), share)| share * part(counts)).sum()
    };
    let first = known[0].1;
    if known
        .iter()
        .any(|(_, counts)| counts.each.0.len() != first.each.0.len() || !counts.calls.keys().eq(first.calls.keys()))
    {
        return None;
    }
    let each = (0..first.each.0.len()).map(|launch| Amounts {
        bytes: of(&|counts| counts.each.0[launch].bytes as f64).round() as u64,
        operations: of(&|counts| counts.each.0[launch].operations as f64).round() as u64,
    });
    let call = |name: &String| (name.clone(), [0, 1, 2].map(|part| of(&|counts| counts.calls[name][part])));
    Some(Counts {
        launches: first.launches,
        reads: first.reads,
        uploaded: of(&|counts| counts.uploaded),
        uploads: first.uploads,
        bytes: of(&|counts| counts.bytes),
        operations: of(&|counts| counts.operations),
        calls: first.calls.keys().map(call).collect(),
        each: (each.collect(), first.each.1),
        seconds: 0.0,
    })
}
