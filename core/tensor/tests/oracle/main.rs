//! Reference vectors: every case of this folder (and of `PDDFLOW_ORACLE_DIR`, if set) by the formula of its kind.
//!
//! `README.md` in this folder says what the cases are. Networks and methods are written here in the test, with plain
//! tensor operations: what is checked are the tensors, their gradients and the augmentation of this crate. Kinds that
//! need no tensors (orders, schedules, selections) are checked by other crates and listed as `missing`; an unknown kind fails.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod case;
mod matching;
mod network;
mod pieces;
mod training;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use case::{Case, Outputs, use_device};
use pddflow_tensor::{Backend, DType, Device, Instructions, Result, use_at_most};

type Routine = fn(&Case) -> Result<Outputs>;

const ROUTINES: [(&str, Routine); 20] = [
    ("cafe", matching::cafe),
    ("convnet", network::outputs),
    ("cutmix", pieces::cutmix),
    ("dc_distance", matching::dc_distance),
    ("dc_iteration", matching::dc_iteration),
    ("dc_match", matching::dc_match),
    ("dm", matching::dm),
    ("dsa_op", pieces::dsa_op),
    ("hvp", network::hvp),
    ("idc_decode", pieces::idc_decode),
    ("idc_match", matching::idc_match),
    ("idc_mix", pieces::idc_mix),
    ("image_sgd", training::image_sgd),
    ("mtt", training::mtt),
    ("resnet", network::outputs),
    ("sgd", training::sgd),
    ("soft_ce", pieces::soft_ce),
    ("tesla", training::tesla),
    ("upsample", pieces::upsample),
    ("zca", pieces::zca),
];

/// Kinds of this folder that are checked by other crates.
const ELSEWHERE: [&str; 4] = ["class_order", "forgetting", "lr_schedule", "select"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "safetensors"));
    files.sort();
    files
}

/// Lines of failed cases; kinds without a routine go to `missing`.
fn run(folder: &Path, missing: &mut BTreeSet<String>) -> Vec<String> {
    let mut failed = Vec::new();
    for file in files(folder) {
        for dtype in
            [DType::F64, DType::F32].into_iter().filter(|dtype| *dtype == DType::F32 || case::device().has_double())
        {
            let case = Case::load(&file, dtype);
            let routine = ROUTINES.iter().find(|(kind, _)| *kind == case.kind);
            let Some((_, routine)) = routine else {
                missing.insert(case.kind);
                continue;
            };
            let (pass, line) = match routine(&case) {
                Ok(outputs) => case.compare(&outputs),
                Err(error) => (false, format!("{} {dtype}: {error}", case.name)),
            };
            let line = format!("{} {line}", if pass { "pass" } else { "FAIL" });
            println!("{line}");
            if !pass {
                failed.push(line);
            }
        }
    }
    failed
}

/// The first device of every backend that this build and the machine have. burn's CPU backend is always there: it runs the code
/// that a GPU runs.
fn devices() -> Vec<Device> {
    let found = Backend::ALL.iter().filter(|backend| backend.count() > 0);
    found.map(|&backend| Device::Burn(backend, 0)).collect()
}

#[test]
fn every_case_is_within_its_tolerance() {
    let mut missing = BTreeSet::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    let mut failed = Vec::new();
    // Kernels are compiled for each; those that the processor has not are run as the next lower one.
    for instructions in [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512] {
        println!("{instructions:?}");
        use_at_most(instructions);
        failed.extend(run(&own, &mut missing));
    }
    for device in devices() {
        println!("{}", device.class());
        use_device(device);
        failed.extend(run(&own, &mut missing));
    }
    use_device(Device::Cpu);
    assert_eq!(
        missing,
        ELSEWHERE.map(str::to_owned).into(),
        "every kind of this folder has a routine here or is listed"
    );
    if let Some(folder) = std::env::var_os("PDDFLOW_ORACLE_DIR") {
        failed.extend(run(Path::new(&folder), &mut missing));
    }
    println!("missing: {missing:?}");
    let unknown: Vec<&String> = missing.iter().filter(|kind| !ELSEWHERE.contains(&kind.as_str())).collect();
    assert!(unknown.is_empty(), "kinds that nobody knows: {unknown:?}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
