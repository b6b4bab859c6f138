//! Nodes that go further than others did: they go on where these ended, and come to what they would have come to alone.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{Ran, Toy, jobs, plan_of, planned, run_plan, run_with, text_of};
use pddflow_runner::cache::{Fault, RamStore};
use pddflow_runner::pipeline::Plan;
use serde_json::json;

/// One node whose steps depend on its `text` and on all steps before; `goal` says how many there are.
fn growing(goal: u64, text: &str) -> Plan {
    plan_of(&[("n", json!({"act": "grow", "goal": goal, "text": text}), vec![])])
}

fn steps(ran: &Ran) -> usize {
    *ran.toy.steps.lock().unwrap()
}

#[test]
fn a_higher_goal_is_reached_from_where_the_lower_one_ended() {
    let (store, fresh) = (RamStore::new(), RamStore::new());
    assert_eq!(steps(&run_plan(&growing(5, "a"), &store)), 5);
    assert_eq!(planned(&growing(8, "a"), &store), ["stale: with.goal: 5 -> 8; extends from 5 of 8 goal"]);
    let explained = pddflow_runner::explain(&growing(8, "a"), &Toy::default(), &store, 0);
    assert_eq!(explained.changes.last().unwrap().to_string(), "extends from 5 of 8 goal");
    let (extended, alone) = (run_plan(&growing(8, "a"), &store), run_plan(&growing(8, "a"), &fresh));
    assert_eq!((steps(&extended), steps(&alone)), (3, 8));
    assert_eq!(extended.reasons("n"), ["with.goal: 5 -> 8", "extends from 5 of 8 goal"]);
    assert_eq!(text_of(&store, &extended, "n"), text_of(&fresh, &alone, "n"));
    // From the furthest that is not too far.
    let between = run_plan(&growing(7, "a"), &store);
    assert_eq!((steps(&between), between.reasons("n")[1].as_str()), (2, "extends from 5 of 7 goal"));
    let below = run_plan(&growing(4, "a"), &store);
    assert_eq!((steps(&below), below.reasons("n").len()), (4, 1));
}

#[test]
fn anything_else_that_changes_means_starting_over() {
    let store = RamStore::new();
    run_plan(&growing(5, "a"), &store);
    let check = |plan: &Plan, toy: Toy| {
        let ran = run_with(plan, &store, &jobs(1), toy);
        assert_eq!(steps(&ran), 8);
        assert!(!ran.reasons("n").iter().any(|reason| reason.contains("extends")), "{:?}", ran.reasons("n"));
    };
    check(&growing(8, "b"), Toy::default());
    check(&growing(8, "a"), Toy { revision: 7, ..Toy::default() });
    let with = json!({"act": "grow", "goal": 8, "text": "a"});
    check(&plan_of(&[("m", json!({"text": "m"}), vec![]), ("n", with, vec!["m"])]), Toy::default());
}

#[test]
fn a_kind_that_names_no_parameter_starts_over() {
    let plan = |goal: u64| plan_of(&[("n", json!({"act": "grow", "goal": goal, "unstable": true}), vec![])]);
    let store = RamStore::new();
    assert_eq!(steps(&run_plan(&plan(5), &store)), 5);
    assert_eq!(steps(&run_plan(&plan(8), &store)), 8);
    assert!(!store.files().iter().any(|(path, _)| path.to_string_lossy().contains("states")));
}

#[test]
fn a_result_that_is_refused_leaves_no_state() {
    let store = RamStore::new();
    let with = json!({"act": "grow", "goal": 5, "key": "unsteady"});
    let ran = run_plan(&plan_of(&[("n", with, vec![])]), &store);
    let error = ran.summary.node("n").unwrap().error.clone().unwrap();
    assert_eq!((error.code.as_str(), steps(&ran)), ("pddflow::runner::changed_while_running", 5));
    assert!(!store.files().iter().any(|(path, _)| path.to_string_lossy().contains("states")));
}

#[test]
fn a_checkpoint_of_its_own_comes_first() {
    let store = RamStore::new();
    run_plan(&growing(5, "a"), &store);
    let mut stopping = growing(9, "a");
    stopping.nodes[0].with["stop_after"] = json!(7);
    let stopped = run_plan(&stopping, &store);
    assert!(stopped.summary.cancelled);
    // `stop_after` is among the parameters, so this is the first of its lineage; it stopped at 7 and goes on there.
    assert_eq!(steps(&stopped), 7);
    let ended = run_with(&stopping, &store, &jobs(1), Toy::default());
    assert_eq!((steps(&ended), ended.counts()), (2, [0, 1, 0, 0]));
}

#[test]
fn a_damaged_state_is_told_and_the_one_before_it_taken() {
    let store = RamStore::new();
    run_plan(&growing(3, "a"), &store);
    run_plan(&growing(5, "a"), &store);
    let damaged = |reached: &str| {
        let (path, mut bytes) = store.files().into_iter().find(|(path, _)| path.ends_with(reached)).unwrap();
        bytes[0] ^= 1;
        assert!(store.damage(&path, bytes));
    };
    damaged("5");
    let ran = run_plan(&growing(8, "a"), &store);
    assert_eq!((steps(&ran), ran.warnings().len()), (5, 1), "{:?}", ran.warnings());
    let fresh = RamStore::new();
    let alone = run_plan(&growing(8, "a"), &fresh);
    assert_eq!(text_of(&store, &ran, "n"), text_of(&fresh, &alone, "n"));
}

#[test]
fn a_state_that_cannot_be_kept_is_told_and_harms_nothing() {
    let store = RamStore::new();
    run_plan(&growing(2, "a"), &store);
    // The step at which the state is written, whichever it is.
    let found = (0..60).any(|step| {
        let store = store.killed();
        store.fault_at(store.steps() + step, Fault::Fail(std::io::ErrorKind::StorageFull));
        let ran = run_plan(&growing(5, "a"), &store);
        let told = ran.warnings().iter().any(|text| text.contains("going further will mean starting over"));
        told && ran.counts() == [0, 1, 0, 0]
    });
    assert!(found);
}

#[test]
fn no_key_of_a_node_is_that_of_its_lineage() {
    let store = RamStore::new();
    let ran = run_plan(&growing(5, "a"), &store);
    let key = ran.summary.node("n").unwrap().key().unwrap();
    assert!(store.states(&key).is_empty());
    let paths: Vec<String> = store.files().iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect();
    let state = paths.iter().find(|path| path.contains("states")).unwrap();
    assert!(!state.contains(&key.hex()));
}
