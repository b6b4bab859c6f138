//! Times one unit of work and prints the seconds of each repetition as JSON.
//!
//! `pddflow-bench UNIT WIDTH REPEATS`; the units are those of [`UNITS`]. Also printed: additions and multiplications of matrix
//! products and convolutions of one repetition. `compare.py` beside this file runs it in pairs with the same work in PyTorch.
//! `pddflow-bench UNIT WIDTH REPEATS ops` prints instead what each operation costs in a repetition.
//!
//! `pddflow-bench UNIT --ledger [WIDTH [DEVICE]]` prints what a device is given to do in a unit of `tests/src/ledger.rs`.

mod fits;
mod ledger;
mod matching;
mod network;
mod profile;
mod training;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use matching::Matching;
use network::Norm;
use pddflow_tensor::{DType, Device, RandomKey, Result, Tensor, keep_freed_memory, trace};
use training::Training;

/// The program's allocator, so that the benchmark has its costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A unit of work; the number is that of the repetition.
type Work = Box<dyn FnMut(u64) -> Result<()>>;

/// Makes the work for nets of a width.
type SetUp = fn(usize) -> Result<Work>;

/// Every unit by name, and how it is set up for nets of a width.
const UNITS: [(&str, SetUp); 16] = [
    ("gemm", |_| gemm()),
    ("train", |width| training(width, 256, (3, 32), Norm::Instance)),
    ("train-gray", |width| training(width, 256, (1, 28), Norm::Instance)),
    ("train-batch", |width| training(width, 256, (3, 32), Norm::Batch)),
    ("epoch-100", |width| training(width, 100, (3, 32), Norm::Instance)),
    ("forward-1000", |width| {
        let net = Training::new(width, 1000, (3, 32), Norm::Instance)?;
        Ok(Box::new(move |_| net.forward()))
    }),
    ("dm", |width| matching(width, 10, Matching::dm)),
    ("dc-class-1", |width| matching(width, 1, Matching::dc_class)),
    ("dc-class-10", |width| matching(width, 10, Matching::dc_class)),
    ("dc", |width| matching(width, 1, Matching::dc)),
    ("idc", |width| matching(width, 10, Matching::idc)),
    ("mtt-10", |width| matching(width, 1, |bench, iteration| bench.mtt(iteration, 10))),
    ("mtt-100", |width| matching(width, 10, |bench, iteration| bench.mtt(iteration, 5))),
    ("forgetting", |width| {
        let mut net = Training::new(width, 256, (3, 32), Norm::Instance)?;
        Ok(Box::new(move |iteration| net.forgetting(iteration)))
    }),
    ("zca", |_| {
        let pixels = fits::pixels();
        Ok(Box::new(move |_| fits::zca(&pixels)))
    }),
    ("herding", |_| {
        let features = fits::features()?;
        Ok(Box::new(move |_| {
            fits::herding(&features);
            Ok(())
        }))
    }),
];

fn matching(width: usize, ipc: usize, work: fn(&mut Matching, u64) -> Result<()>) -> Result<Work> {
    let mut bench = Matching::new(width, ipc)?;
    Ok(Box::new(move |iteration| work(&mut bench, iteration)))
}

fn training(width: usize, batch: usize, image: (usize, usize), norm: Norm) -> Result<Work> {
    let mut net = Training::new(width, batch, image, norm)?;
    Ok(Box::new(move |iteration| net.step(iteration).map(|_| ())))
}

/// A matrix product as large as it takes to see what the machine can do.
fn gemm() -> Result<Work> {
    let side = 2048;
    let a = network::normal(&[side, side], RandomKey::new(9))?;
    let b = Tensor::ones(&[side, side], DType::F32, &Device::Cpu)?;
    Ok(Box::new(move |_| a.matmul(&b).map(|_| ())))
}

fn main() -> ExitCode {
    keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let found = match parse(&arguments) {
        _ if arguments.iter().any(|argument| argument == "--ledger") => ledger::table(&arguments),
        Some((set_up, width, repeats, false)) => measure(set_up, width, repeats).map_err(|error| error.to_string()),
        Some((set_up, width, repeats, true)) => {
            set_up(width).and_then(|work| profile::profile(work, repeats)).map_err(|error| error.to_string())
        }
        None => {
            let units = UNITS.map(|(name, _)| name).join("|");
            Err(format!("usage: pddflow-bench {units} WIDTH REPEATS [ops]\n   or: {}", ledger::usage()))
        }
    };
    let (text, code) = match found {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(message) => (message, ExitCode::from(2)),
    };
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn parse(arguments: &[String]) -> Option<(SetUp, usize, usize, bool)> {
    let (unit, width, repeats, ops) = match arguments {
        [unit, width, repeats] => (unit, width, repeats, false),
        [unit, width, repeats, what] if what == "ops" => (unit, width, repeats, true),
        _ => return None,
    };
    let (_, set_up) = UNITS.iter().find(|(name, _)| name == unit)?;
    Some((*set_up, width.parse().ok()?, repeats.parse().ok()?, ops))
}

/// Seconds of each repetition as JSON, after one that is not timed but counted: its additions and multiplications.
fn measure(set_up: SetUp, width: usize, repeats: usize) -> Result<String> {
    let mut work = set_up(width)?;
    trace::start();
    work(0)?;
    let operations: u64 = trace::stop().events.iter().map(|event| event.operations).sum();
    let mut seconds = Vec::with_capacity(repeats);
    for repetition in 1..=repeats {
        let start = Instant::now();
        work(repetition as u64)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(serde_json::json!({ "seconds": seconds, "operations": operations }).to_string())
}
