//! The same digests on every run, at any number of jobs and threads.

use crate::{expected, smoke};
use pddflow_tests::{Place, Ran};

#[test]
fn jobs_do_not_change_a_bit() {
    for jobs in ["1", "2"] {
        assert_eq!(&smoke(&Place::new(), &["--jobs", jobs]).succeeds().digests(), expected(), "--jobs {jobs}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for threads in ["1", "3"] {
        let place = Place::new();
        let mut command = place.command(&["run", "smoke.yaml", "--json"]);
        let ran: Ran = command.env("RAYON_NUM_THREADS", threads).output().unwrap().into();
        assert_eq!(&ran.succeeds().digests(), expected(), "{threads} threads");
    }
}

#[test]
fn threads_do_not_change_a_bit_with_any_instructions_of_the_processor() {
    for instructions in ["baseline", "avx2"] {
        let run = |threads: &str| {
            let place = Place::new();
            let mut command = place.command(&["run", "smoke.yaml", "--json"]);
            command.env("RAYON_NUM_THREADS", threads).env("PDDFLOW_INSTRUCTIONS", instructions);
            Ran::from(command.output().unwrap()).succeeds().digests()
        };
        assert_eq!(run("1"), run("2"), "{instructions}");
    }
}

#[test]
fn levels_of_instructions_share_a_store_and_mix_nothing() {
    let place = Place::new();
    let run = |level: &str| {
        let ran = place.run(&["run", "smoke.yaml", "--json", "--instructions", level]).succeeds();
        ran.digests()
    };
    let (baseline, avx2) = (run("baseline"), run("avx2"));
    // What is read from files is the same; what is computed is of its level, whichever ran first in the store.
    assert_eq!(baseline["data.data"], avx2["data.data"]);
    let alone = |level: &str| {
        let place = Place::new();
        place.run(&["run", "smoke.yaml", "--json", "--instructions", level]).succeeds().digests()
    };
    assert_eq!((&baseline, &avx2), (&alone("baseline"), &alone("avx2")));
    let state = |level: &str| place.run(&["plan", "smoke.yaml", "--check", "--instructions", level]).succeeds().out;
    assert!(state("baseline").contains("fresh") && state("avx2").contains("fresh"));
    let shown = place.run(&["show", "smoke.yaml", "dm", "--json", "--instructions", "avx2"]).succeeds().out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["parts"]["instructions"], "avx2", "{shown}");
    assert!(shown["parts"]["matcher"].as_str().unwrap().starts_with("dm revision "), "{shown}");
    assert_eq!(shown["made_on"]["instructions"], "avx2", "{shown}");
    assert!(shown["made_on"]["plugins"]["matcher dm"].as_str().unwrap().contains(" b3:"), "{shown}");
}

#[test]
fn the_seed_changes_what_is_random() {
    let ran = smoke(&Place::new(), &["--set", "seed=1"]).succeeds().digests();
    assert_eq!(ran["data.data"], expected()["data.data"]);
    for node in ["random.set", "dm.set", "dsa.set"] {
        assert_ne!(ran[node], expected()[node], "{node}");
    }
}
