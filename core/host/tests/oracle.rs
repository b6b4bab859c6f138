//! The reference vectors that go through plugins; each file of `oracle/` has the routines of some kinds.
//!
//! The plugins are loaded as libraries, with tensors in double precision where the device has it, and run with each instruction set and
//! on each device that the build and the machine have. `PDDFLOW_ORACLE_DIR` points the test at another folder of
//! cases; the ones of these kinds lie in `tests/oracle`. Every case prints one line; kinds of other crates are listed, and one
//! that nobody knows fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

#[path = "oracle/cafe.rs"]
mod cafe;
#[path = "oracle/case.rs"]
mod case;
#[path = "oracle/dd.rs"]
mod dd;
#[path = "oracle/features.rs"]
mod features;
#[path = "oracle/glad.rs"]
mod glad;
#[path = "oracle/gradients.rs"]
mod gradients;
#[path = "oracle/haba.rs"]
mod haba;
#[path = "oracle/idc.rs"]
mod idc;
#[path = "oracle/kip.rs"]
mod kip;
#[path = "oracle/laws.rs"]
mod laws;
#[path = "oracle/network.rs"]
mod network;
#[path = "oracle/regression.rs"]
mod regression;
mod support;
#[path = "oracle/trajectory.rs"]
mod trajectory;

use case::Case;
use pddflow_host::Registry;
use pddflow_tensor::{Backend, Device, Instructions, use_at_most};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;

/// Kinds that the tests of the tensors or of the nodes check.
const ELSEWHERE: [&str; 12] = [
    "class_order",
    "cutmix",
    "dsa_op",
    "forgetting",
    "idc_mix",
    "image_sgd",
    "lr_schedule",
    "select",
    "sgd",
    "soft_ce",
    "upsample",
    "zca",
];

/// Held by the test that changes the instructions of the kernels, and by tests that compare bits.
static INSTRUCTIONS: Mutex<()> = Mutex::new(());

#[test]
fn plugins_agree_with_the_reference() {
    let _alone = INSTRUCTIONS.lock().unwrap();
    let folder = std::env::var_os("PDDFLOW_ORACLE_DIR").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle"));
    let mut files: Vec<PathBuf> = fs_err::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "safetensors"));
    files.sort();
    assert!(!files.is_empty(), "{} has no cases", folder.display());
    let registry = support::registry();
    // Kernels are compiled for each; those that the processor has not are run as the next lower one.
    for instructions in [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512] {
        println!("{instructions:?}");
        use_at_most(instructions);
        check(&files, &registry);
    }
    // What a GPU runs. burn's CPU backend is always there, and has double precision.
    for backend in Backend::ALL.iter().filter(|backend| backend.count() > 0) {
        println!("{}: {}", backend.name(), backend.model(0));
        support::use_device(Device::Burn(*backend, 0));
        check(&files, &registry);
    }
}

fn check(files: &[PathBuf], registry: &Registry) {
    let (mut missing, mut failed, mut passed) = (BTreeSet::new(), Vec::new(), 0);
    for file in files {
        let case = Case::read(file);
        let Some(share) = share_of_tolerance(&case, registry) else {
            missing.insert(case.kind);
            continue;
        };
        println!("{:<28} {:<13} error / tolerance = {share:.1e}", case.name, case.kind);
        passed += 1;
        if share > 1.0 {
            failed.push(case.name);
        }
    }
    println!("{passed} cases through plugins; kinds without a routine here: {missing:?}");
    let unknown: Vec<&String> = missing.iter().filter(|kind| !ELSEWHERE.contains(&kind.as_str())).collect();
    assert!(unknown.is_empty(), "kinds that nobody knows: {unknown:?}");
    assert!(failed.is_empty(), "beyond the tolerance: {failed:?}");
    assert!(passed > 0);
}

/// Largest error over the tolerance; `None` for a kind of another crate.
fn share_of_tolerance(case: &Case, registry: &Registry) -> Option<f64> {
    Some(match case.kind.as_str() {
        "cafe" => cafe::cafe(case, registry),
        "convnet" | "resnet" => network::outputs(case, registry),
        "hvp" => network::hvp(case, registry),
        "dd" => dd::dd(case, registry),
        "dm" => features::dm(case, registry),
        "dc_distance" => gradients::dc_distance(case, registry),
        "dc_match" => gradients::dc_match(case, registry),
        "dc_iteration" => gradients::dc_iteration(case, registry),
        "frepo" => regression::frepo(case, registry),
        "glad" | "itgan" => glad::glad(case, registry),
        "haba" => haba::haba(case, registry),
        "idc_decode" => idc::idc_decode(case, registry),
        "idc_match" => idc::idc_match(case, registry),
        "idc_prefix" => idc::idc_prefix(case, registry),
        "kip" => kip::kip(case, registry),
        "net" => dd::net(case, registry),
        "mtt" => trajectory::mtt(case, registry),
        "rfad" => regression::rfad(case, registry),
        "tesla" => trajectory::tesla(case, registry),
        _ => return None,
    })
}
