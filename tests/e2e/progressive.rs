//! Stages of progressive distillation through the whole program: what they share and what the switches change.

use pddflow_tests::{Digests, Place, Ran};

const STAGES: [&str; 3] = ["1", "2", "3"];

fn run(place: &Place, more: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["run", "progressive.yaml", "--json"].into_iter().chain(more.iter().copied()).collect();
    place.run(&arguments).succeeds()
}

fn set<'a>(digests: &'a Digests, matcher: &str, stage: &str) -> &'a str {
    let name = format!("distill[m={matcher},k={stage}].set");
    digests.get(&name).unwrap_or_else(|| panic!("no {name} in {:?}", digests.keys()))
}

#[test]
fn every_matcher_is_progressive_by_wiring_alone() {
    let place = Place::new();
    let full = run(&place, &[]);
    assert_eq!(run(&place, &[]).nodes("node_started"), Vec::<String>::new());
    let full = full.digests();
    let variant = |switches: &[&str]| run(&place, switches);
    let without_transition = variant(&["--set", "transition=false"]);
    // The first stage and the data are shared by all rows of such a table.
    let started = without_transition.nodes("node_started");
    assert!(!started.iter().any(|node| node == "data"), "{started:?}");
    let variants = [
        without_transition.digests(),
        variant(&["--set", "conditioning=false"]).digests(),
        variant(&["--set", "transition=false", "--set", "conditioning=false"]).digests(),
    ];
    for matcher in ["dm", "dc"] {
        for other in &variants {
            assert_eq!(
                set(&full, matcher, "1"),
                set(other, matcher, "1"),
                "{matcher}: the first stage is the base method"
            );
            for stage in &STAGES[1..] {
                assert_ne!(set(&full, matcher, stage), set(other, matcher, stage), "{matcher}, stage {stage}");
            }
        }
        let different: std::collections::BTreeSet<&str> =
            STAGES.iter().map(|stage| set(&full, matcher, stage)).collect();
        assert_eq!(different.len(), 3, "{matcher}");
    }
}

#[test]
fn fewer_stages_are_the_first_of_more() {
    let place = Place::new();
    let two = run(&place, &["--set", "stages=2"]).digests();
    let three = run(&place, &["--jobs", "1"]);
    assert!(
        !three.nodes("node_started").iter().any(|node| node.starts_with("distill[m=dm,k=1") || node.contains("k=2"))
    );
    for stage in &STAGES[..2] {
        assert_eq!(set(&two, "dm", stage), set(&three.digests(), "dm", stage));
    }
}
