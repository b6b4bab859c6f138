//! `--profile-ops` shows where the time goes and changes nothing.

use crate::{expected, smoke};
use pddflow_tests::Place;
use serde_json::Value;

#[test]
fn a_profile_has_nodes_iterations_and_operations() {
    let place = Place::new();
    let ran = smoke(&place, &["--profile-ops", "profile.json"]).succeeds();
    assert_eq!(&ran.digests(), expected());
    let profile: Value = serde_json::from_str(&fs_err::read_to_string(place.path("profile.json")).unwrap()).unwrap();
    let events = profile["traceEvents"].as_array().unwrap();
    let named = |name: &str| {
        let found = events.iter().find(|event| event["name"] == name);
        found.unwrap_or_else(|| panic!("there is no `{name}` among {} events", events.len()))
    };
    for span in ["dm", "eval[of=dm]", "iteration 2", "net 1, stage 1, epoch 2"] {
        assert_eq!(named(span)["cat"], "span");
    }
    let convolution = named("conv2d");
    assert_eq!((&convolution["cat"], &convolution["ph"]), (&"operation".into(), &"X".into()));
    assert_eq!(convolution["args"]["shape"].as_array().unwrap().len(), 4);
    // Two channels in and out at least: each element of the result takes nine products of each channel.
    assert!(convolution["args"]["operations"].as_u64() > convolution["args"]["bytes"].as_u64());

    // An operation lies within the span that asked for it.
    let (span, inside) = (named("dm"), |event: &&Value| event["tid"] == named("dm")["tid"]);
    let end = |event: &Value| event["ts"].as_f64().unwrap() + event["dur"].as_f64().unwrap();
    let within = |event: &&Value| event["ts"].as_f64() >= span["ts"].as_f64() && end(event) <= end(span);
    assert!(events.iter().filter(inside).filter(within).any(|event| event["name"] == "conv2d"));

    let ran = place.run(&["run", "smoke.yaml", "--profile-ops", "no/such/folder.json"]);
    ran.ends_with(2).says(&["the profile cannot be written"]);
}
