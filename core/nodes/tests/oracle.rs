//! Reference vectors of the routines that live in this crate: selection, scores, class order, step rules, schedules.
//!
//! Files lie in `tests/oracle`; `PDDFLOW_ORACLE_DIR` names another folder. The kind in a file's metadata picks the routine,
//! so that a new file of a known kind needs no new code. Kinds of other crates are listed; one that nobody knows fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test: it panics on what is wrong and prints one line for each case"
)]

#[path = "oracle/case.rs"]
mod case;
#[path = "oracle/convnet.rs"]
mod convnet;
#[path = "oracle/kinds.rs"]
mod kinds;

use std::collections::BTreeSet;
use std::path::PathBuf;

use case::Case;
use pddflow_nodes::{Instructions, use_at_most};

/// Kinds that the tests of the tensors or of the plugins check.
const ELSEWHERE: [&str; 17] = [
    "cafe",
    "convnet",
    "cutmix",
    "dc_distance",
    "dc_iteration",
    "dc_match",
    "dm",
    "dsa_op",
    "hvp",
    "idc_decode",
    "idc_match",
    "mtt",
    "resnet",
    "soft_ce",
    "tesla",
    "upsample",
    "zca",
];

#[test]
fn every_case_of_a_known_kind_agrees() {
    let folder = std::env::var_os("PDDFLOW_ORACLE_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle"), PathBuf::from);
    let (mut missing, mut failed) = (BTreeSet::new(), Vec::new());
    let mut seen = 0;
    // Kernels are compiled for each; those that the processor has not are run as the next lower one.
    for instructions in [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512] {
        println!("{instructions:?}");
        use_at_most(instructions);
        for file in case::files(&folder) {
            let case = Case::load(&file);
            let Some(outputs) = kinds::compute(&case) else {
                missing.insert(case.kind.clone());
                continue;
            };
            seen += 1;
            let error = case.error_of(&outputs);
            let verdict = if error <= case.tolerance { "ok" } else { "FAILED" };
            println!("{:<28} error {error:9.2e}  allowed {:9.2e}  {verdict}", case.name, case.tolerance);
            if error > case.tolerance {
                failed.push(case.name);
            }
        }
    }
    for kind in &missing {
        println!("{kind:<28} not a kind of this crate");
    }
    let unknown: Vec<&String> = missing.iter().filter(|kind| !ELSEWHERE.contains(&kind.as_str())).collect();
    assert!(unknown.is_empty(), "kinds that nobody knows: {unknown:?}");
    assert!(seen > 0, "no case of a known kind in {}", folder.display());
    assert!(failed.is_empty(), "these cases disagree: {failed:?}");
}
