//! Times one unit of distillation work and prints the seconds of each repetition as JSON.
//!
//! `pddflow-bench UNIT WIDTH REPEATS`, where UNIT is `dm` (one iteration of distribution matching
//! over 10 classes), `dsa` (gradient matching of one class) or `mtt` (trajectory matching of all
//! images through five steps). `compare.py` beside this file runs
//! it in pairs with the same work in PyTorch.

mod network;
mod work;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use pddflow_tensor::TensorError;
use work::Bench;

/// The program's allocator, so that the benchmark has its costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let line = match parse(&arguments) {
        Some((unit, width, repeats)) => measure(&unit, width, repeats).map_err(|error| error.to_string()),
        None => Err("usage: pddflow-bench dm|dsa|mtt WIDTH REPEATS".to_owned()),
    };
    let (text, code) = match line {
        Ok(seconds) => (serde_json::json!({ "seconds": seconds }).to_string(), ExitCode::SUCCESS),
        Err(message) => (message, ExitCode::from(2)),
    };
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn parse(arguments: &[String]) -> Option<(String, usize, usize)> {
    match arguments {
        [unit, width, repeats] if ["dm", "dsa", "mtt"].contains(&unit.as_str()) => {
            Some((unit.clone(), width.parse().ok()?, repeats.parse().ok()?))
        }
        _ => None,
    }
}

/// Seconds of each repetition, after one that is not counted.
fn measure(unit: &str, width: usize, repeats: usize) -> Result<Vec<f64>, TensorError> {
    let mut bench = Bench::new(width)?;
    let mut seconds = Vec::with_capacity(repeats);
    for repetition in 0..=repeats {
        let start = Instant::now();
        match unit {
            "dm" => bench.dm(repetition as u64)?,
            "dsa" => bench.dsa(repetition as u64)?,
            _ => bench.mtt(repetition as u64)?,
        }
        if repetition > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    Ok(seconds)
}
