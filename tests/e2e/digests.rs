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
fn the_seed_changes_what_is_random() {
    let ran = smoke(&Place::new(), &["--set", "seed=1"]).succeeds().digests();
    assert_eq!(ran["data.data"], expected()["data.data"]);
    for node in ["random.set", "dm.set", "dsa.set"] {
        assert_ne!(ran[node], expected()[node], "{node}");
    }
}
